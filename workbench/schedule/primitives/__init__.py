"""Schedule primitives, one a file; `PRIMITIVES` lists them all."""

from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives.add_unit_loop import AddUnitLoop
from workbench.schedule.primitives.annotate import Annotate, Unannotate
from workbench.schedule.primitives.bind import Bind
from workbench.schedule.primitives.blockize import Blockize
from workbench.schedule.primitives.cache_read import CacheRead
from workbench.schedule.primitives.cache_write import CacheWrite
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.schedule.primitives.compute_location import ComputeLocation
from workbench.schedule.primitives.decompose_padding import DecomposePadding
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.loop_partition import LoopPartition
from workbench.schedule.primitives.pad_einsum import PadEinsum
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reindex import Reindex
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.schedule.primitives.rfactor import Rfactor
from workbench.schedule.primitives.set_scope import SetScope
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.store_at import StoreAt
from workbench.schedule.primitives.tensorize import Tensorize
from workbench.schedule.primitives.transform_block_layout import TransformBlockLayout
from workbench.schedule.primitives.transform_layout import TransformLayout
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
    ComputeAt,
    ReverseComputeAt,
    ComputeInline,
    ReverseComputeInline,
    ComputeLocation,
    DecomposeReduction,
    Rfactor,
    Annotate,
    Unannotate,
    Blockize,
    Tensorize,
    CacheRead,
    CacheWrite,
    Reindex,
    SetScope,
    StoreAt,
    TransformLayout,
    TransformBlockLayout,
    PadEinsum,
    DecomposePadding,
)
"""All primitives, in the order in which the interface lists them."""

__all__ = [
    "PRIMITIVES",
    "AddUnitLoop",
    "Annotate",
    "Bind",
    "Blockize",
    "CacheRead",
    "CacheWrite",
    "ComputeAt",
    "ComputeInline",
    "ComputeLocation",
    "DecomposePadding",
    "DecomposeReduction",
    "Fuse",
    "LoopPartition",
    "PadEinsum",
    "Parallel",
    "Reindex",
    "Reorder",
    "ReverseComputeAt",
    "ReverseComputeInline",
    "Rfactor",
    "SetScope",
    "Split",
    "StoreAt",
    "Tensorize",
    "TransformBlockLayout",
    "TransformLayout",
    "Unannotate",
    "Unroll",
    "Vectorize",
]
