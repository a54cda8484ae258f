"""Footprints: which box of a buffer statements touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workbench.analysis.arith import Facts, loop_interval
from workbench.ir import (
    Binary,
    BinaryOp,
    BufferType,
    For,
    IntImm,
    Load,
    PrimExpr,
    Range,
    Select,
    Stmt,
    TensorFunction,
    Var,
    as_expr,
    free_vars,
    walk,
)
from workbench.schedule.buffers.accesses import Access, as_index
from workbench.schedule.facts import facts_inside, facts_of
from workbench.support import NodeId

Span = tuple[PrimExpr, PrimExpr]
"""Least and greatest value."""


def facts_around(function: TensorFunction, path: Sequence[Stmt], below: Stmt) -> Facts:
    """What holds at `below`, a child of the last statement of `path`."""
    facts = facts_of(function)
    for around, child in pairwise((*path, below)):
        facts = facts_inside(facts, around, child)
    return facts


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a buffer; `guarded` dimensions may reach beyond the buffer."""

    ranges: tuple[Range, ...]
    guarded: tuple[int, ...] = ()

    @property
    def at_zero(self) -> bool:
        """Whether it begins at the first element."""
        return all(r.start == IntImm(0) for r in self.ranges)


def whole(buffer: Var) -> Box:
    """The whole buffer."""
    assert isinstance(buffer.type, BufferType)
    return Box(tuple(Range(IntImm(0), as_expr(extent)) for extent in buffer.type.shape))


def hull(buffer: Var, found: Sequence[Access], facts: Facts, local: bool) -> Box:
    """A box that holds all accesses, whole dimensions where none smaller is known.

    `facts` hold around the piece of the program. `local` boxes move with loops around it.
    """
    assert isinstance(buffer.type, BufferType)
    ranges: list[Range] = []
    guarded: list[int] = []
    for n, dim in enumerate(buffer.type.shape):
        extent = as_expr(dim)
        span = _union([_extremes(a.indices[n], a.loops, facts) for a in found], facts)
        length = None if span is None else facts.simplify(span[1] - span[0] + 1)
        if span is None or length is None or _varies(length, facts, buffer):
            ranges.append(Range(IntImm(0), extent))
            continue
        low = facts.proves(span[0] >= 0) is True
        high = facts.proves(span[1] < extent) is True
        smaller = not isinstance(length, IntImm) or facts.proves(length < extent) is not False
        moves = _varies(span[0], facts, buffer)
        if (low and high) or (moves and local and smaller):
            if not (low and high):
                guarded.append(n)
            ranges.append(Range(span[0], at_least_zero(length, facts)))
        else:
            ranges.append(Range(IntImm(0), extent))
    return Box(tuple(ranges), tuple(guarded))


def at_least_zero(length: PrimExpr, facts: Facts) -> PrimExpr:
    """Loops may run less than no times, but no buffer has less than no elements."""
    if facts.proves(length >= 0) is True:
        return length
    return facts.simplify(Binary(BinaryOp.MAX, length, IntImm(0)))


def _varies(expr: PrimExpr, facts: Facts, buffer: Var) -> bool:
    """Whether a value changes while the buffer lives: it depends on more than dimensions."""
    del facts
    dims = set(free_vars(buffer.type))
    return any(isinstance(n, Load) for n in walk(expr)) or not set(free_vars(expr)) <= dims


def _union(spans: Sequence[Span | None], facts: Facts) -> Span | None:
    if not spans:
        return None
    result = spans[0]
    for span in spans[1:]:
        if result is None or span is None:
            return None
        low = _chosen(result[0], span[0], facts)
        high = _chosen(span[1], result[1], facts)
        if low is None or high is None:
            return None
        result = (low[0], high[1])
    return result


def _chosen(a: PrimExpr, b: PrimExpr, facts: Facts) -> Span | None:
    """Both, the smaller one first, None where neither is known to be."""
    if facts.proves(a <= b) is True:
        return a, b
    return (b, a) if facts.proves(b <= a) is True else None


def _extremes(expr: PrimExpr, loops: Sequence[For], facts: Facts) -> Span | None:
    """Least and greatest value over all iterations of `loops`, in terms of what is outside."""
    known: dict[NodeId, Span] = {}
    inner = facts
    for loop in loops:
        inner = inner.with_range(loop.var, loop_interval(loop.start, loop.extent))
    for loop in loops:
        first = _span(loop.start, known, facts)
        last = _span(inner.simplify(loop.start + loop.extent - 1), known, facts)
        if first is None or last is None:
            return None
        known[loop.var.id] = (first[0], last[1])
    found = _span(inner.simplify(expr), known, facts)
    return None if found is None else (facts.simplify(found[0]), facts.simplify(found[1]))


def _span(expr: PrimExpr, known: Mapping[NodeId, Span], facts: Facts) -> Span | None:
    match expr:
        case Var(id=var):
            return known.get(var, (as_index(expr), as_index(expr)))
        case IntImm():
            return as_index(expr), as_index(expr)
        case Binary(op=op, a=a, b=b):
            left, right = _span(a, known, facts), _span(b, known, facts)
            return None if left is None or right is None else _combine(op, left, right, facts)
        case Select(true_value=a, false_value=b):
            return _union([_span(a, known, facts), _span(b, known, facts)], facts)
        case _:
            return None


def _combine(op: BinaryOp, a: Span, b: Span, facts: Facts) -> Span | None:
    match op:
        case BinaryOp.ADD:
            return a[0] + b[0], a[1] + b[1]
        case BinaryOp.SUB:
            return a[0] - b[1], a[1] - b[0]
        case BinaryOp.MUL:
            return _product(a, b, facts) or _product(b, a, facts)
        case BinaryOp.FLOORDIV if b[0] == b[1] and facts.proves(b[0] > 0) is True:
            return a[0] // b[0], a[1] // b[0]
        case BinaryOp.FLOORMOD if b[0] == b[1] and facts.proves(b[0] > 0) is True:
            return _remainder(a, b[0], facts)
        case BinaryOp.MIN | BinaryOp.MAX:
            return Binary(op, a[0], b[0]), Binary(op, a[1], b[1])
        case _:
            return None


def _product(a: Span, b: Span, facts: Facts) -> Span | None:
    """Where `b` is one value of a known sign."""
    if b[0] != b[1]:
        return None
    if facts.proves(b[0] >= 0) is True:
        return a[0] * b[0], a[1] * b[0]
    return (a[1] * b[0], a[0] * b[0]) if facts.proves(b[0] <= 0) is True else None


def _remainder(a: Span, divisor: PrimExpr, facts: Facts) -> Span:
    first, last = facts.simplify(a[0] // divisor), facts.simplify(a[1] // divisor)
    if first == last:
        return a[0] % divisor, a[1] % divisor
    return IntImm(0), divisor - 1
