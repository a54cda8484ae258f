"""Moving a block under a loop of another: what `compute_at` and `reverse_compute_at` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from workbench.ir import Block, For
from workbench.schedule.blocks.consumer import ConsumerPlan
from workbench.schedule.blocks.producer import Plan
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class Moving(Primitive):
    """A primitive that puts a block at position `index` under a loop."""

    block: str = ""
    loop: str = ""
    preserve_unit_loops: bool = False
    index: int = -1

    @abstractmethod
    def plan(self, scope: Scope) -> Plan | ConsumerPlan:
        """What becomes of the function.

        Raises:
            RefusedError: why it cannot be.
        """

    @classmethod
    @abstractmethod
    def partner(cls, scope: Scope, block: Block) -> Block | None:
        """The block whose loops are the likely ones to move to."""

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self.plan)
        old = tuple(loop.var.id for loop in plan.nest.loops)
        return Rewritten(plan.function, plan.loops, (Derived(old, plan.loops),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Self]:
        other = cls.partner(scope, node) if isinstance(node, Block) else None
        if other is None or isinstance(node, For):
            return
        around = set(map(id, scope.loops_around(node.id)))
        for loop in reversed(scope.loops_around(other.id)):
            if id(loop) not in around:
                yield cls(scope.name, scope.label(node), scope.label(loop))
