"""Loops in terms of axes: what the values of a block's axes say about the loops around it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    INDEX,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    PrimExpr,
    Var,
    dtype_of,
    free_vars,
    substitute,
)
from workbench.schedule.blocks.inverse import solutions
from workbench.support import NodeId

_ORDERS = frozenset({BinaryOp.LT, BinaryOp.LE, BinaryOp.GT, BinaryOp.GE, BinaryOp.EQ, BinaryOp.NE})


class UnsolvedError(Exception):
    """A loop variable that the axes of a block do not give back."""

    def __init__(self, var: Var) -> None:
        super().__init__(var.name)
        self.var = var


def apart(block: Block, loop: Var) -> Answer:
    """The answer for a loop that the axes of a block do not determine."""
    message = f"`{block.name}` uses the loop `{loop.name}` apart from its axes"
    if any(loop.id in free_vars(axis.value) for axis in block.axes):
        return unproved(message, block.id)
    return inapplicable(message, block.id)


def alike(block: Block, loop: Var, loops: Sequence[For]) -> Answer | None:
    """The answer where two iterations of a loop have the same axes; None where none were found.

    Looked for in nests of few iterations whose bounds are constant.
    """
    used = {var for axis in block.axes for var in free_vars(axis.value)}
    chosen = [found for found in loops if found.var.id in used]
    spans = [_constant_span(found) for found in chosen]
    if block.predicate is not None or math.prod(len(span or ()) for span in spans) not in _FEW:
        return None
    seen: dict[tuple[PrimExpr, ...], int] = {}
    for point in itertools.product(*(span or () for span in spans)):
        pairs = zip(chosen, point, strict=True)
        values: dict[NodeId, PrimExpr] = {found.var.id: IntImm(v) for found, v in pairs}
        axes = tuple(Facts().simplify(substitute(axis.value, values)) for axis in block.axes)
        here = next((v for found, v in zip(chosen, point, strict=True) if found.var is loop), 0)
        if not all(isinstance(value, IntImm) for value in axes):
            return None
        if (other := seen.setdefault(axes, here)) != here:
            where = f"`{loop.name}={other}` and `{loop.name}={here}`"
            message = (
                f"`{block.name}` has the same axes at {where}, and computes from `{loop.name}`"
            )
            return inapplicable(message, block.id)
    return None


_FEW = range(1, 257)


def _constant_span(loop: For) -> range | None:
    if isinstance(loop.start, IntImm) and isinstance(loop.extent, IntImm):
        return range(loop.start.value, loop.start.value + loop.extent.value)
    return None


class LoopsByAxes:
    """The loops of a block where its axes have other values.

    `loops` are those to express, `values` the new values of axes by id (others are left out),
    `facts` what is known where the new values are computed.
    """

    def __init__(
        self,
        block: Block,
        loops: Sequence[For],
        values: Mapping[NodeId, PrimExpr],
        facts: Facts,
    ) -> None:
        self.axes = tuple(axis for axis in block.axes if axis.var.id in values)
        self.all_axes = block.axes
        self.predicate = block.predicate
        self.loops = tuple(loops)
        self.values = values
        self.facts = facts

    @cached_property
    def known(self) -> dict[NodeId, PrimExpr]:
        """The loops that the axes determine."""
        starts = {loop.var.id: loop.var + loop.start for loop in self.loops}
        unknown = [Axis(x.var, AxisKind.SPATIAL, self._extent(x), x.var) for x in self.loops]
        indices = [substitute(axis.value, dict(starts)) for axis in self.axes]
        found = solutions(unknown, indices, [self.values[axis.var.id] for axis in self.axes])
        by_id = {loop.var.id: loop for loop in self.loops}
        return {var: self.facts.simplify(value + by_id[var].start) for var, value in found.items()}

    def _extent(self, loop: For) -> PrimExpr:
        """How many iterations of a loop there are where the predicate holds."""
        low, high = self._inside.const_bounds(loop.var - loop.start)
        if not isinstance(loop.extent, IntImm) or low is None or high is None:
            return loop.extent
        return IntImm(min(high + 1, loop.extent.value))

    @cached_property
    def _inside(self) -> Facts:
        """What is known at the old instances."""
        facts = self.facts
        for loop in self.loops:
            facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
        if self.predicate is None:
            return facts
        values = {a.var.id: a.value for a in self.all_axes}
        return facts.assume(substitute(self.predicate, values))

    def expression(self, expr: PrimExpr) -> PrimExpr:
        """An expression over loops and axes, in new values.

        Raises:
            UnsolvedError: for a loop that the axes do not determine.
        """
        direct = substitute(expr, {a.var.id: a.value for a in self.all_axes})
        if isinstance(direct, Binary) and direct.op in _ORDERS and dtype_of(direct.a) == INDEX:
            difference = self.facts.poly(direct.a) - self.facts.poly(direct.b)
            for axis in self.axes:
                difference = self._replaced(difference, axis)
            return Binary(direct.op, self._solved(difference.to_expr()), IntImm(0))
        return self._solved(direct)

    def _replaced(self, poly: Poly, axis: Axis) -> Poly:
        """`poly` with a multiple of the value of an axis replaced by the same of its new value."""
        part = self.facts.poly(axis.value)
        for key, value in part.terms.items():
            moving = any(self._is_loop(var) for atom in key for var in free_vars(atom))
            if moving and key in poly.terms and poly.terms[key] % value == 0:
                factor = poly.terms[key] // value
                new = self.facts.poly(self.values[axis.var.id])
                return poly.plus(part, -factor).plus(new, factor)
        return poly

    def _is_loop(self, var: NodeId) -> bool:
        return any(loop.var.id == var for loop in self.loops)

    def _solved(self, expr: PrimExpr) -> PrimExpr:
        used = [var for var in free_vars(expr).values() if self._is_loop(var.id)]
        for var in used:
            if var.id not in self.known:
                raise UnsolvedError(var)
        return substitute(expr, self.known) if used else expr
