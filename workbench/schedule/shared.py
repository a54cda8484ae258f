"""May two buffers share memory? Blocks give regions of a buffer names of their own."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.views import Views, region_behind
from workbench.ir import MatchBuffer, PrimExpr, Var
from workbench.schedule.facts import facts_of
from workbench.schedule.scope import Scope
from workbench.support import NodeId

Ranges = Sequence[tuple[PrimExpr, PrimExpr]]


def may_share(scope: Scope, first: Var, second: Var) -> bool:
    """Whether it is not proved that two buffers of different names have no element in common.

    Regions of one buffer are apart where they are in one dimension.
    """
    views: dict[NodeId, MatchBuffer] = {
        view.buffer.id: view for block in scope.blocks for view in block.match_buffers
    }
    if not views:
        return False
    a, left = _shown(views, first)
    b, right = _shown(views, second)
    if a.id != b.id:
        return False
    return not _apart(left, right, facts_of(scope.function))


def _shown(views: Views, buffer: Var) -> tuple[Var, Ranges]:
    """The buffer behind, and what of it is shown; all of it where it has no ranges."""
    view = views.get(buffer.id)
    return (buffer, ()) if view is None else region_behind(views, view.source)


def _apart(left: Ranges, right: Ranges, facts: Facts) -> bool:
    for (a, size), (b, other) in zip(left, right, strict=False):
        gap = facts.poly(b) - facts.poly(a)
        if facts.nonnegative(gap - facts.poly(size)):
            return True
        if facts.nonnegative(gap.scale(-1) - facts.poly(other)):
            return True
    return False
