"""How Python numbers and operands of different dtypes meet in scripts."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

from workbench.ir import (
    BinaryOp,
    Cast,
    DType,
    FloatImm,
    IntImm,
    PrimExpr,
    as_expr,
    dtype_of,
    is_float,
)
from workbench.ir.expr import Binary

Weak: TypeAlias = "PrimExpr | int | float | bool"
"""An expression, or a Python number that takes the dtype of what it meets."""


def constant(value: float, dtype: DType) -> PrimExpr:
    """A Python number as a constant of `dtype`."""
    if is_float(dtype):
        return FloatImm(float(value), dtype)
    return IntImm(int(bool(value)) if dtype == "bool" else int(value), dtype)


def strong(value: Weak, dtype: DType | None = None) -> PrimExpr:
    """`value` as an expression; a number gets `dtype` if that can hold it, else its usual one."""
    if not isinstance(value, int | float):
        return value
    return constant(value, dtype) if dtype and _holds(value, dtype) else as_expr(value)


def _holds(value: float, dtype: DType) -> bool:
    """Whether a number may be written for a constant of `dtype`."""
    if isinstance(value, bool):
        return True
    if isinstance(value, float):
        return is_float(dtype)
    return dtype != "bool" or value in (0, 1)


def as_bool(value: PrimExpr) -> PrimExpr:
    """`value` as a condition."""
    dtype = dtype_of(value)
    return value if dtype == "bool" else Binary(BinaryOp.NE, value, constant(0, dtype))


def unify(a: Weak, b: Weak) -> tuple[PrimExpr, PrimExpr]:
    """Both operands in one dtype: numbers adapt, narrower expressions are cast to the wider one."""
    if isinstance(a, int | float):
        a = strong(a, None if isinstance(b, int | float) else dtype_of(b))
    if isinstance(b, int | float):
        b = strong(b, dtype_of(a))
    left, right = dtype_of(a), dtype_of(b)
    if left == right:
        return a, b
    common = promoted(left, right)
    return _cast(a, common), _cast(b, common)


def _cast(value: PrimExpr, dtype: DType) -> PrimExpr:
    return value if dtype_of(value) == dtype else Cast(value, dtype)


def promoted(a: DType, b: DType) -> DType:
    """The dtype that holds both, as TVM's operators choose it."""
    if is_float(a) != is_float(b):
        return a if is_float(a) else b
    if a == "bool" or b == "bool":
        return b if a == "bool" else a
    if bits_of(a) == bits_of(b):
        return "float32" if is_float(a) else a.lstrip("u")
    return a if bits_of(a) > bits_of(b) else b


def bits_of(dtype: DType) -> int:
    """The width in bits."""
    found = re.search(r"\d+", dtype)
    return int(found.group()) if found else 8


_FLOAT_MAX = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def dtype_limit(word: str, dtype: DType) -> PrimExpr | None:
    """What `T.min_value`, `T.max_value` and `T.infinity` give, None where there is none."""
    if is_float(dtype):
        value = math.inf if word == "infinity" else _FLOAT_MAX[dtype]
        return FloatImm(-value if word == "min_value" else value, dtype)
    if word == "infinity":
        return None
    bits, unsigned = bits_of(dtype) if dtype != "bool" else 1, dtype.startswith(("u", "b"))
    if word == "min_value":
        return IntImm(0 if unsigned else -(2 ** (bits - 1)), dtype)
    return IntImm(2**bits - 1 if unsigned else 2 ** (bits - 1) - 1, dtype)
