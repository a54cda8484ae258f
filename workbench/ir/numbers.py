"""Numbers of Python and numpy: which a dtype has, and what is none."""

from __future__ import annotations

import numbers

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found


def plain_number(value: object) -> bool | int | float:
    """A number of numpy and its like as one of Python.

    Raises:
        CompileError: `expr/not-a-scalar`.
    """
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if type(value).__name__ in {"bool", "bool_"}:
        return bool(value)
    message = f"expected a number or a scalar expression, found {found(value)}"
    raise CompileError(Diagnostic("expr/not-a-scalar", message))


def whole_number(value: object) -> int:
    """A number of numpy and its like as a dimension.

    Raises:
        CompileError: `expr/not-a-dimension`.
    """
    if isinstance(value, numbers.Integral):
        return int(value)
    raise CompileError(
        Diagnostic(
            "expr/not-a-dimension",
            f"expected an integer, or an integer expression, as a dimension, found {found(value)}",
            hint="`te.var('n')` makes a symbolic dimension",
        )
    )


def fits(value: int, dtype: str) -> bool:
    """Whether an integer is a value of `dtype`; what is not wraps around when it runs."""
    if dtype == "bool":
        return value in {0, 1}
    bits = int(dtype.lstrip("uint"))
    return (
        0 <= value < 1 << bits if dtype.startswith("u") else -1 << bits - 1 <= value < 1 << bits - 1
    )
