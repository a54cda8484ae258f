"""Methods of `Schedule` say what their primitives say: loops before and after, names elsewhere."""

from __future__ import annotations

import inspect
from typing import TypeVar

from workbench.schedule.primitives import PRIMITIVES

C = TypeVar("C", bound=type)


def documented(kind: C) -> C:
    """The class, the docstring of each primitive added to the one of its method."""
    for primitive in PRIMITIVES:
        method = getattr(kind, primitive.name.replace("-", "_"))
        own, more = inspect.getdoc(method), inspect.getdoc(primitive)
        if own and more and more not in own:
            method.__doc__ = f"{own}\n\n`{primitive.__name__}`: {more}"
    return kind
