"""Movement: a block computed under another loop, for the instances that are needed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    Axis,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    PrimExpr,
    ScalarType,
    Stmt,
    Var,
    free_vars,
    substitute,
)
from workbench.schedule.nest import CARRIED, Nest, conjunction, conjuncts
from workbench.schedule.scope import Scope
from workbench.schedule.symbolic_box import UNKNOWN, Box, Span, at_most, meet
from workbench.support import NodeId


@dataclass(slots=True)
class Placed:
    """A nest that runs the needed instances of a block: the statement and its new loops."""

    stmt: Stmt
    loops: tuple[NodeId, ...]


class UnsolvedError(Exception):
    """A loop variable that the axes of the block do not give back."""

    def __init__(self, var: Var) -> None:
        super().__init__(var.name)
        self.var = var


def placed(
    scope: Scope,
    nest: Nest,
    needed: Sequence[Span],
    facts: Facts,
    *,
    keep_unit_loops: bool = False,
    regenerate: bool = False,
    once: bool = False,
) -> Placed:
    """The nest of a block over the needed spans of its axes, at a place where `facts` hold.

    Loops that carry a reduction move as they are, so that updates keep their order. Each
    other axis has a loop of its own over the span that is needed, cut to the span that the block
    ran over: by its ends where that is decided, else by the predicate. `regenerate`: reduction
    axes have loops of their own as well. `once`: never more than the spans that are needed.

    Raises:
        UnsolvedError: a loop is used in a way that the axes do not determine.
    """
    return _Placing(scope, nest, facts, keep_unit_loops, regenerate, once).run(needed)


@dataclass(slots=True)
class _Placing:
    scope: Scope
    nest: Nest
    facts: Facts
    keep: bool
    regenerate: bool
    once: bool
    loops: list[tuple[Var, PrimExpr]] = field(default_factory=list[tuple[Var, PrimExpr]])
    conditions: list[PrimExpr] = field(default_factory=list[PrimExpr])

    def run(self, needed: Sequence[Span]) -> Placed:
        block = self.nest.block
        values: dict[NodeId, PrimExpr] = {}
        domain = Box.over(self.facts, self._free)
        for axis, span in zip(block.axes, needed, strict=True):
            if self.regenerate or axis.kind not in CARRIED:
                values[axis.var.id] = self._axis(axis, span, domain.of(axis.value))
        known = self._inverse(values)
        kept = self._kept(known)
        axes = tuple(
            replace(a, value=values.get(a.var.id) or self._given(a.value, known))
            for a in block.axes
        )
        predicate = self._predicate(values, known)
        body = self._substituted(replace(block, axes=axes, predicate=predicate), known)
        stmt: Stmt = body
        for loop in reversed(kept):
            stmt = replace(loop, body=stmt)
        for var, extent in reversed(self.loops):
            stmt = For(var, IntImm(0), extent, stmt)
        return Placed(stmt, (*(v.id for v, _ in self.loops), *(c.var.id for c in kept)))

    @property
    def _free(self) -> tuple[For, ...]:
        """The loops that are replaced."""
        return self.nest.loops if self.regenerate else self.nest.free

    # --- axes -----------------------------------------------------------------------------

    def _axis(self, axis: Axis, span: Span, domain: Span) -> PrimExpr:
        """The value of an axis over a new loop."""
        promised = Span(IntImm(0), self.facts.simplify(axis.extent - 1))
        run = meet(self.facts, domain, promised)
        low, high = self._cut(span, run)
        extent = self.facts.simplify(high - low + 1)
        if extent == IntImm(1) and not self.keep:
            value = self.facts.simplify(low)
        else:
            var = self.scope.fresh(f"ax{len(self.loops)}", ScalarType())
            self.loops.append((var, extent))
            self.facts = self.facts.with_range(var, loop_interval(IntImm(0), extent))
            value = self.facts.simplify(low + var)
        self._within(value, run)
        return value

    def _cut(self, span: Span, run: Span) -> tuple[PrimExpr, PrimExpr]:
        """The ends of the new loop: those needed where both are known, else all that ran."""
        ran, asked = run.known, span.known
        assert ran is not None
        if asked is None or (not self.once and self._no_smaller(asked, ran)):
            return ran
        return asked

    def _no_smaller(self, asked: tuple[PrimExpr, PrimExpr], ran: tuple[PrimExpr, PrimExpr]) -> bool:
        size = self.facts.poly(asked[1]) - self.facts.poly(asked[0])
        whole = self.facts.poly(ran[1]) - self.facts.poly(ran[0])
        return self.facts.nonnegative(size - whole)

    def _within(self, value: PrimExpr, run: Span) -> None:
        """Conditions that leave out what the block did not run, where that is not proved."""
        assert run.low is not None
        assert run.high is not None
        if not at_most(self.facts, run.low, value):
            self.conditions.append(Binary(BinaryOp.GE, value, run.low))
        if not at_most(self.facts, value, run.high):
            self.conditions.append(Binary(BinaryOp.LT, value, self.facts.simplify(run.high + 1)))

    # --- old loops in terms of axes -------------------------------------------------------

    def _inverse(self, values: Mapping[NodeId, PrimExpr]) -> dict[NodeId, PrimExpr]:
        """Old loop variables where an axis is the variable and something from outside."""
        free = {loop.var.id for loop in self._free}
        found: dict[NodeId, PrimExpr] = {}
        for axis in self.nest.block.axes:
            if axis.var.id not in values:
                continue
            poly = self.facts.poly(axis.value)
            moving = [key for key in poly.terms if free & _vars_of(key)]
            if len(moving) == 1 and len(moving[0]) == 1 and poly.terms[moving[0]] == 1:
                (atom,) = moving[0]
                if isinstance(atom, Var):
                    rest = poly.without(atom).to_expr()
                    found[atom.id] = self.facts.simplify(values[axis.var.id] - rest)
        return found

    def _given(self, expr: PrimExpr, known: Mapping[NodeId, PrimExpr]) -> PrimExpr:
        made = substitute(expr, dict(known))
        free = {loop.var.id for loop in self._free}
        for var in free_vars(made).values():
            if var.id in free:
                raise UnsolvedError(var)
        return made

    def _kept(self, known: Mapping[NodeId, PrimExpr]) -> list[For]:
        found: list[For] = []
        for loop in () if self.regenerate else self.nest.carried:
            start, extent = self._given(loop.start, known), self._given(loop.extent, known)
            found.append(replace(loop, start=start, extent=extent))
            self.facts = self.facts.with_range(loop.var, loop_interval(start, extent))
        return found

    def _predicate(
        self, values: Mapping[NodeId, PrimExpr], known: Mapping[NodeId, PrimExpr]
    ) -> PrimExpr | None:
        old = [
            self._rewritten(part, values, known) for part in conjuncts(self.nest.block.predicate)
        ]
        facts = self.facts
        kept: list[PrimExpr] = []
        for condition in (*self.conditions, *old):
            plain = facts.simplify(condition)
            if plain == IntImm(1, "bool"):
                continue
            kept.append(plain)
            facts = facts.assume(plain)
        return conjunction(*kept)

    def _rewritten(
        self,
        condition: PrimExpr,
        values: Mapping[NodeId, PrimExpr],
        known: Mapping[NodeId, PrimExpr],
    ) -> PrimExpr:
        """A condition with sums of old loops that are an axis replaced by its new value."""
        axes = self.nest.block.axes
        direct = substitute(condition, {a.var.id: a.value for a in axes})
        if isinstance(direct, Binary) and direct.op in _ORDERS:
            difference = self.facts.poly(direct.a) - self.facts.poly(direct.b)
            for axis in axes:
                if axis.var.id in values:
                    difference = _without(self.facts, difference, axis.value, values[axis.var.id])
            left = self._given(difference.to_expr(), known)
            return Binary(direct.op, left, IntImm(0))
        return self._given(direct, known)

    def _substituted(self, block: Block, known: Mapping[NodeId, PrimExpr]) -> Block:
        inner = replace(block, axes=(), predicate=None)
        free = {loop.var.id for loop in self._free}
        if not any(var in free for var in free_vars(inner)):
            return block
        changed = substitute(inner, dict(known))
        for var in free_vars(changed).values():
            if var.id in free:
                raise UnsolvedError(var)
        return replace(changed, axes=block.axes, predicate=block.predicate)


_ORDERS = frozenset({BinaryOp.LT, BinaryOp.LE, BinaryOp.GT, BinaryOp.GE, BinaryOp.EQ, BinaryOp.NE})


def _vars_of(key: tuple[PrimExpr, ...]) -> set[NodeId]:
    return {var for atom in key for var in free_vars(atom)}


def _without(facts: Facts, poly: Poly, old: PrimExpr, new: PrimExpr) -> Poly:
    """`poly` with a multiple of `old` replaced by the same of `new`, where that takes it away."""
    part = facts.poly(old)
    for key, value in part.terms.items():
        if key and key in poly.terms and poly.terms[key] % value == 0:
            factor = poly.terms[key] // value
            return poly.plus(part, -factor).plus(facts.poly(new), factor)
    return poly


def axis_spans(
    nest: Nest, indices: Sequence[PrimExpr], box: Sequence[Span], facts: Facts
) -> tuple[Span, ...]:
    """For each axis the span of values for which `indices` may lie in a box of the buffer."""
    found: list[Span] = []
    for axis in nest.block.axes:
        spans = [
            _solved(axis, nest, index, span, facts)
            for index, span in zip(indices, box, strict=True)
        ]
        known = [span for span in spans if span.known is not None]
        found.append(known[0] if known else UNKNOWN)
    return tuple(found)


def _solved(axis: Axis, nest: Nest, index: PrimExpr, span: Span, facts: Facts) -> Span:
    """The axis in `factor * axis + rest == index`, for indices in a span."""
    if span.low is None or span.high is None:
        return UNKNOWN
    inner = {a.var.id: Span(IntImm(0), a.extent - 1) for a in nest.block.axes if a is not axis}
    poly = facts.poly(index)
    coefficient = poly.coefficient(axis.var)
    factor = coefficient.constant
    rest = poly.without(axis.var)
    if not coefficient.is_const or factor == 0 or axis.var.id in free_vars(rest.to_expr()):
        return UNKNOWN
    around = Box(facts, inner).of(rest.to_expr())
    if around.low is None or around.high is None:
        return UNKNOWN
    low, high = span.low - around.high, span.high - around.low
    if factor < 0:
        low, high, factor = -high, -low, -factor
    if factor > 1:
        low, high = (low + (factor - 1)) // factor, high // factor
    return Span(facts.simplify(low), facts.simplify(high))
