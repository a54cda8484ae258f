"""Scalar functions for the element expressions of tensors, and reductions.

Reference: `tvm.te`, `tvm.tir.op`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import cast as typed
from typing import overload

from workbench.ir import (
    BinaryOp,
    Cast,
    DType,
    FloatImm,
    IntImm,
    Intrinsic,
    Not,
    PrimExpr,
    Scalar,
    Select,
    as_expr,
    binary,
    dtype_of,
    is_float,
)
from workbench.ir.numbers import fits
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found
from workbench.te.arguments import condition as condition_of
from workbench.te.arguments import element_type, label, wrong_argument
from workbench.te.tensor import ReduceAxis, Reduction

Axes = ReduceAxis | Sequence[ReduceAxis]


def const(value: float, dtype: DType) -> PrimExpr:
    """A constant of `dtype`.

    Raises:
        CompileError: `te/dtype`, `te/argument`.
    """
    dtype = element_type(dtype)
    number = as_expr(value)
    if not isinstance(number, IntImm | FloatImm):
        raise wrong_argument("a number", value, "`te.cast` converts an expression")
    if is_float(dtype):
        return FloatImm(float(number.value), dtype)
    if isinstance(number, FloatImm) and not number.value.is_integer():
        raise wrong_argument(f"a value of `{dtype}`", value)
    if not fits(int(number.value), dtype):
        raise wrong_argument(f"a value of `{dtype}`", value)
    return IntImm(int(number.value), dtype)


def cast(value: Scalar, dtype: DType) -> PrimExpr:
    """`value` as `dtype`; itself if it is that already.

    Raises:
        CompileError: `te/dtype`, `expr/not-a-scalar`.
    """
    expr, dtype = as_expr(value), element_type(dtype)
    return expr if dtype_of(expr) == dtype else Cast(expr, dtype)


def if_then_else(condition: PrimExpr, true_value: Scalar, false_value: Scalar) -> PrimExpr:
    """A choice that evaluates the chosen side only, so that the other may be out of bounds.

    Raises:
        CompileError: `te/argument`, `te/condition`, `expr/not-a-scalar`.
    """
    return Select(condition_of(condition), *_alike(true_value, false_value))


def select(condition: PrimExpr, true_value: Scalar, false_value: Scalar) -> PrimExpr:
    """A choice that evaluates both sides.

    Raises:
        CompileError: `te/argument`, `te/condition`, `expr/not-a-scalar`.
    """
    return Select(condition_of(condition), *_alike(true_value, false_value), lazy=False)


def _alike(a: Scalar, b: Scalar) -> tuple[PrimExpr, PrimExpr]:
    if isinstance(a, PrimExpr):
        return a, b if isinstance(b, PrimExpr) else _number(b, dtype_of(a))
    other = as_expr(b)
    return _number(a, dtype_of(other)), other


def _number(value: Scalar, dtype: DType) -> PrimExpr:
    """A number as `dtype`, or as float32 where it has a fraction that is lost there."""
    made = as_expr(value)
    keeps = is_float(dtype) or not isinstance(made, FloatImm)
    return const(value, dtype) if keeps else made  # pyright: ignore[reportArgumentType]


def equal(a: Scalar, b: Scalar) -> PrimExpr:
    """`a == b`, elementwise.

    So does the operator `==` in the function that `te.compute` takes, where it mentions an index or
    an element; elsewhere it compares expressions as trees.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.EQ, a, b)


def not_equal(a: Scalar, b: Scalar) -> PrimExpr:
    """`a != b`, elementwise, as `equal`.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.NE, a, b)


def all(*conditions: PrimExpr) -> PrimExpr:
    """Whether all conditions hold; true for none.

    Raises:
        CompileError: `te/condition`, `expr/not-a-scalar`.
    """
    parts = [condition_of(part) for part in conditions] or [as_expr(True)]
    return functools.reduce(functools.partial(binary, BinaryOp.AND), parts)


def any(*conditions: PrimExpr) -> PrimExpr:
    """Whether one condition holds; false for none.

    Raises:
        CompileError: `te/condition`, `expr/not-a-scalar`.
    """
    parts = [condition_of(part) for part in conditions] or [as_expr(False)]
    return functools.reduce(functools.partial(binary, BinaryOp.OR), parts)


def logical_not(condition: PrimExpr) -> PrimExpr:
    """Negation.

    Raises:
        CompileError: `te/condition`, `expr/not-a-scalar`.
    """
    return Not(condition_of(condition))


def maximum(a: Scalar, b: Scalar) -> PrimExpr:
    """The greater one; NaN if one is NaN.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.MAX, a, b)


def minimum(a: Scalar, b: Scalar) -> PrimExpr:
    """The smaller one; NaN if one is NaN.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.MIN, a, b)


def truncdiv(a: Scalar, b: Scalar) -> PrimExpr:
    """Integer division toward zero.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.TRUNCDIV, a, b)


