"""Footprints: which box of a buffer statements touch, and whether they write all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap
from workbench.analysis.recombine import recombined
from workbench.ir import (
    INDEX,
    Allocate,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    Cast,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    Load,
    Not,
    PrimExpr,
    Range,
    ScalarType,
    Select,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    as_dim,
    as_expr,
    dtype_of,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.facts import facts_inside, facts_of
from workbench.support import CompileError, NodeId

Span = tuple[PrimExpr, PrimExpr]
"""Least and greatest value."""


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store of a buffer, its indices in terms of loop variables.

    `loops` are those inside the piece of the program that was asked about, `guards` the
    conditions under which it runs (in terms of loop variables; `exact` where these are all).
    `settled` where it is a read that the same block has initialised, `initial` where it is a
    store of the initial value.
    """

    indices: tuple[PrimExpr, ...]
    loops: tuple[For, ...]
    guards: tuple[PrimExpr, ...]
    writes: bool
    exact: bool
    settled: bool = False
    initial: bool = False


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
            yield replace(access, initial=True)
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


# --- facts ------------------------------------------------------------------------------------


def as_index(expr: PrimExpr) -> PrimExpr:
    """The expression in the dtype of indices."""
    if isinstance(expr, IntImm):
        return IntImm(expr.value)
    return expr if dtype_of(expr) == INDEX else Cast(expr, INDEX)


def facts_around(function: TensorFunction, path: Sequence[Stmt], below: Stmt) -> Facts:
    """What holds at `below`, a child of the last statement of `path`."""
    facts = facts_of(function)
    for around, child in pairwise((*path, below)):
        facts = facts_inside(facts, around, child)
    return facts


# --- boxes ------------------------------------------------------------------------------------


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
            ranges.append(Range(span[0], length))
        else:
            ranges.append(Range(IntImm(0), extent))
    return Box(tuple(ranges), tuple(guarded))


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


# --- coverage ---------------------------------------------------------------------------------


def covers(box: Box, access: Access, facts: Facts) -> bool:
    """Whether a store surely writes every element of a box."""
    if not access.writes or not access.exact or box.guarded:
        return False
    used = {v for index in access.indices for v in free_vars(index)}
    moving = [loop for loop in access.loops if loop.var.id in used]
    outside = {loop.var.id for loop in moving}
    if any(set(free_vars(e)) & outside for x in moving for e in (x.start, x.extent)):
        return False
    places = [Var(NodeId(-1000 - n), f"e{n}", ScalarType()) for n in range(len(access.indices))]
    inner = facts
    for place, piece in zip(places, box.ranges, strict=True):
        inner = inner.with_range(place, loop_interval(piece.start, piece.extent))
    shifted = {x.var.id: x.var + x.start for x in moving}
    at_zero = tuple(substitute(index, shifted) for index in access.indices)
    back = _solve(tuple(x.var for x in moving), at_zero, moving, places)
    if back is None:
        return False
    values, inside = back
    found = {x.var.id: v + x.start for x, v in zip(moving, values, strict=True)}
    conditions = [] if inside is None else [inside]
    for loop in access.loops:
        if loop.var.id not in found:
            found[loop.var.id] = substitute(loop.start, found)
            conditions.append(substitute(loop.extent, found) > 0)
    conditions += [substitute(guard, found) for guard in access.guards]
    return all(inner.proves(recombined(c, inner)) is True for c in conditions)


def _solve(
    variables: tuple[Var, ...],
    indices: tuple[PrimExpr, ...],
    loops: Sequence[For],
    places: Sequence[Var],
) -> tuple[tuple[PrimExpr, ...], PrimExpr | None] | None:
    """The loop variables at which the element at `places` is written."""
    fixed = [n for n, index in enumerate(indices) if not set(free_vars(index)) & _ids(variables)]
    kept = [n for n in range(len(indices)) if n not in fixed]
    shape = tuple(as_dim(loop.extent) for loop in loops)
    try:
        inverse = IndexMap(variables, tuple(indices[n] for n in kept)).inverse(shape)
    except CompileError:
        return None
    values, inside = inverse.at([places[n] for n in kept])
    same = [c for n in fixed for c in (places[n] >= indices[n], places[n] <= indices[n])]
    box = zip((places[n] for n in kept), inverse.shape, strict=True)
    same += [c for place, extent in box for c in (place >= 0, place < extent)]
    everything = [*same, *([] if inside is None else [inside])]
    condition = reduce(lambda a, b: Binary(BinaryOp.AND, a, b), everything) if everything else None
    return values, condition


def _ids(variables: Sequence[Var]) -> set[NodeId]:
    return {var.id for var in variables}
