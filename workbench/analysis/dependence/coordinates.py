"""When do two accesses touch one element: equations between their indices, digit by digit."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.packed import packed
from workbench.analysis.dependence.quotients import with_implied
from workbench.analysis.dependence.statements import Access
from workbench.analysis.dependence.terms import TermKind, Terms


def coordinates(terms: Terms, a: Access, b: Access) -> tuple[tuple[Linear, Linear], ...]:
    """Pairs of forms that agree exactly where both accesses touch one element.

    Indices with symbolic strides are split into digits: `i * n + j` with `0 <= j < n` agrees with
    `k * n + l` exactly where `i == k` and `j == l`; rows of packed triangles alike. What follows
    from them for dividends is added.
    """
    return with_implied(terms, _apart(terms, a, b))


def _apart(terms: Terms, a: Access, b: Access) -> Iterator[tuple[Linear, Linear]]:
    for first, second in zip(a.indices, b.indices, strict=False):
        if terms.has_products:
            yield from _digits(terms, first, second)
        else:
            yield first, second


def _digits(terms: Terms, a: Linear, b: Linear) -> Iterator[tuple[Linear, Linear]]:
    rows = packed(terms, a, b)
    if rows is not None:
        yield from rows
        return
    for divisor in _divisors(terms, a):
        left, right = terms.split(a, divisor), terms.split(b, divisor)
        if left is not None and right is not None and _positive(terms, divisor, left, right):
            yield from _digits(terms, left[0], right[0])
            yield from _digits(terms, left[1], right[1])
            return
    yield a, b


def _positive(
    terms: Terms, divisor: Linear, left: tuple[Linear, Linear], right: tuple[Linear, Linear]
) -> bool:
    """Whether a stride is positive: some digit below it exists, or its bounds say so."""
    low, _ = terms.bounds(divisor)
    return bool(left[1].terms or right[1].terms) or (low is not None and low > 0)


def _divisors(terms: Terms, form: Linear) -> list[Linear]:
    """Multiples of products of symbols that a form has as strides, longest first."""
    found: dict[tuple[int, int, tuple[int, ...]], None] = {}
    for key, c in form.terms.items():
        symbols = tuple(f for f in terms[key].factors if terms[f].kind is TermKind.SYMBOL)
        if symbols:
            found[len(symbols), abs(c), symbols] = None
            found[len(symbols), 1, symbols] = None
    return [terms.monomial(keys).scale(c) for _, c, keys in sorted(found, reverse=True)]
