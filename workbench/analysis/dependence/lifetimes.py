"""Lifetimes: could a buffer be a new one in each iteration of a loop?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.analysis.dependence.answers import Answer, AnswerKind, applies, illegal, unproved
from workbench.analysis.dependence.facts import Part, difference, equals, named
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.relations import Relation
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.verdicts import node_of
from workbench.analysis.dependence.versions import Event, Version, ordered
from workbench.ir.tensor import For, TensorFunction
from workbench.support.ids import NodeId


def written_in_iteration(function: TensorFunction, buffer: NodeId, loop: For) -> Answer:
    """Whether each read of a buffer finds what the same iteration of a loop wrote before.

    All accesses are inside of the loop. Illegal with an instance that reads what was not written
    in its iteration, and with the one that writes that, before it or too late.
    """
    version = Version(function)
    events = version.of_buffer(buffer)
    writers = [event for event in events if event.access.write]
    keys = version.model.loops[loop.var.id]
    worst: Answer | None = None
    for reader in events:
        if reader.access.write:
            continue
        try:
            answer = _found(reader, writers, keys, loop)
        except TooLargeError:
            answer = _unproved(reader, loop, ("the sets are too large to decide",))
        if answer is not None and answer.kind is AnswerKind.ILLEGAL:
            return answer
        worst = worst or answer
    return worst or applies()


def _found(
    reader: Event, writers: Sequence[Event], loop: Sequence[int], node: For
) -> Answer | None:
    every, found = _instances(reader), _instances(reader)
    side = reader.side("x")
    outer = _outer(reader, loop)
    options: list[list[Part]] = []
    inexact: list[str] = []
    for number, writer in enumerate(writers):
        own = writer.side(f"w{number}_")
        conditions = [found.item(own, item) for item in own.domain]
        pairs = zip(writer.access.indices, reader.access.indices, strict=True)
        conditions += [
            difference(found.form(own, a), found.form(side, b), equal=True) for a, b in pairs
        ]
        conditions += [equals(found.term(own, key), found.term(side, key)) for key in outer]
        before = ordered(found, (writer, own), (reader, side))
        options += [[*conditions, *option] for option in before]
        inexact += writer.inexact
    found.either(options)
    point = every.missing_from([found])
    if point is None:
        reasons = (*inexact, *found.inexact)
        return _unproved(reader, node, reasons) if reasons else None
    if every.inexact or found.inexact or reader.inexact:
        return _unproved(reader, node, (*reader.inexact, *every.inexact, *found.inexact))
    message = (
        f"`{reader.statement.name}` reads {reader.text}, which the same iteration of "
        f"`{node.var.name}` has not written"
    )
    note = _written_otherwise(reader, writers, found)
    if not note:
        message = f"no instance is known that writes {reader.text} in another iteration"
        return _unproved(reader, node, (message,))
    return illegal(message, node_of(reader.statement), (note,))


def _written_otherwise(reader: Event, writers: Sequence[Event], found: Relation) -> str:
    """A read that is not among those found, and the write of its element: before it, or after."""
    exact = [writer for writer in writers if not writer.inexact]
    for before in (True, False):
        for writer in exact:
            both = _both(reader, writer, before=before)
            point = None if both.inexact else both.missing_from([found])
            if point is None:
                continue
            both.parts += [
                difference(named(name), ({}, value), equal=True)
                for name, value in point.items()
                if name in both.params or name in both.columns
            ]
            own = writer.side("w")
            loops = tuple(both.term(own, key) for key in writer.statement.keys)
            both.columns = (*both.columns, *loops)
            at = both.point()
            if at is not None:
                return _pair(reader, writer, at, before=before)
    return ""


def _both(reader: Event, writer: Event, *, before: bool) -> Relation:
    """All instances of a read for which there is one of a write, before or after it."""
    made, side, own = _instances(reader), reader.side("x"), writer.side("w")
    made.inside(own)
    for a, b in zip(writer.access.indices, reader.access.indices, strict=True):
        made.equal(own, a, side, b)
    first, second = (writer, own), (reader, side)
    made.either(ordered(made, *((first, second) if before else (second, first))))
    return made


def _pair(reader: Event, writer: Event, at: Mapping[str, int], *, before: bool) -> str:
    """`C` at i=1 reads `B[i - 1]`, which `B` at i=0 writes as `B[i]`."""
    names = [reader.model.terms[key].name for key in reader.statement.keys]
    then = ", ".join(f"{name}={at[f'o{n}']}" for n, name in enumerate(names))
    where = writer.loops_at(at, "w")
    text = f"`{reader.statement.name}`{f' at {then}' if then else ''} reads {reader.text}, which "
    text += f"`{writer.statement.name}`{f' at {where}' if where else ''} writes "
    return text + f"{'' if before else 'after that '}as {writer.text}"


def _instances(reader: Event) -> Relation:
    """All instances of a read."""
    keys = reader.statement.keys
    side = reader.side("x")
    made = Relation(tuple(f"o{n}" for n in range(len(keys))))
    made.inside(side)
    for n, key in enumerate(keys):
        made.column(f"o{n}", side, Linear.of(key))
    return made


def _outer(reader: Event, loop: Sequence[int]) -> tuple[int, ...]:
    """The loops up to the one in question, itself included."""
    keys = reader.statement.keys
    last = max((keys.index(key) for key in loop if key in keys), default=-1)
    return keys[: last + 1]


def _unproved(reader: Event, loop: For, reasons: Sequence[str]) -> Answer:
    message = (
        f"it is not proved that {reader.text} was written in the same iteration of "
        f"`{loop.var.name}`"
    )
    first = reasons[0] if reasons else ""
    return unproved(f"{message}: {first}" if first else message, node_of(reader.statement))
