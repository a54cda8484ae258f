"""Scalar expressions as short text, for messages."""

from __future__ import annotations

from workbench.ir.expr import (
    LOGICAL,
    Binary,
    BinaryOp,
    Cast,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    PrimExpr,
    Select,
    Var,
)

_LONGEST = 60
_LEVELS = {
    BinaryOp.OR: 1,
    BinaryOp.AND: 2,
    BinaryOp.ADD: 4,
    BinaryOp.SUB: 4,
    BinaryOp.MUL: 5,
    BinaryOp.DIV: 5,
    BinaryOp.FLOORDIV: 5,
    BinaryOp.FLOORMOD: 5,
}
_COMPARISON = 3
_CALLS = frozenset({BinaryOp.MIN, BinaryOp.MAX, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD})


def short(expr: PrimExpr) -> str:
    """The expression as in scripts, cut off where it is long."""
    text = spell(expr)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def spell(expr: PrimExpr, level: int = 0) -> str:
    """The expression as in scripts, without dtypes; parentheses where `level` binds stronger."""
    match expr:
        case Var(name=name):
            return name
        case IntImm(value=value) | FloatImm(value=value):
            return str(value)
        case Binary():
            return _binary(expr, level)
        case Not(value=value):
            return f"not {spell(value, 6)}"
        case Select(condition=condition, true_value=a, false_value=b):
            return f"({spell(a)} if {spell(condition)} else {spell(b)})"
        case Cast(value=value, dtype=dtype):
            return f"{dtype}({spell(value)})"
        case Intrinsic(name=name, args=args):
            return f"{name}({', '.join(spell(arg) for arg in args)})"
        case Load(buffer=buffer, indices=indices):
            return element(buffer, indices)


def element(buffer: Var, indices: tuple[PrimExpr, ...]) -> str:
    """`buffer[indices]`."""
    return f"{buffer.name}[{', '.join(spell(index) for index in indices) or '()'}]"


def _binary(expr: Binary, level: int) -> str:
    if expr.op in _CALLS:
        return f"{expr.op.value}({spell(expr.a)}, {spell(expr.b)})"
    own = _LEVELS.get(expr.op, _COMPARISON)
    right = own if expr.op in LOGICAL or expr.op in {BinaryOp.ADD, BinaryOp.MUL} else own + 1
    text = f"{spell(expr.a, own)} {expr.op.value} {spell(expr.b, right)}"
    return f"({text})" if own < level else text
