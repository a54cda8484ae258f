"""Scalar expressions as Python source.

Every expression is emitted with the interval of its values (integers only): where the interval
fits the dtype nothing needs to wrap, and where it fits the extent nothing needs a check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never

from workbench.interpret import scalars
from workbench.interpret.intrinsics import intrinsic
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    BufferType,
    Cast,
    Dim,
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
    is_float,
)
from workbench.ir.numbers import int_range
from workbench.ir.tensor import Block
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.ids import NodeId

LARGEST_EXTENT = 1 << 40
"""No array has more elements in a dimension; bounds symbolic dimensions."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """Python source of a scalar, with the interval of an integer (`low > high` for floats)."""

    text: str
    dtype: DType
    low: int = 0
    high: int = -1


@dataclass(frozen=True, slots=True)
class AccessSite:
    """An access that may fault."""

    buffer: Var
    dimension: int
    verb: str
    block: Block | None


@dataclass(slots=True)
class Scope:
    """What the emitter knows: intervals of variables, run-time constants, sites that may fault."""

    intervals: dict[NodeId, tuple[int, int]] = field(default_factory=dict[NodeId, tuple[int, int]])
    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    sites: list[AccessSite] = field(default_factory=list[AccessSite])
    block: Block | None = None
    counter: int = 0

    def fresh(self, prefix: str) -> str:
        """A new Python name."""
        self.counter += 1
        return f"{prefix}{self.counter}"

    def constant(self, name: str, value: object) -> str:
        """Make `value` available to the emitted program as `name`."""
        self.constants[name] = value
        return name


def name_of(var: Var) -> str:
    """The Python name of a variable; names of the program are data and never become source."""
    return f"v{var.id}"


def extent_name(buffer: Var, dimension: int) -> str:
    """The Python name of an extent that is not a constant."""
    return f"{name_of(buffer)}s{dimension}"


def emit(scope: Scope, expr: Dim) -> Emitted:  # noqa: C901 one case a node
    """Source of a scalar expression.

    Raises:
        CompileError: `tensor/unknown-intrinsic`.
    """
    if isinstance(expr, int):
        return Emitted(repr(expr), "int64", expr, expr)
    match expr:
        case Var():
            return _emit_var(scope, expr)
        case IntImm(value=value, dtype="bool"):
            return Emitted(repr(bool(value)), "bool", value, value)
        case IntImm(value=value, dtype=dtype):
            value = scalars.wrapper(dtype)(value)
            return Emitted(f"({value})" if value < 0 else repr(value), dtype, value, value)
        case FloatImm(value=value, dtype=dtype):
            name = scope.fresh("f")
            return Emitted(scope.constant(name, scalars.SCALAR_TYPES[dtype](value)), dtype)
        case Binary():
            return _emit_binary(scope, expr)
        case Not(value=value):
            return Emitted(f"(not {emit(scope, value).text})", "bool", 0, 1)
        case Select():
            return _emit_select(scope, expr)
        case Cast():
            return _emit_cast(scope, expr)
        case Intrinsic():
            return _emit_intrinsic(scope, expr)
        case Load(buffer=buffer, indices=indices):
            return _emit_load(scope, buffer, indices)
        case _:
            assert_never(expr)


def _emit_var(scope: Scope, var: Var) -> Emitted:
    dtype = dtype_of(var)
    if is_float(dtype):
        return Emitted(name_of(var), dtype)
    return Emitted(name_of(var), dtype, *scope.intervals.get(var.id, int_range(dtype)))


_SYMBOLS = {
    BinaryOp.EQ: "==",
    BinaryOp.NE: "!=",
    BinaryOp.LT: "<",
    BinaryOp.LE: "<=",
    BinaryOp.GT: ">",
    BinaryOp.GE: ">=",
    BinaryOp.AND: "and",
    BinaryOp.OR: "or",
}
_ARITHMETIC = {BinaryOp.ADD: "+", BinaryOp.SUB: "-", BinaryOp.MUL: "*"}
_INT_CALLS = {
    BinaryOp.DIV: scalars.trunc_div,
    BinaryOp.FLOORDIV: scalars.floor_div,
    BinaryOp.FLOORMOD: scalars.floor_mod,
    BinaryOp.TRUNCDIV: scalars.trunc_div,
    BinaryOp.TRUNCMOD: scalars.trunc_mod,
}
_FLOAT_CALLS: dict[BinaryOp, tuple[str, Callable[[Any, Any], Any]]] = {
    BinaryOp.MIN: ("float_min", scalars.float_min),
    BinaryOp.MAX: ("float_max", scalars.float_max),
    BinaryOp.FLOORDIV: ("float_floordiv", lambda a, b: a // b),
    BinaryOp.FLOORMOD: ("float_floormod", lambda a, b: a % b),
}


def _emit_binary(scope: Scope, expr: Binary) -> Emitted:
    a, b = emit(scope, expr.a), emit(scope, expr.b)
    if expr.op in _SYMBOLS:
        return Emitted(f"({a.text} {_SYMBOLS[expr.op]} {b.text})", "bool", 0, 1)
    if is_float(a.dtype):
        return _float_binary(scope, expr.op, a, b)
    return _int_binary(scope, expr.op, a, b)


def _float_binary(scope: Scope, op: BinaryOp, a: Emitted, b: Emitted) -> Emitted:
    symbol = "/" if op is BinaryOp.DIV else _ARITHMETIC.get(op)
    if symbol is not None:
        return Emitted(f"({a.text} {symbol} {b.text})", a.dtype)
    if op in {BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD}:
        function = intrinsic("trunc" if op is BinaryOp.TRUNCDIV else "fmod", a.dtype)
        name = scope.constant(f"{op.value}_{a.dtype}", function)
        args = f"{a.text} / {b.text}" if op is BinaryOp.TRUNCDIV else f"{a.text}, {b.text}"
        return Emitted(f"{name}({args})", a.dtype)
    name, call = _FLOAT_CALLS[op]
    return Emitted(f"{scope.constant(name, call)}({a.text}, {b.text})", a.dtype)


def _int_binary(scope: Scope, op: BinaryOp, a: Emitted, b: Emitted) -> Emitted:
    low, high = _interval(op, a, b)
    if op in _ARITHMETIC:
        text = f"({a.text} {_ARITHMETIC[op]} {b.text})"
    elif op in {BinaryOp.MIN, BinaryOp.MAX}:
        text = f"{op.value}({a.text}, {b.text})"
    elif b.low > 0 and op in {BinaryOp.FLOORDIV, BinaryOp.FLOORMOD}:
        text = f"({a.text} {op.value} {b.text})"
    else:
        call = _INT_CALLS[op]
        text = f"{scope.constant(call.__name__, call)}({a.text}, {b.text})"
    return wrapped(scope, Emitted(text, a.dtype, low, high))


def wrapped(scope: Scope, value: Emitted) -> Emitted:
    """`value` wrapped around to its dtype, where its interval does not fit."""
    low, high = int_range(value.dtype)
    if low <= value.low and value.high <= high:
        return value
    if value.dtype == "bool":
        return Emitted(f"bool({value.text})", "bool", 0, 1)
    name = scope.constant(f"wrap_{value.dtype}", scalars.wrapper(value.dtype))
    return Emitted(f"{name}({value.text})", value.dtype, low, high)


def _interval(op: BinaryOp, a: Emitted, b: Emitted) -> tuple[int, int]:
    """Bounds of the exact result, before it wraps."""
    match op:
        case BinaryOp.ADD:
            return a.low + b.low, a.high + b.high
        case BinaryOp.SUB:
            return a.low - b.high, a.high - b.low
        case BinaryOp.MUL:
            corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return min(corners), max(corners)
        case BinaryOp.MIN:
            return min(a.low, b.low), min(a.high, b.high)
        case BinaryOp.MAX:
            return max(a.low, b.low), max(a.high, b.high)
        case BinaryOp.FLOORDIV if b.low > 0:
            corners = [x // y for x in (a.low, a.high) for y in (b.low, b.high)]
            return min(corners), max(corners)
        case BinaryOp.FLOORMOD if b.low > 0:
            return 0, b.high - 1
        case _:
            largest = max(abs(a.low), abs(a.high), abs(b.low), abs(b.high))
            return -largest, largest


def _emit_select(scope: Scope, expr: Select) -> Emitted:
    condition = emit(scope, expr.condition).text
    a, b = emit(scope, expr.true_value), emit(scope, expr.false_value)
    if expr.lazy:
        text = f"({a.text} if {condition} else {b.text})"
    else:
        text = f"{scope.constant('select', scalars.select)}({condition}, {a.text}, {b.text})"
    return Emitted(text, a.dtype, min(a.low, b.low), max(a.high, b.high))


def _emit_cast(scope: Scope, expr: Cast) -> Emitted:
    value, target = emit(scope, expr.value), expr.dtype
    if target == value.dtype:
        return value
    if target == "bool":
        return Emitted(f"({value.text} != 0)", "bool", 0, 1)
    if is_float(target):
        if is_float(value.dtype):
            name = scope.constant(f"to_{target}", scalars.SCALAR_TYPES[target])
        else:
            name = scope.constant(f"int_to_{target}", scalars.int_to_float(target))
        return Emitted(f"{name}({value.text})", target)
    if is_float(value.dtype):
        name = scope.constant(f"float_to_{target}", scalars.float_to_int(target))
        return Emitted(f"{name}({value.text})", target, *int_range(target))
    text = f"int({value.text})" if value.dtype == "bool" else value.text
    return wrapped(scope, Emitted(text, target, value.low, value.high))


def _emit_intrinsic(scope: Scope, expr: Intrinsic) -> Emitted:
    function = intrinsic(expr.name, expr.dtype)
    if function is None:
        raise CompileError(
            Diagnostic(
                "tensor/unknown-intrinsic",
                f"no scalar function `{expr.name}` with result `{expr.dtype}`",
                node=scope.block.id if scope.block else None,
            )
        )
    name = scope.constant(scope.fresh("call"), function)
    text = f"{name}({', '.join(emit(scope, arg).text for arg in expr.args)})"
    if is_float(expr.dtype):
        return Emitted(text, expr.dtype)
    return Emitted(text, expr.dtype, *int_range(expr.dtype))


def _emit_load(scope: Scope, buffer: Var, indices: tuple[PrimExpr, ...]) -> Emitted:
    assert isinstance(buffer.type, BufferType)
    dtype = buffer.type.dtype
    checked = emit_indices(scope, buffer, indices, "read")
    if is_float(dtype):
        return Emitted(f"{name_of(buffer)}[{', '.join(checked) or '()'}]", dtype)
    return Emitted(f"{name_of(buffer)}.item({', '.join(checked)})", dtype, *int_range(dtype))


def emit_indices(scope: Scope, buffer: Var, indices: tuple[PrimExpr, ...], verb: str) -> list[str]:
    """Sources of indices; each is checked unless its interval lies inside a constant extent."""
    assert isinstance(buffer.type, BufferType)
    texts: list[str] = []
    for dimension, (index, extent) in enumerate(zip(indices, buffer.type.shape, strict=True)):
        value = emit(scope, index)
        if isinstance(extent, int) and value.low >= 0 and value.high < extent:
            texts.append(value.text)
            continue
        bound = repr(extent) if isinstance(extent, int) else extent_name(buffer, dimension)
        site = len(scope.sites)
        scope.sites.append(AccessSite(buffer, dimension, verb, scope.block))
        name = scope.fresh("t")
        inside = f"0 <= ({name} := {value.text}) < {bound}"
        texts.append(f"({name} if {inside} else fault({site}, {name}, {bound}))")
    return texts
