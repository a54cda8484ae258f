"""Mentions: which buffers a statement reads, writes or names; kept for statements that stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workbench.analysis.dependence.operands import loads as loads_in
from workbench.ir import (
    Allocate,
    Block,
    BufferRegion,
    BufferType,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    Var,
    While,
)
from workbench.schedule.scope import walk_statements
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True, slots=True)
class Mentions:
    """Ids of buffers: of loads, of stores, of what blocks declare or match and calls are given.

    `regions` has those, too, from which the extents of memory are read.
    """

    loads: frozenset[NodeId]
    stores: frozenset[NodeId]
    regions: frozenset[NodeId]


def mentions(stmt: Stmt) -> Mentions:
    """What a statement mentions; kept by identity."""
    return _KNOWN.get(stmt, lambda: _made(stmt))


_KNOWN: IdentityMemo[Stmt, Mentions] = IdentityMemo()


def _made(stmt: Stmt) -> Mentions:
    return _together(map(mentions, stmt.body)) if isinstance(stmt, Seq) else _read(stmt)


def accesses_buffer(stmt: Stmt, buffer: NodeId) -> bool:
    """Whether a statement reads or writes a buffer."""
    if isinstance(stmt, Seq):
        return any(accesses_buffer(item, buffer) for item in stmt.body)
    found = mentions(stmt)
    return buffer in found.loads or buffer in found.stores


def _together(items: Iterable[Mentions]) -> Mentions:
    found = list(items)
    return Mentions(
        frozenset[NodeId]().union(*(item.loads for item in found)),
        frozenset[NodeId]().union(*(item.stores for item in found)),
        frozenset[NodeId]().union(*(item.regions for item in found)),
    )


def _read(stmt: Stmt) -> Mentions:
    loads: set[NodeId] = set()
    stores: set[NodeId] = set()
    regions: set[NodeId] = set()
    for inner in walk_statements(stmt):
        values = [value for value in _values(inner) if not isinstance(value, IntImm | Var)]
        found = {load.buffer.id for value in values for load in loads_in(value)}
        loads |= found
        if isinstance(inner, Store):
            stores.add(inner.buffer.id)
        elif isinstance(inner, Block):
            regions.update(match.source.buffer.id for match in inner.match_buffers)
            regions.update(region.buffer.id for region in _declared(inner))
        elif isinstance(inner, Evaluate):
            regions |= found
        regions |= {load.buffer.id for buffer in allocated(inner) for load in extents_read(buffer)}
    return Mentions(frozenset(loads), frozenset(stores), frozenset(regions))


def allocated(stmt: Stmt) -> tuple[Var, ...]:
    """The memory that begins to live at a statement."""
    match stmt:
        case Allocate(buffer=buffer):
            return (buffer,)
        case Block(allocations=allocations, match_buffers=matches):
            return (*allocations, *(match.buffer for match in matches))
        case _:
            return ()


def extents_read(buffer: Var) -> Iterator[Load]:
    """What is read from memory to know the extents of a buffer."""
    shape = buffer.type.shape if isinstance(buffer.type, BufferType) else ()
    for extent in shape:
        if not isinstance(extent, int):
            yield from loads_in(extent)


def _values(stmt: Stmt) -> Iterator[PrimExpr]:
    """The expressions of a statement itself."""
    match stmt:
        case Store(indices=indices, value=value):
            yield from (*indices, value)
        case For(start=start, extent=extent):
            yield from (start, extent)
        case If(condition=value) | While(condition=value) | Let(value=value):
            yield value
        case Evaluate(value=value):
            yield value
        case Block(axes=axes, predicate=predicate, match_buffers=matches):
            yield from (value for axis in axes for value in (axis.value, axis.extent))
            yield from () if predicate is None else (predicate,)
            regions = (*_declared(stmt), *(match.source for match in matches))
            yield from (v for r in regions for part in r.ranges for v in (part.start, part.extent))
        case _:
            return


def _declared(block: Block) -> tuple[BufferRegion, ...]:
    return (*(block.reads or ()), *(block.writes or ()))


def is_opaque(block: Block) -> bool:
    """Whether a block calls what analysis cannot see into: its declared regions are trusted."""
    return any(isinstance(stmt, Evaluate) for stmt in walk_statements(block.body))
