"""Division and remainder with numpy's rounding, and checks of the divisor."""

from __future__ import annotations

from workbench.codegen.access import rounded
from workbench.codegen.emitter import Emitter
from workbench.codegen.faults import FaultSite, text
from workbench.codegen.values import Value, floating, integer, is_unsigned
from workbench.ir.expr import Binary, BinaryOp, dtype_of, fold_int, is_float

DIVISIONS = frozenset(
    {
        BinaryOp.DIV,
        BinaryOp.FLOORDIV,
        BinaryOp.FLOORMOD,
        BinaryOp.TRUNCDIV,
        BinaryOp.TRUNCMOD,
    }
)
_FLOOR = {BinaryOp.FLOORDIV, BinaryOp.FLOORMOD}


def divide(e: Emitter, expr: Binary) -> Value:
    """`a / b`, `a // b`, `a % b`, `truncdiv`, `truncmod`; `/` of integers truncates."""
    dtype = dtype_of(expr.a)
    a, b = e.value(expr.a), e.value(expr.b)
    if is_float(dtype):
        return rounded(e, _float(e, expr.op, a, b), dtype)
    op = BinaryOp.TRUNCDIV if expr.op is BinaryOp.DIV else expr.op
    if a.const is not None and b.const and not is_unsigned(dtype):
        return integer(fold_int(op, a.const, b.const) or 0, a.element)
    if b.const is None or b.const == 0:
        b = _checked(e, expr, b)
    if is_unsigned(dtype):
        quotient = op in {BinaryOp.FLOORDIV, BinaryOp.TRUNCDIV}
        return _trapping(e, "udiv" if quotient else "urem", a, b)
    return _signed(e, op, a, b)


def _checked(e: Emitter, expr: Binary, b: Value) -> Value:
    """The divisor; where no check runs, or the lane does not, 1 stands in for 0."""
    w = e.writer
    zero = w.compare("icmp eq", b, integer(0, b.element))
    if e.kernel.checks and expr not in e.kernel.safe:
        message = f"division by zero: `{text(expr)}`"
        e.require(w.negate(e.active(zero)), FaultSite(e.written, "division", message))
        if e.mask is None:
            return b
    elif expr in e.kernel.safe and e.mask is None:
        return b
    return w.select(zero, integer(1, b.element), b)


def _trapping(e: Emitter, opcode: str, a: Value, b: Value) -> Value:
    """An instruction that must not move above its check."""
    a, b = e.writer.match(a, b)
    text_ = f"{opcode} {a.typed}, {b.ref}"
    if b.const is not None:
        return e.writer.pure(text_, a.element, a.lanes, a, b)
    return e.writer.effect(text_, a.element, a.lanes)


def _signed(e: Emitter, op: BinaryOp, a: Value, b: Value) -> Value:
    w = e.writer
    quotient = op in {BinaryOp.FLOORDIV, BinaryOp.TRUNCDIV}
    if b.const is None:
        # The one quotient that overflows, lowest // -1, wraps: divide by 1 and negate instead.
        minus = w.compare("icmp eq", b, integer(-1, b.element))
        safe = w.select(minus, integer(1, b.element), b)
        usual = _rounded_signed(e, op, a, safe)
        special = w.sub(integer(0, a.element), a) if quotient else integer(0, a.element)
        return w.select(minus, special, usual)
    if b.const == -1:
        return w.sub(integer(0, a.element), a) if quotient else integer(0, a.element)
    return _rounded_signed(e, op, a, b)


def _rounded_signed(e: Emitter, op: BinaryOp, a: Value, b: Value) -> Value:
    w = e.writer
    shift = _power_of_two(b)
    if shift is not None and op in _FLOOR:
        if op is BinaryOp.FLOORDIV:
            return w.op("ashr", a, integer(shift, a.element))
        return w.op("and", a, integer((1 << shift) - 1, a.element))
    remainder = _trapping(e, "srem", a, b)
    if op is BinaryOp.TRUNCMOD:
        return remainder
    # Truncated and floored results differ where the remainder has not the divisor's sign.
    differs = w.compare("icmp slt", w.op("xor", remainder, b), integer(0, a.element))
    inexact = w.compare("icmp ne", remainder, integer(0, a.element))
    wrong = w.logical("and", differs, inexact)
    if op is BinaryOp.FLOORMOD:
        return w.add(remainder, w.select(wrong, b, integer(0, a.element)))
    quotient = _trapping(e, "sdiv", a, b)
    if op is BinaryOp.TRUNCDIV:
        return quotient
    return w.add(quotient, w.select(wrong, integer(-1, a.element), integer(0, a.element)))


def _power_of_two(b: Value) -> int | None:
    if b.const is None or b.const <= 0 or b.const & (b.const - 1):
        return None
    return b.const.bit_length() - 1


def _float(e: Emitter, op: BinaryOp, a: Value, b: Value) -> Value:
    """Float division; floored forms by `fmod`, as numpy's `divmod`."""
    w = e.writer
    if op is BinaryOp.DIV:
        return w.op("fdiv", a, b)
    if op is BinaryOp.TRUNCDIV:
        return w.intrinsic("trunc", w.op("fdiv", a, b))
    remainder = w.op("frem", a, b)
    if op is BinaryOp.TRUNCMOD:
        return remainder
    quotient = w.op("fdiv", w.op("fsub", a, remainder), b)
    zero = floating(0.0, a.element)
    negative = w.op("xor", w.compare("fcmp olt", remainder, zero), w.compare("fcmp olt", b, zero))
    wrong = w.logical("and", negative, w.compare("fcmp une", remainder, zero))
    if op is BinaryOp.FLOORMOD:
        return w.select(wrong, w.op("fadd", remainder, b), remainder)
    fixed = w.select(wrong, w.op("fsub", quotient, floating(1.0, a.element)), quotient)
    return w.intrinsic("roundeven", fixed)
