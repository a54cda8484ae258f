"""The binary operations of scalars, and their values on integers."""

from __future__ import annotations

import enum
from collections.abc import Callable


class BinaryOp(enum.Enum):
    """Binary operators; the value is the spelling in scripts (a call where it is a word)."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    FLOORDIV = "//"
    FLOORMOD = "%"
    TRUNCDIV = "truncdiv"
    TRUNCMOD = "truncmod"
    MIN = "min"
    MAX = "max"
    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    AND = "and"
    OR = "or"

    __hash__ = object.__hash__  # that of Enum hashes the name, in Python, at every look-up


COMPARISONS = frozenset(
    {BinaryOp.EQ, BinaryOp.NE, BinaryOp.LT, BinaryOp.LE, BinaryOp.GT, BinaryOp.GE}
)
LOGICAL = frozenset({BinaryOp.AND, BinaryOp.OR})


_FOLDS: dict[BinaryOp, Callable[[int, int], int]] = {
    BinaryOp.ADD: lambda a, b: a + b,
    BinaryOp.SUB: lambda a, b: a - b,
    BinaryOp.MUL: lambda a, b: a * b,
    BinaryOp.MIN: min,
    BinaryOp.MAX: max,
    BinaryOp.EQ: lambda a, b: int(a == b),
    BinaryOp.NE: lambda a, b: int(a != b),
    BinaryOp.LT: lambda a, b: int(a < b),
    BinaryOp.LE: lambda a, b: int(a <= b),
    BinaryOp.GT: lambda a, b: int(a > b),
    BinaryOp.GE: lambda a, b: int(a >= b),
    BinaryOp.AND: lambda a, b: int(bool(a and b)),
    BinaryOp.OR: lambda a, b: int(bool(a or b)),
}
_DIVISIONS: dict[BinaryOp, Callable[[int, int], int]] = {
    BinaryOp.FLOORDIV: lambda a, b: a // b,
    BinaryOp.FLOORMOD: lambda a, b: a % b,
    BinaryOp.TRUNCDIV: lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    BinaryOp.TRUNCMOD: lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
}


def fold_int(op: BinaryOp, a: int, b: int) -> int | None:
    """The value of an integer operation.

    None where it is undefined (division by zero) or not integral.
    """
    fold = _FOLDS.get(op)
    if fold is not None:
        return fold(a, b)
    return _DIVISIONS[op](a, b) if op in _DIVISIONS and b != 0 else None
