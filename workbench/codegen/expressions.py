"""Scalar expressions to instructions; in a vectorized loop, to vectors where lanes differ."""

from __future__ import annotations

from typing import assert_never

from workbench.analysis.arith import Facts
from workbench.codegen import access
from workbench.codegen.conversions import convert
from workbench.codegen.division import DIVISIONS, divide
from workbench.codegen.dots import dot
from workbench.codegen.emitter import Emitter
from workbench.codegen.intrinsics import intrinsic
from workbench.codegen.values import Value, floating, integer, is_unsigned, value_type
from workbench.ir.dot import DOT_LENGTH
from workbench.ir.expr import (
    COMPARISONS,
    INDEX,
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
    dtype_of,
    is_float,
)
from workbench.ir.traverse import walk

_OPCODES = {BinaryOp.ADD: "add", BinaryOp.SUB: "sub", BinaryOp.MUL: "mul"}
_SIGNED = {
    BinaryOp.LT: "slt",
    BinaryOp.LE: "sle",
    BinaryOp.GT: "sgt",
    BinaryOp.GE: "sge",
    BinaryOp.EQ: "eq",
    BinaryOp.NE: "ne",
}
_ORDERED = {
    BinaryOp.LT: "olt",
    BinaryOp.LE: "ole",
    BinaryOp.GT: "ogt",
    BinaryOp.GE: "oge",
    BinaryOp.EQ: "oeq",
    BinaryOp.NE: "une",
}


def value(e: Emitter, expr: PrimExpr) -> Value:  # noqa: C901 one case a node
    """Emit `expr`; the result has one lane where all lanes agree."""
    match expr:
        case IntImm(value=number, dtype=dtype):
            if is_float(dtype):
                return floating(float(number), value_type(dtype))
            return integer(number, value_type(dtype))
        case FloatImm(value=number, dtype=dtype):
            return access.rounded(e, floating(number, value_type(dtype)), dtype)
        case Var(id=ident):
            return e.env[ident]
        case Binary():
            return _binary(e, expr)
        case Not(value=inner):
            return e.writer.negate(value(e, inner))
        case Select():
            return _select(e, expr)
        case Cast(value=inner, dtype=dtype):
            return convert(e, value(e, inner), dtype_of(inner), dtype)
        case Intrinsic(name=name):
            return dot(e, expr) if name in DOT_LENGTH else intrinsic(e, expr)
        case Load():
            return access.load(e, expr)
        case _:
            assert_never(expr)


def _binary(e: Emitter, expr: Binary) -> Value:
    op, a, b = expr.op, expr.a, expr.b
    dtype = dtype_of(a)
    if op in LOGICAL:
        return _logic(e, op, a, b)
    if op in DIVISIONS:
        return divide(e, expr)
    if op in COMPARISONS:
        if dtype == INDEX and (quick := _lane_comparison(e, expr)) is not None:
            return quick
        return compare(e, op, value(e, a), value(e, b), dtype)
    if op in {BinaryOp.MIN, BinaryOp.MAX}:
        return _extremum(e, op, expr)
    if is_float(dtype):
        return access.rounded(e, _float_arithmetic(e, expr), dtype)
    left, right = value(e, a), value(e, b)
    if dtype == "bool":
        return e.writer.logical("and" if op is BinaryOp.MUL else "or", left, right)
    return getattr(e.writer, _OPCODES[op])(left, right)


def _float_arithmetic(e: Emitter, expr: Binary) -> Value:
    w = e.writer
    op, a, b = expr.op, expr.a, expr.b
    contract = e.kernel.target.has_fma and dtype_of(a) in {"float32", "float64"}
    if contract and op is not BinaryOp.MUL:
        if isinstance(b, Binary) and b.op is BinaryOp.MUL:
            addend, x, y = value(e, a), value(e, b.a), value(e, b.b)
            return w.intrinsic("fma", _negative(e, x) if op is BinaryOp.SUB else x, y, addend)
        if isinstance(a, Binary) and a.op is BinaryOp.MUL:
            x, y, addend = value(e, a.a), value(e, a.b), value(e, b)
            return w.intrinsic("fma", x, y, _negative(e, addend) if op is BinaryOp.SUB else addend)
    return w.op("f" + _OPCODES[op], value(e, a), value(e, b))


def _negative(e: Emitter, x: Value) -> Value:
    return e.writer.pure(f"fneg {x.typed}", x.element, x.lanes, x)


def _extremum(e: Emitter, op: BinaryOp, expr: Binary) -> Value:
    """Minimum or maximum; NaN where an operand is NaN, as numpy's."""
    w = e.writer
    a, b = value(e, expr.a), value(e, expr.b)
    less = op is BinaryOp.MIN
    if not a.is_float:
        if a.const is not None and b.const is not None:
            chosen = min(a.const, b.const) if less else max(a.const, b.const)
            return integer(chosen, a.element)
        prefix = "u" if is_unsigned(dtype_of(expr.a)) else "s"
        return w.select(w.compare(f"icmp {prefix}{'lt' if less else 'gt'}", a, b), a, b)
    predicate = "fcmp olt" if less else "fcmp ogt"
    if isinstance(expr.a, FloatImm):
        return w.select(w.compare(predicate, a, b), a, b)
    if isinstance(expr.b, FloatImm):
        return w.select(w.compare(predicate, b, a), b, a)
    ordered = w.select(w.compare(predicate, a, b), a, b)
    return w.select(w.compare("fcmp uno", a, a), a, ordered)


