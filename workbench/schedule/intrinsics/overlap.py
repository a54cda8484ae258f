"""May parameters of an intrinsic share memory? What it was proved for are separate buffers."""

from __future__ import annotations

from itertools import combinations

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, applies, illegal, unproved
from workbench.analysis.dependence.spelling import short
from workbench.ir import BufferType, PrimExpr, Store, TensorFunction, Var, as_expr, substitute, walk
from workbench.schedule.intrinsics.matching import Match
from workbench.schedule.intrinsics.regions import Region
from workbench.support import NodeId


def overlaps(description: TensorFunction, match: Match, facts: Facts, node: NodeId) -> Answer:
    """Whether every parameter that is written lies apart from all others."""
    written = {n.buffer.id for n in walk(description.body) if isinstance(n, Store)}
    for a, b in combinations(description.params, 2):
        first, second = match.regions[a.id], match.regions[b.id]
        if first.source.id != second.source.id or written.isdisjoint({a.id, b.id}):
            continue
        answer = _apart(a, b, match, facts, node)
        if not answer.applies:
            return answer
    return applies()


def _apart(a: Var, b: Var, match: Match, facts: Facts, node: NodeId) -> Answer:
    """Whether two boxes of one buffer are apart in some dimension."""
    first, second = match.regions[a.id], match.regions[b.id]
    name = first.source.name
    certain = True
    for dim, (x, y) in enumerate(zip(first.starts, second.starts, strict=True)):
        gap = y - x
        left, right = _extent(a, first, dim, match), _extent(b, second, dim, match)
        if facts.nonnegative(gap - facts.poly(left)):
            return applies()
        if facts.nonnegative(gap.scale(-1) - facts.poly(right)):
            return applies()
        before = facts.nonnegative(facts.poly(left) - gap.shift(1))
        after = facts.nonnegative(facts.poly(right) + gap.shift(-1))
        certain = certain and before and after
    notes = (
        f"parameter `{a.name}` begins at {_at(first)}",
        f"parameter `{b.name}` begins at {_at(second)}",
    )
    both = f"parameters `{a.name}` and `{b.name}` of the intrinsic"
    if certain:
        return illegal(f"{both} overlap in `{name}`, and one of them is written", node, notes)
    return unproved(f"{both} may overlap in `{name}`, and one of them is written", node, notes)


def _extent(param: Var, region: Region, dim: int, match: Match) -> PrimExpr:
    own = region.dims[dim]
    assert isinstance(param.type, BufferType)
    return as_expr(1) if own is None else substitute(as_expr(param.type.shape[own]), match.symbols)


def _at(region: Region) -> str:
    starts = ", ".join(short(start.to_expr()) for start in region.starts)
    return f"`{region.source.name}[{starts}]`"
