"""Batch normalisation and dropout, in training and at inference.

Reference: Ioffe and Szegedy, "Batch Normalization", 2015; `tvm.relax.op.nn`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import PrimExpr, TupleType
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.normal_parts import check_parameters, epsilon, numeric_scaled, scaled, spread
from workbench.ops.reduce import mean_of, variance_of
from workbench.te import Tensor

# --- batch_norm -------------------------------------------------------------------------------


def _batch_rule(call: OpCall) -> TupleType:
    data = call.tensor(0)
    call.need_float(data)
    shape = call.shape(data)
    axis = call.axis(call["axis"], len(shape))
    if len(call.types) != len(("data", "gamma", "beta", "mean", "variance")):
        raise call.error("type/argument-count", "needs data, gamma, beta, mean and variance")
    check_parameters(call, data, (axis,), 1)
    return TupleType((data, call.tensor(3), call.tensor(4)))


def _batch_norm(
    call: OpCall,
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    variance: NDArray[Any],
) -> Any:  # noqa: ANN401
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta` by channel; then the two moments.

    With `training` the moments are those of the batch; the moving ones move by `momentum`.
    """
    axis = call.axis(call["axis"], x.ndim)
    moved = (mean, variance)
    if call["training"]:
        others = tuple(a for a in range(x.ndim) if a != axis)
        weight = x.dtype.type(call["momentum"])
        batch = (x.mean(axis=others, dtype=x.dtype), x.var(axis=others, dtype=x.dtype))
        moved = tuple(
            old * (1 - weight) + new * weight for old, new in zip(moved, batch, strict=True)
        )
        mean, variance = batch
    mean, variance = (spread(moment, (axis,), x.ndim) for moment in (mean, variance))
    normal = (x - mean) / np.sqrt(variance + epsilon(call, x))
    return (numeric_scaled(call, normal, (gamma, beta), (axis,)), *moved)


def _batch_form(
    call: OpCall, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, ...]:
    axis = call.axis(call["axis"], x.ndim)
    moved: tuple[Tensor, ...] = tuple(
        _copied(moment, f"T_batch_norm_{name}")
        for moment, name in ((mean, "mean"), (variance, "variance"))
    )
    if call["training"]:
        others = tuple(a for a in range(x.ndim) if a != axis)
        wide = mean_of(x, others, "T_batch_norm_batch_mean", keepdims=True)
        variances = variance_of(x, wide, others, "T_batch_norm_batch_variance", keepdims=False)
        centre = mean_of(x, others, "T_batch_norm_mean_by_channel", keepdims=False)
        moved = (_moved(call, mean, centre), _moved(call, variance, variances))
        mean, variance = centre, variances

    def value(*i: PrimExpr) -> PrimExpr:
        channel = i[axis]
        normal = (x[i] - mean[channel]) / te.sqrt(variance[channel] + call["epsilon"])
        return scaled(call, normal, (gamma, beta), (channel,))

    return (te.compute(x.shape, value, "T_batch_norm"), *moved)


def _copied(x: Tensor, name: str) -> Tensor:
    return te.compute(x.shape, lambda *i: x[i], name)


def _moved(call: OpCall, old: Tensor, new: Tensor) -> Tensor:
    weight = float(call["momentum"])
    return te.compute(
        old.shape, lambda *i: old[i] * (1.0 - weight) + new[i] * weight, f"{old.name}_moved"
    )


define(
    "nn.batch_norm",
    _batch_rule,
    _batch_norm,
    _batch_form,
    parameters=("data", "gamma", "beta", "moving_mean", "moving_var"),
    attributes={
        "axis": 1,
        "epsilon": 1e-5,
        "center": True,
        "scale": True,
        "momentum": 0.1,
        "training": False,
    },
)


# --- dropout ----------------------------------------------------------------------------------


def _dropout_rule(call: OpCall) -> TupleType:
    data = call.tensor(0)
    return TupleType((data, data))


def _dropout(_: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The operand itself, as at inference, and a mask of ones."""
    return x, np.ones_like(x)


def _dropout_form(_: OpCall, x: Tensor) -> tuple[Tensor, Tensor]:
    one = te.const(1, x.dtype)
    return _copied(x, "T_dropout"), te.compute(x.shape, lambda *_: one, "T_dropout_mask")


define(
    "nn.dropout",
    _dropout_rule,
    _dropout,
    _dropout_form,
    parameters=("data",),
    attributes={"rate": 0.5},
)
