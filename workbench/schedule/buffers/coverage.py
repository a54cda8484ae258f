"""Coverage: whether a store surely writes every element of a box."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap
from workbench.analysis.recombine import recombined
from workbench.ir import (
    Binary,
    BinaryOp,
    For,
    PrimExpr,
    ScalarType,
    Var,
    as_dim,
    free_vars,
    substitute,
)
from workbench.schedule.buffers.accesses import Access
from workbench.schedule.buffers.footprint import Box
from workbench.support import CompileError, NodeId


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
