"""Passes: pure functions on modules, and the default pipeline."""

from __future__ import annotations

from workbench.ir import IRModule
from workbench.passes.candidates import Candidate, implementations
from workbench.passes.cross.annotate_for_library import AnnotateForLibrary
from workbench.passes.cross.bind_symbolic_variables import BindSymbolicVariables
from workbench.passes.cross.choose_implementations import ChooseImplementations
from workbench.passes.cross.choose_layouts import ChooseLayouts
from workbench.passes.cross.dispatch_to_library import DispatchToLibrary
from workbench.passes.cross.fuse_tensor_functions import FuseTensorFunctions
from workbench.passes.cross.implement import Implement
from workbench.passes.cross.implement_by_function import ImplementByFunction
from workbench.passes.cross.legalize_ops import LegalizeOps
from workbench.passes.cross.move_layout_conversions import MoveLayoutConversions
from workbench.passes.cross.partition_by_annotation import PartitionByAnnotation
from workbench.passes.cross.partition_for_library import PartitionForLibrary
from workbench.passes.cross.remove_unused_parameters import RemoveUnusedParameters
from workbench.passes.cross.transform_layouts import TransformLayouts
from workbench.passes.graph.bind_parameters import BindParameters
from workbench.passes.graph.cancel_layout_conversions import CancelLayoutConversions
from workbench.passes.graph.canonicalize_bindings import CanonicalizeBindings
from workbench.passes.graph.combine_parallel_matmuls import CombineParallelMatmuls
from workbench.passes.graph.eliminate_common_subexpressions import (
    EliminateCommonSubexpressions,
)
from workbench.passes.graph.eliminate_dead_code import EliminateDeadCode
from workbench.passes.graph.fold_batch_norm_into_conv import FoldBatchNormIntoConv
from workbench.passes.graph.fold_constant import FoldConstant
from workbench.passes.graph.fuse_ops import FuseOps
from workbench.passes.graph.inline_private_functions import InlinePrivateFunctions
from workbench.passes.graph.lambda_lift import LambdaLift
from workbench.passes.graph.lift_transform_params import LiftTransformParams
from workbench.passes.graph.plan_memory import PlanMemory
from workbench.passes.tensor.replace_function import ReplaceFunction
from workbench.passes.tensor.schedule_default import ScheduleDefault
from workbench.passes.tensor.simplify import Simplify
from workbench.passes.weights import Weights, weights
from workbench.rewrite import (
    Pass,
    PassResult,
    Rule,
    register_pass,
    registered_passes,
    ship_passes,
)
from workbench.support.kinds import check_calls_of, checks_kinds

BUILTIN_PASSES: tuple[type[Pass], ...] = (
    BindParameters,
    BindSymbolicVariables,
    InlinePrivateFunctions,
    LambdaLift,
    CanonicalizeBindings,
    EliminateCommonSubexpressions,
    FoldConstant,
    FoldBatchNormIntoConv,
    CombineParallelMatmuls,
    LiftTransformParams,
    LegalizeOps,
    ChooseLayouts,
    TransformLayouts,
    MoveLayoutConversions,
    CancelLayoutConversions,
    FuseOps,
    FuseTensorFunctions,
    AnnotateForLibrary,
    PartitionByAnnotation,
    PartitionForLibrary,
    ChooseImplementations,
    DispatchToLibrary,
    Simplify,
    ScheduleDefault,
    EliminateDeadCode,
    RemoveUnusedParameters,
    Implement,
    ImplementByFunction,
    ReplaceFunction,
    PlanMemory,
)
"""The passes that we ship, in the order in which people usually want them."""

ship_passes(BUILTIN_PASSES)


def default_pipeline() -> tuple[Pass, ...]:
    """The passes that `optimize` applies, in order.

    Print them, leave some out, put others between.
    """
    return (
        FoldConstant(),
        LegalizeOps(),
        FuseOps(),
        FuseTensorFunctions(),
        ScheduleDefault(),
        EliminateDeadCode(),
    )


@checks_kinds
def optimize(module: IRModule) -> IRModule:
    """The module after the default pipeline."""
    for step in default_pipeline():
        module = step(module).module
    return module


__all__ = [
    "BUILTIN_PASSES",
    "AnnotateForLibrary",
    "BindParameters",
    "BindSymbolicVariables",
    "CancelLayoutConversions",
    "Candidate",
    "CanonicalizeBindings",
    "ChooseImplementations",
    "ChooseLayouts",
    "CombineParallelMatmuls",
    "DispatchToLibrary",
    "EliminateCommonSubexpressions",
    "EliminateDeadCode",
    "FoldBatchNormIntoConv",
    "FoldConstant",
    "FuseOps",
    "FuseTensorFunctions",
    "Implement",
    "ImplementByFunction",
    "InlinePrivateFunctions",
    "LambdaLift",
    "LegalizeOps",
    "LiftTransformParams",
    "MoveLayoutConversions",
    "PartitionByAnnotation",
    "PartitionForLibrary",
    "Pass",
    "PassResult",
    "PlanMemory",
    "RemoveUnusedParameters",
    "ReplaceFunction",
    "Rule",
    "ScheduleDefault",
    "Simplify",
    "TransformLayouts",
    "Weights",
    "default_pipeline",
    "implementations",
    "optimize",
    "register_pass",
    "registered_passes",
    "weights",
]

check_calls_of(globals(), __all__, kinds=True)
