"""Scalar expressions as tokens."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from typing import TypeVar, assert_never

from workbench.ir import (
    INDEX,
    Binary,
    Cast,
    DType,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    PrimExpr,
    Select,
    Var,
    dtype_of,
)
from workbench.script.tokens import Writer
from workbench.script.vocabulary import INFIX, NOT_LEVEL, intrinsic_dtype

_CANONICAL_NAN = 0x7FF8000000000000
T = TypeVar("T")


def separated(w: Writer, items: Iterable[T], write: Callable[[T], None]) -> None:
    """Items with commas between them."""
    for count, item in enumerate(items):
        if count:
            w.put(", ")
        write(item)


def write_expr(w: Writer, expr: PrimExpr, level: int = 0) -> None:
    """An expression, in parentheses where the operator around it binds tighter than `level`."""
    match expr:
        case Var():
            w.use(expr)
        case IntImm():
            _write_int(w, expr)
        case Load():
            write_load(w, expr.buffer, expr.indices)
        case Binary():
            _write_binary(w, expr, level)
        case FloatImm():
            _write_float(w, expr)
        case Not(value=value):
            _grouped(w, NOT_LEVEL, level, lambda: _write_not(w, value))
        case Select(condition=c, true_value=a, false_value=b, lazy=lazy):
            _call(w, "if_then_else" if lazy else "Select", (c, a, b))
        case Cast(value=value, dtype=dtype):
            _write_cast(w, value, dtype)
        case Intrinsic():
            _write_intrinsic(w, expr)
        case _:
            assert_never(expr)


def _write_int(w: Writer, expr: IntImm, *, typed: bool = False) -> None:
    if expr.dtype == INDEX and not typed:
        w.put(str(expr.value), "number")
        return
    value = str(bool(expr.value)) if expr.dtype == "bool" else str(expr.value)
    w.put("T." + expr.dtype, "type")
    w.put("(")
    w.put(value, "number")
    w.put(")")


def _write_float(w: Writer, expr: FloatImm) -> None:
    w.put("T." + expr.dtype, "type")
    w.put("(")
    if math.isfinite(expr.value):
        w.put(repr(float(expr.value)), "number")
    else:
        _write_non_finite(w, expr.value)
    w.put(")")


def _write_non_finite(w: Writer, value: float) -> None:
    """Infinities and NaN; a NaN with unusual bits prints them."""
    if math.isinf(value):
        w.put('"inf"' if value > 0 else '"-inf"', "string")
        return
    w.put('"nan"', "string")
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    if bits != _CANONICAL_NAN:
        w.put(", bits=")
        w.put(hex(bits), "number")


def write_load(w: Writer, buffer: Var, indices: tuple[PrimExpr, ...]) -> None:
    """`buffer[i, j]`; `buffer[()]` where there is no index."""
    w.use(buffer)
    if not indices:
        w.put("[()]")
        return
    w.put("[")
    separated(w, indices, lambda index: write_expr(w, index))
    w.put("]")


def _write_binary(w: Writer, expr: Binary, level: int) -> None:
    if (infix := INFIX.get(expr.op)) is None:
        w.put(f"T.{expr.op.value}(")
        _write_left(w, expr, 0)
        w.put(", ")
        write_expr(w, expr.b)
        w.put(")")
        return
    own, chains = infix
    if own < level:
        w.put("(")
    _write_left(w, expr, own + 1 if chains else own)
    w.put(f" {expr.op.value} ", "operator")
    write_expr(w, expr.b, own + 1)
    if own < level:
        w.put(")")


def _write_left(w: Writer, expr: Binary, level: int) -> None:
    """Two bare literals would be one number to the parser: the left one is typed then."""
    if isinstance(expr.a, IntImm) and isinstance(expr.b, IntImm):
        _write_int(w, expr.a, typed=True)
    else:
        write_expr(w, expr.a, level)


def _write_not(w: Writer, value: PrimExpr) -> None:
    w.put("not ", "keyword")
    write_expr(w, value, NOT_LEVEL)


def _grouped(w: Writer, own: int, level: int, write: Callable[[], None]) -> None:
    if own < level:
        w.put("(")
    write()
    if own < level:
        w.put(")")


def _call(w: Writer, name: str, args: tuple[PrimExpr, ...]) -> None:
    w.put("T." + name)
    w.put("(")
    separated(w, args, lambda arg: write_expr(w, arg))
    w.put(")")


def _write_cast(w: Writer, value: PrimExpr, dtype: DType) -> None:
    w.put("T.Cast")
    w.put("(")
    w.put(f'"{dtype}"', "string")
    w.put(", ")
    write_expr(w, value)
    w.put(")")


def _write_intrinsic(w: Writer, expr: Intrinsic) -> None:
    first = dtype_of(expr.args[0]) if expr.args else None
    w.put("T." + expr.name)
    w.put("(")
    separated(w, expr.args, lambda arg: _write_operand(w, arg, first))
    if intrinsic_dtype(expr.name, first) != expr.dtype:
        w.put(", dtype=" if expr.args else "dtype=")
        w.put(f'"{expr.dtype}"', "string")
    w.put(")")


def _write_operand(w: Writer, arg: PrimExpr, first: DType | None) -> None:
    """A bare literal takes the dtype of the first argument, so an index among others is typed."""
    if isinstance(arg, IntImm) and first != INDEX:
        _write_int(w, arg, typed=True)
    else:
        write_expr(w, arg)
