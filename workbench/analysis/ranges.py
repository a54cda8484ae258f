"""Bounds of integer expressions by interval arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis import intervals
from workbench.analysis.intervals import Bound, Ends
from workbench.analysis.polynomial import Poly, polynomial
from workbench.ir.expr import (
    INDEX,
    Binary,
    BinaryOp,
    Cast,
    Dim,
    PrimExpr,
    Select,
    Var,
    dtype_of,
    is_float,
)
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Interval:
    """`lo <= value <= hi`; None is no bound. Bounds may be expressions over other variables."""

    lo: Dim | None = None
    hi: Dim | None = None


class Ranges:
    """Ranges of variables, and the bounds that follow for expressions over them."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: Mapping[NodeId, Interval]) -> None:
        self.ranges = ranges

    def const_bounds(self, expr: PrimExpr) -> Ends:
        """Lowest and highest value, None where unbounded."""
        return self.poly_bounds(polynomial(expr))

    def poly_bounds(self, poly: Poly) -> Ends:
        """Lowest and highest value of a polynomial by interval arithmetic."""
        low: Bound = poly.constant
        high: Bound = poly.constant
        for key, value in poly.terms.items():
            if not key:
                continue
            a, b = self.atom_bounds(key[0])
            for atom in key[1:]:
                a, b = intervals.product((a, b), self.atom_bounds(atom))
            if value < 0:
                a, b = b, a
            low = None if low is None or a is None else low + value * a
            high = None if high is None or b is None else high + value * b
            if low is None and high is None:
                break
        return low, high

    def atom_bounds(self, atom: PrimExpr) -> Ends:
        """Constant bounds of an atom of a polynomial."""
        match atom:
            case Var(id=ident):
                found = self.ranges.get(ident)
                if found is None:
                    return intervals.dtype_bounds(dtype_of(atom))
                return self._end(found.lo, 0), self._end(found.hi, 1)
            case Binary(op=op, a=a, b=b):
                return self._binary_bounds(op, a, b)
            case Select(true_value=a, false_value=b):
                return intervals.union(self.const_bounds(a), self.const_bounds(b))
            case Cast(value=value, dtype=dtype):
                return self._cast_bounds(value, dtype)
            case _:
                return intervals.dtype_bounds(dtype_of(atom))

    def _end(self, bound: Dim | None, side: int) -> Bound:
        return bound if bound is None or isinstance(bound, int) else self.const_bounds(bound)[side]

    def _binary_bounds(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> Ends:
        left, right = self.const_bounds(a), self.const_bounds(b)
        if op is BinaryOp.MIN:
            low = intervals.least(left[0], right[0], strict=True)
            return low, intervals.least(left[1], right[1], strict=False)
        if op is BinaryOp.MAX:
            low = intervals.most(left[0], right[0], strict=False)
            return low, intervals.most(left[1], right[1], strict=True)
        positive = right[0] is not None and right[0] > 0
        if op is BinaryOp.FLOORMOD and positive:
            within = left[0] is not None and left[0] >= 0
            top = None if right[1] is None else right[1] - 1
            return 0, intervals.least(top, left[1], strict=False) if within else top
        if op is BinaryOp.FLOORDIV and positive:
            return intervals.quotient(left, right)
        return intervals.dtype_bounds(dtype_of(a))

    def _cast_bounds(self, value: PrimExpr, dtype: str) -> Ends:
        if is_float(dtype_of(value)):
            return intervals.dtype_bounds(dtype)
        if dtype_of(value) == "bool":
            return 0, 1
        found, target = self.const_bounds(value), intervals.dtype_bounds(dtype)
        exact = dtype == INDEX and dtype_of(value) != "uint64"
        return found if exact or intervals.inside(found, target) else target
