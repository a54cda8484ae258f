"""Values of numpy as those of Python: what annotations, traces and recipes are about."""

from __future__ import annotations

from typing import Any, TypeGuard, cast

import numpy as np


def plain(value: Any) -> Any:  # noqa: ANN401
    """The value with numbers, texts and arrays of numpy as Python's, in lists and tuples too.

    Arrays become lists. All else is as it was, numbers derived from Python's among it.
    """
    match value:
        case np.ndarray():
            return plain(value.tolist())
        case np.generic():
            return _scalar(cast("np.generic[Any]", value))
        case list() | tuple() if type(cast(object, value)) in {list, tuple}:
            items = cast("list[object]", value)
            return type(items)(plain(item) for item in items)
        case _:
            return value


def frozen(value: Any) -> Any:  # noqa: ANN401
    """A plain value with tuples for lists, as nodes and parameters of passes have them."""
    return _tuples(plain(value))


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a plain value is a whole number: truth values are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _tuples(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list) or type(value) is tuple:
        return tuple(_tuples(item) for item in cast("list[object]", value))
    return value


def _scalar(value: np.generic[Any]) -> object:
    match value:
        case np.bool_():
            return bool(value)
        case np.timedelta64():
            return value
        case np.integer():
            return int(cast(Any, value))
        case np.floating():
            return float(cast(Any, value))
        case np.str_():
            return str(value)
        case _:
            return value
