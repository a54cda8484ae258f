"""Plans: what a primitive draws up to answer, kept until it rewrites."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from workbench.ir import TensorFunction
from workbench.schedule.primitive import Primitive
from workbench.schedule.scope import Scope

P = TypeVar("P")
_KEPT = 32
_CACHE: OrderedDict[tuple[int, Primitive], tuple[TensorFunction, Any]] = OrderedDict()
"""Memo of pure functions by the function object given and the primitive."""
_LOCK = threading.Lock()


def planned(primitive: Primitive, scope: Scope, draw: Callable[[Scope], P]) -> P:
    """The plan of a primitive for a function, drawn up once; `scope` hands out no ids for it.

    Raises:
        RefusedError: as `draw`.
    """
    key = id(scope.function), primitive
    with _LOCK:
        entry = _CACHE.get(key)
    if entry is not None:
        return entry[1]
    made = draw(Scope(scope.name, scope.function))
    with _LOCK:
        _CACHE[key] = scope.function, made
        while len(_CACHE) > _KEPT:
            _CACHE.popitem(last=False)
    return made
