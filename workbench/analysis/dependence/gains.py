"""Gains: does a read find more of what a block wrote after the block was moved?"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from workbench.analysis.dependence.clashes import Clash
from workbench.analysis.dependence.comparison import Comparison
from workbench.analysis.dependence.statements import Access, Statement
from workbench.analysis.dependence.versions import Event, Position, position_of
from workbench.ir.tensor import Allocate, Seq
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId


def changed_value(found: Comparison, buffer: NodeId) -> Clash | None:
    """A read that found what a block wrote, or finds it now, in one version alone.

    No instance of the block is extra.

    Raises:
        TooLargeError: where the sets are too large to decide.
    """
    lost = found.lost_value(buffer)
    return lost if lost is not None or all_ahead(found, buffer) else found.gained_value(buffer)


def all_ahead(found: Comparison, buffer: NodeId) -> bool:
    """Whether it is seen without sets that no read gains a value.

    So it is where the block stores single elements, which its axes say, and its nest came before
    each reader in the body of the loops around both, which still are outermost around the block:
    what is written before a read afterwards had been written when it ran.
    """
    readers = [e for e in found.before.others(buffer) if not e.access.write]
    pairs = zip(found.before.bodies, found.after.bodies, strict=False)
    writing = [(old, new) for old, new in pairs if _writes(old, buffer)]
    same = len(found.before.bodies) == len(found.after.bodies)
    return same and all(_ahead(found, old, new, readers) for old, new in writing)


def _ahead(
    found: Comparison, writer: Statement, moved: Statement, readers: Sequence[Event]
) -> bool:
    model = found.before.version.model
    if writer.block is None or not _at_once(writer):
        return False
    known = {axis.var.id for axis in writer.block.axes} | set(map(NodeId, model.symbols))
    for access in writer.accesses:
        if access.write and (access.private or not _made_of(access, known)):
            return False
    place = position_of(model, writer)
    around = (_loops_around(place, reader.position) for reader in readers)
    return all(outer is not None and moved.keys[: len(outer)] == outer for outer in around)


def _writes(statement: Statement, buffer: NodeId) -> bool:
    return any(access.write and access.buffer.id == buffer for access in statement.accesses)


def _at_once(writer: Statement) -> bool:
    """Whether a statement stands in its block without loops or branches between."""
    for stmt in reversed(writer.path):
        if stmt is writer.block:
            return True
        if not isinstance(stmt, Seq | Allocate):
            return False
    return False


def _loops_around(first: Position, second: Position) -> tuple[int, ...] | None:
    """The loops around two statements in whose body the first comes before the second."""
    keys: tuple[int, ...] = ()
    for a, b in zip(first, second, strict=False):
        if isinstance(a, int) or isinstance(b, int):
            if a == b:
                continue
            return keys if isinstance(a, int) and isinstance(b, int) and a < b else None
        keys = (*keys, *a)
    return None


def _made_of(access: Access, known: AbstractSet[NodeId]) -> bool:
    """Whether the variables alone say which element is touched."""
    parts = access.expressions
    return parts is not None and all(free_vars(part).keys() <= known for part in parts)
