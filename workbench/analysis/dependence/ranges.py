"""Bounds of loop variables at one statement: those of the loops, narrowed by what guards it."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.analysis.dependence.linear import Row
from workbench.analysis.dependence.statements import Statement
from workbench.analysis.dependence.terms import Ends, Terms

Narrowed = Mapping[int, Ends]
"""Bounds of the terms that a statement narrows, by term."""


def narrowed(terms: Terms, statement: Statement) -> Narrowed:
    """What the domain of a statement says beyond the ranges of its loops; each row once."""
    found: dict[int, Ends] = {}
    for item in statement.domain:
        if isinstance(item, Row) and len(item.linear.terms) > 0:
            _narrow(terms, found, item, 1)
            if item.equal:
                _narrow(terms, found, item, -1)
    return found


def _narrow(terms: Terms, found: dict[int, Ends], row: Row, sign: int) -> None:
    """Bounds that follow for each term of `sign * form >= 0`, from the bounds of the others."""
    tops: dict[int, int | None] = {}
    for key, c in row.linear.terms.items():
        low, high = found.get(key) or (terms[key].low, terms[key].high)
        end = high if c * sign > 0 else low
        tops[key] = None if end is None else c * sign * end
    unknown = [key for key, top in tops.items() if top is None]
    if len(unknown) > 1:
        return
    total = sign * row.linear.constant + sum(top for top in tops.values() if top is not None)
    for key in unknown or tops:
        c = sign * row.linear.terms[key]
        others = total - (tops[key] or 0)
        low, high = found.get(key) or (terms[key].low, terms[key].high)
        if c > 0:
            least = -(others // c)
            if low is None or least > low:
                found[key] = least, high
        else:
            most = others // -c
            if high is None or most < high:
                found[key] = low, most
