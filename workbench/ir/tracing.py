"""Where a function of the user's is run once on scalar expressions, to read off what it computes.

In there `a == b` and `a != b` are comparisons of the program where they mention its indices or an
element; everywhere else they compare nodes as trees. Reference: `tvm.tir.ExprOp.__eq__`, which is
both at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from workbench.support.diagnostics import CompileError, Diagnostic


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
    try:
        with tracing(index.id for index in indices):
            return function(*indices)
    except CompileError:
        raise
    except Exception as error:  # the edge: a function of the user's may raise anything
        raise CompileError(
            Diagnostic(
                "expr/function-raised",
                f"{title} raised `{type(error).__name__}: {error}`",
                notes=(_place(error),),
                hint="it is called once with scalar expressions, not with numbers",
            )
        ) from error


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "it could not be called"
    return f"in `{trace.tb_frame.f_code.co_name}`, line {trace.tb_lineno}"
