"""Staging: may a nest work on a copy of a buffer that is written back afterwards?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjuncts
from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.ir import Block, Evaluate, For, IntImm, LoopKind, Stmt, Store, Var, While, free_vars
from workbench.schedule.buffers.accesses import Access, accesses
from workbench.schedule.buffers.caching import (
    loads_from,
    named_twice,
    not_redirected,
    passes_on,
    stores_to,
)
from workbench.schedule.buffers.coverage import covers
from workbench.schedule.buffers.footprint import Box, facts_around, hull, whole
from workbench.schedule.buffers.levels import Level, defines, levels
from workbench.schedule.buffers.mentions import mentions
from workbench.schedule.buffers.operands import is_parameter, place_named, written_buffer
from workbench.schedule.empties import empty_at
from workbench.schedule.scope import Scope, place_id, walk_statements


@dataclass(frozen=True, slots=True)
class Stage:
    """A nest that may work on a copy of `box`.

    `copy_in`: the copy has to begin as the buffer is. `consumers` are later statements of the
    suite up to the last one in which one of `readers` is to read the copy.
    """

    buffer: Var
    level: Level
    box: Box
    facts: Facts
    copy_in: bool
    consumers: tuple[Stmt, ...] = ()
    readers: tuple[For | Block, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def extended(self) -> Level:
        """The nest and the consumers."""
        return replace(self.level, last=self.level.last + len(self.consumers))


def staged(scope: Scope, place: str, which: int | str, consumers: Sequence[str]) -> Stage | Answer:
    """How the nest around a place, as far out as it goes, works on a copy of a buffer."""
    producer = place_named(scope, place)
    buffer = written_buffer(scope, producer, which)
    if isinstance(buffer, Answer):
        return buffer
    level = levels(scope, [producer], buffer)[0]
    refused = named_twice(scope, buffer, level.path) or not_redirected(
        level.run, buffer, [producer]
    )
    if refused is not None:
        return refused
    facts = facts_around(scope.function, level.path, level.suite)
    found = accesses(level.run, buffer.id)
    moves = any(isinstance(stmt, For) for stmt in level.path)
    box = hull(buffer, found, facts, local=moves)
    copy_in = needs_contents(scope, found, box, facts) and has_contents(scope, level, buffer)
    if moves and copy_in and _shared(level):
        return unproved(
            f"it is not proved that `{place}` writes all of the box of `{buffer.name}` that "
            "would be copied back, and other iterations may write the rest",
            buffer.id,
        )
    notes = () if not copy_in else (f"`{buffer.name}` is copied in first: {_reason(found)}",)
    stage = Stage(buffer, level, box, facts, copy_in, notes=notes)
    return _with_consumers(scope, stage, consumers) if consumers else stage


def needs_contents(scope: Scope, found: Sequence[Access], box: Box, facts: Facts) -> bool:
    """Whether a copy that begins with nothing in it may end with other contents than the buffer.

    That is where some element of the box may stay unwritten, or is read before it is written.
    """
    reads = [access for access in found if not access.writes]
    if any(not access.settled for access in reads):
        return True
    first = [a for a in found if a.writes and (a.initial is not None or not reads)]
    return not any(covers(box, _always(scope, access), facts) for access in first)


def _always(scope: Scope, access: Access) -> Access:
    """An init that runs where there is nothing to reduce, too, without the loops that reduce."""
    empty = None if access.initial is None else empty_at(scope.function, access.initial)
    simple = None if empty is None else empty.simple
    if simple is None or any(value != IntImm(0) for value in simple.first):
        return access
    reduced = {loop.var.id for loop in simple.reduced}
    if not reduced <= {loop.var.id for loop in access.loops}:
        return access
    loops = tuple(loop for loop in access.loops if loop.var.id not in reduced)
    parts = (part for guard in access.guards for part in conjuncts(guard))
    guards = tuple(part for part in parts if reduced.isdisjoint(free_vars(part)))
    return replace(access, loops=loops, guards=guards)


def has_contents(scope: Scope, level: Level, buffer: Var) -> bool:
    """Whether something may have written the buffer before a run begins."""
    if is_parameter(scope, buffer) or named_twice(scope, buffer) is not None:
        return True
    defined = max((n for n, stmt in enumerate(level.path) if defines(stmt, buffer)), default=-1)
    if any(isinstance(stmt, For | While) for stmt in level.path[defined + 1 :]):
        return True
    for stmt in walk_statements(scope.function.body):
        if stmt is level.run[0]:
            return False
        if isinstance(stmt, Store) and stmt.buffer.id == buffer.id:
            return True
        if isinstance(stmt, Block) and passes_on(stmt, buffer.id):
            return True
        if isinstance(stmt, Evaluate) and buffer.id in mentions(stmt).loads:
            return True
    return True


def _shared(level: Level) -> bool:
    """Whether iterations of a loop around the level may run at once."""
    return any(isinstance(s, For) and s.kind is not LoopKind.SERIAL for s in level.path)


def _reason(found: Sequence[Access]) -> str:
    if any(not access.writes and not access.settled for access in found):
        return "the nest reads elements before it writes them"
    return "the nest may leave elements as they were"


def _with_consumers(scope: Scope, stage: Stage, names: Sequence[str]) -> Stage | Answer:
    level, buffer = stage.level, stage.buffer
    places = [place_named(scope, name) for name in names]
    after = level.items[level.last :]
    last = 0
    for place in places:
        path = (*scope.paths[place_id(place)], place)
        number = next(
            (n for n, item in enumerate(after) if any(item is stmt for stmt in path)), None
        )
        if number is None:
            message = f"`{_name(place)}` does not stand after the nest that writes `{buffer.name}`"
            return inapplicable(message, place_id(place))
        last = max(last, number + 1)
    between = after[:last]
    if stores_to(between, buffer.id):
        message = f"`{buffer.name}` is written between the nest and the reads of `{names[-1]}`"
        return inapplicable(message, buffer.id)
    missing = next((p for p in places if not loads_from([p], buffer.id)), None)
    if missing is not None:
        message = f"`{_name(missing)}` does not read `{buffer.name}`"
        return inapplicable(message, place_id(missing))
    if stage.box != whole(buffer):
        message = f"`{names[-1]}` may read elements of `{buffer.name}` that the copy does not have"
        return unproved(message, buffer.id)
    return replace(stage, consumers=between, readers=tuple(places))


def _name(place: For | Block) -> str:
    return place.var.name if isinstance(place, For) else place.name
