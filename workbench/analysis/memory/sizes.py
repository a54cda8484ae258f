"""Sizes: bytes of values as a number of units, so that symbolic ones can be compared.

`(n, 4) float32` is 16 units of `n` bytes, `(8, n) float32` 32 of them: values of one unit can
share memory whatever `n` is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from workbench.ir import Dim, DType, IntImm, PrimExpr, Shape, as_dim, binary
from workbench.ir.binary_op import BinaryOp
from workbench.ir.dims import Monomial, Polynomial, polynomial, product
from workbench.ir.numbers import element_bytes

Unit: TypeAlias = tuple[tuple[Monomial, int], ...]
"""A polynomial whose coefficients have no common factor; that of a number is `ONE`."""
ONE: Unit = (((), 1),)


@dataclass(frozen=True, slots=True)
class Size:
    """`count` times `unit` bytes."""

    count: int
    unit: Unit = ONE

    @property
    def bytes(self) -> Dim:
        """The size as an expression."""
        return scaled(self.count, self.unit)


def size_of(shape: Shape, dtype: DType) -> Size:
    """The size of a tensor."""
    width = known = element_bytes(dtype)
    total: Polynomial = {(): width}
    for dim in shape:
        if isinstance(dim, int):
            known *= max(0, dim)
        else:
            total = product(total, polynomial(dim))
    if total.keys() == {()}:
        return Size(known)
    total = product({(): known // width}, total)
    common = math.gcd(*total.values()) if total else 0
    if common == 0:
        return Size(0)
    unit = tuple(sorted(((m, c // common) for m, c in total.items()), key=repr))
    return Size(common, unit)


def scaled(count: int, unit: Unit) -> Dim:
    """`count` units as an expression."""
    parts: list[Dim] = []
    for monomial, factor in unit:
        part: Dim = count * factor
        for atom in monomial:
            part = as_dim(binary(BinaryOp.MUL, _expr(part), atom))
        parts.append(part)
    total: Dim = parts[0]
    for part in parts[1:]:
        total = as_dim(binary(BinaryOp.ADD, _expr(total), _expr(part)))
    return total


def _expr(dim: Dim) -> PrimExpr:
    return IntImm(dim) if isinstance(dim, int) else dim
