"""Reverse compute at: move a consumer under a loop of its producers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block, For
from workbench.schedule.blocks.consumer import ConsumerPlan, consume_under
from workbench.schedule.blocks.moved import moved_once
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.touches import touches_of


@dataclass(frozen=True)
class ReverseComputeAt(Primitive):
    """Move a block under a loop of the blocks that write what it reads.

    In each iteration of the loop the block runs for the instances whose last input is written
    there. Legal where that runs every instance once and after everything that it depends on,
    complete reductions too. `index` says after which statement of the loop: -1 the last place
    possible, -2 the first. Called `reverse_compute_at` in TVM; in Halide the producer's
    `compute_at` or `compute_with` says it, in Exo `fuse`.

    Rewrite::

        for i, j in T.grid(64, 64): B(i, j)
        for i, j in T.grid(64, 64): C(i, j) reads B[i, j]
        =>  ReverseComputeAt(block="C", loop="B.i")
        for i in range(64):
            for j in range(64): B(i, j)
            for ax0 in range(64): C(i, ax0)
    """

    name: ClassVar[str] = "reverse-compute-at"
    halide: ClassVar[str] = "compute_with"
    tvm: ClassVar[str] = "reverse_compute_at"
    exo: ClassVar[str] = "fuse"

    block: str = ""
    loop: str = ""
    preserve_unit_loops: bool = False
    index: int = -1

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            plan = planned(self, scope, self._plan)
        except RefusedError as refused:
            return refused.answer
        return moved_once(scope.function, plan.function, plan.nest.block, within=plan.regenerated)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self._plan)
        old = tuple(loop.var.id for loop in plan.nest.loops)
        return Rewritten(plan.function, plan.loops, (Derived(old, plan.loops),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[ReverseComputeAt]:
        if isinstance(node, For):
            return
        for loop in reversed(_loops_of_writers(scope, node)):
            yield cls(scope.name, scope.label(node), scope.label(loop))

    def _plan(self, scope: Scope) -> ConsumerPlan:
        return consume_under(
            scope,
            scope.block(self.block),
            scope.loop(self.loop),
            self.index,
            keep_unit_loops=self.preserve_unit_loops,
        )


def _loops_of_writers(scope: Scope, block: Block) -> list[For]:
    """The loops around the last other block that writes what a block reads."""
    read = touches_of(block).reads
    for other in reversed(scope.blocks):
        if other is not block and read.keys() & touches_of(other).writes.keys():
            around = set(map(id, scope.loops_around(block.id)))
            return [x for x in scope.loops_around(other.id) if id(x) not in around]
    return []
