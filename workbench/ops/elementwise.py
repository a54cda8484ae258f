"""Functions of one tensor, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import INDEX, PrimExpr, Scalar, TensorType, dtype_of, is_float
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.erf import erf
from workbench.te import (
    Tensor,
    abs,
    cast,
    compute,
    const,
    if_then_else,
    intrinsic,
    logical_not,
    maximum,
    minimum,
    select,
)

Element = Callable[[PrimExpr], Scalar]


def elementwise(
    name: str,
    numeric: Callable[[Any], Any],
    element: Element,
    doc: str,
    *,
    kind: str = "any",
    result: str = "",
) -> None:
    """Register `name`: `numeric` on arrays, `element` on one element.

    `kind` is the operand that it takes (`any`, `float`, `number`, `integer`, `bool`), `result` the
    dtype of the result where that is not the operand's.

    Raises:
        CompileError: `type/dtype`.
    """

    def rule(call: OpCall) -> TensorType:
        operand = call.tensor(0)
        _check_kind(call, operand, kind)
        return TensorType(call.shape(operand), result or operand.dtype)

    def reference(_: OpCall, x: Any) -> Any:  # noqa: ANN401
        array = np.asarray(x)
        return np.asarray(numeric(array)).astype(result or array.dtype, copy=False)

    def form(_: OpCall, x: Tensor) -> Tensor:
        return compute(x.shape, lambda *i: element(x[i]), block)

    block = "compute" if name.startswith("nn.") else f"T_{name}"
    block = {"nn.relu": "relu"}.get(name, block)
    define(
        name,
        rule,
        reference,
        form,
        dtype=lambda call: result or call.tensor(0).dtype,
        doc=doc,
    )


def _check_kind(call: OpCall, operand: TensorType, kind: str) -> None:
    dtype = operand.dtype or "float32"
    if kind == "float":
        call.need_float(operand)
    elif kind == "integer":
        call.need_integer(operand, "operand")
    elif (kind == "bool") != (dtype == "bool") and kind != "any":
        wanted = "a bool" if kind == "bool" else "a numeric"
        raise call.error("type/dtype", f"needs {wanted} operand, got `{dtype}`")


def _on_floats(name: str) -> Element:
    """An intrinsic for floats that leaves integers as they are."""
    return lambda x: intrinsic(name, x) if is_float(dtype_of(x)) else x


def negative(x: PrimExpr) -> PrimExpr:
    """`-x`; the negative of zero is negative zero."""
    return x * -1.0 if is_float(dtype_of(x)) else 0 - x


def _sign(x: PrimExpr) -> PrimExpr:
    one, minus = const(1, dtype_of(x)), const(0 if dtype_of(x)[0] == "u" else -1, dtype_of(x))
    zero_or_nan = x * const(0, dtype_of(x)) if is_float(dtype_of(x)) else const(0, dtype_of(x))
    return select(x > 0, one, select(x < 0, minus, zero_or_nan))


def _sigmoid(x: Any) -> Any:  # noqa: ANN401
    return 1 / (1 + np.exp(-x))


_FUNCTIONS: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("acos", np.arccos, "Arc cosine."),
    ("acosh", np.arccosh, "Inverse hyperbolic cosine."),
    ("asin", np.arcsin, "Arc sine."),
    ("asinh", np.arcsinh, "Inverse hyperbolic sine."),
    ("atan", np.arctan, "Arc tangent."),
    ("atanh", np.arctanh, "Inverse hyperbolic tangent."),
    ("cos", np.cos, "Cosine."),
    ("cosh", np.cosh, "Hyperbolic cosine."),
    ("erf", erf, "The error function."),
    ("exp", np.exp, "`e` to the power of each element."),
    ("log", np.log, "Natural logarithm."),
    ("rsqrt", lambda x: 1 / np.sqrt(x), "`1 / sqrt(x)`."),
    ("sigmoid", _sigmoid, "`1 / (1 + exp(-x))`."),
    ("sin", np.sin, "Sine."),
    ("sinh", np.sinh, "Hyperbolic sine."),
    ("sqrt", np.sqrt, "Square root."),
    ("tan", np.tan, "Tangent."),
    ("tanh", np.tanh, "Hyperbolic tangent."),
)
for _name, _numeric, _doc in _FUNCTIONS:
    elementwise(
        _name,
        _numeric,
        partial(intrinsic, _name),
        _doc,
        kind="float",
    )

elementwise("abs", np.abs, abs, "Absolute value.", kind="number")
elementwise("ceil", np.ceil, _on_floats("ceil"), "Rounded up.", kind="number")
elementwise("floor", np.floor, _on_floats("floor"), "Rounded down.", kind="number")
elementwise(
    "round", np.rint, _on_floats("nearbyint"), "Rounded to nearest, halves to even.", kind="number"
)
elementwise("trunc", np.trunc, _on_floats("trunc"), "Rounded toward zero.", kind="number")
elementwise("negative", np.negative, negative, "`-x`.", kind="number")
elementwise("sign", np.sign, _sign, "-1, 0 or 1; NaN for NaN.", kind="number")
elementwise("square", np.square, lambda x: x * x, "`x * x`.", kind="number")
elementwise("logical_not", np.logical_not, logical_not, "Negation.", kind="bool")
elementwise(
    "bitwise_not",
    np.invert,
    lambda x: intrinsic("bitwise_not", x),
    "All bits turned.",
    kind="integer",
)
for _name, _numeric in (("isfinite", np.isfinite), ("isinf", np.isinf), ("isnan", np.isnan)):
    elementwise(
        _name,
        _numeric,
        partial(intrinsic, _name, dtype="bool"),
        f"Where numpy's `{_name}` holds.",
        kind="float",
        result="bool",
    )


def _clip_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    _check_kind(call, operand, "number")
    return TensorType(call.shape(operand), operand.dtype)


def _clip(_: OpCall, x: NDArray[Any], low: Any, high: Any) -> NDArray[Any]:  # noqa: ANN401
    """`minimum(maximum(x, min), max)`; `min` and `max` are scalars, NaN stays NaN."""
    kind = x.dtype.type
    return np.minimum(np.maximum(x, kind(low)), kind(high))


def _clip_form(_: OpCall, x: Tensor, low: Any, high: Any) -> Tensor:  # noqa: ANN401
    def bound(value: Any) -> Any:  # noqa: ANN401
        return cast(value[()] if isinstance(value, Tensor) else value, x.dtype)

    return compute(x.shape, lambda *i: minimum(maximum(x[i], bound(low)), bound(high)), "compute")


define("clip", _clip_rule, _clip, _clip_form, parameters=("x", "min", "max"))


def _tril_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    if len(call.shape(operand)) < 2:
        raise call.error("type/rank", "needs at least `2` dimensions")
    return TensorType(call.shape(operand), operand.dtype)


def _triangle_form(call: OpCall, x: Tensor) -> Tensor:
    k = const(call["k"], INDEX)
    lower = call.name == "tril"

    def element(*i: PrimExpr) -> PrimExpr:
        kept = i[-1] <= i[-2] + k if lower else i[-1] >= i[-2] + k
        return if_then_else(kept, x[i], const(0, x.dtype))

    return compute(x.shape, element, call.name)


def _triangle(call: OpCall, x: NDArray[Any]) -> NDArray[Any]:
    """The elements on one side of diagonal `k` of the last two dimensions, zero elsewhere."""
    return np.tril(x, call["k"]) if call.name == "tril" else np.triu(x, call["k"])


define("tril", _tril_rule, _triangle, _triangle_form, attributes={"k": 0})
define("triu", _tril_rule, _triangle, _triangle_form, attributes={"k": 0})
