"""Boxes: symbolic intervals that hold all values of index expressions under some loops.

Reference: bounds inference of Halide (Ragan-Kelley et al., PLDI 2013, section 4.2);
`tvm::arith::EvalSet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.polynomial import Poly
from workbench.analysis.ranges import Interval
from workbench.ir import (
    INDEX,
    Binary,
    BinaryOp,
    Block,
    Cast,
    For,
    If,
    IntImm,
    Let,
    PrimExpr,
    Select,
    Stmt,
    Var,
    binary,
    dtype_of,
    walk,
)
from workbench.schedule.scope import walk_statements
from workbench.support import NodeId

_MONOTONE = frozenset({BinaryOp.MIN, BinaryOp.MAX})


@dataclass(frozen=True, slots=True)
class Span:
    """`low <= value <= high`, both expressions; None where it is not known."""

    low: PrimExpr | None
    high: PrimExpr | None

    @property
    def known(self) -> tuple[PrimExpr, PrimExpr] | None:
        """Both ends where both are known."""
        return None if self.low is None or self.high is None else (self.low, self.high)


UNKNOWN = Span(None, None)


def facts_at(path: Sequence[Stmt]) -> Facts:
    """What is known inside the statements of a path: ranges of loops, conditions."""
    facts = Facts()
    for stmt, inside in zip(path, (*path[1:], None), strict=False):
        match stmt:
            case For(var=var, start=start, extent=extent):
                facts = facts.with_range(var, loop_interval(start, extent))
            case If(condition=condition, then=then, otherwise=otherwise):
                holds = inside is then or otherwise is None
                facts = facts.assume(condition, holds=holds)
            case Let(var=var, value=value) if dtype_of(value) == INDEX:
                facts = facts.with_value(var, value)
            case Block(axes=axes, predicate=predicate):
                for axis in axes:
                    facts = facts.with_value(axis.var, axis.value)
                facts = facts if predicate is None else facts.assume(predicate)
            case _:
                continue
    return facts


def bound_in(stmt: Stmt) -> set[NodeId]:
    """The variables that a statement and those in it bind."""
    found: set[NodeId] = set()
    for inner in walk_statements(stmt):
        if isinstance(inner, For | Let):
            found.add(inner.var.id)
        elif isinstance(inner, Block):
            found.update(axis.var.id for axis in inner.axes)
    return found


class Box:
    """Spans of expressions while some variables run over spans of their own.

    `inner` has the variables that run; all others stay as they are in the ends. `facts` is what
    is known about those others.
    """

    def __init__(self, facts: Facts, inner: Mapping[NodeId, Span]) -> None:
        self.facts = facts
        self.inner = inner

    @staticmethod
    def over(facts: Facts, loops: Sequence[For]) -> Box:
        """The box where the loops run over all their iterations."""
        inner: dict[NodeId, Span] = {}
        for loop in loops:
            box = Box(facts, inner)
            first, last = box.of(loop.start), box.of(loop.start + loop.extent - 1)
            inner = {**inner, loop.var.id: Span(first.low, last.high)}
        return Box(facts, inner)

    def of(self, expr: PrimExpr) -> Span:
        """The span of an `int64` expression."""
        if not self._moves(expr):
            return Span(expr, expr)
        return self._of_poly(self._inner_facts().poly(expr))

    def _inner_facts(self) -> Facts:
        """The facts with constant ranges of the inner variables, for normal forms."""
        ranges = dict(self.facts.ranges)
        for var, span in self.inner.items():
            low = None if span.low is None else self.facts.const_bounds(span.low)[0]
            high = None if span.high is None else self.facts.const_bounds(span.high)[1]
            ranges[var] = Interval(low, high)
        return Facts(ranges, self.facts.inequalities)

    def _moves(self, expr: PrimExpr) -> bool:
        return any(isinstance(node, Var) and node.id in self.inner for node in walk(expr))

    def _of_poly(self, poly: Poly) -> Span:
        low: PrimExpr | None = IntImm(poly.constant)
        high: PrimExpr | None = low
        for key, factor in poly.terms.items():
            if not key:
                continue
            span = self._scaled(self._of_product(key), factor)
            low = None if low is None or span.low is None else low + span.low
            high = None if high is None or span.high is None else high + span.high
        return Span(self._plain(low), self._plain(high))

    def _plain(self, expr: PrimExpr | None) -> PrimExpr | None:
        return None if expr is None else self.facts.simplify(expr)

    def _scaled(self, span: Span, factor: int) -> Span:
        low = None if span.low is None else span.low * factor
        high = None if span.high is None else span.high * factor
        return Span(low, high) if factor > 0 else Span(high, low)

    def _of_product(self, atoms: tuple[PrimExpr, ...]) -> Span:
        moving = [atom for atom in atoms if self._moves(atom)]
        still: PrimExpr = IntImm(1)
        for atom in atoms:
            if not any(atom is other for other in moving):
                still = still * atom
        if not moving:
            return Span(still, still)
        if len(moving) > 1:
            return UNKNOWN
        span = self._of_atom(moving[0])
        if still == IntImm(1):
            return span
        low, high = self.facts.const_bounds(still)
        ends = (
            None if span.low is None else span.low * still,
            None if span.high is None else span.high * still,
        )
        if low is not None and low >= 0:
            return Span(*ends)
        return Span(ends[1], ends[0]) if high is not None and high <= 0 else UNKNOWN

    def _of_atom(self, atom: PrimExpr) -> Span:
        match atom:
            case Var(id=ident) if ident in self.inner:
                span = self.inner[ident]
                low = UNKNOWN if span.low is None else self.of(span.low)
                high = UNKNOWN if span.high is None else self.of(span.high)
                return Span(low.low, high.high)
            case Binary(op=op, a=a, b=b) if op in _MONOTONE:
                return self._both(op, self.of(a), self.of(b))
            case Binary(op=BinaryOp.FLOORDIV | BinaryOp.FLOORMOD, b=b) if not self._moves(b):
                return self._division(atom)
            case Select(true_value=a, false_value=b) if dtype_of(atom) == INDEX:
                first, second = self.of(a), self.of(b)
                low = self._both(BinaryOp.MIN, first, second).low
                return Span(low, self._both(BinaryOp.MAX, first, second).high)
            case Cast(value=value) if dtype_of(value) == INDEX and dtype_of(atom) == INDEX:
                return self.of(value)
            case _:
                return self._constant(atom)

    def _both(self, op: BinaryOp, a: Span, b: Span) -> Span:
        low = None if a.low is None or b.low is None else binary(op, a.low, b.low)
        high = None if a.high is None or b.high is None else binary(op, a.high, b.high)
        return Span(self._plain(low), self._plain(high))

    def _division(self, expr: Binary) -> Span:
        span = self.of(expr.a)
        if self.facts.proves(expr.b > 0) is not True:
            return self._constant(expr)
        low = None if span.low is None else self._plain(span.low // expr.b)
        high = None if span.high is None else self._plain(span.high // expr.b)
        if expr.op is BinaryOp.FLOORDIV:
            return Span(low, high)
        if low is not None and low == high and span.low is not None and span.high is not None:
            return Span(self._plain(span.low % expr.b), self._plain(span.high % expr.b))
        return Span(IntImm(0), self._plain(expr.b - 1))

    def _constant(self, expr: PrimExpr) -> Span:
        low, high = self._inner_facts().const_bounds(expr)
        return Span(None if low is None else IntImm(low), None if high is None else IntImm(high))


def least(facts: Facts, a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """The smaller of two expressions, decided where that is proved."""
    return facts.simplify(Binary(BinaryOp.MIN, a, b))


def greatest(facts: Facts, a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """The larger of two expressions, decided where that is proved."""
    return facts.simplify(Binary(BinaryOp.MAX, a, b))


def at_most(facts: Facts, a: PrimExpr, b: PrimExpr) -> bool:
    """Whether `a <= b` is proved."""
    return facts.nonnegative(facts.poly(b) - facts.poly(a))


def hull(facts: Facts, a: Span, b: Span) -> Span:
    """The smallest span that holds both."""
    low = None if a.low is None or b.low is None else least(facts, a.low, b.low)
    high = None if a.high is None or b.high is None else greatest(facts, a.high, b.high)
    return Span(low, high)


def meet(facts: Facts, a: Span, b: Span) -> Span:
    """What lies in both; an end that only one knows is taken from it."""
    low = a.low if b.low is None else b.low if a.low is None else greatest(facts, a.low, b.low)
    high = a.high if b.high is None else b.high if a.high is None else least(facts, a.high, b.high)
    return Span(low, high)
