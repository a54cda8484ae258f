"""Random scalar expressions that have no faults: no division by zero, no access out of bounds."""

from __future__ import annotations

from tests.generate.choices import Choices, chance, pick
from workbench.ir import (
    Binary,
    BinaryOp,
    Cast,
    Intrinsic,
    Not,
    PrimExpr,
    Select,
    as_expr,
    dtype_of,
    is_float,
)

_ARITHMETIC = (BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL, BinaryOp.MAX, BinaryOp.MIN)
_DIVISIONS = (BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD)
_COMPARISONS = (BinaryOp.LT, BinaryOp.GE, BinaryOp.EQ, BinaryOp.NE)
_BOUNDED = ("tanh", "sigmoid", "sin", "cos")


def expression(
    choices: Choices, leaves: list[PrimExpr], indices: list[PrimExpr], dtype: str, depth: int
) -> PrimExpr:
    """An expression of `dtype` over `leaves` (loads of that dtype) and index variables."""
    if depth == 0 or chance(choices, 4):
        return _leaf(choices, leaves, indices, dtype)
    if dtype == "bool":
        return _boolean(choices, leaves, indices, depth)

    def part() -> PrimExpr:
        return expression(choices, leaves, indices, dtype, depth - 1)

    kind = choices.integer(0, 3)
    if kind == 0:
        return Binary(pick(choices, _ARITHMETIC), part(), part())
    if kind == 1 and is_float(dtype):
        name = pick(choices, _BOUNDED)
        return Intrinsic(name, (part(),), dtype)
    if kind == 1:
        return Binary(pick(choices, _DIVISIONS), part(), as_expr(choices.integer(1, 5), dtype))
    if kind == 2 and indices:
        return Select(condition(choices, indices), part(), part(), lazy=chance(choices, 2))
    if is_float(dtype):
        return Binary(BinaryOp.DIV, part(), as_expr(float(choices.integer(1, 4)), dtype))
    return Cast(Cast(part(), "int8"), dtype)


def condition(choices: Choices, indices: list[PrimExpr]) -> PrimExpr:
    """A condition on index variables."""
    left = pick(choices, indices)
    found: PrimExpr = Binary(
        pick(choices, _COMPARISONS), left, as_expr(choices.integer(0, 3), dtype_of(left))
    )
    if chance(choices, 4):
        found = Not(found)
    if chance(choices, 4):
        op = pick(choices, (BinaryOp.AND, BinaryOp.OR))
        found = Binary(op, found, condition(choices, indices))
    return found


def _leaf(
    choices: Choices, leaves: list[PrimExpr], indices: list[PrimExpr], dtype: str
) -> PrimExpr:
    if leaves and not chance(choices, 4):
        return pick(choices, leaves)
    if dtype == "bool":
        return as_expr(chance(choices, 2))
    if indices and chance(choices, 3):
        return Cast(pick(choices, indices), dtype)
    number = choices.integer(0, 3)
    return as_expr(number / 2 if is_float(dtype) else number, dtype)


def _boolean(
    choices: Choices, leaves: list[PrimExpr], indices: list[PrimExpr], depth: int
) -> PrimExpr:
    if indices and chance(choices, 2):
        return condition(choices, indices)
    a, b = (expression(choices, leaves, indices, "bool", depth - 1) for _ in range(2))
    return Binary(pick(choices, (BinaryOp.AND, BinaryOp.OR)), a, b)
