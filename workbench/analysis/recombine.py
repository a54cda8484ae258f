"""Put digits of a number together again: `a // c * c + a % c` is `a`.

So are `a // c * c` and `a - a % c` one, and `a % (b * c) // c + a // (b * c) * b` is `a // c`.
Reference: `tvm::arith::CanonicalSimplifier`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    INDEX,
    Binary,
    BinaryOp,
    IntImm,
    PrimExpr,
    Var,
    dtype_of,
    map_children,
    walk,
)

_DIVISIONS = frozenset({BinaryOp.FLOORDIV, BinaryOp.FLOORMOD})


def recombined(expr: PrimExpr, facts: Facts) -> PrimExpr:
    """An equal expression in whose indices and conditions quotients and remainders have met."""
    if not any(isinstance(node, Binary) and node.op in _DIVISIONS for node in walk(expr)):
        return expr
    return _recombined(expr, facts)


def _recombined(node: Any, facts: Facts) -> Any:  # noqa: ANN401
    if isinstance(node, Var):
        return node
    if not isinstance(node, Binary) or dtype_of(node) != INDEX:
        return map_children(node, lambda child: _recombined(child, facts))
    found = facts.poly(node)
    while (step := _step(found, facts)) is not None:
        found = step
    return found.to_expr()


def _step(poly: Poly, facts: Facts) -> Poly | None:
    """Some digits put together."""
    for key, factor in poly.terms.items():
        if len(key) == 1 and isinstance(key[0], Binary):
            for parts, whole in _sums(key[0], facts):
                times, left = divmod(factor, parts.terms[key])
                met = parts.scale(times)
                if not left and met.terms.items() <= poly.terms.items():
                    return poly - met + whole.scale(times)
    return None


def _sums(atom: Binary, facts: Facts) -> Iterator[tuple[Poly, Poly]]:
    """Sums with `atom` in them, and what they equal."""
    match atom:
        case Binary(op=BinaryOp.FLOORMOD, a=a, b=b) if b != IntImm(0):
            quotient = Poly.atom(Binary(BinaryOp.FLOORDIV, a, b)) * facts.poly(b)
            yield Poly.atom(atom) + quotient, facts.poly(a)
            yield Poly.atom(atom) - facts.poly(a), quotient.scale(-1)
            yield from _middle_digit(atom, a, b)
        case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=c)) if c > 0:
            rest = _atom(BinaryOp.FLOORMOD, a, c)
            yield Poly.atom(atom).scale(c) - facts.poly(a), rest.scale(-1)
            yield from _high_digit(atom, a, c, facts)
        case _:
            pass


def _high_digit(atom: Binary, inner: PrimExpr, c: int, facts: Facts) -> Iterator[tuple[Poly, Poly]]:
    """`a % m // c` with what stands above it, or with what stands below."""
    match inner:
        case Binary(op=BinaryOp.FLOORMOD, a=a, b=IntImm(value=m)) if m > 0 and m % c == 0:
            high = _atom(BinaryOp.FLOORDIV, a, m).scale(m // c)
            yield Poly.atom(atom) + high, facts.poly(Binary(BinaryOp.FLOORDIV, a, IntImm(c)))
            yield Poly.atom(atom).scale(c) + _atom(BinaryOp.FLOORMOD, a, c), Poly.atom(inner)
        case _:
            pass


def _middle_digit(atom: Binary, inner: PrimExpr, m: PrimExpr) -> Iterator[tuple[Poly, Poly]]:
    """`a // c % m` with what stands below it."""
    match inner, m:
        case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=c)), IntImm(value=d) if c > 0 < d:
            low = _atom(BinaryOp.FLOORMOD, a, c)
            yield Poly.atom(atom).scale(c) + low, _atom(BinaryOp.FLOORMOD, a, c * d)
        case _:
            pass


def _atom(op: BinaryOp, a: PrimExpr, b: int) -> Poly:
    return Poly.atom(Binary(op, a, IntImm(b)))
