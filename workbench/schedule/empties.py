"""Empties: a primitive must not change whether a reduction without instances is initialised.

The init of a simple nest runs although there is nothing to reduce (`analysis.empty_reductions`).
Fused with another loop, say, a reduction is no longer such a nest.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator

from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import Answer, applies, unproved
from workbench.analysis.dependence.examples import example
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.empty_reductions import (
    EmptyReduction,
    Reduction,
    axis_values,
    reductions,
)
from workbench.ir import (
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Not,
    PrimExpr,
    Store,
    TensorFunction,
    Var,
    free_vars,
    walk,
)
from workbench.support import NodeId

_KEPT = 16
_CACHE: OrderedDict[int, tuple[TensorFunction, tuple[Reduction, ...]]] = OrderedDict()
_LOCK = threading.Lock()

Inits = dict[NodeId, tuple[Var, Block, bool]]
ALWAYS = IntImm(1, "bool")
HINT = "take the initial value out first: `decompose_reduction`"


def may_be_empty(function: TensorFunction) -> tuple[Reduction, ...]:
    """The reductions of which it is not proved that they have instances; kept by identity."""
    with _LOCK:
        entry = _CACHE.get(id(function))
    if entry is not None:
        return entry[1]
    found = tuple(reduction for reduction in reductions(function) if reduction.may_be_empty)
    with _LOCK:
        _CACHE[id(function)] = function, found
        while len(_CACHE) > _KEPT:
            _CACHE.popitem(last=False)
    return found


def inits_kept(
    before: tuple[Reduction, ...], after: TensorFunction, apart: Collection[NodeId] = ()
) -> Answer:
    """Whether what was initialised with nothing to reduce still is, and nothing else.

    `apart` are blocks of which the caller has compared when they initialise.
    """
    rest = {found.block.id: found for found in before if found.block.id not in apart}
    changed = _changed(rest, after)
    if changed is not None:
        message = f"it is not proved that `{changed.name}` has something to reduce: else its init "
        return unproved(f"{message}would run in other cases", changed.id, hint=HINT)
    old, new = _inits(before), _inits(may_be_empty(after))
    blocks = {block.id: (buffer, block, simple) for buffer, block, simple in old.values()}
    for ident, (buffer, block, simple) in new.items():
        was = old.get(ident) or blocks.get(block.id)
        if (was is None and simple) or (was is not None and was[2] is simple):
            continue
        verb = "would get its initial value" if simple else "would not get its initial value"
        message = f"it is not proved that `{block.name}` has something to reduce: else `"
        return unproved(f"{message}{buffer.name}` {verb}", block.id, hint="" if simple else HINT)
    return applies()


def _changed(before: dict[NodeId, Reduction], after: TensorFunction) -> Block | None:
    """A reduction that is not initialised in the same cases, though both nests are simple."""
    new = {found.block.id: found for found in may_be_empty(after)}
    every = {found.block.id: found for found in reductions(after)}
    natural = {v for param in after.params for v in free_vars(param.type)}
    for ident, old in before.items():
        if old.simple is None or ident not in every:
            continue
        found = new.get(ident)
        if found is None and not _in_each_case(every[ident]):
            return old.block
        if found is not None and found.simple is not None and not _same_cases(old, found, natural):
            return old.block
    return None


def _in_each_case(found: Reduction) -> bool:
    """Whether a reduction that is not known to be empty initialises all that it stands for.

    Where no loop carries it any more, a predicate or another loop may still leave it out.
    """
    if found.used:
        return True
    values = axis_values((*found.path, found.block))
    kept = set[NodeId]().union(*(free_vars(values[axis.var.id]) for axis in found.block.axes))
    others = (s for s in found.path if isinstance(s, For) and s.var.id not in kept)
    runs = all(isinstance(s.extent, IntImm) and s.extent.value > 0 for s in others)
    return runs and found.block.predicate is None


def _same_cases(old: Reduction, new: Reduction, natural: Collection[NodeId]) -> bool:
    """Whether an init runs with nothing to reduce in the same cases, element by element.

    Loops that both have are the same; all others are known by the axes.
    """
    before, after = old.simple, new.simple
    assert before is not None
    assert after is not None
    was, now = initialises(before), initialises(after)
    if was == now:
        return True
    known = [*ranges(old, before), *ranges(new, after), *_same_axes(before, after)]
    try:
        return all(
            example([*known, *one, Not(all_of(*other))], natural) is None
            for one, other in ((was, now), (now, was))
        )
    except TooLargeError:
        return False


def _same_axes(before: EmptyReduction, after: EmptyReduction) -> Iterator[PrimExpr]:
    """That both are at the same values of the axes that do not reduce."""
    old, new = (
        [one.values[a.var.id] for a in one.block.axes if a.kind is not AxisKind.REDUCE]
        for one in (before, after)
    )
    if len(old) == len(new):
        yield from (Binary(BinaryOp.EQ, a, b) for a, b in zip(old, new, strict=True))


def initialises(simple: EmptyReduction) -> list[PrimExpr]:
    """When the init runs before the loops, as there is nothing to reduce."""
    return [*begins(simple), Not(all_of(*simple.nonempty))]


def begins(simple: EmptyReduction) -> list[PrimExpr]:
    """When the loops begin with an init."""
    return [*simple.own, *(Binary(BinaryOp.EQ, value, IntImm(0)) for value in simple.first)]


def ranges(found: Reduction, simple: EmptyReduction) -> list[PrimExpr]:
    """Where the loops around it run that do not reduce."""
    reduced = {loop.var.id for loop in simple.reduced}
    conditions: list[PrimExpr] = []
    for stmt in found.path:
        if isinstance(stmt, For) and stmt.var.id not in reduced:
            conditions += [stmt.var >= stmt.start, stmt.var < stmt.start + stmt.extent]
    return conditions


def all_of(*parts: PrimExpr) -> PrimExpr:
    """All conditions at once; true where there are none."""
    found = conjunction(*parts)
    return ALWAYS if found is None else found


def _inits(found: tuple[Reduction, ...]) -> Inits:
    """Each buffer that is initialised, by which block, and whether always."""
    inits: Inits = {}
    for reduction in found:
        assert reduction.block.init is not None
        for node in walk(reduction.block.init):
            if isinstance(node, Store):
                always = reduction.simple is not None
                kept = inits.get(node.buffer.id)
                if kept is None or kept[2]:
                    inits[node.buffer.id] = node.buffer, reduction.block, always
    return inits
