"""Scalar expressions as short text, for messages."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from workbench.ir.expr import (
    LOGICAL,
    Binary,
    BinaryOp,
    Cast,
    Dim,
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
_MOST_NODES = 200
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
_UNARY = 6
_CALLS = frozenset({BinaryOp.MIN, BinaryOp.MAX, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD})


def short(expr: PrimExpr) -> str:
    """The expression as in scripts, cut off where it is long."""
    return _cut(spell(expr))


def spell(expr: PrimExpr) -> str:
    """The expression as in scripts, without dtypes; the end of a very long one is left out."""
    return _Speller().spell(expr)


def in_full(expr: PrimExpr) -> str:
    """The expression as in scripts, without dtypes, however long it is."""
    return _Speller(sys.maxsize).spell(expr)


def dim(value: Dim | None) -> str:
    """A number or an expression as text."""
    return str(value) if value is None or isinstance(value, int) else spell(value)


def whole(expr: PrimExpr) -> str | None:
    """The expression as in scripts, None where it is very long."""
    speller = _Speller()
    text = speller.spell(expr)
    return text if speller.left >= 0 else None


def element(buffer: Var, indices: tuple[PrimExpr, ...]) -> str:
    """`buffer[indices]`, cut off where it is long."""
    return _cut(_Speller().element(buffer, indices))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


@dataclass(slots=True)
class _Speller:
    """Writes at most so many nodes: an expression may share parts, and be huge as text."""

    left: int = _MOST_NODES

    def spell(self, expr: PrimExpr, level: int = 0) -> str:
        """The text; in parentheses where `level` binds stronger."""
        self.left -= 1
        if self.left < 0:
            return "..."
        match expr:
            case Var(name=name):
                return name
            case IntImm(value=value) | FloatImm(value=value):
                return str(value)
            case Binary():
                return self._binary(expr, level)
            case Not(value=value):
                text = f"not {self.spell(value, _UNARY)}"
                return f"({text})" if level >= _COMPARISON else text
            case Select(condition=condition, true_value=a, false_value=b):
                return f"({self.spell(a)} if {self.spell(condition)} else {self.spell(b)})"
            case Cast(value=value, dtype=dtype):
                return f"{dtype}({self.spell(value)})"
            case Intrinsic(name=name, args=args):
                return f"{name}({', '.join(self.spell(arg) for arg in args)})"
            case Load(buffer=buffer, indices=indices):
                return self.element(buffer, indices)

    def element(self, buffer: Var, indices: tuple[PrimExpr, ...]) -> str:
        """`buffer[indices]`."""
        return f"{buffer.name}[{', '.join(self.spell(index) for index in indices) or '()'}]"

    def _binary(self, expr: Binary, level: int) -> str:
        if expr.op in _CALLS:
            return f"{expr.op.value}({self.spell(expr.a)}, {self.spell(expr.b)})"
        own = _LEVELS.get(expr.op, _COMPARISON)
        beside = expr.b.op if isinstance(expr.b, Binary) else None
        flat = expr.op in LOGICAL or expr.op is BinaryOp.ADD or expr.op is beside is BinaryOp.MUL
        left = self.spell(expr.a, own + 1 if own == _COMPARISON else own)
        right = self.spell(expr.b, own if flat else own + 1)
        text = f"{left} {expr.op.value} {right}"
        return f"({text})" if own < level else text
