"""Quick proofs that two accesses never meet, from coefficients and bounds alone.

The differences of loop variables between two instances are narrowed, subscript by subscript,
until one of them has no value left: the Banerjee and GCD tests (Banerjee, "Dependence Analysis
for Supercomputing", 1988), applied as constraint propagation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.ranges import Narrowed
from workbench.analysis.dependence.terms import Ends, TermKind, Terms

_INFINITE = float("inf")
_ROUNDS = 6
Span = tuple[float, float]
Forms = Sequence[tuple[Linear, Linear]]


@dataclass(slots=True)
class _Equation:
    """`sum(coefficient * difference) + rest == 0`, with the rest between two bounds.

    At least 0 where it is no equation.
    """

    deltas: dict[int, int]
    low: float
    high: float
    equal: bool = True


class _ImpossibleError(Exception):
    """There are no such instances."""


@dataclass(slots=True)
class Proof:
    """An attempt to show that there is no pair of instances.

    `first` and `second` are the bounds of terms at either one; `zero` are the terms that agree,
    `spans` the bounds of differences, second minus first.
    """

    terms: Terms
    first: Narrowed
    second: Narrowed
    zero: set[int]
    spans: dict[int, Span] = field(default_factory=dict[int, Span])

    def excludes(
        self, equal: Forms, greater: Forms, before: Iterable[int], after: Iterable[int]
    ) -> bool:
        """Whether no instances make the forms equal, and the first of `greater` greater.

        `before` are loops that have a smaller value at the first instance, `after` a greater one.
        """
        try:
            for key in before:
                self._narrow(key, 1, _INFINITE)
            for key in after:
                self._narrow(key, -_INFINITE, -1)
            self._propagate(
                [self._equation(a, b) for a, b in equal] + [self._greater(a, b) for a, b in greater]
            )
        except _ImpossibleError:
            return True
        return False

    def _propagate(self, equations: Sequence[_Equation]) -> None:
        for _ in range(_ROUNDS):
            progress = [self._reduce(equation) for equation in equations]
            if not any(progress):
                return

    # --- bounds ---------------------------------------------------------------------------

    def _ends(self, key: int, side: Narrowed) -> Ends:
        found = side.get(key)
        if found is None:
            term = self.terms[key]
            return term.low, term.high
        return found

    def span(self, key: int) -> Span:
        """The bounds of the difference of a term."""
        if self._agrees(key):
            return 0, 0
        found = self.spans.get(key)
        if found is None:
            (low, high), (least, most) = self._ends(key, self.first), self._ends(key, self.second)
            found = self.spans[key] = (
                -_INFINITE if least is None or high is None else least - high,
                _INFINITE if most is None or low is None else most - low,
            )
        return found

    def _agrees(self, key: int) -> bool:
        if key in self.zero:
            return True
        term = self.terms[key]
        return term.stable and term.deps <= self.zero

    def _narrow(self, key: int, low: float, high: float) -> bool:
        """Note bounds of a difference; whether they are new."""
        old = self.span(key)
        new = max(old[0], low), min(old[1], high)
        if new[0] > new[1]:
            raise _ImpossibleError
        if new == old:
            return False
        self.spans[key] = new
        if new == (0, 0):
            self.zero.add(key)
        return True

    # --- equations ------------------------------------------------------------------------

    def _greater(self, a: Linear, b: Linear) -> _Equation:
        """`a - b - 1 >= 0`, with a at the first instance and b at the second."""
        found = self._equation(a, b)
        deltas = {key: -c for key, c in found.deltas.items()}
        return _Equation(deltas, -found.high - 1, -found.low - 1, equal=False)

    def _equation(self, a: Linear, b: Linear) -> _Equation:
        """`b - a == 0`, with a at the first instance and b at the second."""
        result = _Equation({}, b.constant - a.constant, b.constant - a.constant)
        for key in {**a.terms, **b.terms}:
            left, right = a.terms.get(key, 0), b.terms.get(key, 0)
            term = self.terms[key]
            if self._agrees(key):
                _widen(result, right - left, self._ends(key, self.first))
            elif left == right and term.stable and term.kind is not TermKind.OPAQUE:
                result.deltas[key] = left
            else:
                _widen(result, -left, self._ends(key, self.first))
                _widen(result, right, self._ends(key, self.second))
        return result

    def _reduce(self, equation: _Equation) -> bool:
        """Narrow the differences in one equation; whether anything is new."""
        for key in [key for key in equation.deltas if self._agrees(key)]:
            del equation.deltas[key]
        reach = {key: _scaled(c, self.span(key)) for key, c in equation.deltas.items()}
        low = equation.low + sum(part[0] for part in reach.values())
        high = equation.high + sum(part[1] for part in reach.values())
        if high < 0 or (equation.equal and (low > 0 or not _divides(equation))):
            raise _ImpossibleError
        progress = False
        for key, c in equation.deltas.items():
            least = -_without(high, equation.high, reach, key, 1)
            most = -_without(low, equation.low, reach, key, 0) if equation.equal else _INFINITE
            progress = self._narrow(key, *_quotient(c, least, most)) or progress
        return progress


def _widen(equation: _Equation, factor: int, ends: Ends) -> None:
    if factor == 0:
        return
    first, last = ends if factor > 0 else ends[::-1]
    equation.low += -_INFINITE if first is None else factor * first
    equation.high += _INFINITE if last is None else factor * last


def _scaled(factor: int, span: Span) -> Span:
    return (
        (factor * span[0], factor * span[1])
        if factor > 0
        else (
            factor * span[1],
            factor * span[0],
        )
    )


def _without(total: float, rest: float, reach: Mapping[int, Span], key: int, side: int) -> float:
    """A bound of the sum of all parts but one."""
    if abs(total) != _INFINITE:
        return total - reach[key][side]
    return rest + sum(part[side] for other, part in reach.items() if other != key)


def _quotient(factor: int, low: float, high: float) -> Span:
    """Bounds of the integers `d` with `low <= factor * d <= high`."""
    if factor < 0:
        factor, low, high = -factor, -high, -low
    return (
        low if abs(low) == _INFINITE else -(-low // factor),
        high if abs(high) == _INFINITE else high // factor,
    )


def _divides(equation: _Equation) -> bool:
    """Whether the greatest common divisor of the coefficients divides the constant."""
    if equation.low != equation.high:
        return True
    divisor = gcd(*equation.deltas.values())
    return equation.low % divisor == 0 if divisor else equation.low == 0
