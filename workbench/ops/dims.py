"""Symbolic extents: polynomials decide whether two shapes are equal.

Two extents are equal for all values if their polynomials are; they are different for all values if
the difference is a constant.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Iterable, Sequence

from workbench.ir import BinaryOp, Dim, as_dim, as_expr, binary
from workbench.ir.dims import Polynomial, polynomial


def same(a: Dim, b: Dim) -> bool | None:
    """Whether two extents are equal: always (True), never (False), or it depends (None)."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if a == b:
        return True
    difference = polynomial(as_expr(a) - as_expr(b))
    if not difference:
        return True
    return False if set(difference) == {()} else None


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements."""
    known = list(dims)
    if all(isinstance(dim, int) for dim in known):
        return math.prod(dim for dim in known if isinstance(dim, int))
    return as_dim(functools.reduce(operator.mul, (as_expr(dim) for dim in known), as_expr(1)))


def total(dims: Sequence[Dim]) -> Dim:
    """The sum of extents, in canonical form."""
    return expression(polynomial(functools.reduce(operator.add, map(as_expr, dims))))


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
