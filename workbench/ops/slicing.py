"""Parts of tensors: slices with strides, and reversal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, Shape, TensorType, as_dim, as_expr
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import ceil_div
from workbench.te import Tensor

_NO_LIMIT = 2**31 - 1
"""An `end` at least this large means: to the end of the dimension (as in ONNX and Relax)."""


def _slice_ranges(call: OpCall, shape: Shape) -> dict[int, tuple[Dim, Dim, int]]:
    """First index, extent and stride of each sliced axis."""
    axes = call.axes(call["axes"], len(shape))
    begin, end = tuple(call["begin"]), tuple(call["end"])
    strides = tuple(call["strides"]) if call["strides"] is not None else (1,) * len(axes)
    if not len(axes) == len(begin) == len(end) == len(strides):
        raise call.error(
            "type/argument-count",
            f"has `{len(axes)}` axes, `{len(begin)}` begins, `{len(end)}` ends and "
            f"`{len(strides)}` strides",
        )
    return {
        axis: _slice_range(call, shape[axis], b, e, s)
        for axis, b, e, s in zip(axes, begin, end, strides, strict=True)
    }


def _slice_range(
    call: OpCall, extent: Dim, begin: int, end: int, stride: int
) -> tuple[Dim, Dim, int]:
    if stride == 0:
        raise call.error("type/shape-mismatch", "has a stride of `0`")
    if isinstance(extent, int):
        positions = range(*slice(begin, _stop(end, stride), stride).indices(extent))
        return positions.start, len(positions), stride
    if stride < 0:
        return _backward(call, extent, begin, end, stride)
    first, last = _position(extent, begin), _position(extent, end)
    length = as_expr(last, INDEX) - as_expr(first, INDEX)
    surely = first == 0 or (end >= _NO_LIMIT and begin < 0)
    return first, ceil_div(as_dim(length if surely else te.maximum(length, 0)), stride), stride


def _stop(end: int, stride: int) -> int | None:
    """The `end` that Relax and ONNX write to include element 0 of a backward slice."""
    return None if stride < 0 and end <= -_NO_LIMIT else end


def _position(extent: PrimExpr, position: int) -> Dim:
    """A position within a symbolic extent, clamped to it."""
    if position >= _NO_LIMIT:
        return extent
    if position == 0:
        return 0
    if position < 0:
        return te.maximum(extent + position, 0)
    return te.minimum(extent, position)


def _backward(
    call: OpCall, extent: PrimExpr, begin: int, end: int, stride: int
) -> tuple[Dim, Dim, int]:
    if end > -_NO_LIMIT or not (begin == -1 or begin >= _NO_LIMIT):
        raise call.error(
            "type/unsupported",
            "slices a symbolic extent backward, which is supported only for the whole of it",
        )
    return extent - 1, ceil_div(extent, -stride), stride


def _strided_slice_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    ranges = _slice_ranges(call, shape)
    sliced = (ranges[axis][1] if axis in ranges else dim for axis, dim in enumerate(shape))
    return TensorType(tuple(sliced), operand.dtype)


def _strided_slice(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The elements `begin, begin + stride, ...` before `end` along `axes`, as numpy slices."""
    index = [slice(None)] * x.ndim
    axes = call.axes(call["axes"], x.ndim)
    strides = call["strides"] if call["strides"] is not None else (1,) * len(axes)
    for axis, begin, end, stride in zip(axes, call["begin"], call["end"], strides, strict=True):
        index[axis] = slice(begin, _stop(end, stride), stride)
    return x[tuple(index)]


def _strided_slice_form(call: OpCall, x: Tensor) -> Tensor:
    ranges = _slice_ranges(call, x.shape)

    def source(axis: int, index: PrimExpr) -> PrimExpr:
        if axis not in ranges:
            return index
        first, _, stride = ranges[axis]
        return index * stride + as_expr(first, INDEX)

    return te.compute(
        _strided_slice_rule(call).shape or (),
        lambda *i: x[tuple(source(axis, index) for axis, index in enumerate(i))],
        "T_strided_slice",
    )


define(
    "strided_slice",
    _strided_slice_rule,
    _strided_slice,
    _strided_slice_form,
    attributes={"axes": (), "begin": (), "end": (), "strides": None, "assume_inbound": False},
)


def _dynamic_slice_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    rank = len(call.shape(operand))
    for position, what in enumerate(("begins", "ends", "strides"), 1):
        bound = call.tensor(position)
        call.need_integer(bound, what)
        (count,) = call.need_rank(bound, 1, what)
        call.require_equal(count, rank, f"number of {what} and of dimensions")
    return TensorType(None, operand.dtype, rank)


def _dynamic_slice(
    call: OpCall,
    x: NDArray[Any],
    begin: NDArray[Any],
    end: NDArray[Any],
    strides: NDArray[Any],
) -> Any:  # noqa: ANN401
    """The elements `begin, begin + stride, ...` before `end` of each dimension, as numpy slices."""
    bounds = zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    if not strides.all():
        raise call.error("type/shape-mismatch", "has a stride of `0`")
    return x[tuple(slice(b, _stop(e, s), s) for b, e, s in bounds)]


define(
    "dynamic_strided_slice",
    _dynamic_slice_rule,
    _dynamic_slice,
    parameters=("x", "begin", "end", "strides"),
)


def _flip_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    call.axes(call["axis"], len(call.shape(operand)))
    return TensorType(call.shape(operand), operand.dtype)


def _flip(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The elements along `axis` in reverse order."""
    return np.flip(x, call.axes(call["axis"], x.ndim))


def _flip_form(call: OpCall, x: Tensor) -> Tensor:
    axes = call.axes(call["axis"], x.ndim)

    def source(axis: int, index: PrimExpr) -> PrimExpr:
        return as_expr(x.shape[axis], INDEX) - 1 - index if axis in axes else index

    return te.compute(
        x.shape, lambda *i: x[tuple(source(axis, v) for axis, v in enumerate(i))], "T_flip"
    )


define("flip", _flip_rule, _flip, _flip_form, attributes={"axis": 0})
