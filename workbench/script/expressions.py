"""Tensor expressions in scripts: declared here, filled by `te`, which is a layer above.

`R.emit_te(f, x)` in a decorated function calls `f`, which is code of the cell around it. A text
calls nothing: there it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from workbench.ir import Arg, Shape, TensorFunction, TensorType, load_sources


@dataclass(frozen=True, slots=True)
class TensorCall:
    """The call of a tensor function that is not in the module yet; `name` is what it would like."""

    name: str
    function: TensorFunction
    args: tuple[Arg, ...]
    out_types: tuple[TensorType, ...]
    scalars: Shape


ExpressionCaller: TypeAlias = Callable[
    [Callable[..., object], Sequence[object], Mapping[str, object]], TensorCall
]
"""Gives the call that a tensor expression of these arguments makes."""
C = TypeVar("C", bound=ExpressionCaller)

_CALLERS: list[ExpressionCaller] = []


def register_expression_caller(caller: C) -> C:
    """Let scripts make tensor functions with `caller`."""
    _CALLERS[:] = [caller]
    return caller


def expression_caller() -> ExpressionCaller | None:
    """What makes tensor functions, None where there is no `te`."""
    load_sources()
    return _CALLERS[0] if _CALLERS else None
