"""Memory: where the values of a graph function lie, and which may share a place."""

from workbench.analysis.memory.attribute import ATTRIBUTE, with_plan, without_plan
from workbench.analysis.memory.fitting import (
    Fitted,
    Merge,
    Spot,
    fitted_plan,
    plan_faults,
    unplanned,
)
from workbench.analysis.memory.inplace import in_place, out_of_place, why_not_in_place
from workbench.analysis.memory.needed import copies
from workbench.analysis.memory.placement import ALIGNMENT, Lifetime, Placement, place
from workbench.analysis.memory.plan import MemoryPlan, Missed, Planned, Storage
from workbench.analysis.memory.planning import plan_memory, planned_values
from workbench.analysis.memory.reading import DEEPEST_CALLS, MOST_STEPS, values_of
from workbench.analysis.memory.sizes import ONE
from workbench.analysis.memory.values import Step

__all__ = [
    "ALIGNMENT",
    "ATTRIBUTE",
    "DEEPEST_CALLS",
    "MOST_STEPS",
    "ONE",
    "Fitted",
    "Lifetime",
    "MemoryPlan",
    "Merge",
    "Missed",
    "Placement",
    "Planned",
    "Spot",
    "Step",
    "Storage",
    "copies",
    "fitted_plan",
    "in_place",
    "out_of_place",
    "place",
    "plan_faults",
    "plan_memory",
    "planned_values",
    "unplanned",
    "values_of",
    "why_not_in_place",
    "with_plan",
    "without_plan",
]
