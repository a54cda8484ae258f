"""Divisions by symbols, `a == b * (a // b) + a % b`: what loops that were fused and split leave.

`(f * 8 + g) // m` and `(f * 8 + g) % m` are the axes that a loop of `n * m` iterations was fused
from before it was split. Their values are not affine, but where both agree at two instances, so
does `f * 8 + g`: equations between quotients, times the divisor, are equations between dividends.
Reference: Grosser et al., "Optimistic Delinearization of Parametrically Sized Arrays", ICS 2015.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.terms import Division, Terms

MOST_IMPLIED = 12
"""Equations that are added for one pair of accesses."""
Pair = tuple[Linear, Linear]


def with_implied(terms: Terms, pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Pairs of forms that agree, and pairs that agree then because quotients in them do."""
    found = list(pairs)
    if not terms.quotients:
        return tuple(found)
    seen = {(a.key(), b.key()) for a, b in found}
    rests = dict(_rest(pair) for pair in found if _is_rest(pair))
    most = len(found) + MOST_IMPLIED
    for pair in found:  # grows
        for implied in _times_divisors(terms, pair):
            made = _without_rests(implied, rests)
            key = made[0].key(), made[1].key()
            if key in seen or len(found) == most:
                continue
            seen.add(key)
            found.append(made)
            if _is_rest(made):
                rests.setdefault(*_rest(made))
    return tuple(found)


def _times_divisors(terms: Terms, pair: Pair) -> Iterator[Pair]:
    """A pair times each divisor of a quotient in it."""
    first, second = pair
    for key in {**first.terms, **second.terms}:
        for division in terms.quotients.get(key, ()):
            yield _times(terms, first, key, division), _times(terms, second, key, division)


def _times(terms: Terms, form: Linear, quotient: int, division: Division) -> Linear:
    """`form * divisor`, where the quotient times the divisor is the dividend less the rest."""
    c = form.terms.get(quotient, 0)
    others = Linear({t: v for t, v in form.terms.items() if t != quotient}, form.constant)
    whole = division.dividend.plus(division.rest, -1)
    return terms.product(others, division.divisor).plus(whole, c)


def _is_rest(pair: Pair) -> bool:
    """Whether one term agrees at both instances but for constants."""
    first, second = pair
    return first.terms == second.terms and list(first.terms.values()) == [1]


def _rest(pair: Pair) -> tuple[int, tuple[int, int]]:
    (key,) = pair[0].terms
    return key, (pair[0].constant, pair[1].constant)


def _without_rests(pair: Pair, rests: dict[int, tuple[int, int]]) -> Pair:
    """A pair without the terms that are known to agree."""
    first, second = pair
    for key, c in pair[0].terms.items():
        if key in rests and pair[1].terms.get(key) == c and len(first.terms) > 1:
            one, other = rests[key]
            first = first.plus(Linear({key: 1}, one), -c)
            second = second.plus(Linear({key: 1}, other), -c)
    return first, second
