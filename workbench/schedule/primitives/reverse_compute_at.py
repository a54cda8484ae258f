"""Reverse compute at: move a consumer under a loop of its producers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block
from workbench.schedule.blocks.consumer import ConsumerPlan, consume_under
from workbench.schedule.moving import Moving
from workbench.schedule.plans import planned
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.touches import touches_of


@dataclass(frozen=True)
class ReverseComputeAt(Moving):
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

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            return planned(self, scope, self.plan).answer
        except RefusedError as refused:
            return refused.answer

    @override
    def plan(self, scope: Scope) -> ConsumerPlan:
        return consume_under(
            scope,
            scope.block(self.block),
            scope.loop(self.loop),
            self.index,
            keep_unit_loops=self.preserve_unit_loops,
        )

    @override
    @classmethod
    def partner(cls, scope: Scope, block: Block) -> Block | None:
        """The last other block that writes what the block reads."""
        read = touches_of(block).reads
        for other in reversed(scope.blocks):
            if other is not block and read.keys() & touches_of(other).writes.keys():
                return other
        return None
