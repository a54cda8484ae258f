"""Numbers of Python and numpy: which a dtype has, and what is none."""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from workbench.ir.dtypes import DTYPES, negative_extent
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.ids import NodeId

E = TypeVar("E")


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


def is_plain(shape: object, dtype: object) -> bool:
    """Whether a tensor has known extents, or none, and the name of a dtype: most have."""
    if dtype.__class__ is not str or dtype not in DTYPES:
        return False
    if shape.__class__ is not tuple:
        return shape is None
    for dim in cast("tuple[Any, ...]", shape):  # noqa: SIM110  faster than a generator
        if dim.__class__ is not int or dim < 0:
            return False
    return True


def as_shape(shape: object, symbolic: type[E]) -> tuple[int | E, ...] | None:
    """A shape of Python integers and expressions, which are `symbolic`.

    Raises:
        CompileError: `type/negative-extent`, `expr/not-a-dimension`.
    """
    if shape is None:
        return None
    if isinstance(shape, str | bytes) or not isinstance(shape, Iterable):
        raise CompileError(no_shape(shape))
    items = tuple(cast("Iterable[object]", shape))
    dims = tuple(dim if isinstance(dim, symbolic) else whole_number(dim) for dim in items)
    for dim in dims:
        if isinstance(dim, int) and dim < 0:
            raise CompileError(negative_extent(dim))
    return dims


def as_rank(ndim: object, shape: tuple[object, ...] | None) -> int | None:
    """A number of dimensions; None where a shape tells it.

    Raises:
        CompileError: `type/rank`.
    """
    if isinstance(ndim, bool) or not isinstance(ndim, numbers.Integral) or ndim < 0:
        message = f"expected a number of dimensions, 0 or above, as `ndim`, found {found(ndim)}"
        raise CompileError(Diagnostic("type/rank", message))
    if shape is None:
        return int(ndim)
    if len(shape) != ndim:
        message = f"`ndim` is `{ndim}`, and the shape has `{len(shape)}` dimensions"
        raise CompileError(Diagnostic("type/rank", message, hint="leave `ndim` away"))
    return None


def no_scalar_value(name: str, kind: str, node: NodeId) -> Diagnostic:
    """The fault of computing with a value of a graph function, of type `kind`, as with a scalar."""
    return Diagnostic(
        "expr/not-a-scalar",
        f"`{name}` is no scalar, but a value of type `{kind}`",
        node=node,
        hint="operators of graph functions compute on tensors; `A[i, j]` reads an element",
    )


def no_truth(text: str, node: NodeId | None, *, graph: bool) -> Diagnostic:
    """The fault of asking now whether an expression holds; `graph` for a value of a tensor."""
    return Diagnostic(
        "expr/truth",
        f"`{text}` is known when the program runs, but Python's `if`, `and`, "
        "`or`, `not`, `in`, `min`, `max` or a chain of comparisons asks now whether it holds",
        node=node,
        hint="`x is None` asks whether there is a value; `if` in a script branches when it runs"
        if graph
        else "write `te.if_then_else(condition, a, b)`, `te.all(...)`, `te.any(...)`, "
        "`te.logical_not(...)`, `te.min(a, b)`, `te.max(a, b)`, and `te.all(a < b, b < c)`",
    )


def no_shape(shape: object) -> Diagnostic:
    """The fault of what is no shape."""
    return Diagnostic(
        "expr/not-a-dimension",
        f"expected a shape, a tuple of dimensions, found {found(shape)}",
        hint="one dimension is written `(n,)`",
    )


def fits(value: int, dtype: str) -> bool:
    """Whether an integer is a value of `dtype`; what is not wraps around when it runs."""
    low, high = int_range(dtype)
    return low <= value <= high


def int_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of an integer dtype; `bool` is 0 to 1."""
    if dtype == "bool":
        return 0, 1
    bits = int_bits(dtype)
    return (
        (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
    )


def int_bits(dtype: str) -> int:
    """Bits of an integer dtype, the sign included."""
    return int(dtype.lstrip("uint"))


def element_bytes(dtype: str) -> int:
    """Bytes of an element of a tensor."""
    return 1 if dtype == "bool" else int(re.sub(r"\D+", "", dtype)) // 8
