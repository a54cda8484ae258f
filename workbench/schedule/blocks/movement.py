"""Movement: a block computed under another loop, for the instances that are needed there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
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
from workbench.schedule.blocks.loops_by_axes import LoopsByAxes, UnsolvedError
from workbench.schedule.blocks.nest import CARRIED, Nest
from workbench.schedule.scope import Scope, walk_statements
from workbench.schedule.symbolic_box import Box, Span, at_most, meet
from workbench.support import NodeId


@dataclass(slots=True)
class Placed:
    """A nest that runs the needed instances of a block: the statement and its new loops."""

    stmt: Stmt
    loops: tuple[NodeId, ...]


def placed(
    scope: Scope,
    nest: Nest,
    needed: Sequence[Span],
    facts: Facts,
    *,
    keep_unit_loops: bool = False,
    regenerate: bool = False,
    once: bool = False,
    only: Sequence[PrimExpr] = (),
) -> Placed:
    """The nest of a block over the needed spans of its axes, at a place where `facts` hold.

    Loops that carry a reduction move as they are, so that updates keep their order. Each
    other axis has a loop of its own over the span that is needed, cut to the span that the block
    ran over: by its ends where that is decided, else by the predicate. `regenerate`: reduction
    axes have loops of their own as well. `once`: never more than the spans that are needed, and
    of these the instances alone for which the conditions `only` on axes hold.

    Raises:
        UnsolvedError: a loop is used in a way that the axes do not determine.
    """
    return _Placing(scope, nest, facts, keep_unit_loops, regenerate, once, only).run(needed)


@dataclass(slots=True)
class _Placing:
    scope: Scope
    nest: Nest
    facts: Facts
    keep: bool
    regenerate: bool
    once: bool
    only: Sequence[PrimExpr]
    loops: list[tuple[Var, PrimExpr]] = field(default_factory=list[tuple[Var, PrimExpr]])
    conditions: list[PrimExpr] = field(default_factory=list[PrimExpr])

    def run(self, needed: Sequence[Span]) -> Placed:
        block = self.nest.block
        self._refuse_uneven(block)
        values: dict[NodeId, PrimExpr] = {}
        domain = Box.over(self.facts, self._free)
        for axis, span in zip(block.axes, needed, strict=True):
            if self.regenerate or axis.kind not in CARRIED:
                values[axis.var.id] = self._axis(axis, span, domain.of(axis.value))
        self.conditions += [substitute(condition, values) for condition in self.only]
        old = LoopsByAxes(block, self._free, values, self.facts)
        kept = self._kept(old)
        axes = tuple(
            replace(
                a,
                value=values[a.var.id] if a.var.id in values else old.expression(a.value),
            )
            for a in block.axes
        )
        predicate = self._predicate(old)
        body = self._substituted(replace(block, axes=axes, predicate=predicate), old)
        stmt: Stmt = body
        moved = list[NodeId]()
        for loop in reversed(kept):
            var = self._variable(loop)
            if var is not loop.var:
                stmt = substitute(stmt, {loop.var.id: var})
            stmt = replace(loop, var=var, body=stmt)
            moved.insert(0, var.id)
        for var, extent in reversed(self.loops):
            stmt = For(var, IntImm(0), extent, stmt)
        return Placed(stmt, (*(v.id for v, _ in self.loops), *moved))

    def _variable(self, loop: For) -> Var:
        """The variable of a loop that is kept; a new one where the loop stays for others, too."""
        moves = any(
            isinstance(stmt, For) and stmt.var.id == loop.var.id
            for stmt in walk_statements(self.nest.outermost)
        )
        return loop.var if moves else self.scope.fresh(loop.var.name, loop.var.type)

    def _refuse_uneven(self, block: Block) -> None:
        """No axis has an extent that depends on a loop that is replaced."""
        free = {loop.var.id for loop in self._free}
        for axis in block.axes:
            for var in free_vars(axis.extent).values():
                if var.id in free:
                    raise UnsolvedError(var)

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
        exact = self.once and not self.only
        if asked is None or (not exact and self._no_smaller(asked, ran)):
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

    # --- what is not an axis --------------------------------------------------------------

    def _kept(self, old: LoopsByAxes) -> list[For]:
        """The loops that carry a reduction, where they stay as they are."""
        found: list[For] = []
        for loop in () if self.regenerate else self.nest.carried:
            start, extent = old.expression(loop.start), old.expression(loop.extent)
            found.append(replace(loop, start=start, extent=extent))
            self.facts = self.facts.with_range(loop.var, loop_interval(start, extent))
        return found

    def _predicate(self, old: LoopsByAxes) -> PrimExpr | None:
        facts = self.facts
        kept: list[PrimExpr] = []
        parts = conjuncts(self.nest.block.predicate)
        for condition in (*self.conditions, *(old.expression(part) for part in parts)):
            plain = facts.simplify(condition)
            if plain == IntImm(1, "bool"):
                continue
            kept.append(plain)
            facts = facts.assume(plain)
        return conjunction(*kept)

    def _substituted(self, block: Block, old: LoopsByAxes) -> Block:
        """The block with loops that it uses by themselves in terms of the new axes."""
        inner = replace(block, axes=(), predicate=None)
        free = {loop.var.id for loop in self._free}
        used = [var for var in free_vars(inner).values() if var.id in free]
        if not used:
            return block
        changed = substitute(inner, {var.id: old.expression(var) for var in used})
        return replace(changed, axes=block.axes, predicate=block.predicate)
