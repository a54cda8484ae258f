"""Scalar intrinsics of the interpreter, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.interpret.scalars import SCALAR_TYPES, int_range, wrapper
from workbench.ir.expr import DType, is_float


def _sigmoid(x: Any) -> Any:  # noqa: ANN401
    return 1.0 / (1.0 + np.exp(-x))


def _round_away(x: Any) -> Any:  # noqa: ANN401
    return np.copysign(np.floor(np.abs(x) + 0.5), x) if abs(x) < 2.0**52 else x


FLOAT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": math.erf,
    "exp": np.exp,
    "exp10": lambda x: np.power(np.float64(10.0), x),
    "exp2": np.exp2,
    "fabs": np.abs,
    "floor": np.floor,
    "fma": lambda a, b, c: a * b + c,
    "fmod": np.fmod,
    "hypot": np.hypot,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "nearbyint": np.rint,
    "pow": np.power,
    "power": np.power,
    "round": _round_away,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "sigmoid": _sigmoid,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
}
"""Functions of floats, computed in float64."""

INT_FUNCTIONS: dict[str, Callable[..., int]] = {
    "abs": abs,
    "fabs": abs,
    "bitwise_and": lambda a, b: int(a) & int(b),
    "bitwise_not": lambda a: ~int(a),
    "bitwise_or": lambda a, b: int(a) | int(b),
    "bitwise_xor": lambda a, b: int(a) ^ int(b),
    "ceil": lambda a: a,
    "floor": lambda a: a,
    "likely": lambda a: a,
    "pow": lambda a, b: a**b if b >= 0 else 0,
    "power": lambda a, b: a**b if b >= 0 else 0,
    "round": lambda a: a,
    "shift_left": lambda a, b: int(a) << int(b),
    "shift_right": lambda a, b: int(a) >> int(b),
    "trunc": lambda a: a,
}
"""Functions of integers; the result wraps around."""

PREDICATES: dict[str, Callable[[Any], bool]] = {
    "isfinite": lambda x: math.isfinite(float(x)),
    "isinf": lambda x: math.isinf(float(x)),
    "isnan": lambda x: math.isnan(float(x)),
}
"""Functions of one number that give a boolean."""


def intrinsic(name: str, dtype: DType) -> Callable[..., Any] | None:
    """The scalar function `name` with result `dtype`, None where there is none.

    Reference: `tvm.tir.op`.
    """
    if name in PREDICATES:
        return PREDICATES[name]
    if name in {"infinity", "max_value", "min_value"}:
        limit = _limit(name, dtype)
        return lambda *_: limit
    if is_float(dtype):
        return _float_function(name, dtype)
    if name == "popcount":
        mask = int_range("u" + dtype.lstrip("u"))[1]
        return lambda a: (int(a) & mask).bit_count()
    function = INT_FUNCTIONS.get(name)
    if function is None:
        return None
    if dtype == "bool":
        return lambda *args: bool(function(*args) & 1)
    wrap = wrapper(dtype)
    return lambda *args: wrap(function(*args))


def _float_function(name: str, dtype: DType) -> Callable[..., Any] | None:
    if name == "likely":
        return lambda value: value
    function = FLOAT_FUNCTIONS.get(name)
    if function is None:
        return None
    scalar = SCALAR_TYPES[dtype]
    return lambda *args: scalar(function(*(np.float64(a) for a in args)))


def _limit(name: str, dtype: DType) -> Any:  # noqa: ANN401
    if not is_float(dtype):
        low, high = int_range(dtype)
        return low if name == "min_value" else high
    scalar = SCALAR_TYPES[dtype]
    if name == "infinity":
        return scalar(np.inf)
    largest = _largest(dtype)
    return -largest if name == "min_value" else largest


def _largest(dtype: DType) -> Any:  # noqa: ANN401
    scalar = SCALAR_TYPES[dtype]
    return scalar(2.0**127 * (2 - 2**-7)) if dtype == "bfloat16" else np.finfo(scalar).max
