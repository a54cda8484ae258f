"""Which accesses may depend on each other: same buffer, one of them writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

from workbench.analysis.dependence.statements import Access, Statement
from workbench.support.ids import NodeId

Entry = tuple[Statement, Access]


@dataclass(frozen=True, slots=True)
class Pair:
    """An access at a first and one at a second instance; one of them writes."""

    first: Statement
    a: Access
    second: Statement
    b: Access

    @property
    def commutes(self) -> bool:
        """Whether both are updates of one kind of reduction, whose order is free."""
        return (
            self.a.update is not None
            and self.b.update is not None
            and self.a.update.op is self.b.update.op
        )

    def common(self) -> tuple[int, ...]:
        """The loops around both, outermost first."""
        found: list[int] = []
        for a, b in zip(self.first.keys, self.second.keys, strict=False):
            if a != b:
                break
            found.append(a)
        return tuple(found)


def pairs_within(
    statements: Iterable[Statement], ignored: Collection[NodeId] = ()
) -> Iterator[Pair]:
    """All pairs, each once; the first statement does not come after the second."""
    for entries in _by_buffer(statements, ignored):
        for (first, a), (second, b) in combinations_with_replacement(entries, 2):
            if a.write or b.write:
                yield Pair(first, a, second, b)


def pairs_between(first: Iterable[Statement], second: Iterable[Statement]) -> Iterator[Pair]:
    """All pairs with one side in each of two sets of statements."""
    right = {entries[0][1].buffer.id: entries for entries in _by_buffer(second, (), reads=True)}
    for entries in _by_buffer(first, (), reads=True):
        others = right.get(entries[0][1].buffer.id, [])
        for (one, a), (other, b) in product(entries, others):
            if a.write or b.write:
                yield Pair(one, a, other, b)


def _by_buffer(
    statements: Iterable[Statement], ignored: Collection[NodeId], *, reads: bool = False
) -> Iterator[Sequence[Entry]]:
    """Accesses of each buffer that is written (or, with `reads`, of any), without repetitions."""
    found: dict[NodeId, dict[object, Entry]] = {}
    written: set[NodeId] = set()
    for statement in statements:
        for access in statement.accesses:
            ident = access.buffer.id
            if ident in ignored:
                continue
            if access.write:
                written.add(ident)
            found.setdefault(ident, {}).setdefault(
                _identity(statement, access), (statement, access)
            )
    for ident in found:
        if reads or ident in written:
            yield list(found[ident].values())


def _identity(statement: Statement, access: Access) -> object:
    indices = tuple(form.key() for form in access.indices)
    return statement.index, access.write, indices, access.guards, access.update is None
