"""Normalisation, and what goes with it at inference.

Reference: Ioffe and Szegedy, "Batch Normalization", 2015; Ba et al., "Layer Normalization", 2016;
`tvm.relax.op.nn`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import PrimExpr, TensorType, TupleType
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.reduce import count, mean_of, reduction, variance_of
from workbench.te import Tensor


def _scale_shape(call: OpCall, data: TensorType, axes: tuple[int, ...], first: int) -> None:
    """Check that the arguments from `first` on have the extents of `axes`."""
    shape = call.shape(data)
    for position in range(first, len(call.types)):
        scale = call.tensor(position)
        call.same_dtype(data, scale)
        for extent, axis in zip(call.need_rank(scale, len(axes), "a parameter"), axes, strict=True):
            call.require_equal(extent, shape[axis], "extents of data and parameters", shape)


def _spread(array: NDArray[Any], axes: tuple[int, ...], rank: int) -> NDArray[Any]:
    """Parameters of `axes` with extent 1 elsewhere, to broadcast against the data."""
    order = np.argsort(axes)
    extents = dict(zip(axes, array.shape, strict=True))
    return np.transpose(array, order).reshape([extents.get(axis, 1) for axis in range(rank)])


def _affine(
    call: OpCall, value: PrimExpr, parameters: tuple[Tensor, ...], at: tuple[PrimExpr, ...]
) -> PrimExpr:
    """`value * gamma + beta`, as far as the call has them and wants them."""
    gamma, beta = (*parameters, None, None)[:2]
    if gamma is not None and call.attributes.get("scale", True):
        value = value * gamma[at]
    if beta is not None and call.attributes.get("center", True):
        value = value + beta[at]
    return value


def _numeric_affine(
    call: OpCall, value: NDArray[Any], parameters: tuple[NDArray[Any], ...], axes: tuple[int, ...]
) -> NDArray[Any]:
    gamma, beta = (*parameters, None, None)[:2]
    if gamma is not None and call.attributes.get("scale", True):
        value = value * _spread(gamma, axes, value.ndim)
    if beta is not None and call.attributes.get("center", True):
        value = value + _spread(beta, axes, value.ndim)
    return value


def _epsilon(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    return x.dtype.type(call["epsilon"])


# --- layer_norm and rms_norm ------------------------------------------------------------------


def _layer_rule(call: OpCall) -> TensorType:
    data = call.tensor(0)
    call.need_float(data)
    axes = call.axes(call["axes"], len(call.shape(data)))
    _scale_shape(call, data, axes, 1)
    return TensorType(call.shape(data), data.dtype)


def _layer_norm(call: OpCall, x: NDArray[Any], *parameters: NDArray[Any]) -> Any:  # noqa: ANN401
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, moments over `axes`."""
    axes = call.axes(call["axes"], x.ndim)
    centred = x - np.mean(x, axis=axes, keepdims=True, dtype=x.dtype)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True, dtype=x.dtype)
    normal = centred / np.sqrt(variance + _epsilon(call, x))
    return _numeric_affine(call, normal, parameters, axes)


def _kept(index: tuple[PrimExpr, ...], axes: tuple[int, ...]) -> tuple[PrimExpr | int, ...]:
    return tuple(0 if axis in axes else i for axis, i in enumerate(index))


def _layer_form(call: OpCall, x: Tensor, *parameters: Tensor) -> Tensor:
    axes = call.axes(call["axes"], x.ndim)
    mean = mean_of(x, axes, "T_layer_norm_mean", keepdims=True)
    variance = variance_of(x, mean, axes, "T_layer_norm_variance", keepdims=True)

    def value(*i: PrimExpr) -> PrimExpr:
        at = _kept(i, axes)
        normal = (x[i] - mean[at]) / te.sqrt(variance[at] + call["epsilon"])
        return _affine(call, normal, parameters, tuple(i[axis] for axis in axes))

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
    return _numeric_affine(call, x / np.sqrt(square + _epsilon(call, x)), (weight,), axes)


def _rms_form(call: OpCall, x: Tensor, weight: Tensor) -> Tensor:
    axes = call.axes(call["axes"], x.ndim)
    total = reduction(x, axes, te.sum, "T_rms_norm_sum", keepdims=True, value=lambda i: x[i] * x[i])

    def value(*i: PrimExpr) -> PrimExpr:
        square = total[_kept(i, axes)] / count(x, axes)
        normal = x[i] / te.sqrt(square + call["epsilon"])
        return _affine(call, normal, (weight,), tuple(i[axis] for axis in axes))

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
    _scale_shape(call, data, (channel,), 1)
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
    normal = centred / np.sqrt(variance + _epsilon(call, x))
    return _numeric_affine(call, normal.reshape(x.shape), parameters, (channel,))


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
        return _affine(call, normal, parameters, (i[channel],))

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
    _scale_shape(call, data, (channel,), 1)
    return TensorType(call.shape(data), data.dtype)


def _instance_norm(call: OpCall, x: NDArray[Any], *parameters: NDArray[Any]) -> Any:  # noqa: ANN401
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, moments by sample and channel."""
    channel, axes = _instance_axes(call, x.ndim)
    centred = x - np.mean(x, axis=axes, keepdims=True, dtype=x.dtype)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True, dtype=x.dtype)
    normal = centred / np.sqrt(variance + _epsilon(call, x))
    return _numeric_affine(call, normal, parameters, (channel,))


def _instance_form(call: OpCall, x: Tensor, *parameters: Tensor) -> Tensor:
    channel, axes = _instance_axes(call, x.ndim)
    mean = mean_of(x, axes, "T_instance_norm_mean", keepdims=True)
    variance = variance_of(x, mean, axes, "T_instance_norm_variance", keepdims=True)

    def value(*i: PrimExpr) -> PrimExpr:
        at = _kept(i, axes)
        normal = (x[i] - mean[at]) / te.sqrt(variance[at] + call["epsilon"])
        return _affine(call, normal, parameters, (i[channel],))

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


# --- batch_norm -------------------------------------------------------------------------------


def _batch_rule(call: OpCall) -> TupleType:
    data = call.tensor(0)
    call.need_float(data)
    shape = call.shape(data)
    axis = call.axis(call["axis"], len(shape))
    if len(call.types) != len(("data", "gamma", "beta", "mean", "variance")):
        raise call.error("type/argument-count", "needs data, gamma, beta, mean and variance")
    _scale_shape(call, data, (axis,), 1)
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
    mean, variance = (_spread(moment, (axis,), x.ndim) for moment in (mean, variance))
    normal = (x - mean) / np.sqrt(variance + _epsilon(call, x))
    return (_numeric_affine(call, normal, (gamma, beta), (axis,)), *moved)


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
        spread = variance_of(x, wide, others, "T_batch_norm_batch_variance", keepdims=False)
        centre = mean_of(x, others, "T_batch_norm_mean_by_channel", keepdims=False)
        moved = (_moved(call, mean, centre), _moved(call, variance, spread))
        mean, variance = centre, spread

    def value(*i: PrimExpr) -> PrimExpr:
        channel = i[axis]
        normal = (x[i] - mean[channel]) / te.sqrt(variance[channel] + call["epsilon"])
        return _affine(call, normal, (gamma, beta), (channel,))

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
