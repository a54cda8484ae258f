"""Two versions of a function: does everything that reads still see what it saw?

The version after a rewrite has the statements of the one before, some of them at other places or
run again. Questions are asked of whole instances, not of syntax.
Reference: the flow constraints of Verdoolaege, Janssens and Bruynooghe, "Equivalence Checking of
Static Affine Programs Using Widening to Handle Recurrences", TOPLAS 2012.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from workbench.analysis.dependence.clashes import Clash, Witness
from workbench.analysis.dependence.facts import Part, difference, less
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.relations import Relation, Side
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.statements import Statement
from workbench.analysis.dependence.terms import TermKind
from workbench.analysis.dependence.versions import (
    Event,
    Version,
    coordinates,
    ordered,
    within_block,
    within_init,
)
from workbench.ir.expr import PrimExpr
from workbench.ir.tensor import AxisKind, Block
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Group:
    """Statements of one version whose instances are compared: those of a block, or of its init.

    An instance is known by the loops around it in both versions and by the values of `identity`,
    expressions over what is bound around the statements, named `names`.
    """

    version: Version
    statements: tuple[Statement, ...]
    identity: tuple[PrimExpr, ...]
    names: tuple[str, ...]
    inits: bool = True

    @staticmethod
    def of(version: Version, block: NodeId, *, init: bool = False) -> Group:
        """The statements of a block, or those of its own init alone.

        Instances are known by the axes, those of init by the axes that reduce nothing.
        """
        inside = [s for s in version.model.statements if within_block(s, block)]
        chosen = tuple(s for s in inside if not init or within_init(s, block))
        axes = _block_of(inside[0], block).axes
        if init:
            axes = tuple(axis for axis in axes if axis.kind is not AxisKind.REDUCE)
        return Group(
            version,
            chosen,
            tuple(axis.value for axis in axes),
            tuple(axis.var.name for axis in axes),
            init,
        )

    @property
    def bodies(self) -> tuple[Statement, ...]:
        """The statements that stand for the instances: not those of init beside others."""
        return self.statements if self.inits else tuple(s for s in self.statements if not s.is_init)

    @property
    def events(self) -> tuple[Event, ...]:
        """Their accesses."""
        return tuple(
            Event(self.version.model, statement, access)
            for statement in self.statements
            for access in statement.accesses
        )

    def others(self, buffer: NodeId) -> tuple[Event, ...]:
        """The accesses of all other statements to a buffer; its writes where these only read it."""
        own = set(map(id, self.statements))
        written = any(e.access.write and e.access.buffer.id == buffer for e in self.events)
        return tuple(
            e
            for e in self.version.of_buffer(buffer)
            if id(e.statement) not in own and (written or e.access.write)
        )

    def keys(self) -> set[int]:
        """The keys of loops around all of them."""
        sets = [set(statement.keys) for statement in self.statements]
        return sets[0].intersection(*sets[1:]) if sets else set()


@dataclass(slots=True)
class Comparison:
    """A function before and after some statements were moved, or are run again elsewhere."""

    before: Group
    after: Group

    def unlike(self) -> str | None:
        """The buffer of an access that one version alone has, as by a guard that reads memory."""
        for old, new in zip_longest(self.before.events, self.after.events):
            if old is None or new is None:
                event = old or new
                return event.access.buffer.name if event is not None else None
            if _kind(old) != _kind(new):
                longer = len(self.before.events) > len(self.after.events)
                return (old if longer else new).access.buffer.name
        for buffer in {e.access.buffer.id: e.access.buffer for e in self.before.events}.values():
            if len(self.before.others(buffer.id)) != len(self.after.others(buffer.id)):
                return buffer.name
        return None

    # --- which instances run --------------------------------------------------------------

    def extra_instance(self) -> Witness | None:
        """An instance that only runs afterwards.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        return self._missing(self.after, self.before)

    def lost_instance(self) -> Witness | None:
        """An instance that only ran before.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        return self._missing(self.before, self.after)

    def repeated_instance(self, group: Group) -> Witness | None:
        """An instance that runs twice.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        terms = group.version.model.terms
        for statement in group.bodies:
            found = Relation()
            sides = [Side(terms, prefix, statement.domain) for prefix in "xy"]
            for side in sides:
                found.inside(side)
            for form in self._identity(group, statement):
                found.equal(sides[0], form, sides[1], form)
            found.either(
                [less(found.term(sides[0], key), found.term(sides[1], key))]
                for key in statement.keys
            )
            found.columns = tuple(sorted(found.variables))
            point = found.point()
            if point is not None:
                values = {
                    terms[key].name: point[f"x{key}"]
                    for key in statement.keys
                    if f"x{key}" in point
                }
                return Witness(values, (*found.inexact, *statement.inexact))
        return None

    def _missing(self, one: Group, other: Group) -> Witness | None:
        others = [self._instances(other, s) for s in other.bodies]
        for statement in one.bodies:
            found = self._instances(one, statement)
            point = found.missing_from(others)
            if point is not None:
                inexact = _reasons(found, *others)
                names = self._names(one, statement)
                values = {
                    name: point[column] for column, name in zip(found.columns, names, strict=True)
                }
                return Witness(values, (*inexact, *statement.inexact))
        return None

    def _instances(self, group: Group, statement: Statement) -> Relation:
        forms = self._identity(group, statement)
        side = Side(group.version.model.terms, "x", statement.domain, tuple(forms))
        found = Relation(tuple(f"o{n}" for n in range(len(forms))))
        found.inside(side)
        for column, form in zip(found.columns, forms, strict=True):
            found.column(column, side, form)
        return found

    def _identity(self, group: Group, statement: Statement) -> list[Linear]:
        common = [Linear.of(key) for key in self._common(statement)]
        return [*common, *group.version.forms(group.identity)]

    def _names(self, group: Group, statement: Statement) -> list[str]:
        terms = group.version.model.terms
        return [*(terms[key].name for key in self._common(statement)), *group.names]

    def _common(self, statement: Statement) -> list[int]:
        """Keys of the loops around the statements in both versions."""
        shared = self.before.keys() & self.after.keys()
        return [key for key in statement.keys if key in shared]

    # --- the order of conflicting instances -----------------------------------------------

    def reordered(self, own: Collection[NodeId] = ()) -> Clash | None:
        """A pair of accesses to one element, one of them a write, that changes its order.

        One of the two belongs to the block, the other does not. Of the buffers `own` only two
        writes count.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        moved = zip(self.before.events, self.after.events, strict=True)
        for old, new in moved:
            for other, now in self._others(old.access.buffer.id):
                writes = old.access.write, other.access.write
                if all(writes) if old.access.buffer.id in own else any(writes):
                    clash = self._swapped(old, new, other, now)
                    if clash is not None:
                        return clash
        return None

    def _others(self, buffer: NodeId) -> Iterator[tuple[Event, Event]]:
        """Accesses outside of the block, as they are in both versions."""
        return zip(self.before.others(buffer), self.after.others(buffer), strict=True)

    def _swapped(self, old: Event, new: Event, other: Event, now: Event) -> Clash | None:
        if _same_order(old, new, other, now):
            return None
        for first in (True, False):
            found = Relation()
            sides = old.side("x"), new.side("y"), other.side("z")
            for side in sides:
                found.inside(side)
            self._same_instance(found, old, sides[0], new, sides[1])
            _same_element(found, old, sides[0], other, sides[2])
            ahead = ordered(found, (old, sides[0]), (other, sides[2]))
            behind = ordered(found, (other, sides[2]), (old, sides[0]))
            was = ahead if first else behind
            moved, there = (new, sides[1]), (now, _stays(found, other, sides[2], now))
            after = ordered(found, there, moved) if first else ordered(found, moved, there)
            if not was or not after:
                continue
            found.either(was)
            found.either(after)
            found.columns = tuple(sorted(found.variables))
            point = found.point()
            if point is not None:
                inexact = _reasons(found, old, new, other)
                return Clash(old, other, point, first=first, inexact=inexact)
        return None

    def _same_instance(self, found: Relation, old: Event, a: Side, new: Event, b: Side) -> None:
        first = self._identity(self.before, old.statement)
        second = self._identity(self.after, new.statement)
        for x, y in zip(first, second, strict=True):
            found.equal(a, x, b, y)

    def reordered_within(self, fixed: Collection[NodeId] = ()) -> Clash | None:
        """Two accesses of the statements themselves that change their order.

        Updates of one reduction are left out. `fixed` are loops of the version after whose
        iterations each run everything anew: instances are compared within one of them.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for old, new, other, now in self._pairs():
            if not _one_sum(old, other):
                clash = self._swapped_within(old, new, other, now, fixed)
                if clash is not None:
                    return clash
        return None

    def updates_reordered(self, fixed: Collection[NodeId] = ()) -> bool:
        """Whether updates of one reduction change their order, and results by rounding.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        for old, new, other, now in self._pairs():
            update = old.access.update
            if update is None or not update.rounds or not _one_sum(old, other):
                continue
            if self._swapped_within(old, new, other, now, fixed) is not None:
                return True
        return False

    def _pairs(self) -> Iterator[tuple[Event, Event, Event, Event]]:
        """Accesses to one buffer, one of them a write, as they are in both versions."""
        events = list(zip(self.before.events, self.after.events, strict=True))
        for old, new in events:
            for other, now in events:
                a, b = old.access, other.access
                if a.buffer.id == b.buffer.id and (a.write or b.write):
                    yield old, new, other, now

    def _swapped_within(
        self, old: Event, new: Event, other: Event, now: Event, fixed: Collection[NodeId]
    ) -> Clash | None:
        found = Relation()
        first, again = old.side("x"), new.side("y")
        second, there = other.side("z"), now.side("u")
        for side in (first, again, second, there):
            found.inside(side)
        self._same_instance(found, old, first, new, again)
        self._same_instance(found, other, second, now, there)
        for loop in new.statement.loops:
            for key in new.model.loops[loop.var.id] if loop.var.id in fixed else ():
                found.equal(again, Linear.of(key), there, Linear.of(key))
        _same_element(found, old, first, other, second)
        found.either(ordered(found, (old, first), (other, second)))
        found.either(ordered(found, (now, there), (new, again)))
        found.columns = tuple(sorted(found.variables))
        point = found.point()
        if point is None:
            return None
        inexact = _reasons(found, old, new, other, now)
        return Clash(old, other, point, first=True, inexact=inexact)

    # --- what readers find ----------------------------------------------------------------

    def lost_value(self, buffer: NodeId) -> Clash | None:
        """A read that found an element written by the block and no longer does.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        return self._found_differently(buffer, self.before, self.after, first=False)

    def gained_value(self, buffer: NodeId) -> Clash | None:
        """A read that finds an element written by the block and did not before.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        return self._found_differently(buffer, self.after, self.before, first=True)

    def _found_differently(
        self, buffer: NodeId, one: Group, other: Group, *, first: bool
    ) -> Clash | None:
        """A read that finds what the block wrote in one version alone."""
        for pair in self._others(buffer):
            if pair[0].access.write:
                continue
            here, there = pair if one is self.before else reversed(pair)
            left, names = self._found_by(here, one, one.bodies)
            right = [self._found_by(there, other, (s,))[0] for s in other.bodies]
            point = left.missing_from(right)
            if point is not None:
                values = {names[c]: v for c, v in point.items() if c in names}
                inexact = _reasons(here, left, *right)
                return Clash(here, one.events[-1], values, first=first, inexact=inexact)
        return None

    def _found_by(
        self, reader: Event, group: Group, bodies: Sequence[Statement]
    ) -> tuple[Relation, dict[str, str]]:
        """Instances of a read with elements that the block wrote before."""
        keys = reader.statement.keys
        width = len(reader.access.indices)
        found = Relation(tuple(f"o{n}" for n in range(len(keys) + width)))
        side = reader.side("x", [Linear.of(key) for key in keys])
        found.inside(side)
        for n, key in enumerate(keys):
            found.column(f"o{n}", side, Linear.of(key))
        for n, form in enumerate(reader.access.indices):
            found.column(f"o{len(keys) + n}", side, form)
        options: list[list[Part]] = []
        for statement in bodies:
            number = group.bodies.index(statement)
            for access in statement.accesses:
                if access.write and access.buffer.id == reader.access.buffer.id:
                    writer = Event(group.version.model, statement, access)
                    own = writer.side(f"w{number}_", self._identity(group, statement))
                    options += _writes_before(found, writer, own, reader, side)
        found.either(options)
        return found, {f"o{n}": f"x{key}" for n, key in enumerate(keys)}

    def unwritten(self, buffer: NodeId) -> dict[str, int] | None:
        """An element that the block wrote and no longer does.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        old, new = (
            [
                _elements(event, self._identity(group, event.statement))
                for event in group.events
                if _writes(event, buffer)
            ]
            for group in (self.before, self.after)
        )
        for relation in old:
            point = relation.missing_from(new)
            if point is not None:
                return point
        return None


