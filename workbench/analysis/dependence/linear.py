"""Linear forms with integer coefficients, and conjunctions of constraints on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

MAX_TERMS = 64
"""Forms with more terms are taken as unknown."""
_LARGEST = 1 << 62


class Linear:
    """`sum(coefficient * term) + constant`. Immutable by convention; coefficients are not zero.

    Terms are named by integers: ids of loop variables and of symbols, and numbers that
    `terms.Terms` gives to divisions and to what is not linear.
    """

    __slots__ = ("constant", "terms")

    def __init__(self, terms: dict[int, int], constant: int = 0) -> None:
        self.terms = terms
        self.constant = constant

    @staticmethod
    def of(term: int, coefficient: int = 1) -> Linear:
        """`coefficient * term`."""
        return Linear({term: coefficient})

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """`self + factor * other`."""
        terms = dict(self.terms)
        for term, coefficient in other.terms.items():
            total = terms.get(term, 0) + factor * coefficient
            if total:
                terms[term] = total
            else:
                terms.pop(term, None)
        return Linear(terms, self.constant + factor * other.constant)

    def shift(self, value: int) -> Linear:
        """`self + value`."""
        return Linear(self.terms, self.constant + value)

    def scale(self, factor: int) -> Linear:
        """`factor * self`."""
        if factor == 0:
            return Linear({})
        return Linear({t: c * factor for t, c in self.terms.items()}, self.constant * factor)

    @property
    def value(self) -> int | None:
        """The constant that it is, if it is one."""
        return None if self.terms else self.constant

    @property
    def is_large(self) -> bool:
        """Whether it has very many terms, or numbers that do not fit into 64 bits."""
        numbers = (self.constant, *self.terms.values())
        return len(numbers) > MAX_TERMS or any(abs(n) >= _LARGEST for n in numbers)

    def key(self) -> tuple[tuple[tuple[int, int], ...], int]:
        """A hashable form: equal exactly where the forms are."""
        return tuple(sorted(self.terms.items())), self.constant

    def same(self, other: Linear) -> bool:
        """Whether both are the same form."""
        return self.constant == other.constant and self.terms == other.terms


class Row(NamedTuple):
    """`linear == 0` where `equal`, else `linear >= 0`."""

    linear: Linear
    equal: bool = False


class AnyOf(NamedTuple):
    """At least one of several conjunctions holds."""

    options: tuple[Conjunction, ...]


Conjunction: TypeAlias = "tuple[Row | AnyOf, ...]"


def less(a: Linear, b: Linear) -> Row:
    """`a < b`."""
    return Row(b.plus(a, -1).shift(-1))


def at_most(a: Linear, b: Linear) -> Row:
    """`a <= b`."""
    return Row(b.plus(a, -1))


def equal(a: Linear, b: Linear) -> Row:
    """`a == b`."""
    return Row(a.plus(b, -1), equal=True)


def terms_in(items: Iterable[Row | AnyOf]) -> set[int]:
    """All terms that occur."""
    found: set[int] = set()
    for item in items:
        if isinstance(item, Row):
            found.update(item.linear.terms)
        else:
            for option in item.options:
                found |= terms_in(option)
    return found