def compare(e: Emitter, op: BinaryOp, a: Value, b: Value, dtype: str) -> Value:
    """A comparison of two values of `dtype`."""
    if a.is_float:
        return e.writer.compare(f"fcmp {_ORDERED[op]}", a, b)
    predicate = _SIGNED[op]
    if is_unsigned(dtype) and predicate not in {"eq", "ne"}:
        predicate = "u" + predicate[1:]
    if a.const is not None and b.const is not None:
        return integer(int(_COMPARE[op](a.const, b.const)), "i1")
    return e.writer.compare(f"icmp {predicate}", a, b)


_COMPARE = {
    BinaryOp.LT: int.__lt__,
    BinaryOp.LE: int.__le__,
    BinaryOp.GT: int.__gt__,
    BinaryOp.GE: int.__ge__,
    BinaryOp.EQ: int.__eq__,
    BinaryOp.NE: int.__ne__,
}


def _lane_comparison(e: Emitter, expr: Binary) -> Value | None:
    """`lane + base < bound` as narrow integers: the bound is clamped to the lanes."""
    if e.lane is None or expr.op in {BinaryOp.EQ, BinaryOp.NE}:
        return None
    difference = Facts().poly(Binary(BinaryOp.SUB, expr.a, expr.b))
    linear = difference.coefficient(e.lane)
    if not linear.is_const or abs(linear.constant) != 1:
        return None
    base = difference.without(e.lane)
    if any(access.differs(e, atom) for atom in base.atoms()):
        return None
    w = e.writer
    # sign * lane + base OP 0   <=>   lane OP' -sign * base, with OP' mirrored for sign -1
    sign = linear.constant
    op = expr.op if sign > 0 else _MIRRORED[expr.op]
    bound = access.evaluate(e, base.scale(-sign))
    if bound.const is not None:
        return _constant_mask(op, bound.const, e.lanes)
    high = w.intrinsic("smin", bound, integer(e.lanes))
    clamped = w.convert("trunc", w.intrinsic("smax", high, integer(-1)), "i32")
    lanes = Value(f"<{', '.join(f'i32 {k}' for k in range(e.lanes))}>", "i32", e.lanes, 0)
    return w.compare(f"icmp {_SIGNED[op]}", lanes, clamped)


def _constant_mask(op: BinaryOp, bound: int, lanes: int) -> Value:
    """`lane op bound` for every lane; a scalar where they agree."""
    flags = [bool(_COMPARE[op](lane, bound)) for lane in range(lanes)]
    if len(set(flags)) == 1:
        return integer(int(flags[0]), "i1")
    return Value(f"<{', '.join(f'i1 {str(flag).lower()}' for flag in flags)}>", "i1", lanes)


_MIRRORED = {
    BinaryOp.LT: BinaryOp.GT,
    BinaryOp.LE: BinaryOp.GE,
    BinaryOp.GT: BinaryOp.LT,
    BinaryOp.GE: BinaryOp.LE,
}


# --- conditional evaluation -------------------------------------------------------------------


def _logic(e: Emitter, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> Value:
    """`and` and `or`; the right side runs only where it matters if it could fault."""
    opcode = "and" if op is BinaryOp.AND else "or"
    if not can_fault(b):
        return e.writer.logical(opcode, value(e, a), value(e, b))
    known = IntImm(int(op is BinaryOp.OR), "bool")
    if op is BinaryOp.AND:
        return _select(e, Select(a, b, known))
    return _select(e, Select(a, known, b))


def can_fault(expr: PrimExpr) -> bool:
    """Whether evaluation reads memory or divides integers."""
    return any(
        isinstance(node, Load)
        or (isinstance(node, Binary) and node.op in DIVISIONS and not is_float(dtype_of(node.a)))
        for node in walk(expr)
    )


def _select(e: Emitter, expr: Select) -> Value:
    condition = value(e, expr.condition)
    if condition.const is not None:
        return value(e, expr.true_value if condition.const else expr.false_value)
    if not expr.lazy or not (can_fault(expr.true_value) or can_fault(expr.false_value)):
        return e.writer.select(condition, value(e, expr.true_value), value(e, expr.false_value))
    if condition.lanes == 1:
        return _branch(e, condition, expr)
    yes = under_mask(e, condition, expr.true_value)
    no = under_mask(e, e.writer.negate(condition), expr.false_value)
    return e.writer.select(condition, yes, no)


def under_mask(e: Emitter, condition: Value, expr: PrimExpr) -> Value:
    """Emit `expr` with only those lanes active where `condition` holds."""
    outer = e.mask
    e.mask = condition if outer is None else e.writer.logical("and", outer, condition)
    result = value(e, expr)
    e.mask = outer
    return result


def _branch(e: Emitter, condition: Value, expr: Select) -> Value:
    w = e.writer
    yes_label, no_label, end = w.name("yes"), w.name("no"), w.name("chosen")
    frames: list[tuple[str, Value]] = []
    parts: list[object] = []
    lanes = 1
    for label, side in ((yes_label, expr.true_value), (no_label, expr.false_value)):
        w.push(label, branch=True)
        result = value(e, side)
        lanes = max(lanes, result.lanes)
        frames.append((label, result))
        parts.append(w.frame)
        w.pop()
    w.line(f"br i1 {condition.ref}, label %{yes_label}, label %{no_label}")
    incoming: list[str] = []
    for (label, result), frame in zip(frames, parts, strict=True):
        w.frames.append(frame)  # pyright: ignore[reportArgumentType]
        wide = w.splat(result, lanes)
        w.line(f"br label %{end}")
        incoming.append(f"[ {wide.ref}, %{w.frame.label} ]")
        w.place_after_pop(label)
    w.label(end)
    element = frames[0][1].element
    kind = element if lanes == 1 else f"<{lanes} x {element}>"
    return w.effect(f"phi {kind} {', '.join(incoming)}", element, lanes)
