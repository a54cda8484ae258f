"""Conditions as constraints on linear forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from workbench.analysis.conditions import negate
from workbench.analysis.dependence.linear import (
    AnyOf,
    Conjunction,
    Linear,
    Row,
    at_most,
    equal,
    less,
    terms_in,
)
from workbench.analysis.dependence.spelling import spell
from workbench.analysis.dependence.terms import Terms
from workbench.ir.expr import (
    COMPARISONS,
    Binary,
    BinaryOp,
    IntImm,
    Intrinsic,
    Not,
    PrimExpr,
    Var,
    dtype_of,
)
from workbench.support.ids import NodeId

SIGNED = frozenset({"int64", "int32"})
"""Arithmetic of these is taken as exact, as index arithmetic is everywhere here."""


@dataclass(slots=True)
class ConstraintReader(ABC):
    """Reads conditions; `reasons` collects what was left out of them.

    `flags` are the values of booleans that are bound once.
    """

    terms: Terms
    flags: dict[NodeId, PrimExpr] = field(default_factory=dict[NodeId, PrimExpr], kw_only=True)
    reasons: list[str] = field(default_factory=list[str], kw_only=True)

    @abstractmethod
    def linear(self, expr: PrimExpr) -> Linear:
        """The form of an integer expression."""

    def taken(self) -> tuple[str, ...]:
        """The reasons collected so far, once."""
        found = tuple(self.reasons)
        self.reasons.clear()
        return found

    def unknown(self, items: Conjunction, what: str) -> tuple[str, ...]:
        """Why constraints are not exact: the terms in them that are not determined."""
        found: list[str] = []
        pending, seen = list(terms_in(items)), set[int]()
        while pending:
            key = pending.pop()
            if key in seen:
                continue
            seen.add(key)
            term = self.terms[key]
            if term.why:
                found.append(f"{what}: {term.why}")
            pending += terms_in(term.definition)
        return tuple(sorted(found))

    def condition(self, expr: PrimExpr, *, holds: bool = True) -> Conjunction:
        """Constraints that follow from a condition; `reasons` says what they leave out."""
        match expr:
            case IntImm(value=value):
                return () if bool(value) is holds else (Row(Linear({}, -1)),)
            case Not(value=value):
                return self.condition(value, holds=not holds)
            case Var(id=ident) if ident in self.flags:
                return self.condition(self.flags[ident], holds=holds)
            case Binary(op=BinaryOp.AND | BinaryOp.OR as op, a=a, b=b):
                left, right = self.condition(a, holds=holds), self.condition(b, holds=holds)
                if (op is BinaryOp.AND) is holds:
                    return (*left, *right)
                return (AnyOf((left, right)),) if left and right else ()
            case Binary(op=op, a=a) if op in COMPARISONS and dtype_of(a) in SIGNED:
                return self._comparison(expr if holds else negate(expr))
            case Intrinsic(name="likely", args=(inner,)):
                return self.condition(inner, holds=holds)
            case _:
                self.reasons.append(f"the condition `{spell(expr)}` is not affine")
                return ()

    def _comparison(self, expr: PrimExpr) -> Conjunction:
        assert isinstance(expr, Binary)
        match expr.op:
            case BinaryOp.EQ:
                return (equal(self.linear(expr.a), self.linear(expr.b)),)
            case BinaryOp.NE:
                a, b = self.linear(expr.a), self.linear(expr.b)
                return (AnyOf(((less(a, b),), (less(b, a),))),)
            case BinaryOp.LT:
                return self.ordered(expr.a, expr.b, 1)
            case BinaryOp.LE:
                return self.ordered(expr.a, expr.b, 0)
            case BinaryOp.GT:
                return self.ordered(expr.b, expr.a, 1)
            case _:
                return self.ordered(expr.b, expr.a, 0)

    def ordered(self, small: PrimExpr, large: PrimExpr, gap: int) -> Conjunction:
        """`small + gap <= large`; a minimum on the right or a maximum on the left are two rows."""
        match small, large:
            case Binary(op=BinaryOp.MAX, a=a, b=b), _:
                return (*self.ordered(a, large, gap), *self.ordered(b, large, gap))
            case _, Binary(op=BinaryOp.MIN, a=a, b=b):
                return (*self.ordered(small, a, gap), *self.ordered(small, b, gap))
            case _:
                return (at_most(self.linear(small).shift(gap), self.linear(large)),)
