"""Conditions on integers: values for which all of them hold, or a proof that there are none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from workbench.analysis.dependence.reader import Reader
from workbench.analysis.dependence.system import System
from workbench.analysis.dependence.terms import TermKind, Terms
from workbench.ir.expr import PrimExpr
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId


def example(
    conditions: Sequence[PrimExpr], natural: Collection[NodeId] = ()
) -> dict[str, int] | None:
    """Values of variables, by their names, for which all conditions hold.

    None is a proof that there are none. What is not quasi-affine in the conditions is left out, so
    that they may not hold for the values. `natural` are variables that are not negative.

    Raises:
        TooLargeError: where the sets are too large to decide.
    """
    variables = {k: v for part in conditions for k, v in free_vars(part).items()}
    terms = Terms(max(variables, default=0) + 1)
    reader = Reader(terms)
    for ident, var in variables.items():
        low = 0 if ident in natural else None
        reader.values[ident] = terms.variable(var, TermKind.SYMBOL, (low, None))
    system = System(terms, frozenset())
    for ident in variables:
        if ident in natural:
            column = system.column(0, ident)
            system.rows.append(({column: 1}, 0, False))
    for part in conditions:
        system.add(0, reader.condition(part))
    point = system.point()
    if point is None:
        return None
    return {var.name: point[0, k] for k, var in variables.items() if (0, k) in point}
