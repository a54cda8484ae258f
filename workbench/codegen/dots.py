"""Short dot products: one machine instruction where there is one, else the same in others.

Four bytes, or two 16-bit numbers, that are multiplied with their counterparts are one word, an
`i32` in each lane. With AVX-512 VNNI, AVX-VNNI or AVX-512 BF16 a product of words is one
instruction; x86 without them multiplies and adds pairs of 16-bit integers; everything else shifts
the factors out of their words. All of them give the same integers.
"""

from __future__ import annotations

from workbench.analysis.polynomial import Poly
from workbench.codegen import access, halves
from workbench.codegen.emitter import Emitter
from workbench.codegen.values import Value, integer, is_unsigned
from workbench.ir.dot import dot_operands
from workbench.ir.expr import DType, Intrinsic, Load, PrimExpr, dtype_of

_SIGN_BITS = integer(-0x7F7F7F80, "i32")
"""The highest bit of each byte."""
_LANES = {4: 128, 8: 256, 16: 512}
"""Bits of a vector register, by its words."""


def dot(e: Emitter, expr: Intrinsic) -> Value:
    """The value of `T.dot2` or `T.dot4`."""
    left, right = dot_operands(expr)
    total = e.value(expr.args[0])
    a, b = e.writer.match(_word(e, left), _word(e, right))
    kinds = dtype_of(left[0]), dtype_of(right[0])
    lanes = max(total.lanes, a.lanes)
    total, a, b = (e.writer.splat(value, lanes) for value in (total, a, b))
    if expr.dtype == "float32":
        return _brain(e, total, a, b)
    if expr.name == "dot2":
        return _shorts(e, total, a, b)
    return _bytes(e, total, a, b, kinds)


# --- instructions -----------------------------------------------------------------------------


def _bytes(e: Emitter, total: Value, a: Value, b: Value, kinds: tuple[DType, DType]) -> Value:
    """Four products of 8-bit integers added to `total`."""
    if kinds == ("int8", "uint8"):
        a, b, kinds = b, a, ("uint8", "int8")
    w = e.writer
    if kinds != ("uint8", "uint8") and _has(e, total, "avx512vnni", "avxvnni"):
        if kinds == ("uint8", "int8"):
            return _call(e, "avx512.vpdpbusd", total, a, b)
        # As unsigned numbers the left factors are 128 too large.
        shifted = _call(e, "avx512.vpdpbusd", total, w.op("xor", a, _SIGN_BITS), b)
        zero = w.splat(integer(0, "i32"), total.lanes)
        flipped = w.splat(_SIGN_BITS, total.lanes)
        return w.sub(shifted, _call(e, "avx512.vpdpbusd", zero, flipped, b))
    pairs = _pair_instruction(e, total)
    if pairs is None:
        return _shifted(e, total, a, b, kinds, 8)
    even = _call(e, pairs, None, _even(e, a, kinds[0]), _even(e, b, kinds[1]))
    odd = _call(e, pairs, None, _odd(e, a, kinds[0]), _odd(e, b, kinds[1]))
    return w.add(total, w.add(even, odd))


def _shorts(e: Emitter, total: Value, a: Value, b: Value) -> Value:
    """Two products of 16-bit integers added to `total`."""
    if _has(e, total, "avx512vnni", "avxvnni"):
        return _call(e, "avx512.vpdpwssd", total, a, b)
    pairs = _pair_instruction(e, total)
    if pairs is None:
        return _shifted(e, total, a, b, ("int16", "int16"), 16)
    return e.writer.add(total, _call(e, pairs, None, a, b))


def _brain(e: Emitter, total: Value, a: Value, b: Value) -> Value:
    """Two products of bfloat16 added to `total`, the second one first as the instruction does."""
    w = e.writer
    if _has(e, total, "avx512bf16", ""):
        return _call(e, "avx512bf16.dpbf16ps", total, a, b, "bfloat")
    high = [w.convert("bitcast", w.op("and", x, integer(-65536, "i32")), "float") for x in (a, b)]
    low = [w.convert("bitcast", w.op("shl", x, integer(16, "i32")), "float") for x in (a, b)]
    for x, y in (high, low):
        if e.kernel.target.has_fma:
            total = w.intrinsic("fma", x, y, total)
        else:
            total = w.op("fadd", w.op("fmul", x, y), total)
    return total


def _has(e: Emitter, vector: Value, wide: str, narrow: str) -> bool:
    """Whether the processor has an instruction for such vectors.

    `wide` is the feature of AVX-512 that gives it, in vectors of fewer than 512 bits together with
    AVX-512VL; `narrow` the one that gives it without AVX-512.
    """
    bits = _LANES.get(vector.lanes)
    if bits is None:
        return False
    target = e.kernel.target
    if target.has(wide) and (bits == 512 or target.has("avx512vl")):
        return True
    return bits < 512 and target.has(narrow)


