"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, Scalar, Shape, TensorType, as_expr
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.dims import product
from workbench.te import ReduceAxis, Reduction, Tensor

Combine = Callable[[Scalar, list[ReduceAxis]], Reduction]


def reduced_shape(shape: Shape, axes: tuple[int, ...], *, keepdims: bool) -> Shape:
    """`shape` without `axes`, or with extent 1 there."""
    if keepdims:
        return tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)


def reduction(
    x: Tensor,
    axes: tuple[int, ...],
    combine: Combine,
    name: str,
    *,
    keepdims: bool = False,
    value: Callable[[tuple[PrimExpr, ...]], Scalar] | None = None,
) -> Tensor:
    """`x` reduced over `axes`: spatial axes in the order of `x`, then the reduction axes.

    `value` gives what is combined at an index of `x`, by default the element there.
    """
    order = sorted(axes)
    ks = [te.reduce_axis(as_expr(x.shape[axis], INDEX), f"k{n}") for n, axis in enumerate(order)]
    shape = reduced_shape(x.shape, axes, keepdims=keepdims)

    def element(*out: PrimExpr) -> Reduction | PrimExpr:
        spatial, rest = iter(out), iter(ks)
        index: list[PrimExpr] = []
        for axis in range(x.ndim):
            if axis in axes:
                index.append(next(rest))
                _ = next(spatial) if keepdims else None
            else:
                index.append(next(spatial))
        found = value(tuple(index)) if value else x[tuple(index)]
        return combine(found, ks) if ks else as_expr(found)

    return te.compute(shape, element, name)


def _rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axes = call.axes(call["axis"], len(shape))
    _check(call, operand, shape, axes)
    return TensorType(reduced_shape(shape, axes, keepdims=call["keepdims"]), operand.dtype)


def _check(call: OpCall, operand: TensorType, shape: Shape, axes: tuple[int, ...]) -> None:
    if call.name in {"mean", "variance", "std"}:
        call.need_float(operand)
    elif call.name not in {"max", "min"} and operand.dtype == "bool":
        raise call.error("type/dtype", "needs a numeric operand, got `bool`")
    if call.name in {"max", "min", "argmax", "argmin"} and any(shape[axis] == 0 for axis in axes):
        raise call.error("type/empty-reduction", "reduces no elements and has no identity")


def _numpy_axis(call: OpCall, x: NDArray[Any]) -> tuple[int, ...]:
    return call.axes(call["axis"], x.ndim)


