"""Regions: the box of a buffer that statements touch while the loops around them run."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.arith import Facts
from workbench.ir import (
    INDEX,
    Block,
    For,
    Let,
    Load,
    PrimExpr,
    Stmt,
    Store,
    While,
    children,
    dtype_of,
    free_vars,
    substitute,
)
from workbench.schedule.symbolic_box import UNKNOWN, Box, Span, bound_in, hull
from workbench.support import NodeId


def region(
    stmt: Stmt, buffer: NodeId, facts: Facts, *, write: bool = False
) -> tuple[Span, ...] | None:
    """The box of a buffer that a statement reads, or writes; None where it does not touch it.

    Ends are expressions over what is bound outside of `stmt`; both ends of a dimension are None
    where an index cannot be bounded.
    """
    inside = bound_in(stmt)
    found: tuple[Span, ...] | None = None
    for spans in _touches(stmt, buffer, Box(facts, {}), {}, write):
        if found is None:
            found = spans
        else:
            found = tuple(hull(facts, a, b) for a, b in zip(found, spans, strict=True))
    if found is None:
        return None
    return tuple(
        UNKNOWN if any(inside & free_vars(end).keys() for end in span.known or ()) else span
        for span in found
    )


def _touches(
    node: object,
    buffer: NodeId,
    box: Box,
    bound: dict[NodeId, PrimExpr],
    write: bool,
) -> Iterator[tuple[Span, ...]]:
    match node:
        case For(var=var, start=start, extent=extent, body=body):
            for part in (start, extent):
                yield from _touches(part, buffer, box, bound, write)
            first = box.of(substitute(start, bound))
            last = box.of(substitute(start + extent - 1, bound))
            inner = Box(box.facts, {**box.inner, var.id: Span(first.low, last.high)})
            yield from _touches(body, buffer, inner, bound, write)
        case While(condition=condition, body=body):
            yield from _touches(condition, buffer, box, bound, write)
            yield from _touches(body, buffer, box, bound, write)
        case Let(var=var, value=value, body=body):
            yield from _touches(value, buffer, box, bound, write)
            known = {**bound, var.id: substitute(value, bound)} if _index(value) else bound
            yield from _touches(body, buffer, box, known, write)
        case Block():
            yield from _of_block(node, buffer, box, bound, write)
        case Store(buffer=target, indices=indices) if write and target.id == buffer:
            yield tuple(box.of(substitute(index, bound)) for index in indices)
            yield from _below(node, buffer, box, bound, write)
        case Load(buffer=source, indices=indices) if not write and source.id == buffer:
            yield tuple(_span(box, substitute(index, bound)) for index in indices)
            yield from _below(node, buffer, box, bound, write)
        case _:
            yield from _below(node, buffer, box, bound, write)


def _index(value: PrimExpr) -> bool:
    return dtype_of(value) == INDEX


def _span(box: Box, index: PrimExpr) -> Span:
    """The span of an index, which lies in the buffer; what comes from memory is not bounded."""
    return UNKNOWN if any(isinstance(n, Load) for n in _nodes(index)) else box.of(index)


def _nodes(expr: PrimExpr) -> Iterator[object]:
    yield expr
    for child in children(expr):
        yield from _nodes(child)


def _below(
    node: object,
    buffer: NodeId,
    box: Box,
    bound: dict[NodeId, PrimExpr],
    write: bool,
) -> Iterator[tuple[Span, ...]]:
    for child in children(node):
        yield from _touches(child, buffer, box, bound, write)


def _of_block(
    block: Block,
    buffer: NodeId,
    box: Box,
    bound: dict[NodeId, PrimExpr],
    write: bool,
) -> Iterator[tuple[Span, ...]]:
    known = dict(bound)
    for axis in block.axes:
        yield from _touches(axis.value, buffer, box, bound, write)
        known[axis.var.id] = substitute(axis.value, bound)
    for declared in (block.writes if write else block.reads) or ():
        if declared.buffer.id == buffer:
            yield tuple(
                Span(
                    box.of(substitute(item.start, known)).low,
                    box.of(substitute(item.start + item.extent - 1, known)).high,
                )
                for item in declared.ranges
            )
    for part in (block.predicate, block.init, block.body):
        if part is not None:
            yield from _touches(part, buffer, box, known, write)
