"""Activation functions.

Reference: `tvm.relax.op.nn`, `tvm.topi.nn`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import PrimExpr, TensorType, dtype_of
from workbench.ops.arithmetic import element
from workbench.ops.call import OpCall
from workbench.ops.definition import define
from workbench.ops.elementwise import elementwise
from workbench.ops.erf import erf
from workbench.ops.reduce import reduction
from workbench.te import Tensor

_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)


def _gelu(x: PrimExpr) -> PrimExpr:
    return x * 0.5 * (te.erf(x * _SQRT_HALF) + 1.0)


def _gelu_tanh(x: PrimExpr) -> PrimExpr:
    return x * 0.5 * (te.tanh((x + x * x * x * 0.044715) * _SQRT_2_OVER_PI) + 1.0)


def _of_kind(x: Any, value: float) -> Any:  # noqa: ANN401
    return x.dtype.type(value)


elementwise(
    "nn.relu",
    lambda x: np.maximum(x, _of_kind(x, 0)),
    lambda x: te.maximum(x, te.const(0, dtype_of(x))),
    "`maximum(x, 0)`.",
    kind="number",
)
elementwise(
    "nn.relu6",
    lambda x: np.clip(x, _of_kind(x, 0), _of_kind(x, 6)),
    lambda x: te.minimum(te.maximum(x, te.const(0, dtype_of(x))), te.const(6, dtype_of(x))),
    "`minimum(maximum(x, 0), 6)`.",
    kind="number",
)
elementwise(
    "nn.gelu",
    lambda x: x * _of_kind(x, 0.5) * (erf(x * _of_kind(x, _SQRT_HALF)) + _of_kind(x, 1)),
    _gelu,
    "`x/2 * (1 + erf(x / sqrt(2)))`.",
    kind="float",
)
elementwise(
    "nn.gelu_tanh",
    lambda x: (
        x
        * _of_kind(x, 0.5)
        * (
            np.tanh((x + x * x * x * _of_kind(x, 0.044715)) * _of_kind(x, _SQRT_2_OVER_PI))
            + _of_kind(x, 1)
        )
    ),
    _gelu_tanh,
    "`x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`.",
    kind="float",
)
elementwise(
    "nn.silu",
    lambda x: x / (1 + np.exp(-x)),
    lambda x: x * te.sigmoid(x),
    "`x * sigmoid(x)`.",
    kind="float",
)


def _float_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    call.need_float(operand)
    return TensorType(call.shape(operand), operand.dtype)


def _leakyrelu(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """`x` where positive, else `alpha * x`."""
    return np.where(x > 0, x, x * _of_kind(x, call["alpha"]))


def _leakyrelu_form(call: OpCall, x: Tensor) -> Tensor:
    alpha = te.const(call["alpha"], x.dtype)
    return te.compute(x.shape, lambda *i: te.select(x[i] > 0, x[i], x[i] * alpha), "compute")


define("nn.leakyrelu", _float_rule, _leakyrelu, _leakyrelu_form, attributes={"alpha": 0.01})


def _softplus(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """`log(1 + exp(beta * x)) / beta`, `x` where `beta * x` is above `threshold`."""
    beta = _of_kind(x, call["beta"])
    return np.where(x * beta > call["threshold"], x, np.log1p(np.exp(x * beta)) / beta)


def _softplus_form(call: OpCall, x: Tensor) -> Tensor:
    beta = te.const(call["beta"], x.dtype)

    def value(v: PrimExpr) -> PrimExpr:
        soft = te.intrinsic("log1p", te.exp(v * beta)) / beta
        return te.if_then_else(v * beta > call["threshold"], v, soft)

    return te.compute(x.shape, lambda *i: value(x[i]), "compute")


define(
    "nn.softplus",
    _float_rule,
    _softplus,
    _softplus_form,
    attributes={"beta": 1.0, "threshold": 20.0},
)


def _prelu_rule(call: OpCall) -> TensorType:
    operand, alpha = call.tensor(0), call.tensor(1)
    call.need_float(operand)
    call.same_dtype(operand, alpha)
    shape = call.shape(operand)
    (slopes,) = call.need_rank(alpha, 1, "slopes")
    if slopes != 1:
        call.require_equal(slopes, shape[call.axis(call["axis"], len(shape))], "extents")
    return TensorType(shape, operand.dtype)


def _prelu(call: OpCall, x: NDArray[Any], alpha: NDArray[Any]) -> Any:  # noqa: ANN401
    """`x` where positive, else `alpha * x`, with one `alpha` for each index of `axis`."""
    shape = [1] * x.ndim
    shape[call["axis"]] = -1
    return np.where(x > 0, x, x * alpha.reshape(shape))


def _prelu_form(call: OpCall, x: Tensor, alpha: Tensor) -> Tensor:
    axis = call.axis(call["axis"], x.ndim)

    def value(*i: PrimExpr) -> PrimExpr:
        return te.select(x[i] > 0, x[i], x[i] * element(alpha, (i[axis],), (x.shape[axis],)))

    return te.compute(x.shape, value, "compute")


define(
    "nn.prelu",
    _prelu_rule,
    _prelu,
    _prelu_form,
    parameters=("x", "alpha"),
    attributes={"axis": 1},
)


# --- softmax ----------------------------------------------------------------------------------


def _softmax_rule(call: OpCall) -> TensorType:
    operand = call.tensor(0)
    call.need_float(operand)
    call.axis(call["axis"], len(call.shape(operand)))
    return TensorType(call.shape(operand), operand.dtype)


def _softmax(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """`exp(x - max) / sum(exp(x - max))` along `axis`."""
    powers = np.exp(x - np.max(x, axis=call["axis"], keepdims=True, initial=-np.inf))
    return powers / np.sum(powers, axis=call["axis"], keepdims=True, dtype=x.dtype)


def _without(index: tuple[PrimExpr, ...], axis: int) -> tuple[PrimExpr, ...]:
    return (*index[:axis], *index[axis + 1 :])


def _softmax_form(call: OpCall, x: Tensor) -> Tensor:
    axis = call.axis(call["axis"], x.ndim)
    most = reduction(x, (axis,), te.max, "T_softmax_maxelem")
    powers = te.compute(x.shape, lambda *i: te.exp(x[i] - most[_without(i, axis)]), "T_softmax_exp")
    total = reduction(powers, (axis,), te.sum, "T_softmax_expsum")
    return te.compute(x.shape, lambda *i: powers[i] / total[_without(i, axis)], "T_softmax_norm")


define("nn.softmax", _softmax_rule, _softmax, _softmax_form, attributes={"axis": -1})


def _log_softmax(call: OpCall, x: NDArray[Any]) -> Any:  # noqa: ANN401
    """`x - max - log(sum(exp(x - max)))` along `axis`."""
    shifted = x - np.max(x, axis=call["axis"], keepdims=True, initial=-np.inf)
    total = np.sum(np.exp(shifted), axis=call["axis"], keepdims=True, dtype=x.dtype)
    return shifted - np.log(total)


def _log_softmax_form(call: OpCall, x: Tensor) -> Tensor:
    axis = call.axis(call["axis"], x.ndim)
    most = reduction(x, (axis,), te.max, "T_softmax_maxelem")

    def power(i: tuple[PrimExpr, ...]) -> PrimExpr:
        return te.exp(x[i] - most[_without(i, axis)])

    total = reduction(x, (axis,), te.sum, "compute_expsum", value=power)

    def value(*i: PrimExpr) -> PrimExpr:
        rest = _without(i, axis)
        return x[i] - most[rest] - te.log(total[rest])

    return te.compute(x.shape, value, "compute")


define("nn.log_softmax", _softmax_rule, _log_softmax, _log_softmax_form, attributes={"axis": -1})
