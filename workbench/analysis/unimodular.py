"""Affine index maps whose matrix has an integer inverse: skewed, shifted and reversed indices."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

from workbench.analysis.affine import Affine, affine
from workbench.analysis.arith import Facts
from workbench.analysis.digits import Inverse, Undo
from workbench.ir import IntImm, PrimExpr, Shape, Var, as_dim, as_expr

Matrix = list[list[int]]


def inverse_affine(initial: Sequence[Var], final: Sequence[PrimExpr], shape: Shape) -> Undo | None:
    """How to undo an affine map on a box, None where it is none or an index may be negative.

    Reference: Banerjee, "Unimodular Transformations of Double Loops", 1990.
    """
    forms = [affine(expr) for expr in final]
    if any(form is None for form in forms) or len(final) != len(initial):
        return None
    known = [form for form in forms if isinstance(form, Affine)]
    back = _inverse([[form.of(var.id) for var in initial] for form in known])
    extents = [_extent(form, initial, shape) for form in known]
    if back is None or any(extent is None for extent in extents):
        return None
    sizes = tuple(as_dim(extent) for extent in extents if extent is not None)

    def undo(variables: Sequence[Var]) -> Inverse:
        moved = [v - form.constant for v, form in zip(variables, known, strict=True)]
        values = tuple(
            reduce(
                lambda total, term: total + term,
                (m * c for m, c in zip(moved, row, strict=True) if c),
                as_expr(0),
            )
            for row in back
        )
        return Inverse(values, sizes)

    return undo


def tells_apart(initial: Sequence[Var], final: Sequence[PrimExpr]) -> bool:
    """Whether affine indices differ for different values of the variables, whatever these are."""
    forms = [affine(expr) for expr in final]
    known = [form for form in forms if isinstance(form, Affine)]
    rows = [[Fraction(form.of(var.id)) for var in initial] for form in known]
    return _rank(rows, len(initial)) == len(initial)


def _rank(rows: list[list[Fraction]], columns: int) -> int:
    rank = 0
    for column in range(columns):
        pivot = next((n for n in range(rank, len(rows)) if rows[n][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for n in range(rank + 1, len(rows)):
            factor = rows[n][column] / rows[rank][column]
            rows[n] = [x - factor * y for x, y in zip(rows[n], rows[rank], strict=True)]
        rank += 1
    return rank


def _extent(form: Affine, initial: Sequence[Var], shape: Shape) -> PrimExpr | None:
    """One more than the greatest index of the box, None where the least may be negative."""
    least: PrimExpr = IntImm(form.constant)
    most: PrimExpr = IntImm(form.constant)
    for var, dim in zip(initial, shape, strict=True):
        factor, last = form.of(var.id), as_expr(dim) - 1
        if factor > 0:
            most = most + last * factor
        elif factor < 0:
            least = least + last * factor
    if Facts().proves(least >= 0) is not True:
        return None
    return most + 1


def _inverse(matrix: Matrix) -> Matrix | None:
    """The inverse of an integer matrix where it is one of integers, by Gauss-Jordan."""
    size = len(matrix)
    rows = [
        [Fraction(x) for x in row] + [Fraction(int(n == m)) for m in range(size)]
        for n, row in enumerate(matrix)
    ]
    for column in range(size):
        pivot = next((n for n in range(column, size) if rows[n][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for n in range(size):
            if n != column and rows[n][column]:
                factor = rows[n][column]
                rows[n] = [x - factor * y for x, y in zip(rows[n], rows[column], strict=True)]
    found = [row[size:] for row in rows]
    if any(x.denominator != 1 for row in found for x in row):
        return None
    return [[int(x) for x in row] for row in found]
