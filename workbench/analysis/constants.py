"""Constants: which leaf of the pool a value is, in one function."""

from __future__ import annotations

from workbench.analysis.uses import constant_values
from workbench.ir import Arg, Constant, GraphFunction, Var
from workbench.support import NodeId


def constant_of(arg: Arg, known: dict[NodeId, Constant]) -> Constant | None:
    """The constant that a leaf is; `known` are the values bound to constants."""
    if isinstance(arg, Constant):
        return arg
    return known.get(arg.id) if isinstance(arg, Var) else None


def constants_of(function: GraphFunction, *args: Arg) -> tuple[Constant | None, ...]:
    """The constants that leaves of a function are, None for each that is none."""
    known = constant_values(function)
    return tuple(constant_of(arg, known) for arg in args)
