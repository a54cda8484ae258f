"""Accesses: the loads and stores of a buffer in statements, in terms of loop variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.ir import (
    INDEX,
    Allocate,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    Cast,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    Load,
    Not,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    Var,
    While,
    dtype_of,
    substitute,
    walk,
)
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store of a buffer, its indices in terms of loop variables.

    `loops` are those inside the piece of the program that was asked about, `guards` the
    conditions under which it runs (in terms of loop variables; `exact` where these are all).
    `settled` where it is a read that the same block has initialised, `initial` the block of which
    it is a store of the initial value.
    """

    indices: tuple[PrimExpr, ...]
    loops: tuple[For, ...]
    guards: tuple[PrimExpr, ...]
    writes: bool
    exact: bool
    settled: bool = False
    initial: NodeId | None = None


@dataclass(frozen=True, slots=True)
class _Context:
    values: Mapping[NodeId, PrimExpr]
    loops: tuple[For, ...] = ()
    guards: tuple[PrimExpr, ...] = ()
    exact: bool = True
    initialised: tuple[Store, ...] = ()
    within: tuple[Stmt, ...] | None = None
    """Only accesses in these statements count; None for all."""

    def at(self, expr: PrimExpr) -> PrimExpr:
        return substitute(expr, dict(self.values))

    def under(self, condition: PrimExpr) -> _Context:
        return replace(self, guards=(*self.guards, self.at(condition)))

    def where(self, var: Var, value: PrimExpr) -> _Context:
        return replace(self, values={**self.values, var.id: self.at(value)})


def accesses(
    items: Sequence[Stmt], buffer: NodeId, within: Sequence[Stmt] | None = None
) -> list[Access]:
    """All loads and stores of a buffer in statements, in program order.

    Axes and scalars bound inside are replaced by their values. Only what is in one of the
    statements `within` counts, if given.
    """
    context = _Context({}, within=None if within is None else tuple(within))
    return [found for item in items for found in _accesses(item, buffer, context)]


def _accesses(stmt: Stmt, buffer: NodeId, context: _Context) -> Iterator[Access]:  # noqa: C901, PLR0912 one case a node
    if context.within is not None and any(stmt is item for item in context.within):
        context = replace(context, within=None)
    match stmt:
        case Store():
            yield from _loads((stmt.value, *stmt.indices), buffer, context)
            if stmt.buffer.id == buffer and context.within is None:
                yield _access(stmt, context, writes=True)
        case For(start=start, extent=extent, body=body):
            yield from _loads((start, extent), buffer, context)
            first, count = context.at(as_index(start)), context.at(as_index(extent))
            moved = replace(stmt, start=first, extent=count)
            yield from _accesses(body, buffer, replace(context, loops=(*context.loops, moved)))
        case Block():
            yield from _in_block(stmt, buffer, context)
        case Seq(body=items):
            for item in items:
                yield from _accesses(item, buffer, context)
        case If(condition=condition, then=then, otherwise=otherwise):
            yield from _loads((condition,), buffer, context)
            yield from _accesses(then, buffer, context.under(condition))
            if otherwise is not None:
                yield from _accesses(otherwise, buffer, context.under(Not(condition)))
        case While(condition=condition, body=body):
            yield from _loads((condition,), buffer, context)
            yield from _accesses(body, buffer, replace(context, exact=False))
        case Let(var=var, value=value, body=body):
            yield from _loads((value,), buffer, context)
            yield from _accesses(body, buffer, context.where(var, value))
        case Allocate(body=body):
            yield from _accesses(body, buffer, context)
        case Evaluate(value=value):
            yield from _loads((value,), buffer, context)


def _in_block(block: Block, buffer: NodeId, context: _Context) -> Iterator[Access]:
    inner = context
    for axis in block.axes:
        yield from _loads((axis.value,), buffer, context)
        inner = inner.where(axis.var, axis.value)
    if block.predicate is not None:
        yield from _loads((block.predicate,), buffer, inner)
        inner = inner.under(block.predicate)
    if block.init is not None:
        first = inner
        for axis in block.axes:
            if axis.kind is AxisKind.REDUCE:
                first = first.under(Binary(BinaryOp.EQ, axis.value, IntImm(0)))
        for access in _accesses(block.init, buffer, first):
            yield replace(access, initial=block.id if access.writes else None)
        if isinstance(block.init, Store):
            inner = replace(inner, initialised=(*inner.initialised, block.init))
    yield from _accesses(block.body, buffer, inner)


def _loads(exprs: Sequence[PrimExpr], buffer: NodeId, context: _Context) -> Iterator[Access]:
    for expr in exprs if context.within is None else ():
        for node in walk(expr):
            if isinstance(node, Load) and node.buffer.id == buffer:
                yield _access(node, context, writes=False)


def _access(node: Load | Store, context: _Context, *, writes: bool) -> Access:
    indices = tuple(context.at(index) for index in node.indices)
    settled = not writes and any(
        init.buffer.id == node.buffer.id and init.indices == node.indices
        for init in context.initialised
    )
    return Access(indices, context.loops, context.guards, writes, context.exact, settled)


def as_index(expr: PrimExpr) -> PrimExpr:
    """The expression in the dtype of indices."""
    if isinstance(expr, IntImm):
        return IntImm(expr.value)
    return expr if dtype_of(expr) == INDEX else Cast(expr, INDEX)
