"""Read-only facts about programs; the names here are for use by themselves: `docs/analysis.md`."""

from workbench.analysis.arith import Facts
from workbench.analysis.cost import Cost, cost, loop_costs
from workbench.analysis.coverage import unwritten_outputs
from workbench.analysis.dependence import (
    Answer,
    AnswerKind,
    Carried,
    Dependences,
    Region,
    Regions,
    dependences,
    regions,
)
from workbench.analysis.index_arithmetic import bounds, proves, simplify
from workbench.analysis.ranges import Interval
from workbench.support.kinds import check_calls_of

__all__ = [
    "Answer",
    "AnswerKind",
    "Carried",
    "Cost",
    "Dependences",
    "Facts",
    "Interval",
    "Region",
    "Regions",
    "bounds",
    "cost",
    "dependences",
    "loop_costs",
    "proves",
    "regions",
    "simplify",
    "unwritten_outputs",
]

_BY_KINDS = ("cost", "dependences", "loop_costs", "regions", "unwritten_outputs")
check_calls_of(globals(), _BY_KINDS, kinds=True)
check_calls_of(globals(), ("bounds", "proves", "simplify"))  # their ranges say what is wrong
