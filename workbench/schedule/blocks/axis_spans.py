"""Spans of axes: the instances of a block whose indices lie in a box.

The index is a multiple of the axis and a rest, or the quotient of such a sum by a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import Axis, Binary, BinaryOp, Block, For, IntImm, PrimExpr, Store, free_vars
from workbench.schedule.scope import walk_statements
from workbench.schedule.symbolic_box import UNKNOWN, Box, Span, bound_in, hull


def axis_spans(
    block: Block, stores: Sequence[tuple[Store, Sequence[Span]]], facts: Facts
) -> tuple[Span, ...]:
    """For each axis the values for which one of the stores may lie in the box of its buffer."""
    found: list[Span] = []
    for axis in block.axes:
        solving = _Solving(block, axis, facts, last=False)
        spans = [_of_store(solving, store, box) for store, box in stores]
        found.append(reduce(lambda a, b: hull(facts, a, b), spans))
    return tuple(found)


def _of_store(solving: _Solving, store: Store, box: Sequence[Span]) -> Span:
    spans = (solving.run(index, span) for index, span in zip(store.indices, box, strict=True))
    return next((span for span in spans if span.known is not None), UNKNOWN)


def completing(block: Block, axis: Axis, index: PrimExpr, span: Span, facts: Facts) -> Span:
    """The values of an axis for which the greatest value of an index lies in a span."""
    return _Solving(block, axis, facts, last=True).run(index, span)


def reading(block: Block, axis: Axis, index: PrimExpr, span: Span, facts: Facts) -> Span:
    """The values of an axis for which an index lies in a span for some values of other axes."""
    return _Solving(block, axis, facts, last=False).run(index, span)


class _Solving:
    """`factor * atom + rest` in a span, where the atom is the axis or a quotient with it."""

    def __init__(self, block: Block, axis: Axis, facts: Facts, *, last: bool) -> None:
        self.axis = axis
        self.facts = facts
        self.last = last
        axes = {a.var.id: Span(IntImm(0), a.extent - 1) for a in block.axes if a is not axis}
        loops = [s for s in walk_statements(block) if isinstance(s, For)]
        self.others = {**axes, **Box.over(facts, loops).inner}
        self.inside = bound_in(block)

    def run(self, index: PrimExpr, span: Span) -> Span:
        """The values of the axis for which the index lies in the span."""
        found = self._run(index, span)
        ends = found.known or ()
        return UNKNOWN if any(self.inside & free_vars(end).keys() for end in ends) else found

    def _run(self, index: PrimExpr, span: Span) -> Span:
        if span.low is None or span.high is None:
            return UNKNOWN
        poly = self.facts.poly(index)
        found = self._atom(poly)
        if found is None:
            return UNKNOWN
        atom, factor = found
        around = Box(self.facts, self.others).of(poly.without(atom).to_expr())
        if around.low is None or around.high is None:
            return UNKNOWN
        low = span.low - around.high
        high = span.high - (around.high if self.last else around.low)
        if factor < 0:
            low, high, factor = 0 - high, 0 - low, -factor
        if factor > 1:
            low, high = (low + (factor - 1)) // factor, high // factor
        return self._inside(atom, Span(self.facts.simplify(low), self.facts.simplify(high)))

    def _atom(self, poly: Poly) -> tuple[PrimExpr, int] | None:
        """The one atom with the axis, and its factor."""
        found: list[tuple[PrimExpr, int]] = []
        for key, factor in poly.terms.items():
            if any(self.axis.var.id in free_vars(atom) for atom in key):
                first, *more = key
                if more:
                    return None
                found.append((first, factor))
        return found[0] if len(found) == 1 else None

    def _inside(self, atom: PrimExpr, span: Span) -> Span:
        """The axis where the atom lies in a span."""
        match atom:
            case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=c)) if c > 0:
                assert span.low is not None
                assert span.high is not None
                return self._run(a, Span(span.low * c, span.high * c + (c - 1)))
            case _:
                return span if atom == self.axis.var else UNKNOWN