def _simple(name: str, numeric: Callable[..., Any], combine: Combine, doc: str) -> None:
    def reference(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
        axes = _numpy_axis(call, x)
        extra = {"dtype": x.dtype} if name in {"sum", "prod"} else {}
        return numeric(x, axis=axes, keepdims=bool(call["keepdims"]), **extra)

    def form(call: OpCall, x: Tensor) -> Tensor:
        axes = call.axes(call["axis"], x.ndim)
        return reduction(x, axes, combine, "x_red", keepdims=call["keepdims"])

    define(name, _rule, reference, form, attributes={"axis": None, "keepdims": False}, doc=doc)


_simple("sum", np.sum, te.sum, "The sum over `axis`, in the dtype of the operand.")
_simple("prod", np.prod, te.prod, "The product over `axis`, in the dtype of the operand.")
_simple("max", np.max, te.max, "The greatest element over `axis`; NaN if there is one.")
_simple("min", np.min, te.min, "The smallest element over `axis`; NaN if there is one.")


def count(x: Tensor, axes: tuple[int, ...]) -> PrimExpr:
    """The number of elements that `axes` hold, in the dtype of `x`."""
    elements: Dim = product(x.shape[axis] for axis in axes)
    if isinstance(elements, int):
        return te.const(elements, x.dtype)
    return te.cast(elements, x.dtype)


def mean_of(x: Tensor, axes: tuple[int, ...], name: str, *, keepdims: bool) -> Tensor:
    """The arithmetic mean over `axes`."""
    total = reduction(x, axes, te.sum, f"{name}_sum", keepdims=keepdims)
    return te.compute(total.shape, lambda *i: total[i] / count(x, axes), name)


def variance_of(
    x: Tensor, mean: Tensor, axes: tuple[int, ...], name: str, *, keepdims: bool
) -> Tensor:
    """The mean squared distance from `mean`, which keeps its dimensions.

    In two passes over `x`: the difference of two sums would lose digits.
    """

    def squared(index: tuple[PrimExpr, ...]) -> PrimExpr:
        distance = x[index] - mean[tuple(0 if a in axes else i for a, i in enumerate(index))]
        return distance * distance

    total = reduction(x, axes, te.sum, f"{name}_sum", keepdims=keepdims, value=squared)
    return te.compute(total.shape, lambda *i: total[i] / count(x, axes), name)


def _mean(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The arithmetic mean over `axis`."""
    return np.mean(x, axis=_numpy_axis(call, x), keepdims=bool(call["keepdims"]), dtype=x.dtype)


def _mean_form(call: OpCall, x: Tensor) -> Tensor:
    axes = call.axes(call["axis"], x.ndim)
    return mean_of(x, axes, "T_divide", keepdims=call["keepdims"])


def _variance(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The mean squared distance from the mean over `axis`."""
    return np.var(x, axis=_numpy_axis(call, x), keepdims=bool(call["keepdims"]), dtype=x.dtype)


def _std(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The square root of the variance over `axis`."""
    return np.sqrt(_variance(call, x))


def _variance_form(call: OpCall, x: Tensor) -> Tensor:
    axes = call.axes(call["axis"], x.ndim)
    mean = mean_of(x, axes, "mean", keepdims=True)
    variance = variance_of(x, mean, axes, "variance", keepdims=call["keepdims"])
    if call.name == "variance":
        return variance
    return te.compute(variance.shape, lambda *i: te.sqrt(variance[i]), "std")


_AXES = {"axis": None, "keepdims": False}
define("mean", _rule, _mean, _mean_form, attributes=_AXES)
define("variance", _rule, _variance, _variance_form, attributes=_AXES)
define("std", _rule, _std, _variance_form, attributes=_AXES)


# --- positions --------------------------------------------------------------------------------


def _arg_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    axis = call["axis"]
    axes = call.axes(axis, len(shape))
    _check(call, operand, shape, axes)
    return TensorType(reduced_shape(shape, axes, keepdims=call["keepdims"]), INDEX)


def _arg(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """The position of the first extreme element along `axis`, of all elements for None; int64."""
    function = np.argmax if call.name == "argmax" else np.argmin
    return np.asarray(function(x, axis=call["axis"], keepdims=bool(call["keepdims"]))).astype(INDEX)


def _arg_form(call: OpCall, x: Tensor) -> Tensor:
    axes = call.axes(call["axis"], x.ndim)
    combine = te.max if call.name == "argmax" else te.min
    best = reduction(x, axes, combine, "x_red", keepdims=True)

    def candidate(index: tuple[PrimExpr, ...]) -> PrimExpr:
        here = x[index]
        extreme = te.equal(here, best[tuple(0 if a in axes else i for a, i in enumerate(index))])
        found = te.any(extreme, te.not_equal(here, here))
        return te.select(found, _position(x.shape, axes, index), te.max_value(INDEX))

    return reduction(
        x, axes, te.min, f"x_red_{call.name}", keepdims=call["keepdims"], value=candidate
    )


def _position(shape: Shape, axes: tuple[int, ...], index: tuple[PrimExpr, ...]) -> PrimExpr:
    position = as_expr(0)
    for axis in axes:
        position = position * as_expr(shape[axis], INDEX) + index[axis]
    return position


_AXIS = {"axis": None, "keepdims": False}
define("argmax", _arg_rule, _arg, _arg_form, attributes=_AXIS, dtype=lambda _: INDEX)
define("argmin", _arg_rule, _arg, _arg_form, attributes=_AXIS, dtype=lambda _: INDEX)


# --- scans ------------------------------------------------------------------------------------


def _scan_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    shape = call.shape(operand)
    dtype = call["dtype"] or operand.dtype
    if call["axis"] is None:
        return TensorType((product(shape),), dtype)
    call.axis(call["axis"], len(shape))
    return TensorType(shape, dtype)


def _scan(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """Sum or product of the elements up to each one along `axis`; flattened for None."""
    function, identity = (np.cumsum, 0) if call.name == "cumsum" else (np.cumprod, 1)
    axis = 0 if call["axis"] is None else call["axis"]
    values = x.reshape(-1) if call["axis"] is None else x
    total = function(values, axis=axis, dtype=call["dtype"] or x.dtype)
    if not call["exclusive"]:
        return total
    shifted = np.roll(total, 1, axis=axis)
    first = (slice(None),) * (axis % values.ndim) + (slice(0, 1),)
    shifted[first] = identity
    return shifted


_SCAN = {"axis": None, "dtype": None, "exclusive": False}
define("cumsum", _scan_rule, _scan, attributes=_SCAN)
define("cumprod", _scan_rule, _scan, attributes=_SCAN)
