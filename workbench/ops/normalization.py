"""Normalisation, and what goes with it at inference.

Reference: Ioffe and Szegedy, "Batch Normalization", 2015; Ba et al., "Layer Normalization", 2016;
`tvm.relax.op.nn`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import PrimExpr, TensorType
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.normal_parts import check_parameters, epsilon, numeric_scaled, scaled
from workbench.ops.reduce import count, mean_of, reduction, variance_of
from workbench.te import Tensor


def _kept(index: tuple[PrimExpr, ...], axes: tuple[int, ...]) -> tuple[PrimExpr | int, ...]:
    return tuple(0 if axis in axes else i for axis, i in enumerate(index))


# --- layer_norm and rms_norm ------------------------------------------------------------------


def _layer_rule(call: OpCall) -> TensorType:
    data = call.tensor(0)
    call.need_float(data)
    axes = call.axes(call["axes"], len(call.shape(data)))
    check_parameters(call, data, axes, 1)
    return TensorType(call.shape(data), data.dtype)


def _layer_norm(call: OpCall, x: NDArray[Any], *parameters: NDArray[Any]) -> Any:  # noqa: ANN401
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, moments over `axes`."""
    axes = call.axes(call["axes"], x.ndim)
    centred = x - np.mean(x, axis=axes, keepdims=True, dtype=x.dtype)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True, dtype=x.dtype)
    normal = centred / np.sqrt(variance + epsilon(call, x))
    return numeric_scaled(call, normal, parameters, axes)


def _layer_form(call: OpCall, x: Tensor, *parameters: Tensor) -> Tensor:
    axes = call.axes(call["axes"], x.ndim)
    mean = mean_of(x, axes, "T_layer_norm_mean", keepdims=True)
    variance = variance_of(x, mean, axes, "T_layer_norm_variance", keepdims=True)

    def value(*i: PrimExpr) -> PrimExpr:
        at = _kept(i, axes)
        normal = (x[i] - mean[at]) / te.sqrt(variance[at] + call["epsilon"])
        return scaled(call, normal, parameters, tuple(i[axis] for axis in axes))

    return te.compute(x.shape, value, "T_layer_norm")


define(
    "nn.layer_norm",
    _layer_rule,
    _layer_norm,
    _layer_form,
    parameters=("data", "gamma", "beta"),
    attributes={"axes": -1, "epsilon": 1e-5, "center": True, "scale": True},
)


def _rms_norm(call: OpCall, x: NDArray[Any], weight: NDArray[Any]) -> Any:  # noqa: ANN401
    """`x / sqrt(mean(x * x) + epsilon) * weight`, mean over `axes`."""
    axes = call.axes(call["axes"], x.ndim)
    square = np.mean(np.square(x), axis=axes, keepdims=True, dtype=x.dtype)
    return numeric_scaled(call, x / np.sqrt(square + epsilon(call, x)), (weight,), axes)


def _rms_form(call: OpCall, x: Tensor, weight: Tensor) -> Tensor:
    axes = call.axes(call["axes"], x.ndim)
    total = reduction(x, axes, te.sum, "T_rms_norm_sum", keepdims=True, value=lambda i: x[i] * x[i])

    def value(*i: PrimExpr) -> PrimExpr:
        square = total[_kept(i, axes)] / count(x, axes)
        normal = x[i] / te.sqrt(square + call["epsilon"])
        return scaled(call, normal, (weight,), tuple(i[axis] for axis in axes))

    return te.compute(x.shape, value, "T_rms_norm")


define(
    "nn.rms_norm",
    _layer_rule,
    _rms_norm,
    _rms_form,
    parameters=("data", "weight"),
    attributes={"axes": -1, "epsilon": 1e-5},
)


# --- group_norm and instance_norm -------------------------------------------------------------


def _group_axes(call: OpCall, rank: int) -> tuple[int, tuple[int, ...]]:
    channel = call.axis(call["channel_axis"], rank)
    given = call["axes"]
    default = tuple(axis for axis in range(rank) if axis > channel)
    return channel, default if given is None else call.axes(given, rank)


def _group_rule(call: OpCall) -> TensorType:
    data = call.tensor(0)
    call.need_float(data)
    shape = call.shape(data)
    channel, _ = _group_axes(call, len(shape))
    groups, channels = call["num_groups"], shape[channel]
    if not isinstance(channels, int):
        raise call.error("type/shape-mismatch", "needs a known number of channels")
    if groups < 1 or channels % groups:
        raise call.error(
            "type/attribute", f"cannot divide `{channels}` channels into `{groups}` groups"
        )
    check_parameters(call, data, (channel,), 1)
    return TensorType(shape, data.dtype)


