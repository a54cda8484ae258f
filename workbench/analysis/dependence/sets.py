"""Integer sets: is a system of constraints empty, and if not, what is a small point of it?

Here and in `relations` isl is known. Reference: Verdoolaege, "isl: An Integer Set Library for the
Polyhedral Model", ICMS 2010.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

MAX_OPERATIONS = 400_000
"""Steps of isl for one question; more is answered by `TooLargeError`."""
_LOCK = threading.Lock()

SparseRow = tuple[dict[int, int], int, bool]
"""Coefficients by column, the constant, and whether the sum is 0 (else it is at least 0)."""


class TooLargeError(Exception):
    """A set that isl does not decide within its budget."""


@cache
def _isl() -> tuple[Any, Any]:
    """The library and a context of our own; both take 0.1 s to load, on the first question."""
    library = importlib.import_module("islpy")
    return library, library.Context()


def point(
    rows: Sequence[SparseRow], columns: int, *, smallest: bool = True
) -> tuple[int, ...] | None:
    """A point that fulfils all constraints, None where no integer point does.

    The lexicographically smallest one if asked for, and if there is one.

    Raises:
        TooLargeError: where the budget does not suffice.
    """
    if columns == 0:
        return () if all(_holds(constant, equal) for _, constant, equal in rows) else None
    with _LOCK:
        return _point(_matrix(rows, columns), columns, smallest=smallest)


def _holds(value: int, equal: bool) -> bool:
    return value == 0 if equal else value >= 0


def _matrix(rows: Sequence[SparseRow], columns: int) -> str:
    """The constraints in the format of PolyLib, which isl reads fastest."""
    lines = [f"{len(rows)} {columns + 2}"]
    for terms, constant, equal in rows:
        line = ["0"] * (columns + 2)
        if not equal:
            line[0] = "1"
        for column, coefficient in terms.items():
            line[column + 1] = str(coefficient)
        line[-1] = str(constant)
        lines.append(" ".join(line))
    return "\n".join(lines) + "\n"


def _point(text: str, columns: int, *, smallest: bool) -> tuple[int, ...] | None:
    library, context = _isl()
    context.reset_operations()
    context.set_max_operations(MAX_OPERATIONS)
    try:
        found = library.BasicSet.read_from_str(context, text)
        if found.is_empty():
            return None
        sample = _smallest(library, found) if smallest else found.sample_point()
        return _coordinates(library, sample, columns)
    except library.Error as error:
        raise TooLargeError from error
    finally:
        context.set_max_operations(0)
        context.reset_operations()


def _smallest(library: Any, found: Any) -> Any:  # noqa: ANN401
    try:
        return found.lexmin().sample_point()
    except library.Error:
        return found.sample_point()


def _coordinates(library: Any, sample: Any, columns: int) -> tuple[int, ...] | None:  # noqa: ANN401
    if sample.is_void():
        return None
    kind = library.dim_type.set
    return tuple(sample.get_coordinate_val(kind, n).to_python() for n in range(columns))
