"""Loops that indices determine: two iterations that differ there give indices that differ.

An index is a sum of digits, `(loop // lower) % modulus` with a factor each. Digits that have room
below each other's factors can be told from it, a loop from digits that are all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.ir.expr import Binary, BinaryOp, IntImm, PrimExpr, Var
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId

_ONE = IntImm(1)


@dataclass(frozen=True, slots=True)
class _Digit:
    """`(base // lower) % modulus` of a base that differs from a loop by a constant."""

    loop: NodeId
    base: PrimExpr
    lower: PrimExpr = _ONE
    modulus: PrimExpr | None = None


def determined(indices: Sequence[PrimExpr], extents: Mapping[NodeId, PrimExpr]) -> set[NodeId]:
    """The loops of `extents` that can be told from the indices, all taken together.

    By the form of the indices alone: digits of other forms tell nothing.
    """
    forms = [form for index in indices if (form := _digits(index, extents)) is not None]
    known: set[_Digit] = set()
    told: set[NodeId] = set()
    while True:
        count = len(known)
        for form in forms:
            rest = [d for d in form if d not in known and d.loop not in told]
            if _apart([(abs(form[d]), _most(d, extents)) for d in rest]):
                known.update(rest)
        told = {d.loop for d in known if _complete(d, known, extents)}
        if len(known) == count:
            return told


def _digits(index: PrimExpr, extents: Mapping[NodeId, PrimExpr]) -> dict[_Digit, int] | None:
    """The digits that an index sums up, with their factors; None where it does something else."""
    digit = _digit(index, extents)
    if digit is not None:
        return {digit: 1}
    match index:
        case _ if extents.keys().isdisjoint(free_vars(index)):
            return {}
        case Binary(op=BinaryOp.ADD | BinaryOp.SUB as op, a=a, b=b):
            left, right = _digits(a, extents), _digits(b, extents)
            if left is None or right is None:
                return None
            sign = 1 if op is BinaryOp.ADD else -1
            found = {d: left.get(d, 0) + sign * right.get(d, 0) for d in (*left, *right)}
            return {d: factor for d, factor in found.items() if factor}
        case Binary(op=BinaryOp.MUL, a=a, b=IntImm(value=factor)):
            return _scaled(_digits(a, extents), factor)
        case Binary(op=BinaryOp.MUL, a=IntImm(value=factor), b=b):
            return _scaled(_digits(b, extents), factor)
        case _:
            return None


def _scaled(form: dict[_Digit, int] | None, factor: int) -> dict[_Digit, int] | None:
    return None if form is None or not factor else {d: f * factor for d, f in form.items()}


def _digit(expr: PrimExpr, extents: Mapping[NodeId, PrimExpr]) -> _Digit | None:
    """A digit of one loop, or the loop as a whole."""
    match expr:
        case Var(id=loop) if loop in extents:
            return _Digit(loop, expr)
        case Binary(op=BinaryOp.FLOORDIV | BinaryOp.FLOORMOD as op, a=a, b=b) if (
            extents.keys().isdisjoint(free_vars(b))
        ):
            digit = _digit(a, extents) or _shifted(a, extents)
            if digit is None or digit.modulus is not None:
                return None
            if op is BinaryOp.FLOORMOD:
                return replace(digit, modulus=b)
            return replace(digit, lower=_product(digit.lower, b))
        case _:
            return None


def _shifted(expr: PrimExpr, extents: Mapping[NodeId, PrimExpr]) -> _Digit | None:
    """A loop from another start."""
    match expr:
        case Binary(op=BinaryOp.ADD | BinaryOp.SUB, a=Var(id=loop), b=b) if (
            loop in extents and extents.keys().isdisjoint(free_vars(b))
        ):
            return _Digit(loop, expr)
        case _:
            return None


def _product(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return b if a == _ONE else Facts().simplify(Binary(BinaryOp.MUL, a, b))


def _most(digit: _Digit, extents: Mapping[NodeId, PrimExpr]) -> float:
    """The largest difference between two values of a digit."""
    ends = [math.inf]
    if isinstance(digit.modulus, IntImm):
        ends.append(abs(digit.modulus.value) - 1)
    extent = extents[digit.loop]
    if isinstance(extent, IntImm) and isinstance(digit.lower, IntImm) and digit.lower.value > 0:
        ends.append(max(extent.value - 1, 0) // digit.lower.value + (digit.lower != _ONE))
    return min(ends)


def _apart(digits: Sequence[tuple[int, float]]) -> bool:
    """Whether digits, each a factor and the largest difference, are told from their sum."""
    reach = 0.0
    for factor, most in sorted(digits):
        if factor <= reach:
            return False
        reach += factor * most
    return True


def _complete(
    digit: _Digit, known: AbstractSet[_Digit], extents: Mapping[NodeId, PrimExpr]
) -> bool:
    """Whether the known digits of a base are all of it, from the lowest up."""
    lower = {d.lower: d for d in known if d.base == digit.base and d.modulus is not None}
    tops = {d.lower for d in known if d.base == digit.base and d.modulus is None}
    covered: PrimExpr = _ONE
    while covered not in tops:
        if _reaches(covered, extents[digit.loop]):
            return True
        found = lower.pop(covered, None)
        if found is None or found.modulus is None:
            return False
        covered = _product(covered, found.modulus)
    return True


def _reaches(covered: PrimExpr, extent: PrimExpr) -> bool:
    if isinstance(covered, IntImm) and isinstance(extent, IntImm):
        return covered.value >= extent.value
    return covered == extent
