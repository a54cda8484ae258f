"""Loads and stores: scalar, contiguous, broadcast, strided, gathered, masked.

Which of them an access is follows from its element offset as a polynomial of the lane.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.analysis.polynomial import Poly
from workbench.codegen import halves
from workbench.codegen.emitter import Emitter
from workbench.codegen.faults import bounds_site
from workbench.codegen.values import Value, byte_size, integer, memory_type
from workbench.ir.expr import BufferType, DType, Load, PrimExpr, Var, as_expr, dtype_of
from workbench.ir.traverse import walk


def load(e: Emitter, access: Load) -> Value:
    """The value of `buffer[indices]`, a vector where it differs between lanes."""
    check_bounds(e, access, store=False)
    dtype = dtype_of(access)
    got = _load(e, access, memory_type(dtype), byte_size(dtype))
    if not got.is_float and access.buffer.id in e.stack:
        # Memory that was never written must not make a later check meaningless.
        got = e.writer.effect(f"freeze {got.typed}", got.element, got.lanes)
    return _from_memory(e, got, dtype)


def store(e: Emitter, access: Load, value: Value) -> None:
    """Write `value`; lanes in order where they meet in one element."""
    check_bounds(e, access, store=True)
    dtype = dtype_of(access)
    _store(e, access, _to_memory(e, value, dtype), byte_size(dtype))


def load_word(e: Emitter, loads: Sequence[Load]) -> Value | None:
    """Elements that lie one after the other in memory as one `i32`, one in each lane.

    `loads` fill a word exactly. None where lanes read words that are not evenly spaced.
    """
    w, first = e.writer, loads[0]
    stride, base = _lane_stride(e, first)
    if base is None or (stride is not None and stride.const is None):
        return None
    for item in loads:
        check_bounds(e, item, store=False)
    dtype = dtype_of(first)
    element, align = memory_type(dtype), byte_size(dtype)
    pointer = _address(e, first.buffer, base, element)
    if stride is None:
        got = w.effect(f"load i32, ptr {pointer.ref}, align {align}", "i32", 1)
    elif stride.const == len(loads):
        got = w.effect(f"load <{e.lanes} x i32>, ptr {pointer.ref}, align {align}", "i32", e.lanes)
    else:
        places = _lane_pointers(e, pointer, stride, element)
        got = w.join([w.effect(f"load i32, ptr {p.ref}, align {align}", "i32", 1) for p in places])
    if first.buffer.id in e.stack:
        got = w.effect(f"freeze {got.typed}", "i32", got.lanes)
    return got


def _load(e: Emitter, access: Load, element: str, align: int) -> Value:
    w = e.writer
    stride, base = _lane_stride(e, access)
    if base is None:
        return _gather(e, access, element, align)
    pointer = _address(e, access.buffer, base, element)
    if stride is None:
        if e.mask is not None and e.mask.lanes > 1:
            return _load_if_any(e, pointer, element, align)
        return w.effect(f"load {element}, ptr {pointer.ref}, align {align}", element, 1)
    if stride.const == 1:
        return _contiguous(e, pointer, element, align)
    if e.mask is not None:
        return _gather(e, access, element, align)
    return w.join(
        [
            w.effect(f"load {element}, ptr {p.ref}, align {align}", element, 1)
            for p in _lane_pointers(e, pointer, stride, element)
        ]
    )


def _contiguous(e: Emitter, pointer: Value, element: str, align: int) -> Value:
    w, lanes = e.writer, e.lanes
    vector = f"<{lanes} x {element}>"
    if e.mask is None:
        return w.effect(f"load {vector}, ptr {pointer.ref}, align {align}", element, lanes)
    name = f"@llvm.masked.load.v{lanes}{_suffix(element)}.p0"
    w.declarations.add(f"declare {vector} {name}(ptr, <{lanes} x i1>, {vector})")
    mask = w.splat(e.mask, lanes)
    return w.effect(
        f"call {vector} {name}(ptr align {align} {pointer.ref}, {mask.typed}, "
        f"{vector} zeroinitializer)",
        element,
        lanes,
    )


def _load_if_any(e: Emitter, pointer: Value, element: str, align: int) -> Value:
    """One element for all lanes, read only where a lane is active."""
    w = e.writer
    assert e.mask is not None
    name = f"@llvm.masked.load.v1{_suffix(element)}.p0"
    w.declarations.add(f"declare <1 x {element}> {name}(ptr, <1 x i1>, <1 x {element}>)")
    some = w.any(e.mask)
    one = w.pure(f"insertelement <1 x i1> poison, i1 {some.ref}, i64 0", "i1", 1, some)
    got = w.effect(
        f"call <1 x {element}> {name}(ptr align {align} {pointer.ref}, <1 x i1> {one.ref}, "
        f"<1 x {element}> zeroinitializer)",
        element,
        1,
    )
    return w.pure(f"extractelement <1 x {element}> {got.ref}, i64 0", element, 1, got)


def _gather(e: Emitter, access: Load, element: str, align: int) -> Value:
    w, lanes = e.writer, e.lanes
    pointers = _vector_pointers(e, access, element)
    vector = f"<{lanes} x {element}>"
    name = f"@llvm.masked.gather.v{lanes}{_suffix(element)}.v{lanes}p0"
    w.declarations.add(f"declare {vector} {name}(<{lanes} x ptr>, <{lanes} x i1>, {vector})")
    mask = w.splat(e.mask or integer(1, "i1"), lanes)
    return w.effect(
        f"call {vector} {name}({pointers.type} align {align} {pointers.ref}, "
        f"{mask.typed}, {vector} zeroinitializer)",
        element,
        lanes,
    )


def _store(e: Emitter, access: Load, value: Value, align: int) -> None:
    w = e.writer
    stride, base = _lane_stride(e, access)
    masked = e.mask is not None and e.mask.lanes > 1
    if base is not None and stride is None and not masked:
        pointer = _address(e, access.buffer, base, value.element)
        last = w.lane(value, value.lanes - 1)
        w.line(f"store {last.typed}, ptr {pointer.ref}, align {align}")
    elif base is not None and stride is not None and stride.const == 1:
        _store_contiguous(e, _address(e, access.buffer, base, value.element), value, align)
    elif base is not None and stride is not None and not masked:
        vector = w.splat(value, e.lanes)
        pointer = _address(e, access.buffer, base, value.element)
        for index, p in enumerate(_lane_pointers(e, pointer, stride, value.element)):
            w.line(f"store {w.lane(vector, index).typed}, ptr {p.ref}, align {align}")
    else:
        _scatter(e, access, value, align)


def _store_contiguous(e: Emitter, pointer: Value, value: Value, align: int) -> None:
    w = e.writer
    vector = w.splat(value, e.lanes)
    if e.mask is None:
        w.line(f"store {vector.typed}, ptr {pointer.ref}, align {align}")
        return
    name = f"@llvm.masked.store.v{e.lanes}{_suffix(value.element)}.p0"
    w.declarations.add(f"declare void {name}({vector.type}, ptr, <{e.lanes} x i1>)")
    mask = w.splat(e.mask, e.lanes)
    w.line(f"call void {name}({vector.typed}, ptr align {align} {pointer.ref}, {mask.typed})")


def _scatter(e: Emitter, access: Load, value: Value, align: int) -> None:
    w, lanes = e.writer, e.lanes
    vector = w.splat(value, lanes)
    pointers = _vector_pointers(e, access, value.element)
    name = f"@llvm.masked.scatter.v{lanes}{_suffix(value.element)}.v{lanes}p0"
    w.declarations.add(f"declare void {name}({vector.type}, <{lanes} x ptr>, <{lanes} x i1>)")
    mask = w.splat(e.mask or integer(1, "i1"), lanes)
    w.line(
        f"call void {name}({vector.typed}, <{lanes} x ptr> align {align} {pointers.ref}, "
        f"{mask.typed})"
    )


# --- addresses --------------------------------------------------------------------------------


def _lane_stride(e: Emitter, access: Load) -> tuple[Value | None, Poly | None]:
    """`(stride, base)`: no stride where lanes agree, no base where the offset is not affine."""
    info = e.kernel.access(access)
    if e.lane is None:
        return None, info.offset
    if info.split is None or info.split[0] is not e.lane:
        info.split = (e.lane, _by_lane(e, e.lane, info.offset))
    if info.split[1] is None:
        return None, None
    linear, base = info.split[1]
    return (evaluate(e, linear) if linear.terms else None), base


def is_uniform(e: Emitter, access: Load) -> bool:
    """Whether all lanes access one element."""
    stride, base = _lane_stride(e, access)
    return stride is None and base is not None


def _by_lane(e: Emitter, lane: Var, offset: Poly) -> tuple[Poly, Poly] | None:
    linear = offset.coefficient(lane)
    base = offset.without(lane)
    if len(base.terms) + len(linear.terms) != len(offset.terms):
        return None
    if any(differs(e, atom) for part in (base, linear) for atom in part.atoms()):
        return None
    return linear, base


def differs(e: Emitter, atom: PrimExpr) -> bool:
    """Whether an atom differs between lanes."""
    if isinstance(atom, Var):
        return e.env[atom.id].lanes > 1
    return any(isinstance(n, Var) and n.id in e.env and e.env[n.id].lanes > 1 for n in walk(atom))


def evaluate(e: Emitter, poly: Poly) -> Value:
    """The value of a polynomial, summed from the outermost loop inwards."""
    w = e.writer
    constant, terms = _terms(e, poly)
    total: Value | None = None
    for term in terms:
        total = term if total is None else w.add(total, term)
    return integer(constant) if total is None else w.add(total, integer(constant))


def _terms(e: Emitter, poly: Poly) -> tuple[int, list[Value]]:
    w = e.writer
    constant, terms = 0, list[Value]()
    for key, coefficient in poly.terms.items():
        product = integer(coefficient)
        for atom in key:
            found = e.env[atom.id] if isinstance(atom, Var) else e.value(atom)
            product = w.mul(e.element_index(found), product)
        if product.const is not None:
            constant += product.const
        else:
            terms.append(product)
    terms.sort(key=lambda value: value.level)
    return constant, terms


def _address(e: Emitter, buffer: Var, offset: Poly, element: str) -> Value:
    """The address of an element; the constant part comes last, for the addressing mode."""
    w = e.writer
    pointer = e.env[buffer.id]
    constant, terms = _terms(e, offset)
    while terms:
        level, total = terms[0].level, terms.pop(0)
        while terms and terms[0].level == level:
            total = w.add(total, terms.pop(0))
        text = f"getelementptr {element}, ptr {pointer.ref}, i64 {total.ref}"
        pointer = w.pure(text, "ptr", 1, pointer, total)
    return _displaced(e, pointer, constant, element)


def _displaced(e: Emitter, pointer: Value, elements: int, element: str) -> Value:
    if elements == 0:
        return pointer
    text = f"getelementptr {element}, ptr {pointer.ref}, i64 {elements}"
    return e.writer.pure(text, "ptr", 1, pointer)


def _lane_pointers(e: Emitter, base: Value, stride: Value, element: str) -> list[Value]:
    w = e.writer
    result: list[Value] = []
    for index in range(e.lanes):
        step = w.mul(stride, integer(index))
        if step.const is not None:
            result.append(_displaced(e, base, step.const, element))
        else:
            text = f"getelementptr {element}, ptr {base.ref}, i64 {step.ref}"
            result.append(w.pure(text, "ptr", 1, base, step))
    return result


def _vector_pointers(e: Emitter, access: Load, element: str) -> Value:
    w = e.writer
    index = w.splat(evaluate(e, e.kernel.access(access).offset), e.lanes)
    base = e.env[access.buffer.id]
    text = f"getelementptr {element}, ptr {base.ref}, {index.typed}"
    return w.pure(text, "ptr", e.lanes, base, index)


# --- checks -----------------------------------------------------------------------------------


def check_bounds(e: Emitter, access: Load, *, store: bool) -> None:
    """Check each index that is not proved to lie in its dimension."""
    if e.kernel.access(access).safe:
        return
    assert isinstance(access.buffer.type, BufferType)
    for dim, (index, extent) in enumerate(
        zip(access.indices, access.buffer.type.shape, strict=True)
    ):
        limit = e.value(as_expr(extent))
        position = e.element_index(e.value(index))
        if position.const is not None and 0 <= position.const < (limit.const or 0):
            continue
        _check(e, position, limit, access, dim, store=store)


def _check(
    e: Emitter, position: Value, limit: Value, access: Load, dim: int, *, store: bool
) -> None:
    w = e.writer
    site = bounds_site(access.buffer, access.indices, dim, store=store)
    if position.lanes == 1 and (e.mask is None or e.mask.lanes == 1):
        e.require(w.compare("icmp ult", position, limit), site, position, limit)
        return
    bad = w.compare("icmp uge", position, limit)
    if e.mask is not None:
        bad = w.logical("and", bad, e.mask)
    wrong = w.splat(position, bad.lanes)
    worst = w.select(bad, wrong, w.splat(integer(0), bad.lanes))
    symbol = f"@llvm.vector.reduce.umax.v{worst.lanes}i64"
    w.declarations.add(f"declare i64 {symbol}({worst.type})")
    shown = w.pure(f"call i64 {symbol}({worst.typed})", "i64", 1, worst)
    e.require(w.negate(w.any(bad)), site, shown, limit)


# --- representation ---------------------------------------------------------------------------


def _suffix(element: str) -> str:
    return {"float": "f32", "double": "f64"}.get(element, element)


def _from_memory(e: Emitter, value: Value, dtype: DType) -> Value:
    match dtype:
        case "bool":
            return e.writer.compare("icmp ne", value, integer(0, "i8"))
        case "float16":
            return halves.half_to_single(e.writer, e.kernel.target, value)
        case "bfloat16":
            return halves.brain_to_single(e.writer, value)
        case _:
            return value


def _to_memory(e: Emitter, value: Value, dtype: DType) -> Value:
    match dtype:
        case "bool":
            if value.const is not None:
                return integer(value.const, "i8")
            return e.writer.convert("zext", value, "i8")
        case "float16":
            return halves.single_to_half(e.writer, e.kernel.target, value)
        case "bfloat16":
            return halves.single_to_brain(e.writer, value)
        case _:
            return value


def rounded(e: Emitter, value: Value, dtype: DType) -> Value:
    """A `float` value rounded to a 16-bit floating point dtype; other dtypes as they are."""
    if dtype not in {"float16", "bfloat16"}:
        return value
    return _from_memory(e, _to_memory(e, value, dtype), dtype)
