"""What tensor expressions are made from: each kind is checked where it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from workbench.ir import Dim, DType, PrimExpr, as_dim, as_expr, dtype_of, is_float
from workbench.ir.dtypes import dtype_name, unknown_dtype
from workbench.ir.expr import expression_text
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found


def shape_of(shape: object, name: str) -> tuple[Dim, ...]:
    """The extents of a tensor.

    Raises:
        CompileError: `te/shape`, `expr/not-a-dimension`.
    """
    if isinstance(shape, str | bytes) or not isinstance(shape, Sequence):
        raise CompileError(
            Diagnostic(
                "te/shape",
                f"the shape of `{name}` is {found(shape)}, expected a tuple of extents",
                hint="one dimension is written `(n,)`",
            )
        )
    dims = tuple(as_dim(extent) for extent in cast("Sequence[PrimExpr]", shape))
    fractions = [dim for dim in dims if not isinstance(dim, int) and is_float(dtype_of(dim))]
    if fractions:
        raise CompileError(
            Diagnostic(
                "te/shape",
                f"`{name}` has the extent `{expression_text(fractions[0])}`, expected an integer",
                hint="`//` divides integers",
            )
        )
    wrong = [dim for dim in dims if isinstance(dim, int) and dim < 0]
    if wrong:
        raise CompileError(
            Diagnostic("te/shape", f"`{name}` has the extent `{wrong[0]}`, expected 0 or more")
        )
    return dims


def element_type(dtype: object) -> DType:
    """The name of a dtype that elements may have.

    Raises:
        CompileError: `te/dtype`.
    """
    name = dtype_name(dtype)
    if name is not None:
        return name
    raise CompileError(replace(unknown_dtype(dtype), code="te/dtype"))


def label(name: object) -> str:
    """The name of a tensor, an axis or a variable.

    Raises:
        CompileError: `te/argument`.
    """
    if isinstance(name, str) and name:
        return name
    raise wrong_argument("a name", name)


def condition(value: object) -> PrimExpr:
    """A scalar of dtype `bool`.

    Raises:
        CompileError: `te/condition`, `expr/not-a-scalar`.
    """
    expr = as_expr(value)  # pyright: ignore[reportArgumentType]
    if dtype_of(expr) == "bool":
        return expr
    raise CompileError(
        Diagnostic(
            "te/condition",
            f"expected a condition, found a `{dtype_of(expr)}` value",
            hint="compare it: `te.not_equal(x, 0)`",
        )
    )


def wrong_argument(expected: str, value: object, hint: str = "") -> CompileError:
    """The fault of an argument of another kind than expected."""
    message = f"expected {expected}, found {found(value)}"
    return CompileError(Diagnostic("te/argument", message, hint=hint))
