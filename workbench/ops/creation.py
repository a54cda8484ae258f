"""Tensors from shapes and scalars, and shapes of tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import (
    INDEX,
    DType,
    FloatImm,
    IntImm,
    PrimExpr,
    ScalarValue,
    Shape,
    ShapeType,
    TensorType,
    as_dim,
    as_expr,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.ops.call import OpCall
from workbench.ops.datatype import check_dtype
from workbench.ops.definition import define
from workbench.ops.dims import ceil_div
from workbench.te import Tensor


def _filled(shape: Shape, value: PrimExpr, name: str) -> Tensor:
    return te.compute(shape, lambda *_: value, name)


def _target(call: OpCall, dtype: DType | None) -> TensorType:
    shape = call.target_shape(0)
    rank = None if shape is not None else call.target_rank(0)
    return TensorType(shape, check_dtype(call, dtype), rank)


def _full_rule(call: OpCall) -> TensorType:
    value = call.tensor(1)
    call.need_rank(value, 0, "a value")
    return _target(call, call["dtype"] or value.dtype)


def _dims(shape: Any) -> tuple[int, ...]:  # noqa: ANN401
    return tuple(int(extent) for extent in shape)


def _full(call: OpCall, shape: Any, value: Any) -> Any:  # noqa: ANN401
    """A tensor of a given shape whose elements all are `fill_value`."""
    array = np.asarray(value)
    dtype = call["dtype"] or call.tensor(1).dtype or str(array.dtype)
    return np.full(_dims(shape), array.astype(numpy_dtype(dtype)))


def _scalar(value: Tensor | PrimExpr) -> PrimExpr:
    return value[()] if isinstance(value, Tensor) else value


def _full_form(call: OpCall, _: object, value: Tensor | PrimExpr) -> Tensor | None:
    result = _full_rule(call)
    if result.shape is None:
        return None
    return _filled(result.shape, te.cast(_scalar(value), result.dtype or "float32"), "T_full")


define(
    "full",
    _full_rule,
    _full,
    _full_form,
    parameters=("shape", "fill_value"),
    attributes={"dtype": None},
    dtype=lambda call: call["dtype"] or call.tensor(1).dtype,
)


def _zeros_rule(call: OpCall) -> TensorType:
    return _target(call, call["dtype"])


def _zeros(call: OpCall, shape: Any) -> Any:  # noqa: ANN401
    """A tensor of a given shape whose elements all are 0, or 1 for `ones`."""
    return np.full(_dims(shape), call.name == "ones", dtype=numpy_dtype(call["dtype"]))


def _zeros_form(call: OpCall, _: object) -> Tensor | None:
    result = _zeros_rule(call)
    value = te.const(call.name == "ones", result.dtype or "float32")
    return None if result.shape is None else _filled(result.shape, value, "T_full")


for _name in ("zeros", "ones"):
    define(
        _name,
        _zeros_rule,
        _zeros,
        _zeros_form,
        parameters=("shape",),
        attributes={"dtype": "float32"},
        dtype=lambda call: call["dtype"],
    )


def _like_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    if call.name == "full_like":
        call.need_rank(call.tensor(1), 0, "a value")
    dtype = check_dtype(call, call["dtype"] or operand.dtype)
    return TensorType(call.shape(operand), dtype)


def _like(call: OpCall, x: NDArray[Any], value: Any = None) -> Any:  # noqa: ANN401
    """A tensor of the operand's shape with all elements 0, 1 or `fill_value`."""
    dtype = numpy_dtype(call["dtype"] or str(x.dtype))
    fill = call.name == "ones_like" if value is None else value
    return np.full(x.shape, np.asarray(fill).astype(dtype))


def _like_form(call: OpCall, x: Tensor, value: Tensor | PrimExpr | None = None) -> Tensor:
    dtype = call["dtype"] or x.dtype
    if value is None:
        return _filled(x.shape, te.const(call.name == "ones_like", dtype), "T_full_like")
    return _filled(x.shape, te.cast(_scalar(value), dtype), "T_full_like")


