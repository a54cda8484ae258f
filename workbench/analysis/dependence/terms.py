"""The terms of linear forms: loop variables, symbols, divisions, choices, products, unknowns.

A term that is no variable is numbered by its definition, so that equal definitions are one term.
Reference: quasi-affine expressions of isl (Verdoolaege, "isl: An Integer Set Library for the
Polyhedral Model", ICMS 2010); symbolic products are handled as in Grosser et al., "Optimistic
Delinearization of Parametrically Sized Arrays", ICS 2015.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from workbench.analysis.dependence.linear import MAX_TERMS, Conjunction, Linear, Row
from workbench.ir.expr import PrimExpr, Var

_DEGREE = 8
"""Factors of the longest product that is multiplied out."""
Ends = tuple[int | None, int | None]


class TermKind(enum.Enum):
    """What a term stands for."""

    LOOP = enum.auto()
    SYMBOL = enum.auto()
    FLOOR = enum.auto()
    CHOICE = enum.auto()
    PRODUCT = enum.auto()
    OPAQUE = enum.auto()


@dataclass(slots=True)
class Term:
    """One term: constant bounds, the loops that it depends on, and its definition.

    `below` is a form that is not greater (for a loop its start), `above` one that is greater (for a
    loop its end, for `a % s` the divisor); `expr` is the term as the program has it, and `floor`
    are the operands of a division by a constant. A term that
    is not `stable` may have different values at two instances even where its loops agree.
    `definition` are constraints that the term fulfils; they determine it unless `why` says what
    they leave open. `factors` are the terms that a product multiplies, `division` the operands of
    an opaque quotient (or rest, where the flag is set): both are linear once symbols have values.
    `variables` are those that `expr` is computed from, with their forms.
    """

    key: int
    kind: TermKind
    name: str
    low: int | None = None
    high: int | None = None
    deps: frozenset[int] = frozenset()
    stable: bool = True
    below: Linear | None = None
    above: Linear | None = None
    expr: PrimExpr | None = None
    floor: tuple[Linear, int] | None = None
    definition: Conjunction = ()
    factors: tuple[int, ...] = ()
    division: tuple[Linear, Linear, bool] | None = None
    variables: tuple[tuple[Var, Linear | None], ...] = ()
    why: str = ""


class Division(NamedTuple):
    """`dividend == quotient * divisor + rest`, all but the divisor as terms of loops.

    `operands` are the dividend and the divisor as the program has them.
    """

    dividend: Linear
    divisor: Linear
    rest: Linear
    operands: tuple[PrimExpr, PrimExpr]


class Terms:
    """The terms of one function; `quotients` have the divisions that a term is the quotient of."""

    def __init__(self, first: int) -> None:
        self.table: dict[int, Term] = {}
        self._known: dict[object, int] = {}
        self._next = first
        self.has_products = False
        self.quotients: dict[int, list[Division]] = {}

    def __getitem__(self, key: int) -> Term:
        return self.table[key]

    def variable(
        self, var: Var, kind: TermKind, ends: Ends, span: tuple[Linear, Linear] | None = None
    ) -> Linear:
        """A loop variable, with its start and its end, or a symbol."""
        key = var.id
        deps = frozenset((key,)) if kind is TermKind.LOOP else frozenset[int]()
        below, above = span or (None, None)
        self.table[key] = Term(key, kind, var.name, *ends, deps, below=below, above=above, expr=var)
        return Linear.of(key)

    def fresh(self, identity: object, term: Term) -> Linear:
        """The term with that identity, `term` where it is new."""
        known = self._known.get(identity)
        if known is None:
            known = term.key = self._next
            self._next += 1
            self.table[known] = term
            self._known[identity] = known
        return Linear.of(known)

    def known(self, identity: object) -> Linear | None:
        """The term with that identity, if there is one."""
        found = self._known.get(identity)
        return None if found is None else Linear.of(found)

    def identify(self, identity: object, form: Linear) -> None:
        """Let a term be known by one more identity."""
        (self._known[identity],) = form.terms

    def bounds(self, form: Linear) -> Ends:
        """Constant bounds by interval arithmetic."""
        low: int | None = form.constant
        high: int | None = form.constant
        for key, factor in form.terms.items():
            term = self.table[key]
            a, b = (term.low, term.high) if factor > 0 else (term.high, term.low)
            low = None if low is None or a is None else low + factor * a
            high = None if high is None or b is None else high + factor * b
        return low, high

    def deps(self, form: Linear) -> frozenset[int]:
        """The loops that a form depends on."""
        found: frozenset[int] = frozenset()
        for key in form.terms:
            found |= self.table[key].deps
        return found

    def stable(self, form: Linear) -> bool:
        """Whether equal loop variables give equal values."""
        return all(self.table[key].stable for key in form.terms)

    def text(self, form: Linear) -> str:
        """A form as an operand, for messages."""
        parts = [
            self.table[key].name if c == 1 else f"{self.table[key].name} * {c}"
            for key, c in form.terms.items()
        ]
        if form.constant or not parts:
            parts.append(str(form.constant))
        return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"

    # --- division by constants ------------------------------------------------------------

    def floor(self, form: Linear, divisor: int) -> Linear:
        """`form // divisor` for a positive divisor."""
        quotient = Linear({t: c // divisor for t, c in form.terms.items() if c % divisor == 0})
        rest = {t: c for t, c in form.terms.items() if c % divisor}
        quotient = quotient.shift(form.constant // divisor)
        left = Linear(rest, form.constant % divisor)
        low, high = self.bounds(left)
        if low is not None and high is not None and low // divisor == high // divisor:
            return quotient.shift(low // divisor)
        return quotient.plus(self._floor_term(left, divisor, (low, high)))

    def _floor_term(self, form: Linear, divisor: int, ends: Ends) -> Linear:
        identity = ("floor", form.key(), divisor)
        known = self.known(identity)
        if known is not None:
            return known
        low, high = (None if end is None else end // divisor for end in ends)
        name = f"{self.text(form)} // {divisor}"
        term = Term(-1, TermKind.FLOOR, name, low, high, self.deps(form), self.stable(form))
        made = self.fresh(identity, term)
        term.floor = form, divisor
        rest = form.plus(made, -divisor)
        term.definition = (Row(rest), Row(rest.scale(-1).shift(divisor - 1)))
        return made

    def modulo(self, form: Linear, divisor: int) -> Linear:
        """`form % divisor` for a positive divisor."""
        return form.plus(self.floor(form, divisor), -divisor)

    # --- symbolic products ----------------------------------------------------------------

    def product(self, a: Linear, b: Linear) -> Linear:
        """`a * b`, multiplied out."""
        if a.value is not None:
            return b.scale(a.value)
        if b.value is not None:
            return a.scale(b.value)
        if len(a.terms) * len(b.terms) > MAX_TERMS or self._degree(a) + self._degree(b) > _DEGREE:
            return self._large(a, b)
        total = a.scale(b.constant).plus(b.scale(a.constant)).shift(-a.constant * b.constant)
        for left, c in a.terms.items():
            for right, d in b.terms.items():
                total = total.plus(self.monomial((left, right)), c * d)
        return total

    def _degree(self, form: Linear) -> int:
        return max(len(self.table[key].factors) or 1 for key in form.terms)

    def _large(self, a: Linear, b: Linear) -> Linear:
        """A product that is not multiplied out."""
        deps = self.deps(a) | self.deps(b)
        stable = self.stable(a) and self.stable(b)
        why = "a product of many terms is not linear"
        term = Term(-1, TermKind.OPAQUE, "a product", deps=deps, stable=stable, why=why)
        return self.fresh(("large", a.key(), b.key()), term)

    def monomial(self, keys: tuple[int, ...]) -> Linear:
        """The product of terms."""
        factors = tuple(sorted(f for key in keys for f in (self.table[key].factors or (key,))))
        if not factors:
            return Linear({}, 1)
        if len(factors) == 1:
            return Linear.of(factors[0])
        self.has_products = True
        parts = [self.table[f] for f in factors]
        low = 0 if all(p.low is not None and p.low >= 0 for p in parts) else None
        deps = frozenset[int]().union(*(p.deps for p in parts))
        name = " * ".join(p.name for p in parts)
        term = Term(
            -1,
            TermKind.PRODUCT,
            name,
            low,
            None,
            deps,
            all(p.stable for p in parts),
            factors=factors,
            why=f"the product `{name}` is not linear",
        )
        return self.fresh(("product", factors), term)

    def split(self, form: Linear, divisor: Linear) -> tuple[Linear, Linear] | None:
        """`(q, r)` with `form == q * divisor + r` and `0 <= r < divisor`, where that is proved.

        For a divisor that is positive: nothing divides by zero.
        """
        weight = self.single(divisor)
        if weight is None:
            return None
        quotient, rest = Linear({}), Linear({}, form.constant)
        for key, c in form.terms.items():
            left = _without(self.table[key].factors or (key,), weight[1])
            if left is None or c % weight[0]:
                rest.terms[key] = c
            else:
                quotient = quotient.plus(self.monomial(left), c // weight[0])
        return (quotient, rest) if self._below(rest, divisor) else None

    def single(self, form: Linear) -> tuple[int, tuple[int, ...]] | None:
        """Coefficient and factors of a form that is a positive multiple of one product."""
        if form.constant or len(form.terms) != 1:
            return None
        ((key, c),) = form.terms.items()
        return (c, self.table[key].factors or (key,)) if c > 0 else None

    def value(self, form: Linear, values: Mapping[int, int]) -> int:
        """The value of a form over products of variables that have values."""
        return form.constant + sum(
            c * prod(values.get(factor, 0) for factor in self.table[key].factors or (key,))
            for key, c in form.terms.items()
        )

    def _below(self, rest: Linear, divisor: Linear) -> bool:
        """Whether `0 <= rest < divisor` follows from the bounds of the terms."""
        if rest.value == 0:
            return True
        low, _ = self.bounds(rest)
        return low is not None and low >= 0 and self.nonnegative(divisor.plus(rest, -1).shift(-1))

    def nonnegative(self, form: Linear, steps: int = 8) -> bool:
        """Whether `form >= 0` follows from the bounds of the terms."""
        low, _ = self.bounds(form)
        if low is not None and low >= 0:
            return True
        if steps == 0:
            return False
        for key, c in form.terms.items():
            if c < 0 and (weaker := self._weaken(form, key, c)) is not None:
                return self.nonnegative(weaker, steps - 1)
        return False

    def _weaken(self, form: Linear, key: int, c: int) -> Linear | None:
        """`form` with one variable of a negative term replaced by its greatest value."""
        for factor in self.table[key].factors or (key,):
            above = self.table[factor].above
            if above is not None:
                rest = _without(self.table[key].factors or (key,), (factor,))
                assert rest is not None
                scale = self.monomial(rest)
                low, _ = self.bounds(scale)
                if low is None or low < 0:
                    continue
                without = Linear({t: v for t, v in form.terms.items() if t != key}, form.constant)
                return without.plus(self.product(above.shift(-1), scale), c)
        return None


def _without(factors: tuple[int, ...], remove: tuple[int, ...]) -> tuple[int, ...] | None:
    """The factors that remain of a product divided by another, None where it does not divide."""
    left = list(factors)
    for factor in remove:
        if factor not in left:
            return None
        left.remove(factor)
    return tuple(left)
