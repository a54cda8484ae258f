"""Parts of a reduction loop: what is initialised where one of them has no iteration.

The init of a reduction that may be empty runs before its loop (`analysis.empty_reductions`). A part
of the loop may be empty where the loop is not, and it begins where the loop does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.dependence import Answer, applies, unproved
from workbench.analysis.dependence.examples import example
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.empty_reductions import EmptyReduction, Reduction, reductions
from workbench.ir import (
    AxisKind,
    Binary,
    BinaryOp,
    For,
    IntImm,
    Not,
    PrimExpr,
    TensorFunction,
    free_vars,
    substitute,
)
from workbench.schedule.empties import ALWAYS, HINT, all_of, begins, initialises, ranges
from workbench.support import NodeId

NEVER = IntImm(0, "bool")


@dataclass(frozen=True, slots=True)
class Cut:
    """A loop that was cut: the function afterwards, the variables of the parts in their order.

    `copies` are the blocks that became of each block.
    """

    loop: For
    parts: tuple[NodeId, ...]
    copies: Mapping[NodeId, Sequence[NodeId]]
    function: TensorFunction


def reduced_by(function: TensorFunction, loop: For) -> tuple[Reduction, ...]:
    """The reductions that a loop carries."""
    return tuple(found for found in reductions(function) if loop.var.id in found.used)


def inits_of_parts(carried: Sequence[Reduction], cut: Cut) -> Answer:
    """Whether the parts initialise what the loop did with nothing to reduce, and nothing else.

    A part that is empty may only initialise where the loop begins, and what it initialised there.
    """
    after = {found.block.id: found for found in reductions(cut.function)}
    natural = [v for param in cut.function.params for v in free_vars(param.type)]
    for old in carried:
        parts = [after[copy] for copy in cut.copies.get(old.block.id, ()) if copy in after]
        places = [_Part(old, new, cut) for new in parts]
        try:
            for place in places:
                found = example(place.gained(), natural)
                if found is not None:
                    return _unproved(old, found, "again")
            found = example(_lost(old, places), natural)
        except TooLargeError:
            return _unproved(old, {}, "as before")
        if found is not None:
            return _unproved(old, found, "at all")
    return applies()


def _unproved(old: Reduction, values: Mapping[str, int], how: str) -> Answer:
    block = old.block
    if how == "at all":
        message = f"it is not proved that a part of the loop initialises what `{block.name}` does"
    else:
        message = f"it is not proved that `{block.name}` has something to reduce in each part of"
        message += f" the loop: else its init would run {how}"
    where = ", ".join(f"`{name} = {value}`" for name, value in values.items())
    notes = (f"an example is {where}",) if where else ()
    return unproved(message, block.id, notes, hint=HINT)


def _lost(old: Reduction, parts: Sequence[_Part]) -> list[PrimExpr]:
    """When the loop initialises with nothing to reduce, and no part at its place does."""
    simple = old.simple if old.may_be_empty else None
    if simple is None:
        return [NEVER]
    return [*ranges(old, simple), *initialises(simple), *(Not(part.kept()) for part in parts)]


@dataclass(frozen=True, slots=True)
class _Part:
    old: Reduction
    new: Reduction
    cut: Cut

    def gained(self) -> list[PrimExpr]:
        """When the part initialises with nothing to reduce, and the loop did not there."""
        simple = self.new.simple if self.new.may_be_empty else None
        if simple is None:
            return [NEVER]
        before = self.old.simple
        same = NEVER if before is None else all_of(*self._begins(before, simple), *begins(before))
        known = ranges(self.new, simple)
        names = {} if before is None else _names(before, simple)
        return [substitute(part, names) for part in (*known, *initialises(simple), Not(same))]

    def kept(self) -> PrimExpr:
        """When the part, where the loop begins, initialises what the loop did."""
        simple = self.new.simple if self.new.may_be_empty else None
        before = self.old.simple
        if simple is None or before is None:
            return NEVER
        loop = self._loop
        starts: dict[NodeId, PrimExpr] = {}
        runs = ALWAYS
        if not any(own is loop for own in simple.reduced):
            starts[loop.var.id] = loop.start
            runs = Binary(BinaryOp.GT, loop.extent, IntImm(0))
        whole = all_of(runs, *initialises(simple), *self._begins(before, simple))
        return substitute(substitute(whole, _names(before, simple)), starts)

    @property
    def _loop(self) -> For:
        loops = (stmt for stmt in self.new.path if isinstance(stmt, For))
        return next(loop for loop in loops if loop.var.id in self.cut.parts)

    def _begins(self, before: EmptyReduction, simple: EmptyReduction) -> list[PrimExpr]:
        """That the part begins where the loop does, and initialises the same elements."""
        if len(before.others) != len(simple.others):
            return [NEVER]
        pairs = [(self._loop.start, self.cut.loop.start)]
        for old, new in zip(before.block.axes, simple.block.axes, strict=True):
            if old.kind is not AxisKind.REDUCE:
                pairs.append((before.values[old.var.id], simple.values[new.var.id]))
        return [Binary(BinaryOp.EQ, a, b) for a, b in pairs if a != b]


def _names(before: EmptyReduction, simple: EmptyReduction) -> dict[NodeId, PrimExpr]:
    """The loops of a copy that do not reduce, by those that they were copied from."""
    pairs = zip(simple.others, before.others, strict=False)
    return {new.var.id: old.var for new, old in pairs}
