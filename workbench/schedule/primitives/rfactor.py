"""Rfactor: reduce to partial results along one loop, then combine them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.analysis.dependence.reductions import update_of
from workbench.ir import AxisKind, Block, For, Stmt, Store, free_vars
from workbench.rewrite import Relation
from workbench.schedule.blocks.moved import AT_ONCE
from workbench.schedule.blocks.rfactoring import Factored, factored, factoring_keeps
from workbench.schedule.loops.kinds import kinds_hold
from workbench.schedule.plans import planned
from workbench.schedule.primitive import Derived, Primitive, Rewritten, all_apply
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, walk_statements


@dataclass(frozen=True)
class Rfactor(Primitive):
    """Factor a reduction loop: each of its iterations reduces to an element of its own.

    A new buffer has the partial results, its dimension for the loop at `factor_axis`; a second
    nest combines them. Afterwards the iterations of the loop are independent, so that it can run
    in parallel or in vector lanes. Legal for sums, products, minima, maxima, conjunctions and
    disjunctions; in floating point sums and products are reassociated. Also for elements that are
    updated together by comparisons, as the largest value and its index: where it counts which of
    equal ones came first, for the outermost reduction loop, whose parts stay in order. Called
    `rfactor` in Halide and TVM; Exo writes it with `stage_mem` and `fission`.

    Rewrite::

        for i, k in T.grid(8, 64): C[i] += A[i, k]
        =>  Rfactor(loop="k", factor_axis=0)
        for i, k in T.grid(8, 64): C_rf[k, i] += A[i, k]
        for i_1, k_1 in T.grid(8, 64): C[i_1] += C_rf[k_1, i_1]
    """

    name: ClassVar[str] = "rfactor"
    halide: ClassVar[str] = "rfactor"
    tvm: ClassVar[str] = "rfactor"

    loop: str = ""
    factor_axis: int = 0

    @override
    def check(self, scope: Scope) -> Answer:
        try:
            plan = planned(self, scope, self._plan)
        except RefusedError as refused:
            return refused.answer
        after = Scope(scope.name, plan.function)
        at_once = [x for x in after.loops_around(plan.partial) if x.kind in AT_ONCE]
        return all_apply(factoring_keeps(plan), kinds_hold(after, at_once))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = planned(self, scope, self._plan)
        derived = (
            Derived((plan.block.id,), (plan.partial,)),
            Derived((scope.loop(self.loop).var.id,), plan.loops, Relation.PART),
        )
        return Rewritten(plan.function, (plan.partial,), derived)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Rfactor]:
        if isinstance(node, Block):
            return
        if any(_reduces(stmt, node) for stmt in walk_statements(node)):
            yield cls(scope.name, scope.label(node), 0)

    def _plan(self, scope: Scope) -> Factored:
        return factored(scope, scope.loop(self.loop), self.factor_axis)


def _reduces(stmt: Stmt, loop: For) -> bool:
    """Whether a block reduces along a loop, or a store updates one element in all iterations."""
    if isinstance(stmt, Store):
        moved = any(loop.var.id in free_vars(index) for index in stmt.indices)
        return not moved and update_of(stmt) is not None
    return isinstance(stmt, Block) and any(
        axis.kind is AxisKind.REDUCE and loop.var.id in free_vars(axis.value) for axis in stmt.axes
    )
