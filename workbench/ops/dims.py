"""Symbolic extents: polynomials decide whether two shapes are equal.

A dimension becomes a polynomial with integer coefficients whose indeterminates are variables and
whatever is no sum or product (`n // 2`). Two extents are equal for all values if their polynomials
are; they are different for all values if the difference is a constant.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from workbench.ir import Binary, BinaryOp, Dim, IntImm, PrimExpr, Shape, as_dim, as_expr, binary

Monomial: TypeAlias = tuple[PrimExpr, ...]
"""A product of indeterminates, in canonical order; empty for the constant term."""
Polynomial: TypeAlias = dict[Monomial, int]


def polynomial(dim: Dim) -> Polynomial:
    """The canonical form of an extent."""
    match dim:
        case int():
            return {(): dim} if dim else {}
        case IntImm(value=value):
            return {(): value} if value else {}
        case Binary(op=BinaryOp.ADD, a=a, b=b):
            return _sum(polynomial(a), polynomial(b), 1)
        case Binary(op=BinaryOp.SUB, a=a, b=b):
            return _sum(polynomial(a), polynomial(b), -1)
        case Binary(op=BinaryOp.MUL, a=a, b=b):
            return _product(polynomial(a), polynomial(b))
        case _:
            return {(dim,): 1}


def _sum(a: Polynomial, b: Polynomial, sign: int) -> Polynomial:
    total = dict(a)
    for monomial, factor in b.items():
        total[monomial] = total.get(monomial, 0) + sign * factor
    return {monomial: factor for monomial, factor in total.items() if factor}


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for left, p in a.items():
        for right, q in b.items():
            monomial = tuple(sorted(left + right, key=repr))
            total[monomial] = total.get(monomial, 0) + p * q
    return {monomial: factor for monomial, factor in total.items() if factor}


def same(a: Dim, b: Dim) -> bool | None:
    """Whether two extents are equal: always (True), never (False), or it depends (None)."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if a == b:
        return True
    difference = _sum(polynomial(a), polynomial(b), -1)
    if not difference:
        return True
    return False if set(difference) == {()} else None


def same_shape(a: Shape, b: Shape) -> bool | None:
    """Whether two shapes are equal: always, never, or it depends."""
    if len(a) != len(b):
        return False
    answers = {same(x, y) for x, y in zip(a, b, strict=True)}
    return False if False in answers else None if None in answers else True


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements."""
    known = list(dims)
    if all(isinstance(dim, int) for dim in known):
        return math.prod(dim for dim in known if isinstance(dim, int))
    return as_dim(functools.reduce(operator.mul, (as_expr(dim) for dim in known), as_expr(1)))


def total(dims: Sequence[Dim]) -> Dim:
    """The sum of extents, in canonical form."""
    return expression(functools.reduce(lambda a, b: _sum(a, b, 1), map(polynomial, dims), {}))


def quotient(dividend: Dim, divisor: Dim) -> Dim | None:
    """`dividend / divisor` where that is a polynomial, else None."""
    upper, lower = polynomial(dividend), polynomial(divisor)
    if len(lower) != 1:
        return 1 if upper == lower else None
    ((monomial, factor),) = lower.items()
    result: Polynomial = {}
    for term, coefficient in upper.items():
        rest = Counter(term)
        rest.subtract(monomial)
        if coefficient % factor or min(rest.values(), default=0) < 0:
            return None
        result[tuple(sorted(rest.elements(), key=repr))] = coefficient // factor
    return expression(result)


def expression(terms: Polynomial) -> Dim:
    """A polynomial as an extent: `n * 4 + 1`."""
    if not terms:
        return 0
    summands = [
        functools.reduce(operator.mul, monomial, as_expr(1)) * factor if monomial else factor
        for monomial, factor in sorted(terms.items(), key=lambda item: (not item[0], repr(item[0])))
    ]
    return as_dim(functools.reduce(lambda a, b: binary(BinaryOp.ADD, a, b), summands))


def ceil_div(a: Dim, b: int) -> Dim:
    """`a / b`, rounded up."""
    return as_dim((as_expr(a) + (b - 1)) // b)


def floor_div(a: Dim, b: int) -> Dim:
    """`a / b`, rounded down."""
    return as_dim(as_expr(a) // b)