def _split_channels(shape: tuple[Any, ...], channel: int, groups: int) -> tuple[Any, ...]:
    return (*shape[:channel], groups, shape[channel] // groups, *shape[channel + 1 :])


def _group_norm(call: OpCall, x: NDArray[Any], *parameters: NDArray[Any]) -> Any:  # noqa: ANN401
    """`layer_norm` over each group of channels together with `axes`; gamma and beta by channel."""
    channel, axes = _group_axes(call, x.ndim)
    grouped = x.reshape(_split_channels(x.shape, channel, call["num_groups"]))
    inner = (channel + 1, *(axis + 1 if axis > channel else axis for axis in axes))
    centred = grouped - np.mean(grouped, axis=inner, keepdims=True, dtype=x.dtype)
    variance = np.mean(np.square(centred), axis=inner, keepdims=True, dtype=x.dtype)
    normal = centred / np.sqrt(variance + epsilon(call, x))
    return numeric_scaled(call, normal.reshape(x.shape), parameters, (channel,))


def _group_form(call: OpCall, x: Tensor, *parameters: Tensor) -> Tensor:
    channel, axes = _group_axes(call, x.ndim)
    size = x.shape[channel] // call["num_groups"]
    inner = (channel + 1, *(axis + 1 if axis > channel else axis for axis in axes))
    grouped = te.compute(
        _split_channels(x.shape, channel, call["num_groups"]),
        lambda *i: x[(*i[:channel], i[channel] * size + i[channel + 1], *i[channel + 2 :])],
        "T_group_norm_groups",
    )
    mean = mean_of(grouped, inner, "T_group_norm_mean", keepdims=True)
    variance = variance_of(grouped, mean, inner, "T_group_norm_variance", keepdims=True)

    def value(*i: PrimExpr) -> PrimExpr:
        at = _kept((*i[:channel], i[channel] // size, i[channel], *i[channel + 1 :]), inner)
        normal = (x[i] - mean[at]) / te.sqrt(variance[at] + call["epsilon"])
        return scaled(call, normal, parameters, (i[channel],))

    return te.compute(x.shape, value, "T_group_norm")


define(
    "nn.group_norm",
    _group_rule,
    _group_norm,
    _group_form,
    parameters=("data", "gamma", "beta"),
    attributes={
        "num_groups": 1,
        "channel_axis": 1,
        "axes": None,
        "epsilon": 1e-5,
        "center": True,
        "scale": True,
    },
)


def _instance_axes(call: OpCall, rank: int) -> tuple[int, tuple[int, ...]]:
    channel = call.axis(call["channel_axis"], rank)
    axes = call.axes(call["axes"], rank)
    return channel, tuple(axis for axis in axes if axis != channel)


def _instance_rule(call: OpCall) -> TensorType:
    data = call.tensor(0)
    call.need_float(data)
    channel, _ = _instance_axes(call, len(call.shape(data)))
    check_parameters(call, data, (channel,), 1)
    return TensorType(call.shape(data), data.dtype)


def _instance_norm(call: OpCall, x: NDArray[Any], *parameters: NDArray[Any]) -> Any:  # noqa: ANN401
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, moments by sample and channel."""
    channel, axes = _instance_axes(call, x.ndim)
    centred = x - np.mean(x, axis=axes, keepdims=True, dtype=x.dtype)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True, dtype=x.dtype)
    normal = centred / np.sqrt(variance + epsilon(call, x))
    return numeric_scaled(call, normal, parameters, (channel,))


def _instance_form(call: OpCall, x: Tensor, *parameters: Tensor) -> Tensor:
    channel, axes = _instance_axes(call, x.ndim)
    mean = mean_of(x, axes, "T_instance_norm_mean", keepdims=True)
    variance = variance_of(x, mean, axes, "T_instance_norm_variance", keepdims=True)

    def value(*i: PrimExpr) -> PrimExpr:
        at = _kept(i, axes)
        normal = (x[i] - mean[at]) / te.sqrt(variance[at] + call["epsilon"])
        return scaled(call, normal, parameters, (i[channel],))

    return te.compute(x.shape, value, "T_instance_norm")


define(
    "nn.instance_norm",
    _instance_rule,
    _instance_norm,
    _instance_form,
    parameters=("data", "gamma", "beta"),
    attributes={
        "channel_axis": 1,
        "axes": (2, 3),
        "epsilon": 1e-5,
        "center": True,
        "scale": True,
    },
)
