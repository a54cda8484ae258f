"""Operator pattern: how a tensor function may be fused, read off its loop nests.

Reference: `OpPatternKind` of TVM, `relay/op_attr_types.h`; Chen et al., OSDI 2018, section 3.
"""

from __future__ import annotations

import enum

from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    Binary,
    BinaryOp,
    IntImm,
    Intrinsic,
    Load,
    PrimExpr,
    Select,
    TensorFunction,
    Var,
    fingerprint,
)


class OpPattern(enum.IntEnum):
    """From easy to fuse to impossible."""

    ELEMENTWISE = 0
    """Output element depends on the same element of inputs of the same shape."""
    BROADCAST = 1
    """As elementwise, with some inputs of fewer or unit dimensions."""
    INJECTIVE = 2
    """Each output element reads computed positions: reshape, transpose, slice, pad, gather."""
    REDUCTION = 3
    """One reduction."""
    OUT_FUSABLE = 4
    """A contraction (matmul, convolution): elementwise work can follow in its output tile."""
    OPAQUE = 8


_BY_FINGERPRINT: dict[str, OpPattern] = {}


def op_pattern(function: TensorFunction) -> OpPattern:
    """The pattern of a tensor function; never looks at its name."""
    key = fingerprint(function)
    if key not in _BY_FINGERPRINT:
        _BY_FINGERPRINT[key] = _function_pattern(function)
    return _BY_FINGERPRINT[key]


def _function_pattern(function: TensorFunction) -> OpPattern:
    found = stages(function)
    if found is None:
        return OpPattern.OPAQUE
    written = {stage.buffer.id for stage in found}
    outputs = [p for p in function.params if p.id in written]
    if len(outputs) != 1 or len(written) != len(found) or found[-1].buffer.id != outputs[0].id:
        return OpPattern.OPAQUE
    patterns = [stage_pattern(stage) for stage in found]
    if sum(p >= OpPattern.REDUCTION for p in patterns) > 1:
        return OpPattern.OPAQUE
    return max(patterns)


def stage_pattern(stage: Stage) -> OpPattern:
    """The pattern of one stage."""
    if stage.reduce:
        return OpPattern.OUT_FUSABLE if is_contraction(stage) else _reduction_pattern(stage)
    if stage.init is not None or not stage.writes_identity:
        return OpPattern.OPAQUE
    if any(load.buffer.id == stage.buffer.id for load in stage.loads):
        return OpPattern.OPAQUE
    patterns = [_access(load, stage.spatial) for load in stage.loads]
    return max(patterns, default=OpPattern.ELEMENTWISE)


def _reduction_pattern(stage: Stage) -> OpPattern:
    fits = stage.reduction is not None and stage.writes_identity
    return OpPattern.REDUCTION if fits else OpPattern.OPAQUE


def is_contraction(stage: Stage) -> bool:
    """Whether the stage sums products of loads over its reduction axes."""
    update = stage.reduction
    if update is None or update[0] is not BinaryOp.ADD or not stage.writes_identity:
        return False
    product = update[1]
    return isinstance(product, Binary) and product.op is BinaryOp.MUL and len(stage.loads) >= 2


def _access(load: Load, axes: tuple[Var, ...]) -> OpPattern:
    """How a load relates to the output axes."""
    order = {axis.id: n for n, axis in enumerate(axes)}
    positions = [order[i.id] for i in load.indices if isinstance(i, Var) and i.id in order]
    if any(not isinstance(i, Var | IntImm) for i in load.indices) or positions != sorted(
        set(positions)
    ):
        return OpPattern.INJECTIVE
    if any(isinstance(i, Var) and i.id not in order for i in load.indices):
        return OpPattern.INJECTIVE
    if any(isinstance(i, IntImm) and i.value != 0 for i in load.indices):
        return OpPattern.INJECTIVE
    return OpPattern.ELEMENTWISE if len(positions) == len(axes) else OpPattern.BROADCAST


_CHEAP_INTRINSICS = frozenset({"fabs", "abs", "floor", "ceil"})


def is_expensive_operation(node: PrimExpr) -> bool:
    """Whether an operation is not to be done twice (transcendentals, divisions), operands aside."""
    match node:
        case Intrinsic(name=name):
            return name not in _CHEAP_INTRINSICS
        case Binary(op=op):
            return op in {BinaryOp.DIV, BinaryOp.FLOORDIV, BinaryOp.FLOORMOD}
        case _:
            return False


def only_moves_data(function: TensorFunction) -> bool:
    """Whether the function computes nothing: reshape, transpose, broadcast, slice, pad."""
    found = stages(function)
    return found is not None and all(isinstance(_unguarded(s.store.value), Load) for s in found)


def _unguarded(value: PrimExpr) -> PrimExpr:
    return _unguarded(value.true_value) if isinstance(value, Select) else value
