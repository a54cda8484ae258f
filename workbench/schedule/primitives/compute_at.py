"""Compute at: move a producer under a loop of its consumers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block, For
from workbench.schedule.blocks.moved import recomputed
from workbench.schedule.blocks.producer import Plan, compute_under
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.touches import touches_of


@dataclass(frozen=True)
class ComputeAt(Primitive):
    """Move a block under a loop of its consumers, computing there what they need.

    In each iteration of the loop the block runs for the box of its buffer that the statements
    after it read there, again where boxes overlap. Legal where every read still finds what it
    found, the block reads the same values at both places, it alone writes the buffer, and
    nothing else needs what is not computed any more. Reductions are computed whole. `index` says
    before which statement of the loop: -1 the last place possible, -2 the first. Called
    `compute_at` in Halide and TVM, `compute_at` or `fuse_at` in Exo's libraries.

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
        return recomputed(scope.function, plan)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self._plan)
        old = tuple(loop.var.id for loop in plan.nest.loops)
        return Rewritten(plan.function, plan.loops, (Derived(old, plan.loops),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[ComputeAt]:
        if isinstance(node, For):
            return
        for loop in reversed(_loops_of_readers(scope, node)):
            yield cls(scope.name, scope.label(node), scope.label(loop))

    def _plan(self, scope: Scope) -> Plan:
        return compute_under(
            scope,
            scope.block(self.block),
            scope.loop(self.loop),
            self.index,
            keep_unit_loops=self.preserve_unit_loops,
        )


def _loops_of_readers(scope: Scope, block: Block) -> list[For]:
    """The loops around the first other block that reads what a block writes."""
    written = touches_of(block).writes
    for other in scope.blocks:
        if other is not block and written.keys() & touches_of(other).reads.keys():
            around = set(map(id, scope.loops_around(block.id)))
            return [x for x in scope.loops_around(other.id) if id(x) not in around]
    return []
