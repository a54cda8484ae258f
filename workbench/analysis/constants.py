"""Constants: which leaf of the pool a value is, in one function."""

from __future__ import annotations

from workbench.ir import Arg, Constant, Var
from workbench.support import NodeId


def constant_of(arg: Arg, known: dict[NodeId, Constant]) -> Constant | None:
    """The constant that a leaf is; `known` are the values bound to constants."""
    if isinstance(arg, Constant):
        return arg
    return known.get(arg.id) if isinstance(arg, Var) else None
