"""Scalar semantics: what each operator and intrinsic gives for one element.

Floats are numpy scalars of their dtype, so each operation rounds to it; integers are Python ints
that wrap around; booleans are Python or numpy booleans. Transcendental functions are computed in
float64 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from workbench.ir.expr import BinaryOp, DType
from workbench.ir.numbers import int_range
from workbench.support.diagnostics import CompileError, Diagnostic

SCALAR_TYPES: dict[DType, Any] = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}
"""Constructors of floating point scalars."""


def wrapper(dtype: DType) -> Callable[[int], int]:
    """A function that wraps a Python int around to `dtype`."""
    low, high = int_range(dtype)
    mask = high - low

    def wrap(value: int) -> int:
        return value if low <= value <= high else ((value - low) & mask) + low

    return wrap


def division_by_zero() -> CompileError:
    """What every integer division by zero raises."""
    return CompileError(Diagnostic("run/division-by-zero", "an integer is divided by zero"))


def floor_div(a: int, b: int) -> int:
    """Integer quotient rounded down.

    Raises:
        CompileError: `run/division-by-zero`.
    """
    if b == 0:
        raise division_by_zero()
    return a // b


def floor_mod(a: int, b: int) -> int:
    """Remainder with the sign of the divisor.

    Raises:
        CompileError: `run/division-by-zero`.
    """
    if b == 0:
        raise division_by_zero()
    return a % b


def trunc_div(a: int, b: int) -> int:
    """Integer quotient rounded toward zero.

    Raises:
        CompileError: `run/division-by-zero`.
    """
    if b == 0:
        raise division_by_zero()
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def trunc_mod(a: int, b: int) -> int:
    """Remainder with the sign of the dividend.

    Raises:
        CompileError: `run/division-by-zero`.
    """
    if b == 0:
        raise division_by_zero()
    return abs(a) % abs(b) if a >= 0 else -(abs(a) % abs(b))


def float_max(a: Any, b: Any) -> Any:  # noqa: ANN401
    """The larger one; NaN if either is."""
    return a if a > b or a != a else b


def float_min(a: Any, b: Any) -> Any:  # noqa: ANN401
    """The smaller one; NaN if either is."""
    return a if a < b or a != a else b


def select(condition: object, a: Any, b: Any) -> Any:  # noqa: ANN401
    """A choice whose sides were both evaluated."""
    return a if condition else b


def float_to_int(dtype: DType) -> Callable[[Any], int]:
    """Truncation toward zero; saturates at the ends of `dtype`, NaN gives 0."""
    low, high = int_range(dtype)

    def convert(value: Any) -> int:  # noqa: ANN401
        exact = float(value)
        if math.isnan(exact):
            return 0
        return (
            max(low, min(high, int(exact)))
            if math.isfinite(exact)
            else (high if exact > 0 else low)
        )

    return convert


def int_to_float(dtype: DType) -> Callable[[int], Any]:
    """The nearest value of a floating point dtype."""
    scalar = SCALAR_TYPES[dtype]

    def convert(value: int) -> Any:  # noqa: ANN401
        if -(1 << 53) <= value <= (1 << 53) or dtype == "float64":
            return scalar(float(value))
        wide = np.int64(value) if value < (1 << 63) else np.uint64(value)
        return wide.astype(scalar)

    return convert


_PYTHON: dict[BinaryOp, Callable[[Any, Any], Any]] = {
    BinaryOp.ADD: lambda a, b: a + b,
    BinaryOp.SUB: lambda a, b: a - b,
    BinaryOp.MUL: lambda a, b: a * b,
    BinaryOp.DIV: lambda a, b: trunc_div(a, b) if isinstance(a, int) else a / b,
    BinaryOp.FLOORDIV: floor_div,
    BinaryOp.FLOORMOD: floor_mod,
    BinaryOp.TRUNCDIV: trunc_div,
    BinaryOp.TRUNCMOD: trunc_mod,
    BinaryOp.MIN: min,
    BinaryOp.MAX: max,
    BinaryOp.EQ: lambda a, b: a == b,
    BinaryOp.NE: lambda a, b: a != b,
    BinaryOp.LT: lambda a, b: a < b,
    BinaryOp.LE: lambda a, b: a <= b,
    BinaryOp.GT: lambda a, b: a > b,
    BinaryOp.GE: lambda a, b: a >= b,
    BinaryOp.AND: lambda a, b: bool(a and b),
    BinaryOp.OR: lambda a, b: bool(a or b),
}


def python_binary(op: BinaryOp, a: Any, b: Any) -> Any:  # noqa: ANN401
    """`a op b` on Python numbers, as dimensions need it."""
    return _PYTHON[op](a, b)
