"""Copies of statements, with ids and names of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.ir import (
    Allocate,
    Block,
    BufferType,
    For,
    Let,
    Stmt,
    Var,
    as_dim,
    free_vars,
    map_children,
)
from workbench.schedule.scope import Scope, enclosed, walk_statements
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Copy:
    """A copied statement; `ids` says what each loop, block, axis and buffer became."""

    stmt: Stmt
    ids: dict[NodeId, NodeId]


def copied(scope: Scope, stmt: Stmt) -> Copy:
    """A copy of a statement of the function: fresh ids, and free names except for axes."""
    made = _Copier(scope)
    for inner in walk_statements(stmt):
        made.bind(inner)
    result = made(stmt)
    return Copy(result, made.ids)  # pyright: ignore[reportArgumentType]


class _Copier:
    """Replaces what the statement binds by fresh copies, everywhere."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.ids: dict[NodeId, NodeId] = {}
        self.names: dict[NodeId, str] = {}
        self.known = _bound_in(scope)

    def bind(self, stmt: Stmt) -> None:
        match stmt:
            case For(var=var) | Let(var=var) | Allocate(buffer=var):
                self._new(var)
            case Block():
                self._block(stmt)
            case _:
                pass

    def _block(self, block: Block) -> None:
        self.ids[block.id] = self.scope.ids.new()
        self.names[block.id] = self.scope.free_name(block.name)
        for axis in block.axes:
            self.ids[axis.var.id] = self.scope.ids.new()
            self.names[axis.var.id] = axis.var.name
        for buffer in block.allocations:
            self._new(buffer)
        for match in block.match_buffers:
            self._new(match.buffer)
            for dim in free_vars(match.buffer.type).values():
                if dim.id not in self.known and dim.id not in self.ids:
                    self._new(dim)

    def _new(self, var: Var) -> None:
        self.ids[var.id] = self.scope.ids.new()
        self.names[var.id] = self.scope.free_name(var.name)

    def __call__(self, node: object) -> object:
        if isinstance(node, Var):
            type_ = self(node.type)
            if node.id not in self.ids:
                return node if type_ is node.type else replace(node, type=type_)
            return Var(self.ids[node.id], self.names[node.id], type_)  # pyright: ignore[reportArgumentType]
        mapped = map_children(node, self)
        if isinstance(mapped, BufferType) and mapped is not node:
            return replace(mapped, shape=tuple(as_dim(extent) for extent in mapped.shape))
        if isinstance(mapped, Block):
            return replace(mapped, id=self.ids[mapped.id], name=self.names[mapped.id])
        return mapped


def _bound_in(scope: Scope) -> set[NodeId]:
    """Scalars that parameters and statements bind; others are bound by matched buffers."""
    found: set[NodeId] = set()
    for param in scope.function.params:
        found.add(param.id)
        found.update(free_vars(param.type))
    for stmt, _ in enclosed(scope.function.body):
        if isinstance(stmt, For | Let):
            found.add(stmt.var.id)
        elif isinstance(stmt, Block):
            found.update(axis.var.id for axis in stmt.axes)
    return found
