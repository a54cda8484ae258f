"""Conversion between float32 and the 16-bit floating point formats, rounding to nearest even."""

from __future__ import annotations

from workbench.codegen.target import Target
from workbench.codegen.values import Value, floating, integer
from workbench.codegen.writer import Writer


def half_to_single(w: Writer, target: Target, bits: Value) -> Value:
    """`i16` bits of float16 as `float`; exact."""
    if target.has_half:
        return w.convert("fpext", w.convert("bitcast", bits, "half"), "float")
    wide = w.convert("zext", bits, "i32")
    magnitude = w.op("shl", w.op("and", wide, integer(0x7FFF, "i32")), integer(13, "i32"))
    # Exponent bias 127 - 15: a product moves it, and normalises subnormal numbers on the way.
    scaled = w.op("fmul", w.convert("bitcast", magnitude, "float"), floating(2.0**112, "float"))
    special = w.compare("icmp uge", magnitude, integer(0x7C00 << 13, "i32"))
    infinite = w.op("or", magnitude, integer(0x7F800000, "i32"))
    chosen = w.select(special, infinite, w.convert("bitcast", scaled, "i32"))
    sign = w.op("shl", w.op("and", wide, integer(0x8000, "i32")), integer(16, "i32"))
    return w.convert("bitcast", w.op("or", chosen, sign), "float")


def single_to_half(w: Writer, target: Target, value: Value) -> Value:
    """`float` as `i16` bits of float16.

    Reference: F. Giesen, "Float to half and back" (2012), `float_to_half_fast3_rtne`.
    """
    if target.has_half:
        return w.convert("bitcast", w.convert("fptrunc", value, "half"), "i16")
    bits = w.convert("bitcast", value, "i32")
    sign = w.op("and", bits, integer(0x80000000, "i32"))
    magnitude = w.op("xor", bits, sign)
    single = w.convert("bitcast", magnitude, "float")
    odd = w.op("and", w.op("lshr", magnitude, integer(13, "i32")), integer(1, "i32"))
    rebased = w.add(w.add(magnitude, integer(((15 - 127) << 23) + 0xFFF, "i32")), odd)
    normal = w.op("lshr", rebased, integer(13, "i32"))
    # Adding 0.5 puts the units of a subnormal half into the lowest bits of the sum.
    shifted = w.convert("bitcast", w.op("fadd", single, floating(0.5, "float")), "i32")
    subnormal = w.sub(shifted, integer(0x3F000000, "i32"))
    small = w.compare("icmp ult", magnitude, integer(113 << 23, "i32"))
    finite = w.select(small, subnormal, normal)
    nan = w.compare("icmp ugt", magnitude, integer(0x7F800000, "i32"))
    special = w.select(nan, integer(0x7E00, "i32"), integer(0x7C00, "i32"))
    large = w.compare("icmp uge", magnitude, integer((127 + 16) << 23, "i32"))
    result = w.op("or", w.select(large, special, finite), w.op("lshr", sign, integer(16, "i32")))
    return w.convert("trunc", result, "i16")


def brain_to_single(w: Writer, bits: Value) -> Value:
    """`i16` bits of bfloat16 as `float`; exact."""
    wide = w.op("shl", w.convert("zext", bits, "i32"), integer(16, "i32"))
    return w.convert("bitcast", wide, "float")


def single_to_brain(w: Writer, value: Value) -> Value:
    """`float` as `i16` bits of bfloat16."""
    bits = w.convert("bitcast", value, "i32")
    odd = w.op("and", w.op("lshr", bits, integer(16, "i32")), integer(1, "i32"))
    nearest = w.add(w.add(bits, integer(0x7FFF, "i32")), odd)
    nan = w.compare("fcmp uno", value, value)
    quiet = w.op("or", bits, integer(0x400000, "i32"))
    chosen = w.select(nan, quiet, nearest)
    return w.convert("trunc", w.op("lshr", chosen, integer(16, "i32")), "i16")
