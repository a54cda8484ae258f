"""Loops that indices determine: two iterations that differ there give indices that differ.

An index is a sum of digits, `(loop // lower) % modulus` with a factor each. Digits that have room
below each other's factors can be told from it, a loop from digits that are all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Span:
    """The iterations of a loop: `start`, `start + 1`, ... below `start + extent`."""

    start: PrimExpr
    extent: PrimExpr


Spans = Mapping[NodeId, Span]


def determined(indices: Sequence[PrimExpr], spans: Spans) -> set[NodeId]:
    """The loops of `spans` that can be told from the indices, all taken together.

    By the form of the indices alone: digits of other forms tell nothing. What the indices name
    beside the loops counts as the same in all iterations.
    """
    forms = [form for index in indices if (form := _digits(index, spans)) is not None]
    known: dict[_Digit, None] = {}
    told: set[NodeId] = set()
    while True:
        count = len(known)
        for form in forms:
            rest = [d for d in form if d not in known and d.loop not in told]
            if _apart([(abs(form[d]), _most(d, spans)) for d in rest]):
                known.update(dict.fromkeys(rest))
        told = {d.loop for d in known if _complete(d, known, spans)}
        if len(known) == count:
            return told


def _digits(index: PrimExpr, spans: Spans) -> dict[_Digit, int] | None:
    """The digits that an index sums up, with their factors; None where it does something else."""
    digit = _digit(index, spans)
    if digit is not None:
        return {digit: 1}
    match index:
        case _ if spans.keys().isdisjoint(free_vars(index)):
            return {}
        case Binary(op=BinaryOp.ADD | BinaryOp.SUB as op, a=a, b=b):
            left, right = _digits(a, spans), _digits(b, spans)
            if left is None or right is None:
                return None
            sign = 1 if op is BinaryOp.ADD else -1
            found = {d: left.get(d, 0) + sign * right.get(d, 0) for d in (*left, *right)}
            return {d: factor for d, factor in found.items() if factor}
        case Binary(op=BinaryOp.MUL, a=a, b=IntImm(value=factor)):
            return _scaled(_digits(a, spans), factor)
        case Binary(op=BinaryOp.MUL, a=IntImm(value=factor), b=b):
            return _scaled(_digits(b, spans), factor)
        case _:
            return None


def _scaled(form: dict[_Digit, int] | None, factor: int) -> dict[_Digit, int] | None:
    return None if form is None or not factor else {d: f * factor for d, f in form.items()}


def _digit(expr: PrimExpr, spans: Spans) -> _Digit | None:
    """A digit of one loop, or the loop as a whole."""
    match expr:
        case Var(id=loop) if loop in spans:
            return _Digit(loop, expr)
        case Binary(op=BinaryOp.FLOORDIV | BinaryOp.FLOORMOD as op, a=a, b=b) if (
            spans.keys().isdisjoint(free_vars(b))
        ):
            digit = _digit(a, spans) or _shifted(a, spans)
            if digit is None or digit.modulus is not None:
                return None
            if op is BinaryOp.FLOORMOD:
                return replace(digit, modulus=b)
            return replace(digit, lower=_product(digit.lower, b))
        case _:
            return None


def _shifted(expr: PrimExpr, spans: Spans) -> _Digit | None:
    """A loop from another start."""
    match expr:
        case Binary(op=BinaryOp.ADD | BinaryOp.SUB, a=Var(id=loop), b=b) if (
            loop in spans and spans.keys().isdisjoint(free_vars(b))
        ):
            return _Digit(loop, expr)
        case _:
            return None


def _product(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return b if a == _ONE else Facts().simplify(Binary(BinaryOp.MUL, a, b))


def _most(digit: _Digit, spans: Spans) -> float:
    """The largest difference between two values of a digit."""
    span, lower, modulus = spans[digit.loop], digit.lower, digit.modulus
    whole = math.inf
    size = span.extent.value if isinstance(span.extent, IntImm) else math.inf
    if isinstance(lower, IntImm) and lower.value > 0 and _is_fixed(span, spans):
        whole = max(size - 1, 0) // lower.value + (lower != _ONE)
    if modulus is None:
        return whole
    if not isinstance(modulus, IntImm):
        return math.inf
    # The digit of a base that passes a multiple of the modulus begins again.
    return whole if _never_wraps(digit, span) else abs(modulus.value) - 1


def _never_wraps(digit: _Digit, span: Span) -> bool:
    """Whether a digit is that of the base without its modulus, from all that its form says."""
    start, extent, lower, modulus = span.start, span.extent, digit.lower, digit.modulus
    if not (isinstance(start, IntImm) and isinstance(extent, IntImm)):
        return False
    if not (isinstance(lower, IntImm) and isinstance(modulus, IntImm) and lower.value > 0):
        return False
    plain = isinstance(digit.base, Var)
    return plain and start.value >= 0 and start.value + extent.value <= lower.value * modulus.value


def _is_fixed(span: Span, spans: Spans) -> bool:
    """Whether a loop has one range, whatever the iteration of the others."""
    named = free_vars(span.start).keys() | free_vars(span.extent).keys()
    return spans.keys().isdisjoint(named)


def _apart(digits: Sequence[tuple[int, float]]) -> bool:
    """Whether digits, each a factor and the largest difference, are told from their sum."""
    reach = 0.0
    for factor, most in sorted(digits):
        if factor <= reach:
            return False
        reach += factor * most
    return True


def _complete(digit: _Digit, known: Mapping[_Digit, None], spans: Spans) -> bool:
    """Whether the known digits of a base are all of it, from the lowest up."""
    digits = [d for d in known if d.base == digit.base]
    tops = {d.lower for d in digits if d.modulus is None}
    span = spans[digit.loop]
    extent = span.extent if _is_fixed(span, spans) else None
    seen: set[PrimExpr] = set()
    pending: list[PrimExpr] = [_ONE]
    while pending:
        covered = pending.pop()
        if covered in tops or _reaches(covered, extent):
            return True
        if covered not in seen:
            seen.add(covered)
            moduli = (d.modulus for d in digits if d.lower == covered and d.modulus is not None)
            pending += [_product(covered, modulus) for modulus in moduli]
    return False


def _reaches(covered: PrimExpr, extent: PrimExpr | None) -> bool:
    if isinstance(covered, IntImm) and isinstance(extent, IntImm):
        return covered.value >= extent.value
    return covered == extent
