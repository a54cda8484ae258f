"""Quick proofs that two accesses never meet, from coefficients and bounds alone.

Subscripts are tested one after the other, each with what the others have shown: a mixed-radix
form of the Banerjee and GCD tests (Banerjee, "Dependence Analysis for Supercomputing", 1988).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.terms import TermKind, Terms

_INFINITE = float("inf")


@dataclass(slots=True)
class _Equation:
    """`sum(coefficient * difference) + rest == 0`, with the rest between two bounds."""

    deltas: dict[int, int]
    low: float
    high: float


def excluded(
    terms: Terms,
    equations: Sequence[tuple[Linear, Linear]],
    greater: Sequence[tuple[Linear, Linear]],
    shared: frozenset[int],
    differing: Iterable[int],
) -> bool:
    """Whether no two instances fulfil the equations.

    They agree in the loops `shared`, and differ in each of `differing`. The first form of each
    pair belongs to the first instance, the second to the second.
    """
    zero = set(shared)
    found = [_equation(terms, a, b, zero) for a, b in equations]
    changed = True
    while changed:
        changed = False
        for equation in found:
            progress = _reduce(terms, equation, zero)
            if progress is None:
                return True
            changed = changed or progress
    if not zero.isdisjoint(differing):
        return True
    return any(_below(terms, a, b, zero) for a, b in greater)


def _equation(terms: Terms, a: Linear, b: Linear, zero: set[int]) -> _Equation:
    """`b - a` as a sum of differences of terms and a bounded rest."""
    result = _Equation({}, b.constant - a.constant, b.constant - a.constant)
    for key in {**a.terms, **b.terms}:
        left, right = a.terms.get(key, 0), b.terms.get(key, 0)
        term = terms[key]
        same = term.stable and term.deps <= zero
        if same:
            _widen(result, right - left, term.low, term.high)
        elif left == right and term.stable and term.kind is not TermKind.OPAQUE:
            result.deltas[key] = left
        else:
            _widen(result, -left, term.low, term.high)
            _widen(result, right, term.low, term.high)
    return result


def _widen(equation: _Equation, factor: int, low: int | None, high: int | None) -> None:
    if factor == 0:
        return
    first, last = (low, high) if factor > 0 else (high, low)
    equation.low += -_INFINITE if first is None else factor * first
    equation.high += _INFINITE if last is None else factor * last


def _reduce(terms: Terms, equation: _Equation, zero: set[int]) -> bool | None:
    """Find differences that must be zero; None where the equation has no solution."""
    for key in [k for k in equation.deltas if _is_zero(terms, k, zero)]:
        zero.add(key)
        del equation.deltas[key]
    widths = {key: _width(terms, key) for key in equation.deltas}
    reach = sum(abs(c) * widths[key] for key, c in equation.deltas.items())
    if equation.low - reach > 0 or equation.high + reach < 0 or not _divides(equation):
        return None
    progress = False
    for key, c in list(equation.deltas.items()):
        others = sum(abs(d) * widths[k] for k, d in equation.deltas.items() if k != key)
        if max(equation.high + others, others - equation.low) < abs(c):
            zero.add(key)
            del equation.deltas[key]
            progress = True
    return progress


def _is_zero(terms: Terms, key: int, zero: set[int]) -> bool:
    return key in zero or terms[key].deps <= zero


def _width(terms: Terms, key: int) -> float:
    """The largest difference of two values of a term."""
    term = terms[key]
    if term.low is None or term.high is None:
        return _INFINITE
    return max(term.high - term.low, 0)


def _divides(equation: _Equation) -> bool:
    """Whether the greatest common divisor of the coefficients divides the constant."""
    if equation.low != equation.high:
        return True
    divisor = gcd(*equation.deltas.values())
    return equation.low % divisor == 0 if divisor else equation.low == 0


def _below(terms: Terms, a: Linear, b: Linear, zero: set[int]) -> bool:
    """Whether `a > b` is impossible."""
    equation = _equation(terms, a, b, zero)
    reach = sum(
        abs(c) * _width(terms, key)
        for key, c in equation.deltas.items()
        if not _is_zero(terms, key, zero)
    )
    return equation.low - reach >= 0
