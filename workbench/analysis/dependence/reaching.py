"""Which values of a block reach its readers, and what is written in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.dependence.facts import difference, named
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.relations import Relation, Side
from workbench.analysis.dependence.versions import (
    Event,
    Version,
    coordinates,
    ordered,
    within_block,
)
from workbench.ir.expr import BufferType, as_expr
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that do not fit, at one point: their loops have the prefixes `r`, `w` and `p`."""

    reader: Event
    between: Event | None
    point: Mapping[str, int]
    inexact: tuple[str, ...]


@dataclass(slots=True)
class Reaching:
    """A block that writes a buffer, and the statements elsewhere that read it.

    `fixed`: what it writes depends on more than the element, so that a write in another iteration
    of a loop around block and reader does not count. `apart` are readers to leave out.
    """

    version: Version
    block: NodeId
    buffer: NodeId
    fixed: bool
    apart: tuple[Event, ...] = ()

    @property
    def readers(self) -> tuple[Event, ...]:
        """Reads of the buffer outside of the block."""
        return tuple(
            e
            for e in self.version.of_buffer(self.buffer)
            if not e.access.write
            and not within_block(e.statement, self.block)
            and not any(e is other for other in self.apart)
        )

    @property
    def own_reads(self) -> tuple[Event, ...]:
        """Reads of the buffer in the block."""
        inside = self.version.within(self.block)
        return tuple(e for e in inside if not e.access.write and self._touches(e))

    @property
    def others(self) -> tuple[Event, ...]:
        """Writes of the buffer outside of the block."""
        return tuple(
            e
            for e in self.version.of_buffer(self.buffer)
            if e.access.write and not within_block(e.statement, self.block)
        )

    def _touches(self, event: Event) -> bool:
        return event.access.buffer.id == self.buffer

    @property
    def writers(self) -> tuple[Event, ...]:
        """Writes of the buffer in the block."""
        inside = self.version.within(self.block)
        return tuple(e for e in inside if e.access.write and self._touches(e))

    def unwritten(self) -> Gap | None:
        """A read of an element that the block has not written before.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for reader in self.readers:
            left = self._reads(reader)
            right = [self._found(reader, writer) for writer in self.writers]
            point = left.missing_from(right)
            if point is not None:
                keys = reader.statement.keys
                values = {f"r{key}": point[f"o{n}"] for n, key in enumerate(keys)}
                inexact = tuple(dict.fromkeys(r for p in (reader, left, *right) for r in p.inexact))
                return Gap(reader, None, values, inexact)
        return None

    def _reads(self, reader: Event) -> Relation:
        """Instances of a read with its elements, which lie in the buffer."""
        keys, indices = reader.statement.keys, reader.access.indices
        found = Relation(tuple(f"o{n}" for n in range(len(keys) + len(indices))))
        side = reader.side("r", [Linear.of(key) for key in keys])
        found.inside(side)
        forms = [*(Linear.of(key) for key in keys), *indices]
        for column, form in zip(found.columns, forms, strict=True):
            found.column(column, side, form)
        self._inside_buffer(found, reader, side, found.columns[len(keys) :])
        return found

    def _inside_buffer(
        self, found: Relation, reader: Event, side: Side, columns: Sequence[str]
    ) -> None:
        type_ = reader.access.buffer.type
        assert isinstance(type_, BufferType)
        extents = self.version.forms([as_expr(d) for d in type_.shape])
        for column, extent in zip(columns, extents, strict=True):
            end = found.form(side, extent)
            found.parts += [
                difference(named(column), ({}, 0), equal=False),
                difference(end, named(column), 1, equal=False),
            ]

    def _found(self, reader: Event, writer: Event) -> Relation:
        found = self._reads(reader)
        side = reader.side("r", [Linear.of(key) for key in reader.statement.keys])
        own = writer.side("w")
        found.inside(own)
        self._same_iteration(found, reader, side, writer, own)
        for a, b in coordinates(writer, reader):
            found.equal(own, a, side, b)
        found.either(ordered(found, (writer, own), (reader, side)))
        return found

    def _same_iteration(self, found: Relation, a: Event, x: Side, b: Event, y: Side) -> None:
        for key in a.statement.keys if self.fixed else ():
            if key in b.statement.keys:
                found.equal(x, Linear.of(key), y, Linear.of(key))

    # --- other writers --------------------------------------------------------------------

    def reaches(self, reader: Event) -> Gap | None:
        """An instance whose value a reader finds: nothing writes the element in between.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for writer in self.writers:
            found = _pair(writer, reader)
            rights = [self._again(found, writer, other, reader) for other in self.others]
            point = _apart(found, rights)
            if point is not None:
                return Gap(reader, writer, point, _reasons(writer, reader, found))
        return None

    def overwritten(self, reader: Event) -> Gap | None:
        """A write by another statement that a reader finds: the block does not write again.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for other in self.others:
            found = _pair(other, reader)
            rights = [
                self._again(found, other, writer, reader, fixed=self.fixed)
                for writer in self.writers
            ]
            point = _apart(found, rights)
            if point is not None:
                return Gap(reader, other, point, _reasons(other, reader, found))
        return None

    def _again(
        self, pair: Relation, first: Event, between: Event, last: Event, *, fixed: bool = False
    ) -> Relation | None:
        """The pairs between which an event certainly writes the element; None where unknown."""
        if between.inexact or between.access.trusted or between.statement.is_init:
            return None
        found = _pair(first, last)
        one, there, other = first.side("w"), between.side("b"), last.side("r")
        found.inside(there)
        for a, b in coordinates(between, last):
            found.equal(there, a, other, b)
        if fixed:
            self._same_iteration(found, last, other, between, there)
        found.either(ordered(found, (first, one), (between, there)))
        found.either(ordered(found, (between, there), (last, other)))
        return None if set(found.inexact) - set(pair.inexact) else found

    # --- what the block reads -------------------------------------------------------------

    def changed_input(self) -> Gap | None:
        """A write of something that the block read, between its instance and one of its readers.

        Writes of the block itself do not count: they go where it is computed by its readers.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for source in self.version.within(self.block):
            if source.access.write:
                continue
            for change in self._changes(source.access.buffer.id):
                for reader in self.readers:
                    gap = self._between(source, change, reader)
                    if gap is not None:
                        return gap
        return None

    def _changes(self, buffer: NodeId) -> Sequence[Event]:
        if buffer == self.buffer:
            return self.others
        return tuple(e for e in self.version.of_buffer(buffer) if e.access.write)

    def _between(self, source: Event, change: Event, reader: Event) -> Gap | None:
        for writer in self.writers:
            if writer.statement is not source.statement:
                continue
            found = Relation(_columns("w", change) + _columns("r", reader))
            block, there, side = source.side("p"), change.side("w"), reader.side("r")
            for item in (block, there, side):
                found.inside(item)
            self._same_iteration(found, source, block, reader, side)
            for a, b in coordinates(source, change):
                found.equal(block, a, there, b)
            for a, b in coordinates(writer, reader):
                found.equal(block, a, side, b)
            found.either(ordered(found, (source, block), (change, there)))
            found.either(ordered(found, (change, there), (reader, side)))
            if found.point() is None:
                continue
            point = _apart(found, [self._computed_again(found, change, writer, reader)])
            if point is not None:
                return Gap(reader, change, point, _reasons(source, change, reader, found))
        return None

    def _computed_again(
        self, known: Relation, change: Event, writer: Event, reader: Event
    ) -> Relation | None:
        """The pairs of a change and a reader between which the block computes the element again."""
        if writer.inexact:
            return None
        found = Relation(known.columns)
        there, again, side = change.side("w"), writer.side("b"), reader.side("r")
        for item in (there, again, side):
            found.inside(item)
        self._same_iteration(found, reader, side, writer, again)
        for a, b in coordinates(writer, reader):
            found.equal(again, a, side, b)
        found.either(ordered(found, (change, there), (writer, again)))
        found.either(ordered(found, (writer, again), (reader, side)))
        return None if set(found.inexact) - set(known.inexact) else found


def _columns(prefix: str, event: Event) -> tuple[str, ...]:
    return tuple(f"{prefix}{key}" for key in event.statement.keys)


def _pair(writer: Event, reader: Event) -> Relation:
    """A write and a later read of the element, by their loops `w` and `r`."""
    found = Relation(_columns("w", writer) + _columns("r", reader))
    own, side = writer.side("w"), reader.side("r")
    for item in (own, side):
        found.inside(item)
    for a, b in coordinates(writer, reader):
        found.equal(own, a, side, b)
    found.either(ordered(found, (writer, own), (reader, side)))
    return found


def _apart(found: Relation, others: Sequence[Relation | None]) -> dict[str, int] | None:
    """A point of a relation that is in none of others; those that are None have none."""
    return found.missing_from([other for other in others if other is not None])


def _reasons(*parts: Event | Relation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for part in parts for reason in part.inexact))
