"""Which accesses and divisions need no check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.polynomial import Poly
from workbench.codegen.division import DIVISIONS
from workbench.ir.expr import (
    INDEX,
    Binary,
    BinaryOp,
    BufferType,
    Load,
    PrimExpr,
    Select,
    Var,
    as_expr,
    dtype_of,
    is_float,
)
from workbench.ir.tensor import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    Let,
    Seq,
    Stmt,
    Store,
    While,
)
from workbench.ir.traverse import children


def safe_expressions(stmt: Stmt, facts: Facts) -> frozenset[PrimExpr]:
    """Accesses (stores as loads of the element) and integer divisions that cannot fault.

    An expression counts only if all its occurrences are proved.
    """
    proofs = _Proofs()
    proofs.statement(stmt, facts)
    return frozenset(proofs.proved - proofs.unproved)


@dataclass(slots=True)
class _Proofs:
    proved: set[PrimExpr] = field(default_factory=set[PrimExpr])
    unproved: set[PrimExpr] = field(default_factory=set[PrimExpr])

    def statement(self, stmt: Stmt, facts: Facts) -> None:  # noqa: C901 one case a node
        match stmt:
            case Store(buffer=buffer, indices=indices, value=value):
                self.expression(value, facts)
                self.expression(Load(buffer, indices), facts)
            case For(var=var, start=start, extent=extent, body=body):
                self.expression(start, facts)
                self.expression(extent, facts)
                self.statement(body, facts.with_range(var, loop_interval(start, extent)))
            case Seq(body=body):
                for item in body:
                    self.statement(item, facts)
            case If(condition=condition, then=then, otherwise=otherwise):
                self.expression(condition, facts)
                self.statement(then, facts.assume(condition))
                if otherwise is not None:
                    self.statement(otherwise, facts.assume(condition, holds=False))
            case While(condition=condition, body=body):
                self.expression(condition, facts)
                self.statement(body, facts)
            case Let(var=var, value=value, body=body):
                self.expression(value, facts)
                known = dtype_of(var) == INDEX
                self.statement(body, facts.with_value(var, value) if known else facts)
            case Allocate(body=body):
                self.statement(body, facts)
            case Evaluate(value=value):
                self.expression(value, facts)
            case Block():
                msg = "blocks are lowered first"
                raise TypeError(msg)
            case _:
                assert_never(stmt)

    def expression(self, expr: PrimExpr, facts: Facts) -> None:
        match expr:
            case Binary(op=BinaryOp.AND | BinaryOp.OR as op, a=a, b=b):
                self.expression(a, facts)
                self.expression(b, facts.assume(a, holds=op is BinaryOp.AND))
                return
            case Select(condition=condition, true_value=yes, false_value=no, lazy=True):
                self.expression(condition, facts)
                self.expression(yes, facts.assume(condition))
                self.expression(no, facts.assume(condition, holds=False))
                return
            case Load(buffer=buffer, indices=indices):
                self._record(expr, _within(facts, buffer, indices))
            case Binary(op=op, a=a, b=b) if op in DIVISIONS and not is_float(dtype_of(a)):
                self._record(expr, _nonzero(facts, b))
            case Var():
                return
            case _:
                pass
        for child in children(expr):
            if not isinstance(child, Var):
                self.expression(child, facts)

    def _record(self, expr: PrimExpr, proved: bool) -> None:
        (self.proved if proved else self.unproved).add(expr)


def _within(facts: Facts, buffer: Var, indices: tuple[PrimExpr, ...]) -> bool:
    assert isinstance(buffer.type, BufferType)
    for index, extent in zip(indices, buffer.type.shape, strict=True):
        low, high = facts.const_bounds(index)
        least = -1 if low is None else low
        if least >= 0 and isinstance(extent, int) and high is not None and high < extent:
            continue
        poly = facts.poly(index)
        above = facts.poly(as_expr(extent)) - poly.shift(1)
        if not (facts.nonnegative(poly) and facts.nonnegative(above)):
            return False
    return True


def _nonzero(facts: Facts, divisor: PrimExpr) -> bool:
    low, high = facts.const_bounds(divisor)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return True
    if dtype_of(divisor) != INDEX:
        return False
    poly = facts.poly(divisor)
    return facts.nonnegative(poly.shift(-1)) or facts.nonnegative(Poly.const(-1) - poly)
