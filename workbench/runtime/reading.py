"""Library functions that only read: they get arrays that they cannot write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from workbench.interpret import copied

READ_ONLY = "read-only"
"""What numpy says where somebody writes into an array that must not be written."""
_DEMANDS = re.compile(r"buffer source array is read-only|readonly|writ(e)?able", re.IGNORECASE)
"""What compiled code says that takes writable memory only (Cython, ctypes, numba), at its entry."""


def reading(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The function with its first `count` arguments read-only.

    Compiled code that takes writable memory alone gets copies. What it returns of its arguments is
    as writable as they are.
    """

    def call(*values: Any, **keywords: Any) -> Any:  # noqa: ANN401
        given = [_locked(value) for value in values[:count]]
        try:
            returned = function(*given, *values[count:], **keywords)
        except (BufferError, TypeError, ValueError) as error:
            if not _DEMANDS.search(str(error)):
                raise
            returned = function(*map(copied, given), *values[count:], **keywords)
        return _unlocked(returned, given, values)

    return call


def _locked(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, tuple):
        return tuple(_locked(item) for item in cast("tuple[Any, ...]", value))
    if not isinstance(value, np.ndarray):
        return value
    view = cast("np.ndarray[Any, Any]", value).view()
    view.flags.writeable = False
    return view


def _unlocked(returned: Any, given: list[Any], values: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if type(returned) is tuple or type(returned) is list:
        items = cast("tuple[Any, ...] | list[Any]", returned)
        return type(items)(_unlocked(item, given, values) for item in items)
    for one, value in zip(given, values, strict=False):
        if returned is one:
            return value
    if isinstance(returned, np.ndarray) and not returned.flags.writeable:
        _unlock(cast("np.ndarray[Any, Any]", returned), values)
    return cast("Any", returned)


def _unlock(returned: np.ndarray[Any, Any], values: tuple[Any, ...]) -> None:
    """Make a part of an argument writable where the argument is."""
    for value in values:
        if (
            isinstance(value, np.ndarray)
            and value.flags.writeable
            and np.may_share_memory(returned, cast("Any", value))
        ):
            returned.flags.writeable = True
            return
