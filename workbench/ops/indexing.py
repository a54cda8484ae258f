"""Elements chosen by indices that are data.

Indices count from 0; one outside of its dimension is an error wherever the operator has no mode
that says otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, PrimExpr, TensorType, as_expr
from workbench.ir.dtypes import numpy_dtype
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.te import Tensor


def checked_indices(call: OpCall, indices: NDArray[Any], extent: int) -> NDArray[Any]:
    """Indices as int64, all of them within the dimension.

    Raises:
        CompileError: `run/out-of-bounds`.
    """
    found = indices.astype(np.int64)
    wrong = (found < 0) | (found >= extent)
    if wrong.any():
        raise call.error(
            "run/out-of-bounds",
            f"reads index `{found[wrong][0]}` of a dimension of `{extent}` elements",
        )
    return found


# --- take -------------------------------------------------------------------------------------


def _take_rule(call: OpCall) -> TensorType:
    operand, indices = call.tensor(0), call.tensor(1)
    call.need_integer(indices, "indices")
    shape, chosen = call.shape(operand), call.shape(indices)
    if call["mode"] not in {"fast", "wrap", "clip"}:
        raise call.error("type/unsupported", f"has no mode `{call['mode']}`")
    if call["axis"] is None and len(shape) != 1:
        raise call.error("type/axis", f"needs an axis for `{len(shape)}` dimensions")
    axis = call.axis(call["axis"] or 0, len(shape))
    return TensorType((*shape[:axis], *chosen, *shape[axis + 1 :]), operand.dtype)


def _take(call: OpCall, x: NDArray[Any], indices: NDArray[Any]) -> Any:  # noqa: ANN401
    """The entries of `axis` at `indices`; modes `clip` and `wrap` bring indices into range."""
    axis = call["axis"] or 0
    found = np.asarray(indices)
    if call["mode"] == "fast" or not x.shape[axis]:
        found = checked_indices(call, found, x.shape[axis])
    mode = "raise" if call["mode"] == "fast" else call["mode"]
    return np.take(x, found.astype(np.int64), axis=axis, mode=mode)


def _take_form(call: OpCall, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.axis(call["axis"] or 0, x.ndim)
    extent = as_expr(x.shape[axis], INDEX)

    def position(index: PrimExpr) -> PrimExpr:
        match call["mode"]:
            case "clip":
                return te.minimum(te.maximum(index, 0), extent - 1)
            case "wrap":
                return index % extent
            case _:
                return index

    def element(*i: PrimExpr) -> PrimExpr:
        middle = i[axis : axis + indices.ndim]
        chosen = position(te.cast(indices[middle], INDEX))
        return x[(*i[:axis], chosen, *i[axis + indices.ndim :])]

    return te.compute(_take_rule(call).shape or (), element, "T_take")


define(
    "take",
    _take_rule,
    _take,
    _take_form,
    parameters=("x", "indices"),
    attributes={"axis": None, "mode": "fast"},
)


# --- gather -----------------------------------------------------------------------------------


def _gather_elements_rule(call: OpCall) -> TensorType:
    operand, indices = call.tensor(0), call.tensor(1)
    call.need_integer(indices, "indices")
    shape = call.need_rank(indices, len(call.shape(operand)), "indices")
    axis = call.axis(call["axis"], len(shape))
    for position, (a, b) in enumerate(zip(call.shape(operand), shape, strict=True)):
        if position != axis:
            call.require_equal(a, b, "extents of data and indices", call.shape(operand), shape)
    return TensorType(shape, operand.dtype)


def _gather_elements(call: OpCall, x: NDArray[Any], indices: NDArray[Any]) -> Any:  # noqa: ANN401
    """`out[i, j] = x[indices[i, j], j]` for axis 0, and so on."""
    axis = call.axis(call["axis"], x.ndim)
    return np.take_along_axis(x, checked_indices(call, indices, x.shape[axis]), axis=axis)


def _gather_elements_form(call: OpCall, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.axis(call["axis"], x.ndim)

    def element(*i: PrimExpr) -> PrimExpr:
        return x[(*i[:axis], te.cast(indices[i], INDEX), *i[axis + 1 :])]

    return te.compute(indices.shape, element, "T_gather_elements")


define(
    "gather_elements",
    _gather_elements_rule,
    _gather_elements,
    _gather_elements_form,
    parameters=("data", "indices"),
    attributes={"axis": 0},
)


def _gather_nd_rule(call: OpCall) -> TensorType:
    operand, indices = call.tensor(0), call.tensor(1)
    call.need_integer(indices, "indices")
    shape, chosen = call.shape(operand), call.shape(indices)
    batch = call["batch_dims"]
    depth = chosen[-1] if chosen else 0
    if not isinstance(depth, int):
        return TensorType(None, operand.dtype)
    if not 1 <= depth <= len(shape) - batch:
        raise call.error(
            "type/shape-mismatch",
            "needs indices whose last extent is a number of dimensions of the data",
        )
    for a, b in zip(shape[:batch], chosen[:batch], strict=True):
        call.require_equal(a, b, "batch extents", shape, chosen)
    return TensorType((*chosen[:-1], *shape[batch + depth :]), operand.dtype)


def _gather_nd(call: OpCall, x: NDArray[Any], indices: NDArray[Any]) -> Any:  # noqa: ANN401
    """`out[b, i, ...] = x[b, indices[b, i, 0], indices[b, i, 1], ..., ...]`."""
    batch = call["batch_dims"]
    columns = [
        checked_indices(call, indices[..., n], x.shape[batch + n]) for n in range(indices.shape[-1])
    ]
    own = [
        np.reshape(range(extent), (-1, *(1,) * (indices.ndim - 2 - n)))
        for n, extent in enumerate(x.shape[:batch])
    ]
    return x[(*own, *columns)]


def _gather_nd_form(call: OpCall, x: Tensor, indices: Tensor) -> Tensor:
    batch, outer = call["batch_dims"], indices.ndim - 1

    def element(*i: PrimExpr) -> PrimExpr:
        depth = indices.shape[-1]
        assert isinstance(depth, int)
        chosen = (te.cast(indices[(*i[:outer], n)], INDEX) for n in range(depth))
        return x[(*i[:batch], *chosen, *i[outer:])]

    return te.compute(_gather_nd_rule(call).shape or (), element, "T_gather_nd")


define(
    "gather_nd",
    _gather_nd_rule,
    _gather_nd,
    _gather_nd_form,
    parameters=("data", "indices"),
    attributes={"batch_dims": 0},
)


# --- one_hot ----------------------------------------------------------------------------------


def _one_hot_rule(call: OpCall) -> TensorType:
    indices, on, off = (call.tensor(i) for i in range(3))
    call.need_integer(indices, "indices")
    call.need_rank(on, 0, "a value")
    call.need_rank(off, 0, "a value")
    shape = call.shape(indices)
    axis = call.axis(call["axis"], len(shape) + 1)
    if call["depth"] < 1:
        raise call.error("type/attribute", f"needs a positive depth, got `{call['depth']}`")
    return TensorType((*shape[:axis], call["depth"], *shape[axis:]), call.same_dtype(on, off))


def _one_hot(call: OpCall, indices: NDArray[Any], on: Any, off: Any) -> Any:  # noqa: ANN401
    """`on_value` at the index of a new dimension of extent `depth`, `off_value` elsewhere."""
    axis = call.axis(call["axis"], indices.ndim + 1)
    depth: NDArray[Any] = np.reshape(range(call["depth"]), (-1, *(1,) * (indices.ndim - axis)))
    dtype = numpy_dtype(call.tensor(1).dtype or "float32")
    hit = np.expand_dims(indices, axis) == depth
    return np.where(hit, np.asarray(on, dtype=dtype), np.asarray(off, dtype=dtype))


def _one_hot_form(
    call: OpCall, indices: Tensor, on: Tensor | PrimExpr, off: Tensor | PrimExpr
) -> Tensor:
    axis = call.axis(call["axis"], indices.ndim + 1)
    values = [value[()] if isinstance(value, Tensor) else value for value in (on, off)]

    def element(*i: PrimExpr) -> PrimExpr:
        index = te.cast(indices[(*i[:axis], *i[axis + 1 :])], INDEX)
        return te.select(te.equal(index, i[axis]), values[0], values[1])

    return te.compute(_one_hot_rule(call).shape or (), element, "T_one_hot")


define(
    "one_hot",
    _one_hot_rule,
    _one_hot,
    _one_hot_form,
    parameters=("indices", "on_value", "off_value"),
    attributes={"depth": 1, "axis": -1},
    dtype=lambda call: call.tensor(1).dtype,
)
