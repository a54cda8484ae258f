"""Systems of constraints on a pair of instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from workbench.analysis.dependence import sets
from workbench.analysis.dependence.linear import AnyOf, Conjunction, Linear, Row
from workbench.analysis.dependence.terms import Ends, Term, Terms

MAX_CASES = 250
"""Sets that are looked at for one question: alternatives of minima, choices, disjunctions."""
_CHECK_EVERY = 3
"""Alternatives that are combined before isl is asked whether there is a point so far."""
_INFINITE = float("inf")

Sided = tuple[int, int]
"""A term at an instance: side 0 where both instances share its value, else 1 or 2."""


@dataclass(slots=True)
class System:
    """Constraints on terms at two instances, which agree in the loops `shared`.

    Terms that only depend on shared loops are one variable, all others are two. Where symbols are
    `fixed`, products with them and divisions by them are linear.
    """

    terms: Terms
    shared: frozenset[int]
    rows: list[sets.SparseRow] = field(default_factory=list[sets.SparseRow])
    cases: list[tuple[int, AnyOf]] = field(default_factory=list[tuple[int, AnyOf]])
    columns: dict[Sided, int] = field(default_factory=dict[Sided, int])
    ends: list[Ends] = field(default_factory=list[Ends])
    fixed: Mapping[int, int] = field(default_factory=dict[int, int])

    def column(self, side: int, key: int) -> int:
        """The column of a term; its definition becomes part of the system."""
        term = self.terms[key]
        if side and term.stable and term.deps <= self.shared:
            side = 0
        found = self.columns.get((side, key))
        if found is None:
            found = self.columns[side, key] = len(self.columns)
            self.ends.append((term.low, term.high))
            self.add(side, term.definition)
            if self.fixed:
                self._fix(side, key, term)
        return found

    def _fix(self, side: int, key: int, term: Term) -> None:
        """Define a term by the values of the symbols in it."""
        if key in self.fixed:
            self.add(side, (Row(Linear.of(key).shift(-self.fixed[key]), equal=True),))
        elif term.factors:
            known = prod(self.fixed[f] for f in term.factors if f in self.fixed)
            left = tuple(f for f in term.factors if f not in self.fixed)
            if len(left) < len(term.factors):
                product = self.terms.monomial(left).scale(known)
                self.add(side, (Row(product.plus(Linear.of(key), -1), equal=True),))
        elif term.division is not None:
            dividend, divisor, rest = term.division
            if divisor.terms.keys() <= self.fixed.keys():
                value = self.terms.value(divisor, self.fixed)
                if value > 0:
                    quotient = self.terms.floor(dividend, value)
                    form = dividend.plus(quotient, -value) if rest else quotient
                    self.add(side, (Row(form.plus(Linear.of(key), -1), equal=True),))

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
            self.terms,
            self.shared,
            list(self.rows),
            list(self.cases),
            dict(self.columns),
            list(self.ends),
            self.fixed,
        )

    def point(self) -> dict[Sided, int] | None:
        """Values of all terms at some pair of instances, None where there is none.

        Raises:
            TooLargeError: where the sets are too large to decide.
        """
        return self._search([MAX_CASES], 0)

    def _search(self, budget: list[int], checked: int) -> dict[Sided, int] | None:
        """Try the alternatives one by one; a case that has no point yet has none later."""
        if not all(self._possible(row) for row in self.rows[checked:]):
            return None
        if not self.cases or len(self.cases) % _CHECK_EVERY == 0:
            budget[0] -= 1
            if budget[0] < 0:
                raise sets.TooLargeError
            found = sets.point(self.rows, len(self.columns), smallest=not self.cases)
            if found is None:
                return None
            if not self.cases:
                return {sided: found[column] for sided, column in self.columns.items()}
        side, alternatives = self.cases[-1]
        for option in alternatives.options:
            case = self.copy()
            case.cases.pop()
            case.add(side, option)
            point = case._search(budget, len(self.rows))
            if point is not None:
                return point
        return None

    def _possible(self, row: sets.SparseRow) -> bool:
        """Whether bounds of the terms leave a row possible."""
        terms, constant, equal = row
        low: float = constant
        high: float = constant
        for column, c in terms.items():
            first, last = self.ends[column] if c > 0 else self.ends[column][::-1]
            low = -_INFINITE if first is None else low + c * first
            high = _INFINITE if last is None else high + c * last
        return high >= 0 and (low <= 0 or not equal)
