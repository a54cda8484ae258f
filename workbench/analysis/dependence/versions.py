"""Versions of a function: its accesses as events that are ordered, and forms of expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.facts import Part, equals, less
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.relations import Relation, Side
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.ir.expr import PrimExpr
from workbench.ir.tensor import Block, For, If, Seq, TensorFunction
from workbench.support.ids import NodeId

Position = tuple[int | tuple[int, ...], ...]
"""Where a statement stands: numbers in sequences and keys of loops, outermost first."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One access of one statement of a version."""

    model: Model
    statement: Statement
    access: Access

    @property
    def position(self) -> Position:
        """Its place in program order; a statement reads before it writes."""
        return (*position_of(self.model, self.statement), int(self.access.write))

    def side(self, prefix: str, instance: Sequence[Linear] | None = None) -> Side:
        """Its instances, loops named with a prefix, told apart by the forms of `instance`."""
        domain = (*self.statement.domain, *self.access.constraints)
        known = None if instance is None else tuple(instance)
        return Side(self.model.terms, prefix, domain, known)

    @property
    def inexact(self) -> tuple[str, ...]:
        """What its instances and its element leave out."""
        return (*self.statement.inexact, *self.access.inexact)

    def loops_at(self, point: Mapping[str, int], prefix: str) -> str:
        """`i=3, j=0`: its loops at a point, whose variables have a prefix there."""
        values = [
            (self.model.terms[key].name, point[f"{prefix}{key}"])
            for key in self.statement.keys
            if f"{prefix}{key}" in point
        ]
        return ", ".join(f"{name}={value}" for name, value in values)

    @property
    def text(self) -> str:
        """`C[i, j]`."""
        return self.access.text


def position_of(model: Model, statement: Statement) -> Position:
    """The place of a statement in program order."""
    found: list[int | tuple[int, ...]] = []
    inside = (*statement.path[1:], statement.node)
    for stmt, child in zip(statement.path, inside, strict=True):
        match stmt:
            case For(var=var):
                found.append(model.loops[var.id])
            case Seq(body=items):
                found.append(next(n for n, item in enumerate(items) if item is child))
            case If(then=then):
                found.append(int(child is not then))
            case Block(init=init):
                found.append(int(child is not init))
            case _:
                continue
    return tuple(found)


class Version:
    """One version: its events by buffer, and the instances of a block."""

    def __init__(self, function: TensorFunction) -> None:
        self.function = function
        self.model = dependences(function).model

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All accesses in program order."""
        return tuple(
            Event(self.model, statement, access)
            for statement in self.model.statements
            for access in statement.accesses
        )

    def of_buffer(self, buffer: NodeId) -> tuple[Event, ...]:
        """The accesses to one buffer."""
        return tuple(e for e in self.events if e.access.buffer.id == buffer)

    def within(self, block: NodeId) -> tuple[Event, ...]:
        """The accesses of the statements in a block."""
        return tuple(e for e in self.events if within_block(e.statement, block))

    def forms(self, values: Sequence[PrimExpr]) -> list[Linear]:
        """Expressions over variables of the function, as forms."""
        return [self.model.reader.linear(value) for value in values]


def coordinates(a: Event, b: Event) -> list[tuple[Linear, Linear]]:
    """What has to agree for two accesses to touch one element.

    Indices, and loops whose iterations have buffers of their own.
    """
    private = [(Linear.of(key), Linear.of(key)) for key in a.access.private]
    return [*private, *zip(a.access.indices, b.access.indices, strict=True)]


def ordered(found: Relation, a: tuple[Event, Side], b: tuple[Event, Side]) -> list[list[Part]]:
    """The alternatives under which the first instance comes before the second."""
    options: list[list[Part]] = []
    prefix: list[Part] = []
    for left, right in zip(a[0].position, b[0].position, strict=False):
        if isinstance(left, int) or isinstance(right, int):
            if left == right:
                continue
            assert isinstance(left, int)
            assert isinstance(right, int)
            return [*options, prefix] if left < right else options
        for x, y in zip(left, right, strict=True):
            first, second = found.term(a[1], x), found.term(b[1], y)
            options.append([*prefix, less(first, second)])
            prefix = [*prefix, equals(first, second)]
    return options


def within_block(statement: Statement, block: NodeId) -> bool:
    """Whether a statement belongs to a block."""
    return any(isinstance(s, Block) and s.id == block for s in statement.path)


def within_init(statement: Statement, block: NodeId) -> bool:
    """Whether a statement belongs to the init of a block, not to that of a block inside of it."""
    around = zip(statement.path, (*statement.path[1:], statement.node), strict=True)
    return any(isinstance(s, Block) and s.id == block and inner is s.init for s, inner in around)
