"""Plans: what a primitive draws up to answer, kept until it rewrites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from workbench.ir import TensorFunction
from workbench.schedule.primitive import Primitive
from workbench.schedule.scope import Scope
from workbench.support.identity_memo import IdentityMemo

P = TypeVar("P")
_KNOWN: IdentityMemo[TensorFunction, Any] = IdentityMemo(32)


def planned(primitive: Primitive, scope: Scope, draw: Callable[[Scope], P]) -> P:
    """The plan of a primitive for a function, drawn up once; `scope` hands out no ids for it.

    Raises:
        RefusedError: as `draw`.
    """
    function = scope.function
    return _KNOWN.get(function, lambda: draw(Scope(scope.name, function)), primitive)
