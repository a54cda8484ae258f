"""Other writers: which reads find what a block wrote, where others write its buffer as well."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from workbench.analysis.dependence import Answer, applies, illegal, inapplicable, unproved
from workbench.analysis.dependence.reaching import Gap, Reaching
from workbench.analysis.dependence.versions import Event
from workbench.ir import Block, Load, PrimExpr, Stmt, Store, TensorFunction, Var, While, walk
from workbench.ir.traverse import Node, map_children, transform
from workbench.schedule.scope import walk_statements
from workbench.schedule.touches import items_of
from workbench.support import NodeId

Loads = Mapping[int, Collection[tuple[PrimExpr, ...]]]
"""The indices of loads of one buffer, by the identity of the store that they belong to."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Reads that find nothing of what a block wrote, or the answer where that is not so clear."""

    answer: Answer
    events: tuple[Event, ...] = ()

    @property
    def loads(self) -> Loads:
        """Where they are in the program."""
        found: dict[int, set[tuple[PrimExpr, ...]]] = {}
        for event in self.events:
            indices = event.access.expressions or ()
            found.setdefault(id(event.statement.node), set()).add(indices)
        return found


def told_apart(function: TensorFunction, block: Block, flow: Reaching) -> Apart:
    """The reads of a buffer that find nothing of what a block wrote to it.

    All others must find what the block wrote and nothing else, and the block nothing that it wrote
    itself at another instance.

    Raises:
        TooLargeError: where the sets are too large to decide.
    """
    for own in flow.own_reads:
        gap = flow.reaches(own)
        if gap is not None:
            return Apart(_again(block, gap))
    if not flow.others:
        return Apart(applies())
    for other in flow.others:
        if isinstance(other.statement.node, While):
            message = f"`{other.access.buffer.name}` is written under a `while` as well"
            return Apart(unproved(f"{message} as by `{block.name}`", block.id))
    events = tuple(reader for reader in flow.readers if flow.reaches(reader) is None)
    name = flow.writers[0].access.buffer.name
    if len(events) == len(flow.readers):
        message = f"nothing finds in `{name}` what `{block.name}` writes there"
        return Apart(inapplicable(message, block.id))
    for reader in flow.readers:
        gap = None if reader in events else flow.overwritten(reader)
        if gap is not None and gap.between is not None:
            return Apart(_mixed(block, gap, gap.between))
    found = Apart(applies(), events)
    rest = [reader for reader in flow.readers if reader not in events]
    if events and not _separable(function, flow.buffer, found.loads, rest):
        message = f"reads of `{name}` find what `{block.name}` writes there and what others do"
        hint = "they are told apart where they are operands of different stores"
        return Apart(inapplicable(message, block.id, hint=hint))
    return found


def _again(block: Block, gap: Gap) -> Answer:
    """An instance of a block reads what another one wrote."""
    writer = gap.between
    assert writer is not None
    text = gap.reader.text
    first, then = writer.loops_at(gap.point, "w"), gap.reader.loops_at(gap.point, "r")
    note = f"`{block.name}` at {first} writes {writer.text}, which it reads as {text} at {then}"
    if gap.inexact:
        message = f"it is not proved that no other instance of `{block.name}` wrote {text}"
        return unproved(f"{message}, which it reads", block.id, (*gap.inexact[:2], note))
    message = f"`{block.name}` reads {text}, which another instance of it wrote"
    return illegal(message, block.id, (note,))


def _mixed(block: Block, gap: Gap, writer: Event) -> Answer:
    """One access finds what a block wrote and what others did."""
    reader, name = gap.reader, writer.statement.name
    note = f"`{name}`{_at(writer, gap, 'w')} writes {writer.text}, which "
    note += f"`{reader.statement.name}` reads{_at(reader, gap, 'r')} as {reader.text}"
    message = f"`{reader.statement.name}` reads {reader.text} as `{block.name}` wrote it and"
    if gap.inexact:
        message = f"it is not proved that {reader.text} in `{reader.statement.name}` is always "
        message += f"what `{block.name}` wrote, never what `{name}` did"
        return unproved(message, block.id, (*gap.inexact[:2], note))
    message += f" as `{name}` did, expected elements of `{block.name}` alone"
    return inapplicable(message, block.id, (note,))


def _at(event: Event, gap: Gap, prefix: str) -> str:
    loops = event.loops_at(gap.point, prefix)
    return f" at {loops}" if loops else ""


# --- where reads are in the program -----------------------------------------------------------


def _separable(
    function: TensorFunction, buffer: NodeId, apart: Loads, rest: Collection[Event]
) -> bool:
    """Whether reads that stay and reads that do not are different loads of stores."""
    for event in rest:
        node, indices = event.statement.node, event.access.expressions or ()
        if not isinstance(node, Store) or indices in apart.get(id(node), ()):
            return False
    return all(_only_operands(item, buffer) for item in items_of(function))


def _only_operands(stmt: Stmt, buffer: NodeId) -> bool:
    """Whether a buffer is loaded in stores alone, and never to find an element of itself."""
    stores = [s for s in walk_statements(stmt) if isinstance(s, Store)]
    loads = [n for s in stores for n in walk(s) if _loads(n, buffer)]
    if len(loads) != sum(_loads(n, buffer) for n in walk(stmt)):
        return False
    inner = (n for load in loads for index in load.indices for n in walk(index))
    return not any(_loads(n, buffer) for n in inner)


def _loads(node: Node, buffer: NodeId) -> bool:
    return isinstance(node, Load) and node.buffer.id == buffer


def renamed(node: Node, buffer: NodeId, loads: Loads, name: Var) -> Node:
    """A node with some loads of a buffer under another name."""

    def rename(current: Node) -> Node:
        if isinstance(current, Store):
            indices = loads.get(id(current), ())
            return _renamed(current, buffer, indices, name) if indices else current
        return map_children(current, rename)

    return rename(node)


def _renamed(
    store: Store, buffer: NodeId, indices: Collection[tuple[PrimExpr, ...]], name: Var
) -> Node:
    def rename(current: Node) -> Node:
        if isinstance(current, Load) and current.buffer.id == buffer and current.indices in indices:
            return Load(name, current.indices)
        return current

    return transform(store, rename)
