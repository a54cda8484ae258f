"""Inverses of index maps: the axes of a block from the coordinates that it stores or loads.

Reference: `tvm::arith::InverseAffineIterMap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.polynomial import Poly
from workbench.ir import Axis, Binary, BinaryOp, IntImm, PrimExpr, Var, free_vars
from workbench.support import NodeId

Coordinates = Sequence[PrimExpr]


def solved(
    axes: Sequence[Axis], indices: Sequence[PrimExpr], values: Coordinates
) -> dict[NodeId, PrimExpr] | None:
    """The value of each axis where `indices` over the axes are `values`.

    None where they do not determine every axis. Handles integer combinations with an integer
    inverse, digits (`a * 4 + b` with `0 <= b < 4`), and quotient and rest of one axis; an axis of
    extent 1 is 0.
    """
    found = solutions(axes, indices, values)
    return found if all(axis.var.id in found for axis in axes) else None


def solutions(
    axes: Sequence[Axis], indices: Sequence[PrimExpr], values: Coordinates
) -> dict[NodeId, PrimExpr]:
    """The values of those axes that are determined; see `solved`."""
    direct = _direct(axes, indices, values)
    if direct is not None:
        return direct
    facts = Facts()
    for axis in axes:
        facts = facts.with_range(axis.var, loop_interval(IntImm(0), axis.extent))
    return _Solving(facts, tuple(axes)).run(indices, values)


def _direct(
    axes: Sequence[Axis], indices: Sequence[PrimExpr], values: Coordinates
) -> dict[NodeId, PrimExpr] | None:
    """The answer where every axis is an index by itself."""
    found = {
        index.id: value
        for index, value in zip(indices, values, strict=True)
        if isinstance(index, Var)
    }
    mine = {axis.var.id: found[axis.var.id] for axis in axes if axis.var.id in found}
    return mine if len(mine) == len(axes) else None


@dataclass(slots=True)
class _Solving:
    facts: Facts
    axes: tuple[Axis, ...]
    found: dict[NodeId, PrimExpr] = field(default_factory=dict[NodeId, PrimExpr])

    def run(self, indices: Sequence[PrimExpr], values: Coordinates) -> dict[NodeId, PrimExpr]:
        for axis in self.axes:
            if axis.extent == IntImm(1):
                self.found[axis.var.id] = IntImm(0)
        merged, wanted = self._merged(list(indices), list(values))
        polys = [self.facts.poly(index) for index in merged]
        self._linear(polys, wanted)
        for poly, value in zip(polys, wanted, strict=True):
            self._digits(poly, value)
        return self.found

    # --- quotient and rest of one axis ----------------------------------------------------

    def _merged(
        self, indices: list[PrimExpr], values: list[PrimExpr]
    ) -> tuple[list[PrimExpr], list[PrimExpr]]:
        """Two digits `x // c` and `x % c` of one coordinate as the coordinate `x`."""
        for n, upper in enumerate(indices):
            for m, lower in enumerate(indices):
                pair = _joined(upper, lower)
                if pair is not None:
                    whole, size = pair
                    keep = [k for k in range(len(indices)) if k not in {n, m}]
                    return self._merged(
                        [*(indices[k] for k in keep), self.facts.simplify(whole)],
                        [*(values[k] for k in keep), values[n] * size + values[m]],
                    )
        return indices, values

    # --- integer combinations -------------------------------------------------------------

    def _linear(self, polys: Sequence[Poly], values: Coordinates) -> None:
        """Gaussian elimination; keeps what has integer coefficients."""
        unknown = [axis.var for axis in self.axes if axis.var.id not in self.found]
        rows: list[tuple[list[Fraction], dict[int, Fraction]]] = []
        rests: list[PrimExpr] = []
        for n, poly in enumerate(polys):
            row = [_coefficient(poly, var) for var in unknown]
            rest = _rest(poly, unknown)
            if any(c is None for c in row) or self._moves(rest):
                continue
            rests.append(values[n] - rest.to_expr())
            right = {len(rests) - 1: Fraction(1)}
            rows.append(([Fraction(c) for c in row if c is not None], right))
        pivots = _eliminated(rows, len(unknown))
        for column, row in pivots.items():
            left, right = rows[row]
            alone = all(c == 0 for m, c in enumerate(left) if m != column)
            if alone and all(c.denominator == 1 for c in right.values()):
                self.found[unknown[column].id] = _combined(right, rests)

    def _moves(self, poly: Poly) -> bool:
        free = {axis.var.id for axis in self.axes}
        return any(var in free for key in poly.terms for a in key for var in free_vars(a))

    # --- digits ---------------------------------------------------------------------------

    def _digits(self, poly: Poly, value: PrimExpr) -> None:
        """`sum(c * a)` where each coefficient is that of the axis before it times its extent."""
        parts: list[tuple[int, Axis]] = []
        rest = poly
        for axis in self.axes:
            c = _coefficient(poly, axis.var)
            if c is None:
                return
            if c:
                parts.append((c, axis))
                rest = rest.without(axis.var)
        if len(parts) < 2 or self._moves(rest):
            return
        parts.sort(key=lambda part: part[0])
        sizes = [part[1].extent.value for part in parts if isinstance(part[1].extent, IntImm)]
        if len(sizes) < len(parts) - 1 or not _are_digits([c for c, _ in parts], sizes):
            return
        remaining = value - rest.to_expr()
        for n, (c, axis) in enumerate(parts):
            quotient = remaining if c == 1 else remaining // c
            last = n == len(parts) - 1
            self.found.setdefault(axis.var.id, quotient if last else quotient % axis.extent)


def _joined(upper: PrimExpr, lower: PrimExpr) -> tuple[PrimExpr, int] | None:
    """The one coordinate that two digits of it make up, and the size of the lower digit."""
    match lower:
        case Binary(op=BinaryOp.FLOORMOD, a=x, b=IntImm(value=c) as size) if c > 0:
            pass
        case _:
            return None
    quotient = Binary(BinaryOp.FLOORDIV, x, size)
    if upper == quotient:
        return x, c
    match upper:
        case Binary(op=BinaryOp.FLOORMOD, a=a, b=IntImm(value=d)) if a == quotient and d > 0:
            return Binary(BinaryOp.FLOORMOD, x, IntImm(c * d)), c
        case _:
            return None


def _are_digits(coefficients: Sequence[int], sizes: Sequence[int]) -> bool:
    if coefficients[0] != 1:
        return False
    pairs = zip(coefficients, coefficients[1:], sizes, strict=False)
    return all(large == small * size for small, large, size in pairs)


def _coefficient(poly: Poly, var: Var) -> int | None:
    """The constant factor of a variable, None where it stands in something else."""
    factor = poly.coefficient(var)
    other = poly.without(var)
    hidden = any(var.id in free_vars(atom) for key in other.terms for atom in key)
    return factor.constant if factor.is_const and not hidden else None


def _rest(poly: Poly, unknown: Sequence[Var]) -> Poly:
    for var in unknown:
        poly = poly.without(var)
    return poly


def _eliminated(
    rows: list[tuple[list[Fraction], dict[int, Fraction]]], columns: int
) -> dict[int, int]:
    """Reduce to a unit matrix as far as possible; gives the row of each solved column."""
    pivots: dict[int, int] = {}
    for column in range(columns):
        row = next(
            (n for n, (left, _) in enumerate(rows) if left[column] and n not in pivots.values()),
            None,
        )
        if row is None:
            continue
        left, right = rows[row]
        scale = left[column]
        rows[row] = ([c / scale for c in left], {k: c / scale for k, c in right.items()})
        for n, other in enumerate(rows):
            if n != row and other[0][column]:
                rows[n] = _minus(other, rows[row], other[0][column])
        pivots[column] = row
    return pivots


def _minus(
    a: tuple[list[Fraction], dict[int, Fraction]],
    b: tuple[list[Fraction], dict[int, Fraction]],
    factor: Fraction,
) -> tuple[list[Fraction], dict[int, Fraction]]:
    left = [x - factor * y for x, y in zip(a[0], b[0], strict=True)]
    keys = a[1].keys() | b[1].keys()
    right = {k: a[1].get(k, Fraction(0)) - factor * b[1].get(k, Fraction(0)) for k in keys}
    return left, {k: c for k, c in right.items() if c}


def _combined(factors: Mapping[int, Fraction], values: Coordinates) -> PrimExpr:
    total: PrimExpr = IntImm(0)
    for n, factor in sorted(factors.items()):
        total = total + values[n] * int(factor)
    return total