def truncmod(a: Scalar, b: Scalar) -> PrimExpr:
    """Remainder of `truncdiv`.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return binary(BinaryOp.TRUNCMOD, a, b)


def intrinsic(name: str, *args: Scalar, dtype: DType | None = None) -> PrimExpr:
    """A scalar function by name, on arguments of one dtype.

    Raises:
        CompileError: `te/argument`, `te/dtype`, `expr/not-a-scalar`.
    """
    first = next((arg for arg in args if isinstance(arg, PrimExpr)), None)
    kind = "float32" if first is None else dtype_of(first)
    exprs = tuple(arg if isinstance(arg, PrimExpr) else _number(arg, kind) for arg in args)
    return Intrinsic(label(name), exprs, kind if dtype is None else element_type(dtype))


exp = functools.partial(intrinsic, "exp")
log = functools.partial(intrinsic, "log")
sqrt = functools.partial(intrinsic, "sqrt")
rsqrt = functools.partial(intrinsic, "rsqrt")
sin = functools.partial(intrinsic, "sin")
cos = functools.partial(intrinsic, "cos")
tan = functools.partial(intrinsic, "tan")
tanh = functools.partial(intrinsic, "tanh")
erf = functools.partial(intrinsic, "erf")
sigmoid = functools.partial(intrinsic, "sigmoid")
floor = functools.partial(intrinsic, "floor")
ceil = functools.partial(intrinsic, "ceil")
power = functools.partial(intrinsic, "pow")


def abs(value: PrimExpr) -> PrimExpr:
    """The absolute value.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    return intrinsic("abs", value)


_INT_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_UINT_BITS = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


def max_value(dtype: DType) -> PrimExpr:
    """The greatest value: infinity, the greatest integer, true.

    Raises:
        CompileError: `te/dtype`.
    """
    dtype = element_type(dtype)
    if is_float(dtype):
        return as_expr(math.inf, dtype)
    if dtype == "bool":
        return as_expr(1, dtype)
    bits = _INT_BITS.get(dtype)
    return as_expr(2 ** (bits - 1) - 1 if bits else 2 ** _UINT_BITS[dtype] - 1, dtype)


def min_value(dtype: DType) -> PrimExpr:
    """The least value: minus infinity, the least integer, false.

    Raises:
        CompileError: `te/dtype`.
    """
    dtype = element_type(dtype)
    if is_float(dtype):
        return as_expr(-math.inf, dtype)
    return as_expr(-(2 ** (_INT_BITS[dtype] - 1)) if dtype in _INT_BITS else 0, dtype)


def sum(value: Scalar, axis: Axes, where: PrimExpr | None = None) -> Reduction:
    """The sum over `axis`, of the elements where `where` holds; in the dtype of `value`.

    Raises:
        CompileError: `te/axis`.
    """
    expr = as_expr(value)
    return _reduce(BinaryOp.ADD, expr, axis, where, const(0, dtype_of(expr)))


def prod(value: Scalar, axis: Axes, where: PrimExpr | None = None) -> Reduction:
    """The product over `axis`, of the elements where `where` holds.

    Raises:
        CompileError: `te/axis`.
    """
    expr = as_expr(value)
    return _reduce(BinaryOp.MUL, expr, axis, where, const(1, dtype_of(expr)))


@overload
def max(  # pyright: ignore[reportOverlappingOverload]
    value: Scalar, axis: Axes, where: PrimExpr | None = None
) -> Reduction: ...
@overload
def max(value: Scalar, axis: Scalar) -> PrimExpr: ...
def max(value: Scalar, axis: Axes | Scalar, where: PrimExpr | None = None) -> Reduction | PrimExpr:
    """The greatest element over `axis`, or the greater of two scalars; NaN if there is one.

    Raises:
        CompileError: `te/axis`.
    """
    if not isinstance(axis, ReduceAxis | Sequence):
        return maximum(value, axis)
    expr = as_expr(value)
    dtype = dtype_of(expr)
    combiner = BinaryOp.OR if dtype == "bool" else BinaryOp.MAX
    return _reduce(combiner, expr, axis, where, min_value(dtype))


@overload
def min(  # pyright: ignore[reportOverlappingOverload]
    value: Scalar, axis: Axes, where: PrimExpr | None = None
) -> Reduction: ...
@overload
def min(value: Scalar, axis: Scalar) -> PrimExpr: ...
def min(value: Scalar, axis: Axes | Scalar, where: PrimExpr | None = None) -> Reduction | PrimExpr:
    """The smallest element over `axis`, or the smaller of two scalars; NaN if there is one.

    Raises:
        CompileError: `te/axis`.
    """
    if not isinstance(axis, ReduceAxis | Sequence):
        return minimum(value, axis)
    expr = as_expr(value)
    dtype = dtype_of(expr)
    combiner = BinaryOp.AND if dtype == "bool" else BinaryOp.MIN
    return _reduce(combiner, expr, axis, where, max_value(dtype))


def _reduce(
    combiner: BinaryOp, value: PrimExpr, axis: Axes, where: PrimExpr | None, identity: PrimExpr
) -> Reduction:
    given = typed("Sequence[object]", axis if isinstance(axis, Sequence) else (axis,))
    axes = tuple(item for item in given if isinstance(item, ReduceAxis))
    if not axes or len(axes) != len(given):
        wrong = next((item for item in given if not isinstance(item, ReduceAxis)), given)
        raise CompileError(
            Diagnostic(
                "te/axis",
                f"expected an axis made by `te.reduce_axis`, found {found(wrong)}",
                hint="`k = te.reduce_axis(n)`, then `te.sum(A[i, k], axis=k)`",
            )
        )
    kept = value if where is None else if_then_else(where, value, identity)
    return Reduction(combiner, kept, axes, identity)
