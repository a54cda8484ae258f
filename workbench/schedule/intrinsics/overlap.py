"""May parameters share memory, or move? An intrinsic is proved for separate boxes that stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import (
    Answer,
    AnswerKind,
    Dependences,
    applies,
    illegal,
    unproved,
)
from workbench.analysis.dependence.spelling import element, short
from workbench.ir import (
    Block,
    BufferType,
    For,
    Load,
    PrimExpr,
    Store,
    TensorFunction,
    Var,
    as_expr,
    substitute,
    walk,
)
from workbench.schedule.intrinsics.matching import Match
from workbench.schedule.intrinsics.regions import Region
from workbench.support import NodeId


def overlaps(
    description: TensorFunction,
    match: Match,
    facts: Facts,
    known: Dependences,
    code: tuple[For | Block, Match],
) -> Answer:
    """Whether every parameter that is written lies apart from all others.

    `code` is the place in the function whose dependences are `known`, with the match in its names.
    Illegal with two instances under it that touch one element.
    """
    written = {n.buffer.id for n in walk(description.body) if isinstance(n, Store)}
    for a, b in combinations(description.params, 2):
        first, second = match.regions[a.id], match.regions[b.id]
        if first.source.id != second.source.id or written.isdisjoint({a.id, b.id}):
            continue
        if not _apart(a, b, match, facts):
            return _overlap(a, b, known, *code)
    return applies()


def steady(description: TensorFunction, match: Match, node: NodeId) -> Answer:
    """Whether boxes and extents stay what they are while the code runs.

    They are computed once, so they must not read what the code writes.
    """
    params = {param.id: param for param in description.params}
    stored = {n.buffer.id for n in walk(description.body) if isinstance(n, Store)}
    written = {box.source.id for param, box in match.regions.items() if param in stored}
    for param, box in match.regions.items():
        found = _reads(written, [start.to_expr() for start in box.starts])
        if found is not None:
            where = f"where parameter `{params[param].name}` of the intrinsic begins"
            message = f"{where} depends on {_element(found)}, which the code writes"
            return unproved(message, node, hint=_hint(found))
    found = _reads(written, match.symbols.values())
    if found is None:
        return applies()
    message = f"an extent depends on {_element(found)}, which the code writes"
    return unproved(message, node, hint=_hint(found))


def _hint(found: Load) -> str:
    return (
        f"let a buffer of its own hold `{found.buffer.name}` as it was before: read it from a copy "
        "that a loop nest in front of the code makes"
    )


def _reads(buffers: Collection[NodeId], values: Iterable[PrimExpr]) -> Load | None:
    """The first element of one of the buffers that is read."""
    for value in values:
        for node in walk(value):
            if isinstance(node, Load) and node.buffer.id in buffers:
                return node
    return None


def _element(load: Load) -> str:
    return f"`{element(load.buffer, load.indices)}`"


def _apart(a: Var, b: Var, match: Match, facts: Facts) -> bool:
    """Whether two boxes of one buffer are proved to be apart in some dimension."""
    first, second = match.regions[a.id], match.regions[b.id]
    for dim, (x, y) in enumerate(zip(first.starts, second.starts, strict=True)):
        gap = y - x
        left, right = _extent(a, first, dim, match), _extent(b, second, dim, match)
        if facts.nonnegative(gap - facts.poly(left)):
            return True
        if facts.nonnegative(gap.scale(-1) - facts.poly(right)):
            return True
    return False


def _overlap(a: Var, b: Var, known: Dependences, place: For | Block, match: Match) -> Answer:
    """Two boxes share elements: known by instances of the code that touch one, or not."""
    first, second = match.regions[a.id], match.regions[b.id]
    source = first.source
    node = place.var.id if isinstance(place, For) else place.id
    notes = (
        f"parameter `{a.name}` begins at {_at(first)}",
        f"parameter `{b.name}` begins at {_at(second)}",
    )
    both = f"parameters `{a.name}` and `{b.name}` of the intrinsic"
    met = known.meeting(place, source.id)
    if met.kind is AnswerKind.ILLEGAL:
        message = f"{both} overlap in `{source.name}`, and one of them is written"
        return illegal(message, node, (*met.notes, *notes))
    message = f"{both} may overlap in `{source.name}`, and one of them is written"
    return unproved(message, node, notes)


def _extent(param: Var, region: Region, dim: int, match: Match) -> PrimExpr:
    own = region.dims[dim]
    assert isinstance(param.type, BufferType)
    return as_expr(1) if own is None else substitute(as_expr(param.type.shape[own]), match.symbols)


def _at(region: Region) -> str:
    starts = ", ".join(short(start.to_expr()) for start in region.starts)
    return f"`{region.source.name}[{starts}]`"
