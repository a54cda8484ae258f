"""Whether iterations of loops are told apart by values, such as the indices of a store."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.analysis import unimodular
from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap
from workbench.ir import For, PrimExpr, as_dim, free_vars, substitute


def tells_apart(loops: Sequence[For], values: Sequence[PrimExpr], facts: Facts) -> bool:
    """Whether it is proved that different iterations of the loops give different values.

    What the values use beside the loops counts as fixed.
    """
    variables = tuple(loop.var for loop in loops)
    ids = {var.id for var in variables}
    for loop in loops:
        facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    simple = [facts.simplify(value) for value in values]
    moving = [value for value in simple if ids & free_vars(value).keys()]
    if unimodular.tells_apart(variables, moving):
        return True
    if any(ids & (free_vars(x.start).keys() | free_vars(x.extent).keys()) for x in loops):
        return False
    begin = {loop.var.id: loop.var + loop.start for loop in loops}
    final = tuple(Facts().simplify(substitute(value, begin)) for value in moving)
    return IndexMap(variables, final).tells_apart(tuple(as_dim(loop.extent) for loop in loops))
