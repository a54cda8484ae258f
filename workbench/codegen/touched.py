"""Which buffers a statement reads and writes, behind the names that blocks give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.ir.expr import BufferType, Load, Var
from workbench.ir.tensor import Allocate, Block, MatchBuffer, Stmt, Store
from workbench.ir.traverse import children
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Touched:
    """Ids of buffers, none of them a matched one."""

    read: frozenset[NodeId]
    written: frozenset[NodeId]

    def meets(self, other: Touched) -> bool:
        """Whether one writes what the other reads or writes."""
        first, second = other.read | other.written, self.read | self.written
        return not (self.written.isdisjoint(first) and other.written.isdisjoint(second))


def touches(stmt: Stmt, sources: Mapping[NodeId, MatchBuffer]) -> Touched:
    """What a statement touches; what a block declares, or a call is given, it reads and writes.

    `sources` are the matched buffers that blocks around it bind.
    """
    read: set[NodeId] = set()
    written: set[NodeId] = set()
    known = dict(sources)
    pending: list[object] = [stmt]
    while pending:
        node = pending.pop()
        match node:
            case Block(match_buffers=matches, reads=reads, writes=writes):
                known.update((match.buffer.id, match) for match in matches)
                read.update(region.buffer.id for region in reads or ())
                written.update(region.buffer.id for region in writes or ())
                inside = (node.predicate, node.init, node.body)
                pending += [axis.value for axis in node.axes]
                pending += [part for part in inside if part is not None]
                continue
            case Load(buffer=buffer, indices=indices):
                read.add(buffer.id)
                pending += indices
                continue
            case Store(buffer=buffer, indices=indices, value=value):
                written.add(buffer.id)
                pending += (*indices, value)
                continue
            case Var(type=BufferType()):
                written.add(node.id)
                continue
            case Allocate(body=body):
                pending.append(body)
                continue
            case _:
                pending += children(node)
    return Touched(_behind(read, known), _behind(written, known))


def _behind(buffers: set[NodeId], known: Mapping[NodeId, MatchBuffer]) -> frozenset[NodeId]:
    found: set[NodeId] = set()
    for buffer in buffers:
        ident = buffer
        while (match := known.get(ident)) is not None:
            ident = match.source.buffer.id
        found.add(ident)
    return frozenset(found)