def _reasons(*parts: Relation | Event) -> tuple[str, ...]:
    """What the parts leave out, each once."""
    return tuple(dict.fromkeys(reason for part in parts for reason in part.inexact))


def _kind(event: Event) -> tuple[NodeId, bool]:
    return event.access.buffer.id, event.access.write


def _one_sum(a: Event, b: Event) -> bool:
    """Whether both are accesses of one update of a reduction."""
    return a.access.update is not None and a.access.update is b.access.update


def _writes(event: Event, buffer: NodeId) -> bool:
    return event.access.write and event.access.buffer.id == buffer and not event.statement.is_init


def _elements(event: Event, instance: Sequence[Linear]) -> Relation:
    side = event.side("x", instance)
    found = Relation(tuple(f"o{n}" for n in range(len(event.access.indices))))
    found.inside(side)
    for column, form in zip(found.columns, event.access.indices, strict=True):
        found.column(column, side, form)
    return found


def _writes_before(
    found: Relation, writer: Event, own: Side, reader: Event, side: Side
) -> list[list[Part]]:
    """The alternatives under which the writer has written what the reader reads."""
    domain = [found.item(own, item) for item in own.domain]
    same = [
        difference(found.form(own, a), found.form(side, b), equal=True)
        for a, b in coordinates(writer, reader)
    ]
    return [[*domain, *same, *option] for option in ordered(found, (writer, own), (reader, side))]


