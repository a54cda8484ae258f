"""Numbers with limits: parameters of passes that say which values make sense."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

LEAST, ABOVE = "least", "above"


def at_least(least: int, *, default: float, kw_only: bool = False) -> Any:  # noqa: ANN401
    """A field of a dataclass that holds a number of `least` or more."""
    return dataclasses.field(default=default, kw_only=kw_only, metadata={LEAST: least})


def above(limit: int, *, default: float) -> Any:  # noqa: ANN401
    """A field of a dataclass that holds a number above `limit`."""
    return dataclasses.field(default=default, metadata={ABOVE: limit})


def as_in(kind: type[Any], name: str) -> Any:  # noqa: ANN401
    """A field with the default and the limits of one of another dataclass."""
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    return dataclasses.field(default=field.default, metadata=field.metadata)


def beyond_limit(field: dataclasses.Field[Any], value: Any) -> str:  # noqa: ANN401
    """What a number should be that is outside of the limits of its field; empty where it is not."""
    limits = field.metadata
    if LEAST in limits and not limits[LEAST] <= value < math.inf:
        return f"a number from {limits[LEAST]} on"
    if ABOVE in limits and not limits[ABOVE] < value < math.inf:
        return f"a number above {limits[ABOVE]}"
    return ""
