"""Scalar intrinsics of the interpreter, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.interpret.scalars import SCALAR_TYPES, wrapper
from workbench.ir.dot import DOT_LENGTH
from workbench.ir.expr import DType, is_float
from workbench.ir.numbers import int_range


def _sigmoid(x: Any) -> Any:  # noqa: ANN401
    return 1.0 / (1.0 + np.exp(-x))


def _round_away(x: Any) -> Any:  # noqa: ANN401
    return np.copysign(np.floor(np.abs(x) + 0.5), x) if abs(x) < 2.0**52 else x


FLOAT_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": math.erf,
    "exp": np.exp,
    "exp10": lambda x: np.power(np.float64(10.0), x),
    "exp2": np.exp2,
    "fabs": np.abs,
    "floor": np.floor,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "nearbyint": np.rint,
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
FLOAT_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "atan2": np.arctan2,
    "copysign": np.copysign,
    "fmod": np.fmod,
    "hypot": np.hypot,
    "pow": np.power,
    "power": np.power,
}
FLOAT_TERNARY: dict[str, Callable[[Any, Any, Any], Any]] = {"fma": lambda a, b, c: a * b + c}
"""Functions of floats, computed in float64."""


def _same(a: int) -> int:
    return a


def _power(a: int, b: int) -> int:
    """What remains of a power after wrapping to 64 bits or fewer: the power may be endless."""
    return pow(int(a), int(b), 1 << 64) if b >= 0 else 0


def _dot(count: int) -> Callable[..., int]:
    def dot(total: int, *factors: int) -> int:
        pairs = zip(factors[:count], factors[count:], strict=True)
        return int(total) + sum(int(a) * int(b) for a, b in pairs)

    return dot


def _brain_dot(total: Any, a0: Any, a1: Any, b0: Any, b1: Any) -> Any:  # noqa: ANN401
    return _fused(a0, b0, _fused(a1, b1, total))


def _fused(a: Any, b: Any, c: Any) -> Any:  # noqa: ANN401
    """`a * b + c` of bfloat16 factors, rounded once to float32.

    The product is exact in float64. What its sum loses makes the last bit odd, so that rounding
    again to float32 rounds as the exact sum would.
    """
    product, addend = np.float64(a) * np.float64(b), np.float64(c)
    total = product + addend
    shifted = total - product
    lost = (product - (total - shifted)) + (addend - shifted)
    if np.isfinite(total) and lost != 0 and not int(total.view(np.int64)) & 1:
        total = np.nextafter(total, np.copysign(np.inf, lost))
    return np.float32(total)


INT_UNARY: dict[str, Callable[[int], int]] = {
    "abs": abs,
    "bitwise_not": lambda a: ~int(a),
    "ceil": _same,
    "fabs": abs,
    "floor": _same,
    "likely": _same,
    "nearbyint": _same,
    "round": _same,
    "trunc": _same,
}
INT_BINARY: dict[str, Callable[[int, int], int]] = {
    "bitwise_and": lambda a, b: int(a) & int(b),
    "bitwise_or": lambda a, b: int(a) | int(b),
    "bitwise_xor": lambda a, b: int(a) ^ int(b),
    "pow": _power,
    "power": _power,
    "shift_left": lambda a, b: int(a) << int(b),
    "shift_right": lambda a, b: int(a) >> int(b),
}
"""Functions of integers; the result wraps around."""

INT_DOT: dict[str, Callable[..., int]] = {name: _dot(count) for name, count in DOT_LENGTH.items()}
"""Short dot products of integers, exact; the result wraps around."""

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
        return _constant(_limit(name, dtype))
    if name == "dot2" and dtype == "float32":
        return _brain_dot
    if is_float(dtype):
        return _float_function(name, dtype)
    if name == "popcount":
        return _popcount(dtype)
    return _int_function(name, dtype)


def _constant(value: Any) -> Callable[..., Any]:  # noqa: ANN401
    def give(*_: Any) -> Any:  # noqa: ANN401
        return value

    return give


def _popcount(dtype: DType) -> Callable[[int], int]:
    mask = int_range("u" + dtype.lstrip("u"))[1]
    return lambda a: (int(a) & mask).bit_count()


def _int_function(name: str, dtype: DType) -> Callable[..., Any] | None:
    function: Callable[..., int] | None = (
        INT_UNARY.get(name) or INT_BINARY.get(name) or INT_DOT.get(name)
    )
    if function is None:
        return None
    if dtype == "bool":
        return lambda *args: bool(function(*args) & 1)
    wrap = wrapper(dtype)
    return lambda *args: wrap(function(*args))


def _float_function(name: str, dtype: DType) -> Callable[..., Any] | None:
    tables = (FLOAT_UNARY, FLOAT_BINARY, FLOAT_TERNARY)
    function: Callable[..., Any] | None = next((t[name] for t in tables if name in t), None)
    if name == "likely" or function is None:
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