def _same_element(found: Relation, a: Event, x: Side, b: Event, y: Side) -> None:
    for first, second in coordinates(a, b):
        found.equal(x, first, y, second)


def _stays(found: Relation, other: Event, side: Side, now: Event) -> Side:
    """The instance of an access outside of the block, in the terms of the version after.

    Loop variables are the same terms in both; the axes that a loop was fused from are numbered by
    each version anew.
    """
    before, after = other.statement.keys, now.statement.keys
    plain = all(now.model.terms[key].kind is TermKind.LOOP for key in after)
    if plain and before == after:
        return side
    if len(before) != len(after):
        raise TooLargeError
    there = now.side("u")
    found.inside(there)
    for old, new in zip(before, after, strict=True):
        found.equal(side, Linear.of(old), there, Linear.of(new))
    return there


def _same_order(old: Event, new: Event, other: Event, now: Event) -> bool:
    """Whether the outermost sequence says that nothing changed."""
    before, there = old.position[0], other.position[0]
    after, stays = new.position[0], now.position[0]
    if not isinstance(before, int) or not isinstance(there, int) or before == there:
        return False
    if not isinstance(after, int) or not isinstance(stays, int) or after == stays:
        return False
    return (before < there) == (after < stays)


def _block_of(statement: Statement, block: NodeId) -> Block:
    return next(s for s in statement.path if isinstance(s, Block) and s.id == block)
