"""PlanMemory: say where the values of each graph function lie while it runs.

Rewrite::

    lv = R.call_tir(cls.matmul, (x, w))
    lv1 = R.call_tir(cls.relu, (lv,))
    lv2 = R.call_tir(cls.matmul, (lv1, w))
    =>
    R.func_attr({"memory_plan": [..., [["0", 0, 0, -1], ["1", 0, 0, 0], ["2", 1, 0, -1]]]})
    lv = R.call_tir(cls.matmul, (x, w))
    lv1 = R.call_tir(cls.relu, (lv,))
    lv2 = R.call_tir(cls.matmul, (lv1, w))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.memory import MemoryPlan, planned_values, values_of, with_plan
from workbench.ir import Attrs, GraphFunction, IRModule
from workbench.ir.call_types import show_dim
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, note


@dataclass(frozen=True, slots=True)
class _Planned(Site):
    """A graph function with the attributes that have its plan."""

    attrs: Attrs = ()


@dataclass(frozen=True)
class PlanMemory(Rule):
    """Plan the memory of intermediate values: what may share it, what is computed in place.

    The plan is an attribute of the graph function, which the verifier checks and a build follows.
    What changes the bindings later drops it, so apply it last. Private functions get none: their
    values are in the plans of those who call them.
    Reference: `relax.transform.StaticPlanBlockMemory`, `relax.transform.DataflowUseInplaceCalls`.
    """

    name: ClassVar[str] = "plan-memory"
    absent: ClassVar[str] = "each graph function has its memory plan, or nothing to plan"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if function.private:
                continue
            found = values_of(module, name)
            plan = planned_values(module, name, found)
            if plan.unknown:
                yield note("memory/unknown-shapes", f"no plan for it: {plan.unknown}", name)
            if not plan.values:
                continue
            attrs = with_plan(module, function, plan, found)
            if attrs == function.attrs:
                continue
            yield from _missed(plan)
            nodes = tuple(dict.fromkeys(value.ids[0] for value in plan.values))
            yield _Planned(name, nodes, _summary(plan), attrs)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Planned)
        function = editor.function(site.function)
        assert isinstance(function, GraphFunction)
        editor.set_signature(site.function, attrs=site.attrs)


def _missed(plan: MemoryPlan) -> Iterator[Refusal]:
    for one in plan.unplanned:
        message = f"`{one.value}` is not in the plan: {one.reason}"
        yield note("memory/not-planned", message, plan.function)
    for value in plan.values:
        for missed in value.missed:
            message = f"`{value.name}` is not in place of `{missed.value}`: {missed.reason}"
            yield note("memory/own-place", message, plan.function, value.ids[0])


def _summary(plan: MemoryPlan) -> str:
    """`64 bytes instead of 256`, or that nothing is saved."""
    if plan.peak == plan.unshared:
        return f"{show_dim(plan.peak)} bytes at once; no two values can share memory"
    return f"{show_dim(plan.peak)} bytes instead of {show_dim(plan.unshared)}"
