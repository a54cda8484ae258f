"""Compute at: move a producer under a loop of its consumers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block
from workbench.schedule.blocks.moved import moved_once, recomputed
from workbench.schedule.blocks.producer import Plan, compute_under
from workbench.schedule.moving import Moving
from workbench.schedule.plans import planned
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.touches import touches_of


@dataclass(frozen=True)
class ComputeAt(Moving):
    """Move a block under a loop of its consumers, computing there what they need.

    In each iteration of the loop the block runs for the box of its buffer that the statements
    after it read there, again where boxes overlap. Legal where every read still finds what it
    found, the block reads the same values at both places, it alone writes the buffer, and
    nothing else needs what is not computed any more. Reductions are computed whole; a block that
    updates its buffer in place runs each instance once. `index` says before which statement of the
    loop: -1 the last place possible, -2 the first. Called `compute_at` in Halide and TVM,
    `compute_at` or `fuse_at` in Exo's libraries.

    Rewrite::

        for i in range(64): A_blur(i)
        for i in range(62): B(i) reads A_blur[i : i + 3]
        =>  ComputeAt(block="A_blur", loop="B.i")
        for i in range(62):
            for ax0 in range(3): A_blur(i + ax0)
            B(i)
    """

    name: ClassVar[str] = "compute-at"
    halide: ClassVar[str] = "compute_at"
    tvm: ClassVar[str] = "compute_at"
    exo: ClassVar[str] = "fuse_at"

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            plan = planned(self, scope, self.plan)
        except RefusedError as refused:
            return refused.answer
        if plan.once:
            return moved_once(scope.function, plan.function, plan.nest.block)
        return recomputed(scope.function, plan)

    @override
    def plan(self, scope: Scope) -> Plan:
        return compute_under(
            scope,
            scope.block(self.block),
            scope.loop(self.loop),
            self.index,
            keep_unit_loops=self.preserve_unit_loops,
        )

    @override
    @classmethod
    def partner(cls, scope: Scope, block: Block) -> Block | None:
        """The first other block that reads what the block writes."""
        written = touches_of(block).writes
        for other in scope.blocks:
            if other is not block and written.keys() & touches_of(other).reads.keys():
                return other
        return None
