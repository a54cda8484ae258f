"""Values as Python that makes them again: for recipes and for traces."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

Special = Callable[[object], str]


def python_text(value: Any, special: Special = lambda _: "") -> str:  # noqa: ANN401
    """An expression for a value: not-a-number and infinities, numbers of numpy, all in containers.

    `special(part)` may give the text of a part itself; empty leaves it to us.
    """
    if text := special(value):
        return text
    if isinstance(value, bool):
        return str(bool(value))
    if isinstance(value, int) and not hasattr(value, "_value_"):  # enumerations have a name
        return repr(int(value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f'float("{float(value)}")'
    if isinstance(value, np.generic):
        return python_text(value.item(), special)
    return _container_text(value, special)


def _container_text(value: Any, special: Special) -> str:  # noqa: ANN401
    match value:
        case tuple() | list():
            items = cast("tuple[object, ...]", value)
            parts = ", ".join(python_text(item, special) for item in items)
            if isinstance(value, list):
                return f"[{parts}]"
            return f"({parts},)" if len(items) == 1 else f"({parts})"
        case Mapping():
            pairs = cast("Mapping[object, object]", value).items()
            shown = (f"{python_text(k, special)}: {python_text(v, special)}" for k, v in pairs)
            return f"{{{', '.join(shown)}}}"
        case _:
            return repr(value)


def same_text(a: object, b: object) -> bool:
    """Whether two values are written alike: `-0.0` is not `0.0`, `True` is not `1`, nan is nan."""
    return a is b or python_text(a) == python_text(b)


def is_default(field: dataclasses.Field[Any], value: object) -> bool:
    """Whether a field of a dataclass need not be written."""
    if field.default is not dataclasses.MISSING:
        return same_text(value, field.default)
    if field.default_factory is not dataclasses.MISSING:
        return same_text(value, field.default_factory())
    return False
