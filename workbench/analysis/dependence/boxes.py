"""Boxes around accesses: the least and the greatest value of each index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.statements import Access, Statement
from workbench.analysis.dependence.terms import Term, TermKind, Terms
from workbench.ir.expr import BinaryOp, BufferType, Dim, IntImm, PrimExpr, Var, as_expr, binary
from workbench.ir.tensor import Range

Side = tuple[Linear, ...]
"""Lower or upper ends: the least, or the greatest of them counts."""


@dataclass(frozen=True, slots=True)
class Box:
    """Lower and upper ends of each dimension, both included; None where nothing is known.

    `exact` where every element of the box is touched.
    """

    ends: tuple[tuple[Side, Side] | None, ...]
    exact: bool

    def ranges(self, terms: Terms, buffer: Var) -> tuple[Range, ...]:
        """Starts and extents; the whole dimension where nothing is known."""
        assert isinstance(buffer.type, BufferType)
        return tuple(
            _range(terms, ends, dim) for ends, dim in zip(self.ends, buffer.type.shape, strict=True)
        )


def _range(terms: Terms, ends: tuple[Side, Side] | None, dim: Dim) -> Range:
    if ends is None:
        return Range(IntImm(0), as_expr(dim))
    low, high = ends
    start = _combined(terms, low, BinaryOp.MIN)
    if len(low) == len(high) == 1:
        return Range(start, expression(terms, high[0].plus(low[0], -1).shift(1)))
    return Range(start, _combined(terms, high, BinaryOp.MAX) - start + 1)


def _combined(terms: Terms, side: Side, op: BinaryOp) -> PrimExpr:
    result = expression(terms, side[0])
    for form in side[1:]:
        result = binary(op, result, expression(terms, form))
    return result


def box_of(terms: Terms, statement: Statement, access: Access, outer: frozenset[int]) -> Box:
    """The box of one access while the loops that are not `outer` run."""
    ends = tuple(_ends(terms, form, outer) for form in access.indices)
    guarded = bool(statement.guards or access.guards or statement.inexact or access.inexact)
    inner = [key for key in statement.keys if key not in outer]
    exact = not guarded and None not in ends and _dense(terms, access.indices, inner)
    return Box(ends, exact)


def joined(terms: Terms, a: Box, b: Box) -> Box:
    """The box around two; exact where one holds the other, or they meet along one dimension."""
    ends = tuple(
        None
        if one is None or other is None
        else (_join(terms, one[0], other[0], -1), _join(terms, one[1], other[1], 1))
        for one, other in zip(a.ends, b.ends, strict=True)
    )
    held = (a.exact and _keys(ends) == _keys(a.ends)) or (b.exact and _keys(ends) == _keys(b.ends))
    return Box(ends, held or (a.exact and b.exact and _meet(terms, a, b)))


def _keys(ends: Sequence[tuple[Side, Side] | None]) -> list[object]:
    return [pair and [[f.key() for f in side] for side in pair] for pair in ends]


def _meet(terms: Terms, a: Box, b: Box) -> bool:
    """Whether boxes are alike in all dimensions but one, where no element lies between them."""
    pairs = zip(a.ends, b.ends, _keys(a.ends), _keys(b.ends), strict=True)
    unlike = [(one, other) for one, other, key, same in pairs if key != same]
    if len(unlike) != 1:
        return False
    one, other = unlike[0]
    return (
        one is not None
        and other is not None
        and all(
            terms.nonnegative(high.plus(low, -1).shift(1))
            for (_, highs), (lows, _) in ((one, other), (other, one))
            for high in highs
            for low in lows
        )
    )


def _join(terms: Terms, a: Side, b: Side, sign: int) -> Side:
    """The ends that count: those that others reach are left out."""
    kept: list[Linear] = []
    for form in (*a, *b):
        if any(terms.nonnegative(k.plus(form, -1).scale(sign)) for k in kept):
            continue
        kept = [k for k in kept if not terms.nonnegative(form.plus(k, -1).scale(sign))]
        kept.append(form)
    return tuple(kept)


# --- ends of forms ----------------------------------------------------------------------------


def _ends(terms: Terms, form: Linear, outer: frozenset[int]) -> tuple[Side, Side] | None:
    low, high = _end(terms, form, outer, -1), _end(terms, form, outer, 1)
    return None if low is None or high is None else ((low,), (high,))


def _end(terms: Terms, form: Linear, outer: frozenset[int], sign: int) -> Linear | None:
    """The least (sign -1) or greatest (sign 1) value, in terms that depend on outer loops only."""
    while inner := [key for key in form.terms if not terms[key].deps <= outer]:
        key = max(inner, key=lambda k: (len(terms[k].deps - outer), k))
        rest = _without_modulo(terms, form, key)
        if rest is not None:
            times, form, divisor = rest
            form = form.shift(times * (divisor - 1) if times * sign > 0 else 0)
            continue
        c = form.terms[key]
        value = _extreme(terms, terms[key], outer, sign if c > 0 else -sign)
        if value is None:
            return None
        rest = Linear({k: v for k, v in form.terms.items() if k != key}, form.constant)
        form = rest.plus(value, c)
    return form


def _without_modulo(terms: Terms, form: Linear, key: int) -> tuple[int, Linear, int] | None:
    """`(times, rest, divisor)` of `times * (dividend % divisor) + rest`."""
    for name, c in form.terms.items():
        floor = terms[name].floor
        if floor is None or c % floor[1] or key not in (name, *floor[0].terms):
            continue
        times = -c // floor[1]
        if all(form.terms.get(k) == times * v for k, v in floor[0].terms.items()):
            modulo = floor[0].plus(Linear.of(name), -floor[1])
            return times, form.plus(modulo, -times), floor[1]
    return None


def _extreme(terms: Terms, term: Term, outer: frozenset[int], sign: int) -> Linear | None:
    """The least or greatest value of one term."""
    if term.kind is TermKind.LOOP:
        bound = term.above if sign > 0 else term.below
        if bound is not None:
            return bound.shift(-1) if sign > 0 else bound
    if term.floor is not None:
        dividend, divisor = term.floor
        end = _end(terms, dividend, outer, sign)
        return None if end is None else terms.floor(end, divisor)
    constant = term.high if sign > 0 else term.low
    return None if constant is None else Linear({}, constant)


def _dense(terms: Terms, forms: Sequence[Linear], inner: Sequence[int]) -> bool:
    """Whether inner loops reach every value between the ends, independently a dimension."""
    used: set[int] = set()
    for form in forms:
        moving = [key for key in form.terms if not terms[key].deps.isdisjoint(inner)]
        if used.intersection(moving) or any(terms[k].kind is not TermKind.LOOP for k in moving):
            return False
        used.update(moving)
        if not _contiguous(terms, sorted((abs(form.terms[k]), k) for k in moving)):
            return False
    return True


def _contiguous(terms: Terms, steps: Sequence[tuple[int, int]]) -> bool:
    reach = 0
    for position, (step, key) in enumerate(steps):
        if step > reach + 1:
            return False
        low, high = terms[key].low, terms[key].high
        last = position == len(steps) - 1
        if low is None or high is None:
            return last
        reach += step * (high - low)
    return True


# --- forms as expressions ---------------------------------------------------------------------


def expression(terms: Terms, form: Linear) -> PrimExpr:
    """A form as an index expression, positive terms first; the constant where there is none."""
    leads = bool(form.constant) and all(c < 0 for c in form.terms.values())
    result: PrimExpr | None = IntImm(form.constant) if leads else None
    for key, c in sorted(form.terms.items(), key=lambda item: item[1] < 0):
        operand = binary(BinaryOp.MUL, term_expression(terms, terms[key]), IntImm(abs(c)))
        if result is None:
            result = operand if c > 0 else IntImm(0) - operand
        else:
            result = binary(BinaryOp.ADD if c > 0 else BinaryOp.SUB, result, operand)
    if result is None:
        return IntImm(form.constant)
    if leads:
        return result
    op = BinaryOp.ADD if form.constant >= 0 else BinaryOp.SUB
    return binary(op, result, IntImm(abs(form.constant)))


def term_expression(terms: Terms, term: Term) -> PrimExpr:
    """A term as an index expression."""
    if term.expr is not None:
        return term.expr
    if term.floor is not None:
        dividend, divisor = term.floor
        return expression(terms, dividend) // divisor
    factors: Iterator[PrimExpr] = (term_expression(terms, terms[f]) for f in term.factors)
    result: PrimExpr = IntImm(1)
    for factor in factors:
        result = binary(BinaryOp.MUL, result, factor)
    return result
