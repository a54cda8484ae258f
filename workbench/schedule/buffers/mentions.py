"""Mentions: which buffers a statement reads, writes or names; kept for statements that stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.ir import Block, Evaluate, Load, Seq, Stmt, Store, walk
from workbench.schedule.scope import walk_statements
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True, slots=True)
class Mentions:
    """Ids of buffers: of loads, of stores, of what blocks declare or match and calls are given."""

    loads: frozenset[NodeId]
    stores: frozenset[NodeId]
    regions: frozenset[NodeId]


def mentions(stmt: Stmt) -> Mentions:
    """What a statement mentions; kept by identity."""
    return _KNOWN.get(stmt, lambda: _made(stmt))


_KNOWN: IdentityMemo[Stmt, Mentions] = IdentityMemo(4096)


def _made(stmt: Stmt) -> Mentions:
    return _together(map(mentions, stmt.body)) if isinstance(stmt, Seq) else _read(stmt)


def accesses_buffer(stmt: Stmt, buffer: NodeId) -> bool:
    """Whether a statement reads or writes a buffer."""
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
    for node in walk(stmt):
        if isinstance(node, Load):
            loads.add(node.buffer.id)
        elif isinstance(node, Store):
            stores.add(node.buffer.id)
        elif isinstance(node, Block):
            regions.update(match.source.buffer.id for match in node.match_buffers)
            for declared in (node.reads, node.writes):
                regions.update(region.buffer.id for region in declared or ())
        elif isinstance(node, Evaluate):
            regions.update(inner.buffer.id for inner in walk(node) if isinstance(inner, Load))
    return Mentions(frozenset(loads), frozenset(stores), frozenset(regions))


def is_opaque(block: Block) -> bool:
    """Whether a block calls what analysis cannot see into: its declared regions are trusted."""
    return any(isinstance(stmt, Evaluate) for stmt in walk_statements(block.body))
