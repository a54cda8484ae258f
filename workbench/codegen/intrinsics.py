"""Scalar functions: `T.exp`, `T.sqrt`, `T.floor`, bit operations and the rest."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.codegen.access import rounded
from workbench.codegen.emitter import Emitter
from workbench.codegen.values import Value, floating, integer, is_unsigned, value_type
from workbench.codegen.vectormath import FUNCTIONS, Math
from workbench.ir.expr import DType, FloatImm, IntImm, Intrinsic, dtype_of, is_float
from workbench.support.diagnostics import CompileError, Diagnostic

_OVERLOADED = {
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round": "round",
    "nearbyint": "roundeven",
    "rint": "roundeven",
    "fabs": "fabs",
    "copysign": "copysign",
    "fma": "fma",
}
_LIBRARY = {
    "exp": "exp", "exp2": "exp2", "log": "log", "log2": "log2", "log10": "log10",
    "log1p": "log1p", "expm1": "expm1", "tanh": "tanh", "erf": "erf", "erfc": "erfc",
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "asin": "asin",
    "acos": "acos", "atan": "atan", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
    "atan2": "atan2", "pow": "pow", "power": "pow", "fmod": "fmod", "hypot": "hypot",
    "cbrt": "cbrt", "ldexp": "ldexp",
}  # fmt: skip
_BITWISE = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"}


def intrinsic(e: Emitter, expr: Intrinsic) -> Value:
    """The value of a scalar function.

    Raises:
        CompileError: `tensor/unknown-intrinsic`.
    """
    if (special := _SPECIAL.get(expr.name)) is not None:
        return special(e, expr)
    if not expr.args:
        return _limit(expr)
    if is_float(dtype_of(expr.args[0])):
        return _floating(e, expr)
    if expr.name in _BITWISE:
        return e.writer.op(_BITWISE[expr.name], *(e.value(arg) for arg in expr.args))
    if expr.name in {"ceil", "floor", "round", "trunc"}:
        return e.value(expr.args[0])
    if expr.name in {"pow", "power"}:
        exponent = expr.args[1]
        if isinstance(exponent, IntImm):
            return _integer_power(e, expr, exponent.value)
        return _variable_power(e, expr)
    raise _unknown(expr)


def _unknown(expr: Intrinsic) -> CompileError:
    return CompileError(
        Diagnostic(
            "tensor/unknown-intrinsic",
            f"no native code for `{expr.name}` of dtype `{expr.dtype}`",
            hint="use another function, or call a library from the graph function",
        )
    )


def _floating(e: Emitter, expr: Intrinsic) -> Value:
    args = [e.value(arg) for arg in expr.args]
    return rounded(e, call_float(e, expr, args), expr.dtype)


def call_float(e: Emitter, expr: Intrinsic, args: list[Value]) -> Value:
    """A floating point function of emitted arguments.

    Raises:
        CompileError: `tensor/unknown-intrinsic`.
    """
    w, name, element = e.writer, expr.name, args[0].element
    if name in {"pow", "power"} and (simple := _simple_power(e, expr, args)) is not None:
        return simple
    if element == "float" and name in FUNCTIONS:
        return FUNCTIONS[name](Math(w, e.kernel.target), args[0])
    if name in _OVERLOADED and not (name == "fma" and not e.kernel.target.has_fma):
        return w.intrinsic(_OVERLOADED[name], *args)
    if name == "fma":
        return w.op("fadd", w.op("fmul", args[0], args[1]), args[2])
    if name == "rsqrt":
        return w.op("fdiv", floating(1.0, element), w.intrinsic("sqrt", args[0]))
    if name == "sigmoid":
        return _sigmoid(e, args[0])
    if name == "exp10":
        return library(e, "pow", floating(10.0, element), args[0])
    if name not in _LIBRARY:
        raise _unknown(expr)
    return library(e, _LIBRARY[name], *args)


def _sigmoid(e: Emitter, x: Value) -> Value:
    w = e.writer
    one = floating(1.0, x.element)
    negative = w.op("fsub", floating(-0.0, x.element), x)
    return w.op("fdiv", one, w.op("fadd", one, library(e, "exp", negative)))


def _simple_power(e: Emitter, expr: Intrinsic, args: list[Value]) -> Value | None:
    exponent = expr.args[1]
    if not isinstance(exponent, FloatImm | IntImm):
        return None
    w, x = e.writer, args[0]
    match exponent.value:
        case 1:
            return x
        case 2:
            return w.op("fmul", x, x)
        case 3:
            return w.op("fmul", w.op("fmul", x, x), x)
        case 0.5:
            return w.intrinsic("sqrt", x)
        case -1:
            return w.op("fdiv", floating(1.0, x.element), x)
        case _:
            return None


def _integer_power(e: Emitter, expr: Intrinsic, exponent: int) -> Value:
    """A power of an integer, by squares; it wraps around, and is 0 for exponents below 0."""
    square, result = e.value(expr.args[0]), None
    if exponent <= 0:
        return e.value(IntImm(int(exponent == 0), expr.dtype))
    while True:
        if exponent & 1:
            result = square if result is None else e.writer.op("mul", result, square)
        exponent >>= 1
        if not exponent:
            assert result is not None
            return result
        square = e.writer.op("mul", square, square)


def _variable_power(e: Emitter, expr: Intrinsic) -> Value:
    """The same where the exponent is computed: a square for each of its bits, nothing jumps."""
    w = e.writer
    square, exponent = w.match(*(e.value(arg) for arg in expr.args))
    unsigned = is_unsigned(expr.dtype)
    zero, one = integer(0, square.element), integer(1, square.element)
    result, rest = one, exponent
    rounds = int(square.element.removeprefix("i")) - (not unsigned)
    for number in range(rounds):
        taken = w.compare("icmp ne", w.op("and", rest, one), zero)
        result = w.select(taken, w.op("mul", result, square), result)
        if number + 1 < rounds:
            square, rest = w.op("mul", square, square), w.op("lshr", rest, one)
    if unsigned:
        return result
    return w.select(w.compare("icmp slt", exponent, zero), zero, result)


def library(e: Emitter, name: str, *args: Value) -> Value:
    """A function of the C library, lane by lane."""
    w = e.writer
    values = w.match(*args)
    element = values[0].element
    symbol = name if element == "double" else name + "f"
    e.kernel.declarations.add(
        f"declare {element} @{symbol}({', '.join(element for _ in values)}) #1"
    )
    lanes: list[Value] = []
    for index in range(values[0].lanes):
        scalars = [w.lane(value, index) for value in values]
        text = f"call {element} @{symbol}({', '.join(s.typed for s in scalars)})"
        lanes.append(w.pure(text, element, 1, *scalars))
    return w.join(lanes)


# --- functions of their own -------------------------------------------------------------------


def _absolute(e: Emitter, expr: Intrinsic) -> Value:
    value = e.value(expr.args[0])
    if value.is_float:
        return e.writer.intrinsic("fabs", value)
    if is_unsigned(expr.dtype):
        return value
    negative = e.writer.compare("icmp slt", value, integer(0, value.element))
    return e.writer.select(negative, e.writer.sub(integer(0, value.element), value), value)


def _shift(e: Emitter, expr: Intrinsic) -> Value:
    """A shift; by the width or more gives what shifting in steps gives."""
    w = e.writer
    a, b = (e.value(arg) for arg in expr.args)
    left, arithmetic = expr.name == "shift_left", not is_unsigned(expr.dtype)
    opcode = "shl" if left else "ashr" if arithmetic else "lshr"
    bits = int(a.element[1:])
    if b.const is not None and 0 <= b.const < bits:
        return w.op(opcode, a, b)
    usual = w.op(opcode, a, w.op("and", b, integer(bits - 1, b.element)))
    rest = integer(0, a.element)
    if opcode == "ashr":
        rest = w.op("ashr", a, integer(bits - 1, a.element))
    return w.select(w.compare("icmp ult", b, integer(bits, b.element)), usual, rest)


def _bitwise_not(e: Emitter, expr: Intrinsic) -> Value:
    value = e.value(expr.args[0])
    return e.writer.op("xor", value, integer(-1, value.element))


def _is_nan(e: Emitter, expr: Intrinsic) -> Value:
    value = e.value(expr.args[0])
    return e.writer.compare("fcmp uno", value, value)


def _is_infinite(e: Emitter, expr: Intrinsic) -> Value:
    size = e.writer.intrinsic("fabs", e.value(expr.args[0]))
    return e.writer.compare("fcmp oeq", size, floating(math.inf, size.element))


def _is_finite(e: Emitter, expr: Intrinsic) -> Value:
    size = e.writer.intrinsic("fabs", e.value(expr.args[0]))
    return e.writer.compare("fcmp olt", size, floating(math.inf, size.element))


def _likely(e: Emitter, expr: Intrinsic) -> Value:
    return e.value(expr.args[0])


def _reinterpret(e: Emitter, expr: Intrinsic) -> Value:
    return e.writer.convert("bitcast", e.value(expr.args[0]), value_type(expr.dtype))


def _count_ones(e: Emitter, expr: Intrinsic) -> Value:
    return e.writer.intrinsic("ctpop", e.value(expr.args[0]))


_SPECIAL: dict[str, Callable[[Emitter, Intrinsic], Value]] = {
    "abs": _absolute,
    "fabs": _absolute,
    "shift_left": _shift,
    "shift_right": _shift,
    "bitwise_not": _bitwise_not,
    "isnan": _is_nan,
    "isinf": _is_infinite,
    "isfinite": _is_finite,
    "likely": _likely,
    "reinterpret": _reinterpret,
    "popcount": _count_ones,
}

_LARGEST: dict[DType, float] = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def _limit(expr: Intrinsic) -> Value:
    """`max_value`, `min_value`, `infinity` and `nan` of a dtype."""
    dtype, element = expr.dtype, value_type(expr.dtype)
    if is_float(dtype):
        largest = _LARGEST[dtype]
        known = {"max_value": largest, "min_value": -largest, "infinity": math.inf}
        known["nan"] = math.nan
        if expr.name in known:
            return floating(known[expr.name], element)
    elif expr.name in {"max_value", "min_value"} and dtype != "bool":
        bits = int(element[1:])
        low, high = (
            (0, 2**bits - 1) if is_unsigned(dtype) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        return integer(high if expr.name == "max_value" else low, element)
    raise _unknown(expr)
