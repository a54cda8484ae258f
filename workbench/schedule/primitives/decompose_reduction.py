"""Decompose reduction: give the initial value a block of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import AxisKind, Block, For, free_vars
from workbench.schedule.blocks.initial import Decomposed, decomposed, init_keeps
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class DecomposeReduction(Primitive):
    """Store the initial value of a reduction in a block of its own, before a loop around it.

    Legal where the new block initialises just what was initialised, and nothing that the loop
    runs before touches those elements: no update comes ahead of its initial value. Called
    `decompose_reduction` in TVM; a Halide update definition has its pure definition apart from
    the start, Exo writes it so.

    Rewrite::

        for i, j, k in T.grid(8, 8, 8):
            with T.init(): C[i, j] = 0
            C[i, j] += A[i, k] * B[k, j]
        =>  DecomposeReduction(block="C", loop="k")
        for i, j in T.grid(8, 8):
            C[i, j] = 0
            for k in range(8): C[i, j] += A[i, k] * B[k, j]
    """

    name: ClassVar[str] = "decompose-reduction"
    tvm: ClassVar[str] = "decompose_reduction"

    block: str = ""
    loop: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            plan = planned(self, scope, self._plan)
        except RefusedError as refused:
            return refused.answer
        return init_keeps(scope.function, plan)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self._plan)
        derived = Derived((plan.block.id,), (plan.init,))
        return Rewritten(plan.function, (plan.init,), (derived,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[DecomposeReduction]:
        if isinstance(node, For) or node.init is None:
            return
        reduced = {
            var
            for axis in node.axes
            if axis.kind is AxisKind.REDUCE
            for var in free_vars(axis.value)
        }
        loops = scope.loops_around(node.id)
        outermost = next((n for n, loop in enumerate(loops) if loop.var.id in reduced), None)
        if outermost is not None:
            for loop in (loops[outermost], *reversed(loops[:outermost])):
                yield cls(scope.name, scope.label(node), scope.label(loop))

    def _plan(self, scope: Scope) -> Decomposed:
        return decomposed(scope, scope.block(self.block), scope.loop(self.loop))
