"""Declared regions of blocks: do `T.reads` and `T.writes` contain what the block touches?

Indices that are sums of loops of constant extents, around the block too where nothing leaves out
some of its instances, are compared at once. All else, with divisions, predicates and branches, is
asked of the dependence analysis, which finds an instance; what depends on memory is trusted.
Elements that are declared as written may be read. A block that declares nothing at all, such as
the root of TVM's scripts, is not asked. Reference: `tvm::tir::GetBlockReadWriteRegion`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.declared import beyond_declared
from workbench.analysis.polynomial import Poly
from workbench.ir.expr import Binary, BinaryOp, IntImm, Load, PrimExpr, Select, Var
from workbench.ir.tensor import (
    Allocate,
    Block,
    BufferRegion,
    For,
    If,
    Let,
    MatchBuffer,
    Range,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    While,
)
from workbench.ir.traverse import children, free_vars, substitute
from workbench.support.diagnostics import Diagnostic
from workbench.support.identity_memo import IdentityMemo
from workbench.support.ids import NodeId


def undeclared_accesses(function: TensorFunction) -> tuple[Diagnostic, ...]:
    """A fault for each buffer that a block provably touches outside of its declared regions."""
    body = function.body
    items = body.body if isinstance(body, Seq) else (body,)
    return tuple(
        fault
        for item in items
        for fault in _KNOWN.get(item, lambda i=item: tuple(_in(replace(function, body=i))))
    )


_KNOWN: IdentityMemo[Stmt, tuple[Diagnostic, ...]] = IdentityMemo(1024)
"""The faults of the statements at the top, of which a schedule changes few at a time."""


def _in(function: TensorFunction) -> Iterator[Diagnostic]:
    for block, outer in _blocks(function.body, _Place({}, {}, {}, frozenset())):
        if block.reads or block.writes:
            yield from _faults(function, block, outer)


def _blocks(stmt: Stmt, place: _Place) -> Iterator[tuple[Block, _Place]]:
    """The blocks below a statement, and what stands around them."""
    if isinstance(stmt, Block):
        yield stmt, replace(place, views={}, own=frozenset())
    below = _below(stmt, place)
    for child in children(stmt):
        if isinstance(child, _STATEMENTS):
            yield from _blocks(child, below)


_STATEMENTS = (For, Let, Seq, If, While, Allocate, Block)
"""Statements that hold others."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an access stands in the block.

    `loops` have the first and last value of loops around it, None where they are not constant;
    `values` are those of axes; `certain` where no branch stands around it.
    """

    loops: dict[NodeId, tuple[int, int] | None]
    values: dict[NodeId, PrimExpr]
    views: dict[NodeId, MatchBuffer]
    own: frozenset[NodeId]
    certain: bool = True


@dataclass(frozen=True, slots=True)
class _Access:
    buffer: Var
    indices: tuple[PrimExpr, ...]
    write: bool
    place: _Place


def _faults(function: TensorFunction, block: Block, outer: _Place) -> Iterator[Diagnostic]:
    told: set[tuple[NodeId, bool]] = set()
    asked: set[tuple[NodeId, bool]] = set()
    alone = _inside(block, _Place({}, {}, {}, frozenset()))
    around = _with_axes(block, outer)
    inside = _inside(block, around) if around.certain else alone
    found = list(_accesses(block.body, inside))
    if block.init is not None:
        found = [*_accesses(block.init, alone), *found]
    for access in found:
        key = access.buffer.id, access.write
        if key in told or access.buffer.id in access.place.own:
            continue
        regions = _declared(block, access)
        if regions is None:
            continue
        fault = _outside(block, access, regions)
        if fault is None and key not in asked and not _inside_one(access, regions):
            asked.add(key)
            fault = _found(function, block, access, regions)
        if fault is not None:
            told.add(key)
            yield fault


def _inside_one(access: _Access, regions: list[BufferRegion]) -> bool:
    """Whether all instances are inside of one region, those too that do not run."""
    for region in regions:
        pairs = zip(access.indices, region.ranges, strict=True)
        if all(_within(access.place, index, item) for index, item in pairs):
            return True
    return False


def _within(place: _Place, index: PrimExpr, item: Range) -> bool:
    span, extent = _span(place, index, item), Facts().simplify(item.extent)
    return (
        span is not None and isinstance(extent, IntImm) and 0 <= span[0] <= span[1] < extent.value
    )


def _found(
    function: TensorFunction, block: Block, access: _Access, regions: list[BufferRegion]
) -> Diagnostic | None:
    """A fault where the dependence analysis finds an instance outside of all regions."""
    element = beyond_declared(function, block, regions, write=access.write)
    if element is None:
        return None
    verb, what = ("writes", "T.writes") if access.write else ("reads", "T.reads")
    message = f"block `{block.name}` {verb} {element}, outside of what `{what}` declares"
    return _fault(block, message)


def _declared(block: Block, access: _Access) -> list[BufferRegion] | None:
    """The declared regions of the buffer, None where nobody declared any of that kind."""
    if block.writes is None or (not access.write and block.reads is None):
        return None
    regions = block.writes if access.write else (*(block.reads or ()), *block.writes)
    return [region for region in regions if region.buffer.id == access.buffer.id]


def _outside(block: Block, access: _Access, regions: list[BufferRegion]) -> Diagnostic | None:
    verb = "writes" if access.write else "reads"
    what = "T.writes" if access.write else "T.reads"
    if not regions:
        message = f"block `{block.name}` {verb} `{access.buffer.name}`, which `{what}` leaves out"
        return _fault(block, message)
    if not access.place.certain:
        return None
    found = [item for region in regions if (item := _beyond(access, region)) is not None]
    if len(found) < len(regions):
        return None
    dim, low, high, extent = found[0]
    if len(found) > 1 and any(item[1] != item[2] for item in found):
        return None  # one instance may be in this region, another one in that
    message = (
        f"block `{block.name}` {verb} `{access.buffer.name}` outside of what `{what}` declares: "
        f"in dimension {dim} from {low} to {high} of an extent of {extent}"
    )
    return _fault(block, message)


def _fault(block: Block, message: str) -> Diagnostic:
    return Diagnostic(
        "tensor/undeclared-access",
        message,
        node=block.id,
        span=block.span,
        hint="correct the declaration, or leave it out: it is computed then",
    )


def _beyond(access: _Access, region: BufferRegion) -> tuple[int, int, int, int] | None:
    """A dimension in which some instance leaves a region, and the positions it takes there."""
    for dim, (index, item) in enumerate(zip(access.indices, region.ranges, strict=True)):
        span = _span(access.place, index, item)
        extent = Facts().simplify(item.extent)
        if span is not None and isinstance(extent, IntImm):
            low, high = span
            if low < 0 or high >= extent.value:
                return dim, low, high, extent.value
    return None


def _span(place: _Place, index: PrimExpr, item: Range) -> tuple[int, int] | None:
    """The smallest and largest distance of an index from the start of a range, both taken."""
    facts = Facts()
    start = substitute(item.start, place.values)
    poly = facts.poly(substitute(index, place.values)) - facts.poly(start)
    low = high = 0
    for ident, ends in place.loops.items():
        var = next((a for a in poly.atoms() if isinstance(a, Var) and a.id == ident), None)
        if var is None:
            continue
        step = poly.coefficient(var)
        if ends is None or not step.is_const:
            return None
        first, last = sorted(step.constant * end for end in ends)
        low, high = low + first, high + last
        poly = poly.without(var)
    if not poly.is_const or not _fixed(poly, place):
        return None
    return low + poly.constant, high + poly.constant


def _fixed(poly: Poly, place: _Place) -> bool:
    return not any(place.loops.keys() & free_vars(atom).keys() for atom in poly.atoms())


# --- accesses ---------------------------------------------------------------------------------


def _inside(block: Block, place: _Place) -> _Place:
    """The place of what a block holds."""
    views = {match.buffer.id: match for match in block.match_buffers}
    own = {buffer.id for buffer in block.allocations}
    return replace(place, views=place.views | views, own=place.own | own)


def _accesses(node: Any, place: _Place) -> Iterator[_Access]:  # noqa: ANN401
    """The loads and stores below a node, views resolved."""
    match node:
        case Load(buffer=buffer, indices=indices):
            yield _resolved(buffer, indices, place, write=False)
        case Store(buffer=buffer, indices=indices):
            yield _resolved(buffer, indices, place, write=True)
        case _:
            place = _below(node, place)
    for child in children(node):
        if not isinstance(child, Var | BufferRegion | MatchBuffer):
            yield from _accesses(child, place)


def _below(node: Any, place: _Place) -> _Place:  # noqa: ANN401
    """The place of what a node holds."""
    match node:
        case For(var=var):
            certain = place.certain and _runs(node)
            return replace(place, loops={**place.loops, var.id: _ends(node)}, certain=certain)
        case Let(var=var):
            return replace(place, loops={**place.loops, var.id: None})
        case If() | While() | Select() | Binary(op=BinaryOp.AND | BinaryOp.OR):
            return replace(place, certain=False)
        case Allocate(buffer=buffer):
            return replace(place, own=place.own | {buffer.id})
        case Block():
            return _nested(node, place)
        case _:
            return place


def _nested(block: Block, place: _Place) -> _Place:
    """The place inside a block of the block: its axes are their values."""
    return _inside(block, _with_axes(block, place))


def _with_axes(block: Block, place: _Place) -> _Place:
    values = {axis.var.id: substitute(axis.value, place.values) for axis in block.axes}
    certain = place.certain and block.predicate is None
    return replace(place, values={**place.values, **values}, certain=certain)


def _ends(loop: For) -> tuple[int, int] | None:
    """The first and last value of a loop, None where they are not constant."""
    if isinstance(loop.start, IntImm) and isinstance(loop.extent, IntImm):
        return loop.start.value, loop.start.value + loop.extent.value - 1
    return None


def _runs(loop: For) -> bool:
    return isinstance(loop.extent, IntImm) and loop.extent.value > 0


def _resolved(buffer: Var, indices: tuple[PrimExpr, ...], place: _Place, *, write: bool) -> _Access:
    """An access to the buffer behind views; a view drops leading points of its region."""
    while (match := place.views.get(buffer.id)) is not None:
        starts = tuple(item.start for item in match.source.ranges)
        lead = len(starts) - len(indices)
        moved = tuple(s + i for s, i in zip(starts[lead:], indices, strict=True))
        buffer, indices = match.source.buffer, (*starts[:lead], *moved)
    return _Access(buffer, indices, write, place)
