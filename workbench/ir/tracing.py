"""Where a function of the user's is run once on scalar expressions, to read off what it computes.

In there `a == b` and `a != b` are comparisons of the program where they mention its indices or an
element; everywhere else they compare nodes as trees. Reference: `tvm.tir.ExprOp.__eq__`, which is
both at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from workbench.support.diagnostics import FOREIGN_FAULTS, CompileError, Diagnostic
from workbench.support.kinds import wrong_call


class Index(Protocol):
    """A variable."""

    @property
    def id(self) -> int: ...  # noqa: D102


TRACING: dict[int, frozenset[int]] = {}
"""The ids of the indices of such functions by thread; threads that are in none have no entry."""


@contextmanager
def tracing(indices: Iterable[int]) -> Generator[None]:
    """Comparisons of this thread that mention `indices` belong to the program until the end."""
    thread = threading.get_ident()
    outer = TRACING.get(thread)
    TRACING[thread] = frozenset(indices) | (outer or frozenset())
    try:
        yield
    finally:
        if outer is None:
            del TRACING[thread]
        else:
            TRACING[thread] = outer


def traced(function: Callable[..., Any], indices: Sequence[Index], title: str) -> Any:  # noqa: ANN401
    """What a function of the user's gives for these variables; `title` says whose it is.

    Raises:
        CompileError: `expr/function-raised` for whatever it raises.
    """
    with tracing(index.id for index in indices):
        return called(function, indices, {}, title)


def called(
    function: Callable[..., Any],
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    title: str,
) -> Any:  # noqa: ANN401
    """What a function of the user's gives for these arguments; `title` says whose it is.

    Raises:
        CompileError: `call/arguments` where it does not take them, `expr/function-raised` for
            whatever it raises.
    """
    try:
        return function(*args, **keywords)
    except CompileError:
        raise
    except TypeError as error:
        fault = wrong_call(title, function, tuple(args), keywords)
        raise CompileError(fault or _raised(title, error)) from error
    except FOREIGN_FAULTS as error:  # the edge: a function of the user's may raise anything
        raise CompileError(_raised(title, error)) from error


def _raised(title: str, error: BaseException) -> Diagnostic:
    message = f"{title} raised `{type(error).__name__}: {error}`"
    words = next((word for key, word in _INSTEAD.items() if key in str(error)), "")
    return Diagnostic(
        "expr/function-raised",
        message,
        notes=(_place(error),),
        hint=words or "it is called once with scalar expressions, not with numbers",
    )


_INSTEAD = {
    "unary ~": "`te.logical_not(condition)` negates",
    "for &": "`te.all(a, b)` is true where both are",
    "for |": "`te.any(a, b)` is true where one is",
    "abs()": "`te.abs(x)` is the absolute value",
    "divmod()": "`x // y` and `x % y` are quotient and remainder",
    "for <<": "`x * 2 ** n`, with a number for `n`, shifts to the left",
    "for >>": "`x // 2 ** n`, with a number for `n`, shifts to the right",
    "for @": "`te.sum(A[i, k] * B[k, j], axis=k)` with `k = te.reduce_axis(n)` multiplies matrices",
    "cannot be interpreted as an integer": "`te.reduce_axis(n)` and `te.sum` go through what is "
    "known when the program runs; `range` needs a number",
    "list indices must be": "a table of the program is a tensor: `T[i]` of a `te.placeholder`",
    "ufunc": "functions of `te` take expressions: `te.exp`, `te.sqrt`, `te.tanh`",
    "must be real number": "functions of `te` take expressions: `te.exp`, `te.sqrt`, `te.tanh`",
    "float()": "`te.cast(x, 'float32')` converts",
    "int()": "`te.cast(x, 'int32')` converts",
    "__round__": "`te.floor(x + 0.5)` rounds",
    "__floor__": "`te.floor(x)` rounds down",
    "__ceil__": "`te.ceil(x)` rounds up",
}
"""What is written instead, by what Python says of an operation that expressions do not have."""


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "it could not be called"
    return f"in `{trace.tb_frame.f_code.co_name}`, line {trace.tb_lineno}"
