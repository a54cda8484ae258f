"""Schedule primitives, one a file; `PRIMITIVES` lists them all."""

from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives.add_unit_loop import AddUnitLoop
from workbench.schedule.primitives.annotate import Annotate, Unannotate
from workbench.schedule.primitives.bind import Bind
from workbench.schedule.primitives.blockize import Blockize
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.loop_partition import LoopPartition
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.tensorize import Tensorize
from workbench.schedule.primitives.unroll import Unroll
from workbench.schedule.primitives.vectorize import Vectorize

PRIMITIVES: tuple[type[Primitive], ...] = (
    Split,
    Fuse,
    Reorder,
    LoopPartition,
    Parallel,
    Vectorize,
    Unroll,
    Bind,
    AddUnitLoop,
    Annotate,
    Unannotate,
    Blockize,
    Tensorize,
)
"""All primitives, in the order in which the interface lists them."""

__all__ = [
    "PRIMITIVES",
    "AddUnitLoop",
    "Annotate",
    "Bind",
    "Blockize",
    "Fuse",
    "LoopPartition",
    "Parallel",
    "Reorder",
    "Split",
    "Tensorize",
    "Unannotate",
    "Unroll",
    "Vectorize",
]
