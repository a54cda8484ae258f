"""What the init of a block leaves to its body: elements that every instance begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.ir import (
    AxisKind,
    Block,
    For,
    IntImm,
    Load,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    Var,
    free_vars,
    substitute,
    walk,
)
from workbench.ir.tensor import Allocate
from workbench.ir.traverse import Node, children
from workbench.support import NodeId

Element = tuple[PrimExpr, ...]


@dataclass(frozen=True, slots=True)
class _Access:
    """A load or store, and the loops inside of the block around it, outermost first."""

    node: Load | Store
    loops: tuple[For, ...]


def not_initialised(block: Block) -> Iterator[Load | Store]:
    """The accesses of the body that the init of the same instance has not stored to before.

    An init stores to what has the same indices over the same ranges of the loops inside. One that
    a reduction axis moves is of another element in each update, and an init runs in the first one.
    """
    begun: set[tuple[NodeId, Element]] = set()
    if block.init is not None:
        for access in _unconditional(block.init, ()):
            if (element := _element(access)) is not None:
                begun.add((access.node.buffer.id, element))
    moved = {axis.var.id for axis in block.axes if axis.kind is not AxisKind.SPATIAL}
    for access in _accesses(block.body, ()):
        element = _element(access)
        named = {v for part in element or () for v in free_vars(part)}
        known = element is not None and (access.node.buffer.id, element) in begun
        if not known or not moved.isdisjoint(named):
            yield access.node


def _accesses(node: Node, loops: tuple[For, ...]) -> Iterator[_Access]:
    if isinstance(node, Load | Store):
        yield _Access(node, loops)
    for child in children(node):
        if isinstance(node, For) and child is node.body:
            yield from _accesses(child, (*loops, node))
        else:
            yield from _accesses(child, loops)


def _unconditional(stmt: Stmt, loops: tuple[For, ...]) -> Iterator[_Access]:
    """The stores that surely run, for all values of the loops around that are in their indices."""
    match stmt:
        case Store():
            named = {v for index in stmt.indices for v in free_vars(index)}
            if all(loop.var.id in named or _runs(loop) for loop in loops):
                yield _Access(stmt, loops)
        case For(body=body):
            yield from _unconditional(body, (*loops, stmt))
        case Seq(body=body):
            for item in body:
                yield from _unconditional(item, loops)
        case Allocate(body=body):
            yield from _unconditional(body, loops)
        case _:
            return


def _runs(loop: For) -> bool:
    return isinstance(loop.extent, IntImm) and loop.extent.value > 0


def _element(access: _Access) -> Element | None:
    """Indices, and the ranges of the loops in them, which are named by their order alone.

    None where memory says which element it is.
    """
    loops = {loop.var.id: loop for loop in access.loops}
    order: list[For] = []
    pending = list(reversed(access.node.indices))
    while pending:
        for ident in free_vars(pending.pop()):
            if ident in loops:
                loop = loops.pop(ident)
                order.append(loop)
                pending += [loop.start, loop.extent]
    parts = (*access.node.indices, *(end for loop in order for end in (loop.start, loop.extent)))
    if any(isinstance(node, Load) for part in parts for node in walk(part)):
        return None
    names: dict[NodeId, PrimExpr] = {
        loop.var.id: Var(NodeId(-1 - place), "", loop.var.type) for place, loop in enumerate(order)
    }
    return tuple(substitute(part, names) for part in parts)