def _pair_instruction(e: Emitter, vector: Value) -> str | None:
    """The x86 instruction that multiplies and adds pairs of 16-bit integers in such vectors."""
    target = e.kernel.target
    if not target.is_x86:
        return None
    match vector.lanes:
        case 16 if target.has("avx512bw"):
            return "avx512.pmaddw.d"
        case 8 if target.has("avx2"):
            return "avx2.pmadd.wd"
        case 4:
            return "sse2.pmadd.wd"
        case _:
            return None


def _call(
    e: Emitter, name: str, total: Value | None, a: Value, b: Value, element: str = ""
) -> Value:
    """An x86 instruction on words; with `element`, or without a total, on their halves."""
    w, lanes = e.writer, a.lanes
    suffix = "" if name.endswith("pmadd.wd") else f".{_LANES[lanes]}"
    symbol = f"@llvm.x86.{name}{suffix}"
    operands = [a, b]
    if element or total is None:
        operands = [_halves(e, value, element or "i16") for value in operands]
    result = total or a
    if total is not None:
        operands = [total, *operands]
    e.kernel.declarations.add(
        f"declare {result.type} {symbol}({', '.join(value.type for value in operands)})"
    )
    arguments = ", ".join(value.typed for value in operands)
    return w.pure(f"call {result.type} {symbol}({arguments})", result.element, lanes, *operands)


def _halves(e: Emitter, word: Value, element: str) -> Value:
    """Words as twice as many elements of 16 bits."""
    lanes = 2 * word.lanes
    text = f"bitcast {word.typed} to <{lanes} x {element}>"
    return e.writer.pure(text, element, lanes, word)


# --- the same in other instructions -----------------------------------------------------------


def _even(e: Emitter, word: Value, dtype: DType) -> Value:
    """Bytes 0 and 2 of a word as 16-bit integers in place."""
    w = e.writer
    if is_unsigned(dtype):
        return w.op("and", word, integer(0x00FF00FF, "i32"))
    return _in_halves(e, "ashr", _in_halves(e, "shl", word))


def _odd(e: Emitter, word: Value, dtype: DType) -> Value:
    """Bytes 1 and 3 of a word as 16-bit integers in place."""
    return _in_halves(e, "lshr" if is_unsigned(dtype) else "ashr", word)


def _in_halves(e: Emitter, opcode: str, word: Value) -> Value:
    """Each half of a word shifted by a byte."""
    w = e.writer
    moved = w.op(opcode, _halves(e, word, "i16"), integer(8, "i16"))
    return w.pure(f"bitcast {moved.typed} to {word.type}", "i32", word.lanes, moved)


def _shifted(
    e: Emitter, total: Value, a: Value, b: Value, kinds: tuple[DType, DType], bits: int
) -> Value:
    """The factors shifted out of their words, multiplied and added one by one."""
    w = e.writer
    for position in range(32 // bits):
        x, y = (
            _factor(e, word, position, bits, kind) for word, kind in zip((a, b), kinds, strict=True)
        )
        total = w.add(total, w.mul(x, y))
    return total


def _factor(e: Emitter, word: Value, position: int, bits: int, dtype: DType) -> Value:
    w = e.writer
    high = 32 - bits * (position + 1)
    top = w.op("shl", word, integer(high, "i32")) if high else word
    return w.op("lshr" if is_unsigned(dtype) else "ashr", top, integer(32 - bits, "i32"))


# --- words ------------------------------------------------------------------------------------


def _word(e: Emitter, factors: tuple[PrimExpr, ...]) -> Value:
    """The factors as one word a lane, the first in the lowest bits."""
    loads = [factor for factor in factors if isinstance(factor, Load)]
    if len(loads) == len(factors) and e.mask is None and _adjacent(e, loads):
        loaded = access.load_word(e, loads)
        if loaded is not None:
            return loaded
    w = e.writer
    bits = 32 // len(factors)
    word: Value = integer(0, "i32")
    for position, factor in enumerate(factors):
        value = _bits(e, e.value(factor), dtype_of(factor))
        wide = _widened(e, value)
        moved = w.op("shl", wide, integer(bits * position, "i32")) if position else wide
        word = moved if position == 0 else w.op("or", word, moved)
    return word


def _adjacent(e: Emitter, loads: list[Load]) -> bool:
    """Whether the loads are of one element after the other in memory."""
    first = e.kernel.access(loads[0]).offset
    return all(
        load.buffer.id == loads[0].buffer.id
        and e.kernel.access(load).offset - first == Poly.const(position)
        for position, load in enumerate(loads)
    )


def _bits(e: Emitter, value: Value, dtype: DType) -> Value:
    return halves.single_to_brain(e.writer, value) if dtype == "bfloat16" else value


def _widened(e: Emitter, value: Value) -> Value:
    if value.const is not None:
        return integer(value.const & ((1 << int(value.element[1:])) - 1), "i32")
    return e.writer.convert("zext", value, "i32")