for _name in ("zeros_like", "ones_like", "full_like"):
    define(
        _name,
        _like_rule,
        _like,
        _like_form,
        parameters=("x", "fill_value") if _name == "full_like" else ("x",),
        attributes={"dtype": None},
        dtype=lambda call: call["dtype"] or call.tensor(0).dtype,
    )


# --- ranges -----------------------------------------------------------------------------------


def _bounds(call: OpCall) -> list[PrimExpr]:
    values = [arg.value for arg in call.args if isinstance(arg, ScalarValue)]
    if not values or len(values) != len(call.args):
        raise call.error("type/not-a-scalar", "needs 1 to 3 scalars: start, end, step")
    start, end, step = as_expr(0), values[0], as_expr(1)
    if len(values) > 1:
        start, end, step = values[0], values[1], (*values, step)[2]
    return [start, end, step]


def _arange_rule(call: OpCall) -> TensorType:
    start, end, step = _bounds(call)
    dtype = check_dtype(call, call["dtype"])
    if not isinstance(step, IntImm | FloatImm) or step.value == 0:
        raise call.error("type/not-a-scalar", "needs a constant step other than `0`")
    constants = [e.value for e in (start, end) if isinstance(e, IntImm | FloatImm)]
    if len(constants) == len((start, end)):
        first, last = constants
        return TensorType((max(0, math.ceil((last - first) / step.value)),), dtype)
    if not isinstance(step, IntImm):
        raise call.error("type/not-a-scalar", "needs an integer step, its end is symbolic")
    distance = end - start if step.value > 0 else start - end
    return TensorType((ceil_div(as_dim(distance), abs(step.value)),), dtype)


def _arange(call: OpCall, *bounds: Any) -> Any:  # noqa: ANN401
    """The numbers `start, start + step, ...` before `end`."""
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    return np.arange(start, end, step, dtype=numpy_dtype(call["dtype"]))


def _arange_form(call: OpCall, *_: object) -> Tensor:
    start, _end, step = _bounds(call)
    dtype = call["dtype"]

    def element(i: PrimExpr) -> PrimExpr:
        return te.cast(start, dtype) + te.cast(i, dtype) * te.cast(step, dtype)

    return te.compute(_arange_rule(call).shape or (), element, "T_arange")


define(
    "arange",
    _arange_rule,
    _arange,
    _arange_form,
    parameters=("start", "end", "step"),
    attributes={"dtype": INDEX},
    dtype=lambda call: call["dtype"],
)


# --- shapes -----------------------------------------------------------------------------------


def _shape_of_rule(call: OpCall) -> ShapeType:
    return ShapeType(call.shape(call.tensor(0)))


def _shape_of(_: OpCall, x: NDArray[Any]) -> tuple[int, ...]:
    """The shape of a tensor, as a shape."""
    return tuple(x.shape)


define("shape_of", _shape_of_rule, _shape_of)


def _shape_to_tensor_rule(call: OpCall) -> TensorType:
    call.target_shape(0)
    rank = call.target_rank(0)
    return TensorType(None, INDEX, 1) if rank is None else TensorType((rank,), INDEX)


def _shape_to_tensor(_: OpCall, shape: Any) -> Any:  # noqa: ANN401
    """A shape as a tensor `(rank,) int64`."""
    return np.asarray(_dims(shape), dtype=INDEX)


define("shape_to_tensor", _shape_to_tensor_rule, _shape_to_tensor, parameters=("shape",))


def _tensor_to_shape_rule(call: OpCall) -> ShapeType:
    operand = call.tensor(0)
    if operand.dtype != INDEX:
        raise call.error("type/dtype", f"needs an int64 operand, got `{operand.dtype}`")
    (extent,) = call.need_rank(operand, 1, "a tensor")
    return ShapeType(None, extent if isinstance(extent, int) else None)


def _tensor_to_shape(_: OpCall, x: NDArray[Any]) -> tuple[int, ...]:
    """A tensor `(rank,) int64` as a shape."""
    return tuple(int(extent) for extent in x)


define("tensor_to_shape", _tensor_to_shape_rule, _tensor_to_shape)
