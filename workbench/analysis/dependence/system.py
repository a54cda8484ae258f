"""Systems of constraints on a pair of instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.analysis.dependence import sets
from workbench.analysis.dependence.linear import AnyOf, Conjunction, Linear, Row
from workbench.analysis.dependence.terms import Terms

MAX_CASES = 96
"""Alternatives (of minima, choices, disjunctions) that are tried one by one."""

Sided = tuple[int, int]
"""A term at an instance: side 0 where both instances share its value, else 1 or 2."""


@dataclass(slots=True)
class System:
    """Constraints on terms at two instances, which agree in the loops `shared`.

    Terms that only depend on shared loops are one variable, all others are two.
    """

    terms: Terms
    shared: frozenset[int]
    rows: list[sets.SparseRow] = field(default_factory=list[sets.SparseRow])
    cases: list[tuple[int, AnyOf]] = field(default_factory=list[tuple[int, AnyOf]])
    columns: dict[Sided, int] = field(default_factory=dict[Sided, int])

    def column(self, side: int, key: int) -> int:
        """The column of a term; its definition becomes part of the system."""
        term = self.terms[key]
        if side and term.stable and term.deps <= self.shared:
            side = 0
        found = self.columns.get((side, key))
        if found is None:
            found = self.columns[side, key] = len(self.columns)
            self.add(side, term.definition)
        return found

    def sparse(self, side: int, form: Linear, factor: int = 1) -> dict[int, int]:
        """A form as coefficients of columns."""
        return {self.column(side, key): factor * c for key, c in form.terms.items()}

    def add(self, side: int, items: Conjunction) -> None:
        """Add constraints on one instance."""
        for item in items:
            if isinstance(item, Row):
                linear = item.linear
                self.rows.append((self.sparse(side, linear), linear.constant, item.equal))
            else:
                self.cases.append((side, item))

    def relate(self, a: Linear, b: Linear, *, gap: int = 0, equal: bool = True) -> None:
        """`b - a == gap` or `b - a >= gap`, with a at the first instance and b at the second."""
        row = self.sparse(1, a, -1)
        for column, coefficient in self.sparse(2, b).items():
            row[column] = row.get(column, 0) + coefficient
        row = {column: c for column, c in row.items() if c}
        self.rows.append((row, b.constant - a.constant - gap, equal))

    def copy(self) -> System:
        """A system that can be extended without changing this one."""
        return System(
            self.terms, self.shared, list(self.rows), list(self.cases), dict(self.columns)
        )

    def point(self) -> dict[Sided, int] | None:
        """Values of all terms at some pair of instances, None where there is none.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        count = 0
        for case in self._cases():
            count += 1
            if count > MAX_CASES:
                raise sets.TooLargeError
            if any(
                not terms and (constant < 0 or (equal and constant))
                for terms, constant, equal in case.rows
            ):
                continue
            found = sets.point(case.rows, len(case.columns))
            if found is not None:
                return {sided: found[column] for sided, column in case.columns.items()}
        return None

    def _cases(self) -> Iterator[System]:
        """The system without alternatives, once for each combination of them."""
        if not self.cases:
            yield self
            return
        side, alternatives = self.cases[-1]
        for option in alternatives.options:
            case = self.copy()
            case.cases.pop()
            case.add(side, option)
            yield from case._cases()
