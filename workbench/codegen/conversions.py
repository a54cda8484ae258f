"""Conversions between dtypes, as numpy's `astype`."""

from __future__ import annotations

from workbench.codegen.access import rounded
from workbench.codegen.emitter import Emitter
from workbench.codegen.values import Value, floating, integer, is_unsigned, value_type
from workbench.ir.expr import DType, is_float


def convert(e: Emitter, value: Value, source: DType, target: DType) -> Value:
    """`value` as `target`; floats truncate toward zero, `bool` is `!= 0`."""
    if source == target:
        return value
    if target == "bool":
        return _to_bool(e, value)
    if is_float(source):
        if is_float(target):
            return _float_to_float(e, value, target)
        return _float_to_int(e, value, target)
    if is_float(target):
        return _int_to_float(e, value, source, target)
    return _int_to_int(e, value, source, target)


def _to_bool(e: Emitter, value: Value) -> Value:
    if value.is_float:
        return e.writer.compare("fcmp une", value, floating(0.0, value.element))
    if value.const is not None:
        return integer(int(value.const != 0), "i1")
    return e.writer.compare("icmp ne", value, integer(0, value.element))


def _float_to_float(e: Emitter, value: Value, target: DType) -> Value:
    element = value_type(target)
    if element == value.element:
        return rounded(e, value, target)
    wide = element == "double"
    return rounded(e, e.writer.convert("fpext" if wide else "fptrunc", value, element), target)


def _float_to_int(e: Emitter, value: Value, target: DType) -> Value:
    """Truncation; saturates at the ends of `target`, NaN gives 0."""
    element = value_type(target)
    name = "fptoui.sat" if is_unsigned(target) else "fptosi.sat"
    source = {"float": "f32", "double": "f64"}[value.element]
    prefix = f"v{value.lanes}" if value.lanes > 1 else ""
    result = element if value.lanes == 1 else f"<{value.lanes} x {element}>"
    symbol = f"@llvm.{name}.{prefix}{element}.{prefix}{source}"
    e.kernel.declarations.add(f"declare {result} {symbol}({value.type})")
    return e.writer.pure(f"call {result} {symbol}({value.typed})", element, value.lanes, value)


def _int_to_float(e: Emitter, value: Value, source: DType, target: DType) -> Value:
    opcode = "uitofp" if is_unsigned(source) else "sitofp"
    return rounded(e, e.writer.convert(opcode, value, value_type(target)), target)


def _int_to_int(e: Emitter, value: Value, source: DType, target: DType) -> Value:
    element = value_type(target)
    if element == value.element:
        return value
    if value.const is not None:
        return integer(value.const, element)
    if int(element[1:]) < int(value.element[1:]):
        return e.writer.convert("trunc", value, element)
    return e.writer.convert("zext" if is_unsigned(source) else "sext", value, element)
