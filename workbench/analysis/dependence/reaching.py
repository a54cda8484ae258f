"""Which values of a block reach its readers, and what is written in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """A block that alone writes a buffer, and the statements elsewhere that read it.

    `fixed`: what it writes depends on more than the element, so that a write in another iteration
    of a loop around block and reader does not count.
    """

    version: Version
    block: NodeId
    buffer: NodeId
    fixed: bool

    @property
    def readers(self) -> tuple[Event, ...]:
        """Reads of the buffer outside of the block."""
        return tuple(
            e
            for e in self.version.of_buffer(self.buffer)
            if not e.access.write and not within_block(e.statement, self.block)
        )

    @property
    def writers(self) -> tuple[Event, ...]:
        """Writes of the buffer in the block."""
        inside = self.version.within(self.block)
        return tuple(e for e in inside if e.access.write and e.access.buffer.id == self.buffer)

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

    def changed_input(self) -> Gap | None:
        """A write of something that the block read, between its instance and one of its readers.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for source in self.version.within(self.block):
            buffer = source.access.buffer.id
            if source.access.write or buffer == self.buffer:
                continue
            for change in self._changes(buffer):
                for reader in self.readers:
                    gap = self._between(source, change, reader)
                    if gap is not None:
                        return gap
        return None

    def _changes(self, buffer: NodeId) -> Iterator[Event]:
        return (e for e in self.version.of_buffer(buffer) if e.access.write)

    def _between(self, source: Event, change: Event, reader: Event) -> Gap | None:
        for writer in self.writers:
            if writer.statement is not source.statement:
                continue
            found = Relation()
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
            found.columns = tuple(sorted(found.variables))
            point = found.point()
            if point is not None:
                parts = (source, change, reader, found)
                inexact = tuple(dict.fromkeys(r for p in parts for r in p.inexact))
                return Gap(reader, change, point, inexact)
        return None
