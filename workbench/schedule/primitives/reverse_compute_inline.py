"""Reverse compute inline: compute a consumer where its producer computes each element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Block, For
from workbench.schedule.blocks.epilogue import Merged, merged
from workbench.schedule.blocks.moved import moved_once
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class ReverseComputeInline(Primitive):
    """Compute a block where its producer computes each element, and drop the buffer between.

    The producer stores the value of the consumer instead of its own. Legal where the consumer
    reads one element of the producer and nothing else does, every instance of it still runs
    once, and after what it depends on. The producer may not be a reduction: its elements are
    not complete before the last update. Called `reverse_compute_inline` in TVM; Halide and Exo
    have no counterpart.

    Rewrite::

        for i in range(64): B[i] = A[i] * 2
        for i in range(64): C[i] = B[i] + 1
        =>  ReverseComputeInline(block="C")
        for i in range(64): C[i] = A[i] * 2 + 1
    """

    name: ClassVar[str] = "reverse-compute-inline"
    tvm: ClassVar[str] = "reverse_compute_inline"

    block: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            plan = planned(self, scope, self._plan)
        except RefusedError as refused:
            return refused.answer
        return moved_once(scope.function, plan.between, plan.consumer)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self._plan)
        derived = Derived((plan.producer.id, plan.consumer.id), (plan.producer.id,))
        return Rewritten(plan.function, (), (derived,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[ReverseComputeInline]:
        if isinstance(node, Block):
            yield cls(scope.name, scope.label(node))

    def _plan(self, scope: Scope) -> Merged:
        return merged(scope, scope.block(self.block))
