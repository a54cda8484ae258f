"""Empties: a primitive must not change whether a reduction without instances is initialised.

The init of a simple nest runs although there is nothing to reduce (`analysis.empty_reductions`).
Fused with another loop, say, a reduction is no longer such a nest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import Answer, applies, unproved
from workbench.analysis.dependence.examples import example
from workbench.analysis.dependence.operands import statements_in
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
)
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo

Inits = dict[NodeId, tuple[Var, Block, bool]]
ALWAYS = IntImm(1, "bool")
HINT = "take the initial value out first: `decompose_reduction`"


def some_may_be_empty(function: TensorFunction) -> bool:
    """Whether it is not proved that all reductions have instances."""
    return _KNOWN.get(function, lambda: any(r.may_be_empty for r in reductions(function)))


_KNOWN: IdentityMemo[TensorFunction, bool] = IdentityMemo(16)


def empty_at(function: TensorFunction, block: NodeId) -> Reduction | None:
    """The reduction of a block if it is not proved that it has instances."""
    found = next((one for one in reductions(function) if one.block.id == block), None)
    return found if found is not None and found.may_be_empty else None


def inits_kept(
    before: TensorFunction, after: TensorFunction, apart: Collection[NodeId] = ()
) -> Answer:
    """Whether what was initialised with nothing to reduce still is, and nothing else.

    `apart` are blocks of which the caller has compared when they initialise.
    """
    was, now = _changed(tuple(reductions(before)), tuple(reductions(after)))
    empty = {found.block.id: found for found in was if found.may_be_empty}
    rest = {ident: found for ident, found in empty.items() if ident not in apart}
    natural = {v for param in after.params for v in free_vars(param.type)}
    other = _otherwise(rest, now, natural)
    if other is not None:
        message = f"it is not proved that `{other.name}` has something to reduce: else its init "
        return unproved(f"{message}would run in other cases", other.id, hint=HINT)
    old, new = _inits(empty.values()), _inits(found for found in now if found.may_be_empty)
    blocks = {block.id: (buffer, block, simple) for buffer, block, simple in old.values()}
    for ident, (buffer, block, simple) in new.items():
        known = old.get(ident) or blocks.get(block.id)
        if (known is None and simple) or (known is not None and known[2] is simple):
            continue
        verb = "would get its initial value" if simple else "would not get its initial value"
        message = f"it is not proved that `{block.name}` has something to reduce: else `"
        return unproved(f"{message}{buffer.name}` {verb}", block.id, hint="" if simple else HINT)
    return applies()


def _changed(
    before: Sequence[Reduction], after: Sequence[Reduction]
) -> tuple[list[Reduction], list[Reduction]]:
    """The reductions that are no longer in the same nest, or share a buffer with such a one."""
    every = ({id(found) for found in before}, {id(found) for found in after})
    other = every[0] ^ every[1]
    buffers = {b for one in (*before, *after) if id(one) in other for b, _ in _initialised(one)}

    def matters(found: Reduction) -> bool:
        return id(found) in other or any(b in buffers for b, _ in _initialised(found))

    return list(filter(matters, before)), list(filter(matters, after))


def _otherwise(
    before: Mapping[NodeId, Reduction], after: Sequence[Reduction], natural: Collection[NodeId]
) -> Block | None:
    """A reduction that is not initialised in the same cases, though both nests are simple."""
    every = {found.block.id: found for found in after}
    for ident, old in before.items():
        if old.simple is None or ident not in every:
            continue
        found = every[ident]
        if not found.may_be_empty:
            if not _in_each_case(found):
                return old.block
        elif found.simple is not None and not _same_cases(old, found, natural):
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


def _inits(found: Iterable[Reduction]) -> Inits:
    """Each buffer that is initialised, by which block, and whether always."""
    inits: Inits = {}
    for reduction in found:
        for ident, buffer in _initialised(reduction):
            always = reduction.simple is not None
            kept = inits.get(ident)
            if kept is None or kept[2]:
                inits[ident] = buffer, reduction.block, always
    return inits


def _initialised(found: Reduction) -> Iterator[tuple[NodeId, Var]]:
    """The buffers that an init stores to."""
    assert found.block.init is not None
    for stmt in statements_in(found.block.init):
        if isinstance(stmt, Store):
            yield stmt.buffer.id, stmt.buffer
