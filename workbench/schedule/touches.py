"""Touches: which buffers statements read and write, and the part of a function that matters.

Statements are values and survive most rewrites, so what they touch is kept by identity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from workbench.ir import (
    Allocate,
    Binary,
    Block,
    BufferType,
    Cast,
    Evaluate,
    For,
    If,
    Intrinsic,
    Let,
    Load,
    Not,
    PrimExpr,
    Select,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    walk,
)
from workbench.schedule.scope import sequence
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo

Buffers = dict[NodeId, Var]


@dataclass(slots=True)
class Place:
    """A block, or a statement outside of blocks, with the buffers that it touches itself."""

    stmt: Stmt
    reads: Buffers = field(default_factory=dict[NodeId, Var])
    writes: Buffers = field(default_factory=dict[NodeId, Var])


@dataclass(slots=True)
class Touches:
    """What a statement touches: loads and stores, and declared regions of blocks.

    `places` are its blocks and other statements in program order. `aliases` says of buffers that
    are used in another way how. `effects`: something is called for its effect.
    """

    places: list[Place] = field(default_factory=list[Place])
    reads: Buffers = field(default_factory=dict[NodeId, Var])
    writes: Buffers = field(default_factory=dict[NodeId, Var])
    aliases: dict[NodeId, str] = field(default_factory=dict[NodeId, str])
    effects: bool = False

    def conflicts(self, read: Collection[NodeId], written: Collection[NodeId]) -> bool:
        """Whether one of `read` is written here, or one of `written` is touched."""
        return (
            self.touches(written)
            or not self.writes.keys().isdisjoint(read)
            or not self.aliases.keys().isdisjoint(read)
        )

    def touches(self, buffers: Collection[NodeId]) -> bool:
        """Whether one of the buffers is read or written."""
        return any(b in self.reads or b in self.writes or b in self.aliases for b in buffers)


def touches_of(stmt: Stmt) -> Touches:
    """What a statement touches."""
    return _KNOWN.get(stmt, lambda: _read(stmt))


_KNOWN: IdentityMemo[Stmt, Touches] = IdentityMemo()


def _read(stmt: Stmt) -> Touches:
    made = Touches()
    _Reading(made).statement(stmt, None)
    for place in made.places:
        made.reads |= place.reads
        made.writes |= place.writes
    return made


def items_of(function: TensorFunction) -> tuple[Stmt, ...]:
    """The statements at the top of a function."""
    return function.body.body if isinstance(function.body, Seq) else (function.body,)


def places_of(function: TensorFunction) -> Iterator[Place]:
    """All blocks, and other statements, in program order."""
    for item in items_of(function):
        yield from touches_of(item).places


def aliased(function: TensorFunction, buffer: NodeId) -> str:
    """How else than by loads and stores a function uses a buffer; empty where it does not."""
    found = (touches_of(item).aliases.get(buffer, "") for item in items_of(function))
    return next((reason for reason in found if reason), "")


def part_about(
    function: TensorFunction, read: Collection[NodeId], written: Collection[NodeId]
) -> TensorFunction:
    """The function with those statements at its top that conflict with reads and writes."""
    items = items_of(function)
    kept = [item for item in items if touches_of(item).conflicts(read, written)]
    return function if len(kept) == len(items) else replace(function, body=sequence(kept))


class _Reading:
    def __init__(self, found: Touches) -> None:
        self.found = found

    def statement(self, stmt: Stmt, place: Place | None) -> None:  # noqa: C901 one case a node
        match stmt:
            case Store():
                place = self._place(stmt, place)
                place.writes[stmt.buffer.id] = stmt.buffer
                self._values((*stmt.indices, stmt.value), place)
            case For():
                self._values((stmt.start, stmt.extent), self._place(stmt, place))
                self.statement(stmt.body, place)
            case Block():
                self._block(stmt)
            case Seq(body=items):
                for item in items:
                    self.statement(item, place)
            case If(condition=condition, then=then, otherwise=otherwise):
                self._values((condition,), self._place(stmt, place))
                self.statement(then, place)
                if otherwise is not None:
                    self.statement(otherwise, place)
            case While(condition=value, body=body) | Let(value=value, body=body):
                self._values((value,), self._place(stmt, place))
                self.statement(body, place)
            case Allocate(body=body):
                self.statement(body, place)
            case Evaluate(value=value):
                calls = any(isinstance(node, Intrinsic) for node in walk(value))
                self.found.effects = self.found.effects or calls
                self._values((value,), self._place(stmt, place))

    def _place(self, stmt: Stmt, place: Place | None) -> Place:
        if place is None:
            place = Place(stmt)
            self.found.places.append(place)
        return place

    def _block(self, block: Block) -> None:
        place = Place(block)
        self.found.places.append(place)
        for axis in block.axes:
            self._values((axis.value, axis.extent), place)
        for region in block.reads or ():
            place.reads[region.buffer.id] = region.buffer
        for region in block.writes or ():
            place.writes[region.buffer.id] = region.buffer
        for match in block.match_buffers:
            for buffer in (match.source.buffer, match.buffer):
                reason = f"block `{block.name}` gives it another name"
                self.found.aliases[buffer.id] = reason
        if block.predicate is not None:
            self._values((block.predicate,), place)
        for part in (block.init, block.body):
            if part is not None:
                self.statement(part, place)

    def _values(self, values: tuple[PrimExpr, ...], place: Place) -> None:
        pending = list(values)
        while pending:
            match pending.pop():
                case Load(buffer=buffer, indices=indices):
                    place.reads[buffer.id] = buffer
                    pending += indices
                case Binary(a=a, b=b):
                    pending += (a, b)
                case Select(condition=condition, true_value=a, false_value=b):
                    pending += (condition, a, b)
                case Cast(value=value) | Not(value=value):
                    pending.append(value)
                case Intrinsic(args=args):
                    pending += args
                case Var(id=ident, type=BufferType()):
                    self.found.aliases[ident] = "a call takes all of it"
                case _:
                    continue
