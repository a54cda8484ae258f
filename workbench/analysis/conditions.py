"""Conditions as inequalities between polynomials."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.analysis.polynomial import Poly
from workbench.analysis.ranges import Interval
from workbench.ir.expr import (
    INDEX,
    Binary,
    BinaryOp,
    IntImm,
    Not,
    PrimExpr,
    Var,
    dtype_of,
    is_float,
)
from workbench.support.ids import NodeId

_NEGATED = {
    BinaryOp.LT: BinaryOp.GE,
    BinaryOp.GE: BinaryOp.LT,
    BinaryOp.LE: BinaryOp.GT,
    BinaryOp.GT: BinaryOp.LE,
    BinaryOp.EQ: BinaryOp.NE,
    BinaryOp.NE: BinaryOp.EQ,
}


def negate(value: PrimExpr) -> PrimExpr:
    """The opposite of a condition; comparisons of floats stay, for NaN's sake."""
    match value:
        case IntImm(value=flag):
            return IntImm(1 - flag, "bool")
        case Not(value=inner):
            return inner
        case Binary(op=op, a=a, b=b) if op in _NEGATED and not is_float(dtype_of(a)):
            return Binary(_NEGATED[op], a, b)
        case _:
            return Not(value)


def inequalities(
    poly: Callable[[PrimExpr], Poly], condition: PrimExpr, *, holds: bool
) -> Iterator[Poly]:
    """Polynomials that are `>= 0` where the condition holds (or not)."""
    match condition:
        case Not(value=value):
            yield from inequalities(poly, value, holds=not holds)
        case Binary(op=BinaryOp.AND, a=a, b=b) if holds:
            yield from inequalities(poly, a, holds=True)
            yield from inequalities(poly, b, holds=True)
        case Binary(op=BinaryOp.OR, a=a, b=b) if not holds:
            yield from inequalities(poly, a, holds=False)
            yield from inequalities(poly, b, holds=False)
        case Binary(op=op, a=a, b=b) if op in _NEGATED and dtype_of(a) == INDEX:
            actual = op if holds else _NEGATED[op]
            yield from _order(actual, poly(a), poly(b))
        case _:
            return


def _order(op: BinaryOp, a: Poly, b: Poly) -> Iterator[Poly]:
    match op:
        case BinaryOp.LT:
            yield b - a.shift(1)
        case BinaryOp.LE:
            yield b - a
        case BinaryOp.GT:
            yield a - b.shift(1)
        case BinaryOp.GE:
            yield a - b
        case BinaryOp.EQ:
            yield a - b
            yield b - a
        case _:
            return


def tighten(ranges: dict[NodeId, Interval], fact: Poly) -> None:
    """Narrow the range of the variable of `c * x + d >= 0`."""
    atom = fact.shift(-fact.constant).single_atom()
    if not isinstance(atom, Var):
        return
    c, d = fact.terms[atom,], fact.constant
    old = ranges.get(atom.id, Interval())
    if c > 0 and (old.lo is None or (isinstance(old.lo, int) and -(d // c) > old.lo)):
        ranges[atom.id] = Interval(-(d // c), old.hi)
    elif c < 0 and (old.hi is None or (isinstance(old.hi, int) and d // -c < old.hi)):
        ranges[atom.id] = Interval(old.lo, d // -c)
