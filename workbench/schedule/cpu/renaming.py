"""Renaming: put the body of one tensor function into another, with fresh ids."""

from __future__ import annotations

from dataclasses import replace

from workbench.ir import (
    Block,
    BufferType,
    Dim,
    Stmt,
    TensorFunction,
    TensorType,
    Var,
    as_dim,
    as_expr,
    map_children,
)
from workbench.support import IdSource, NodeId


class Renaming:
    """Gives out ids of the new function.

    Symbolic dimensions keep the ids they have in the caller.
    """

    def __init__(self, next_id: int) -> None:
        self.ids = IdSource(next_id)

    def buffer(self, var: Var) -> Var:
        """A tensor value of a graph function as a buffer of the same id and name."""
        assert isinstance(var.type, TensorType)
        assert var.type.shape is not None
        return Var(var.id, var.name, BufferType(var.type.shape, var.type.dtype or "float32"))

    def inline(self, callee: TensorFunction, args: tuple[Var, ...]) -> tuple[Stmt, tuple[Var, ...]]:
        """The body of `callee` on the buffers `args`, and its allocations, all with fresh ids."""
        known: dict[NodeId, object] = {}
        for param, arg in zip(callee.params, args, strict=True):
            known[param.id] = arg
            assert isinstance(param.type, BufferType)
            assert isinstance(arg.type, BufferType)
            for inner, outer in zip(param.type.shape, arg.type.shape, strict=True):
                _bind(inner, outer, known)
        apply = _Apply(known, self.ids)
        body = apply(callee.body)
        return body, tuple(apply(a) for a in callee.allocations)  # pyright: ignore[reportReturnType]


def _bind(inner: Dim, outer: Dim, known: dict[NodeId, object]) -> None:
    if isinstance(inner, Var):
        known.setdefault(inner.id, as_expr(outer))


class _Apply:
    """Replaces variables by what is known, all others by fresh copies."""

    def __init__(self, known: dict[NodeId, object], ids: IdSource) -> None:
        self.known = known
        self.ids = ids

    def __call__(self, node: object) -> object:
        if isinstance(node, Var):
            if node.id not in self.known:
                fresh = self.ids.new()
                self.known[node.id] = Var(fresh, node.name, self(node.type))  # pyright: ignore[reportArgumentType]
            return self.known[node.id]
        mapped = map_children(node, self)
        if isinstance(mapped, BufferType):
            return replace(mapped, shape=tuple(as_dim(extent) for extent in mapped.shape))
        if isinstance(mapped, Block):
            return replace(mapped, id=self.ids.new())
        return mapped
