"""Packed triangles: rows of growing length one after the other, `i * (i + 1) // 2 + j`.

Where row `i` begins at `g(i)`, and what is added stays below `g(i + 1) - g(i)`, no two rows share
an element: indices agree exactly where rows and places in them do. Here `g` is quadratic in one
loop, so that its steps are linear. Reference: the monotonicity test of Blume and Eigenmann, "The
Range Test: A Dependence Test for Symbolic, Non-linear Expressions", Supercomputing 1994.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.terms import TermKind, Terms

Beginning = tuple[int, tuple[tuple[tuple[int, ...], int], ...], int, int]
"""A factor of a quotient: its products with their factors, the constant, and the divisor."""
ROW = -1
"""Stands for the loop over the rows."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """An index as `g(row) + place`: where a row begins, and how long it is."""

    row: int
    begin: tuple[Beginning, ...]
    shift: tuple[tuple[tuple[tuple[int, ...], int], ...], int]
    place: Linear


def packed(terms: Terms, a: Linear, b: Linear) -> tuple[tuple[Linear, Linear], ...] | None:
    """Pairs of forms that agree exactly where two indices of one packed triangle do."""
    first = _packed(terms, a)
    second = first if a == b else None if first is None else _packed(terms, b)
    if first is None or second is None:
        return None
    if first.begin != second.begin or first.shift != second.shift:
        return None
    return (Linear.of(first.row), Linear.of(second.row)), (first.place, second.place)


def _packed(terms: Terms, form: Linear) -> _Packed | None:
    rows = {
        factor
        for key in form.terms
        for factor in _factors(terms, key)
        if terms[factor].kind is TermKind.LOOP
    }
    if len(rows) != 1:
        return None
    (row,) = rows
    begin: list[Beginning] = []
    steps = Linear({})
    rest = Linear({}, form.constant)
    for key, c in form.terms.items():
        if not _factors(terms, key):
            rest = rest.plus(Linear.of(key), c)
            continue
        inner, divisor = terms[key].floor or (Linear.of(key), 1)
        step = _step(terms, row, inner, divisor)
        if step is None:
            return None
        begin.append((c, _spelled(terms, row, inner), inner.constant, divisor))
        steps = steps.plus(step, c)
    return _rows(terms, row, tuple(sorted(begin)), steps, rest)


def _rows(
    terms: Terms,
    row: int,
    begin: tuple[Beginning, ...],
    steps: Linear,
    rest: Linear,
) -> _Packed | None:
    """The rows, where what is added to their beginnings does not reach the next one."""
    start = Linear({row: rest.terms[row]} if row in rest.terms else {}, rest.constant)
    place = rest.plus(start, -1)
    for key, c in place.terms.items():
        term = terms[key]
        above = None if term.above is None else term.above.shift(-1)
        end = term.below if c > 0 else above
        if term.kind is not TermKind.LOOP or end is None:
            return None
        start = start.plus(end, c)
    if any(key != row and terms[key].kind is not TermKind.SYMBOL for key in start.terms):
        return None
    place = rest.plus(start, -1)
    length = steps.shift(start.terms.get(row, 0))
    inside = terms.nonnegative(length) and terms.nonnegative(length.plus(place, -1).shift(-1))
    shift = _spelled(terms, row, start), start.constant
    return _Packed(row, begin, shift, place) if inside else None


def _factors(terms: Terms, key: int) -> tuple[int, ...]:
    """The factors of products in a term."""
    term = terms[key]
    if term.floor is None:
        return term.factors
    return tuple(f for inner in term.floor[0].terms for f in terms[inner].factors)


def _spelled(terms: Terms, row: int, form: Linear) -> tuple[tuple[tuple[int, ...], int], ...]:
    """The terms of a form by their factors, whatever the loop over the rows is called."""
    return tuple(
        sorted(
            (tuple(ROW if f == row else f for f in terms[key].factors or (key,)), c)
            for key, c in form.terms.items()
        )
    )


def _step(terms: Terms, row: int, form: Linear, divisor: int) -> Linear | None:
    """`g(i + 1) - g(i)` of `form // divisor`, where the division leaves no rest in it."""

    def moving(factor: int) -> bool:
        return terms[factor].kind is not TermKind.SYMBOL

    step = Linear({})
    for key, c in form.terms.items():
        factors = terms[key].factors or (key,)
        others = tuple(f for f in factors if f != row)
        if factors == (row, row):
            step = step.plus(Linear({row: 2 * c}, c))
        elif len(factors) - len(others) != 1 or any(map(moving, others)):
            return None
        else:
            step = step.plus(terms.monomial(others), c)
    if any(c % divisor for c in (step.constant, *step.terms.values())):
        return None
    return Linear({key: c // divisor for key, c in step.terms.items()}, step.constant // divisor)
