"""Reorder: put the loops of a nest in another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Block, For, LoopKind, TensorFunction
from workbench.schedule.facts import facts_at
from workbench.schedule.loops.exchange import Box, boxed, nest_around
from workbench.schedule.loops.guards import guarded
from workbench.schedule.loops.kinds import kinds_hold
from workbench.schedule.loops.perfect_nests import (
    branches_sunk,
    distinct_loops,
    loop_below,
    nest_of,
)
from workbench.schedule.primitive import Primitive, Rewritten, all_apply
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True)
class Reorder(Primitive):
    """Put loops of one perfect nest into the given order, outermost first; others stay in place.

    Legal where no iteration has to run before one that it depends on. Updates of one reduction may
    trade places, which marks the step `reassociates` in floating point. Loops that are parallel or
    vectorized are proved again in their new place. Ranges that depend on loops that move inside,
    as in a triangle, are exchanged; a branch between loops goes inside of them. Called `reorder`
    in Halide and TVM, `reorder_loops` in Exo.

    Rewrite::

        for i, j in T.grid(4, 8): B(i, j)
        =>  Reorder(loops=("j", "i"))
        for j, i in T.grid(8, 4): B(i, j)
    """

    name: ClassVar[str] = "reorder"
    halide: ClassVar[str] = "reorder"
    tvm: ClassVar[str] = "reorder"
    exo: ClassVar[str] = "reorder_loops"
    spread: ClassVar[str] = "loops"

    loops: tuple[str, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        if not self.loops:
            return applies()
        scope = branches_sunk(scope, self.loops)
        wanted = distinct_loops(scope, self.loops, self.name)
        nest = nest_of(scope, wanted, self.name)
        if isinstance(nest, Answer):
            return nest
        order = _ordered(nest, wanted)
        if order == nest:
            return applies()
        box = boxed(scope, nest, order)
        if isinstance(box, Answer):
            return box
        same = _in_old_order(scope, nest, box)
        first = same.node(nest[0].var.id)
        assert isinstance(first, For)
        answer = same.dependences_around(first).reorderable(_ids(nest), _ids(order))
        if not answer.applies:
            return answer
        changed = _reordered(scope, nest, order, box)
        kinds = [loop for loop in nest if loop.kind not in {LoopKind.SERIAL, LoopKind.UNROLLED}]
        return all_apply(answer, kinds_hold(Scope(scope.name, changed), kinds))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        if not self.loops:
            return Rewritten(scope.function)
        scope = branches_sunk(scope, self.loops)
        wanted = distinct_loops(scope, self.loops, self.name)
        nest = nest_of(scope, wanted, self.name)
        assert not isinstance(nest, Answer)
        order = _ordered(nest, wanted)
        results = tuple(loop.var.id for loop in wanted)
        if order == nest:
            return Rewritten(scope.function, results)
        box = boxed(scope, nest, order)
        assert not isinstance(box, Answer)
        return Rewritten(_reordered(scope, nest, order, box), results)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Reorder]:
        if isinstance(node, Block):
            return
        names = [scope.label(loop) for loop in scope.chain(node)]
        for position in range(1, len(names)):
            yield cls(scope.name, (*names[1 : position + 1], names[0]))
        around = scope.loops_around(node.var.id)
        if around:
            yield cls(scope.name, (names[0], scope.label(around[-1])))
        below = loop_below(node) if len(names) == 1 else None
        if below is not None:
            yield cls(scope.name, (scope.label(below), names[0]))


def _ordered(nest: Sequence[For], wanted: Sequence[For]) -> tuple[For, ...]:
    """The nest with the wanted loops in their order at the places that they have together."""
    queue = iter(wanted)
    return tuple(next(queue) if any(loop is other for other in wanted) else loop for loop in nest)


def _ids(loops: Sequence[For]) -> tuple[NodeId, ...]:
    return tuple(loop.var.id for loop in loops)


def _in_old_order(scope: Scope, nest: Sequence[For], box: Box) -> Scope:
    """The function with the box in place of the nest: it runs the same."""
    if not box.conditions:
        return scope
    body = nest[-1].body
    for condition in box.conditions:
        body = guarded(body, condition)
    for loop in reversed(box.loops):
        body = replace(loop, body=body)
    return Scope(scope.name, scope.replaced(nest[0], body))


def _reordered(scope: Scope, nest: Sequence[For], order: Sequence[For], box: Box) -> TensorFunction:
    facts = facts_at(scope, nest[0].var.id)
    return scope.replaced(nest[0], nest_around(nest[-1].body, box, order, facts))
