"""Where a statement stands in a function, and what its surroundings write."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.analysis.dependence.linear import Conjunction
from workbench.analysis.dependence.operands import statements_in
from workbench.analysis.dependence.statements import Access, Guard
from workbench.ir.tensor import Block, For, Stmt, Store
from workbench.support.ids import NodeId


@dataclass(slots=True)
class Place:
    """Where the builder stands: what surrounds the next statement."""

    path: tuple[Stmt, ...] = ()
    loops: tuple[For, ...] = ()
    keys: tuple[int, ...] = ()
    block: Block | None = None
    is_init: bool = False
    domain: Conjunction = ()
    guards: tuple[Guard, ...] = ()
    inexact: tuple[str, ...] = ()
    controls: tuple[Access, ...] = ()
    trusted: bool = False
    early: frozenset[NodeId] = frozenset()
    ahead: bool = False


def written_buffers(body: Stmt) -> frozenset[NodeId]:
    """The buffers whose contents may change: stored to, or declared so, also through views."""
    found: set[NodeId] = set()
    views: list[tuple[NodeId, NodeId]] = []
    for stmt in statements_in(body):
        if isinstance(stmt, Store):
            found.add(stmt.buffer.id)
        elif isinstance(stmt, Block):
            found.update(region.buffer.id for region in stmt.writes or ())
            views += [(m.buffer.id, m.source.buffer.id) for m in stmt.match_buffers]
    for view, source in reversed(views):
        if view in found:
            found.add(source)
    for view, source in views:
        if source in found:
            found.add(view)
    return frozenset(found)
