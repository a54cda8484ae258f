"""Polynomials with integer coefficients over scalar expressions.

The normal form of index arithmetic. Reference: `tvm::arith::CanonicalSimplifier` keeps sums of
splits; a sparse polynomial with opaque atoms covers the same ground and symbolic extents too.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import TypeAlias

from workbench.ir.expr import INDEX, Binary, BinaryOp, IntImm, PrimExpr, Var, dtype_of

Monomial: TypeAlias = tuple[PrimExpr, ...]
"""A product of atoms, sorted; the empty product is the constant."""


class Poly:
    """A sum of integer multiples of monomials. Immutable by convention; terms are never zero."""

    __slots__ = ("terms",)

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self.terms = terms

    @staticmethod
    def const(value: int) -> Poly:
        """The constant polynomial."""
        return Poly({(): value} if value else {})

    @staticmethod
    def atom(expr: PrimExpr) -> Poly:
        """One atom with coefficient 1."""
        return Poly({(expr,): 1})

    @property
    def constant(self) -> int:
        """The constant term."""
        return self.terms.get((), 0)

    @property
    def is_const(self) -> bool:
        """Whether there is no atom at all."""
        return not self.terms or (len(self.terms) == 1 and () in self.terms)

    def __add__(self, other: Poly) -> Poly:
        return self.plus(other, 1)

    def __sub__(self, other: Poly) -> Poly:
        return self.plus(other, -1)

    def plus(self, other: Poly, factor: int) -> Poly:
        """`self + factor * other`."""
        terms = dict(self.terms)
        for key, coefficient in other.terms.items():
            total = terms.get(key, 0) + factor * coefficient
            if total:
                terms[key] = total
            else:
                terms.pop(key, None)
        return Poly(terms)

    def shift(self, value: int) -> Poly:
        """`self + value`."""
        return self.plus(Poly.const(value), 1)

    def scale(self, factor: int) -> Poly:
        """`factor * self`."""
        return Poly({key: c * factor for key, c in self.terms.items()} if factor else {})

    def __mul__(self, other: Poly) -> Poly:
        if other.is_const:
            return self.scale(other.constant)
        if self.is_const:
            return other.scale(self.constant)
        terms: dict[Monomial, int] = {}
        for key_a, a in self.terms.items():
            for key_b, b in other.terms.items():
                key = _product(key_a, key_b)
                terms[key] = terms.get(key, 0) + a * b
        return Poly({key: c for key, c in terms.items() if c})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def atoms(self) -> Iterator[PrimExpr]:
        """Every atom, once for each monomial that has it."""
        for key in self.terms:
            yield from key

    def coefficient(self, atom: PrimExpr) -> Poly:
        """The polynomial that multiplies `atom` where it occurs linearly."""
        found: dict[Monomial, int] = {}
        for key, value in self.terms.items():
            if key.count(atom) == 1:
                found[tuple(a for a in key if a != atom)] = value
        return Poly(found)

    def without(self, atom: PrimExpr) -> Poly:
        """The terms that do not have `atom`."""
        return Poly({key: value for key, value in self.terms.items() if atom not in key})

    def single_atom(self) -> PrimExpr | None:
        """The atom of `c * atom`, None for everything else."""
        if len(self.terms) != 1:
            return None
        (key,) = self.terms
        return key[0] if len(key) == 1 else None

    def divided(self, factor: int) -> Poly | None:
        """`self / factor` if that is a polynomial."""
        if any(value % factor for value in self.terms.values()):
            return None
        return self.scaled_down(factor)

    def scaled_down(self, factor: int) -> Poly:
        """`self / factor`, which the caller knows to be a polynomial."""
        return Poly({key: value // factor for key, value in self.terms.items()})

    def split(self, c: int) -> tuple[Poly, Poly]:
        """`(q, r)` with `self == c * q + r`: coefficients of r below c, its constant in [0, c)."""
        quotient: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for key, value in self.terms.items():
            q = value // c if not key or value >= 0 else -(-value // c)
            if q:
                quotient[key] = q
            if value != q * c:
                rest[key] = value - q * c
        return Poly(quotient), Poly(rest)

    def common_factor(self, c: int) -> tuple[int, Poly, Poly]:
        """`(g, large, small)`: the greatest factor g of c and of all terms of `large`.

        `large` holds every term that g divides; g is 1 and `large` empty where there is none.
        """
        factors = {gcd(value, c) for key, value in self.terms.items() if key}
        for g in sorted(factors, reverse=True):
            if g > 1:
                large = {key: v for key, v in self.terms.items() if v % g == 0}
                small = {key: v for key, v in self.terms.items() if v % g}
                return g, Poly(large), Poly(small)
        return 1, Poly({}), self

    def to_expr(self) -> PrimExpr:
        """The sum as an expression: positive terms first, the constant last.

        The constant is first where no term is positive: `7 - j`.
        """
        leads = bool(self.constant) and all(value < 0 for key, value in self.terms.items() if key)
        result: PrimExpr | None = IntImm(self.constant) if leads else None
        ordered = sorted(self.terms.items(), key=lambda item: (item[1] < 0, not item[0]))
        for key, value in ordered:
            if not key:
                continue
            if result is None:
                result = _scaled(key, value)
            elif value > 0:
                result = Binary(BinaryOp.ADD, result, _scaled(key, value))
            else:
                result = Binary(BinaryOp.SUB, result, _scaled(key, -value))
        if result is None:
            return IntImm(self.constant)
        if leads:
            return result
        if self.constant > 0:
            return Binary(BinaryOp.ADD, result, IntImm(self.constant))
        if self.constant < 0:
            return Binary(BinaryOp.SUB, result, IntImm(-self.constant))
        return result


def polynomial(expr: PrimExpr) -> Poly:
    """`expr` multiplied out; whatever is no sum or product of indices is an atom."""
    match expr:
        case IntImm(value=value):
            return Poly.const(value)
        case Binary(op=BinaryOp.ADD, a=a, b=b) if dtype_of(a) == INDEX:
            return polynomial(a) + polynomial(b)
        case Binary(op=BinaryOp.SUB, a=a, b=b) if dtype_of(a) == INDEX:
            return polynomial(a) - polynomial(b)
        case Binary(op=BinaryOp.MUL, a=a, b=b) if dtype_of(a) == INDEX:
            return polynomial(a) * polynomial(b)
        case _:
            return Poly.atom(expr)


def _product(a: Monomial, b: Monomial) -> Monomial:
    if not a or not b:
        return a or b
    return tuple(sorted(a + b, key=_order))


def _order(atom: PrimExpr) -> tuple[int, int, str]:
    return (0, atom.id, "") if isinstance(atom, Var) else (1, 0, repr(atom))


def _scaled(key: Monomial, value: int) -> PrimExpr:
    result = key[0]
    for atom in key[1:]:
        result = Binary(BinaryOp.MUL, result, atom)
    return result if value == 1 else Binary(BinaryOp.MUL, result, IntImm(value))
