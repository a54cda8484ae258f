"""Inputs to check a module on: seeded, in the domain in which the program is defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.analysis.op_pattern import only_moves_data
from workbench.interpret import Symbols, evaluate
from workbench.ir import (
    INDEX,
    Arg,
    Binary,
    BinaryOp,
    BufferType,
    CallOp,
    CallTIR,
    CallTIRInplace,
    Cast,
    Constant,
    Dim,
    GraphExpr,
    IRModule,
    Load,
    PrimExpr,
    ScalarType,
    Shape,
    Store,
    TensorFunction,
    TensorType,
    Var,
    dtype_of,
    find_operator,
    infer_type,
    is_float,
    type_of,
    walk,
)
from workbench.ir.tensor import Axis, For
from workbench.session.extents import Extents, distinct, symbols_of, told
from workbench.session.flow import Flow, FlowValue, arguments, flow
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.spelling import near

SEED = 20_260_000
FALLBACK_RANGE = (1, 8)
"""For integers whose domain no use tells: no zero divisor, no large index."""

Array = Any
Interval = tuple[int, int]
"""Least and greatest value."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Arguments of a function and, in words, where they came from.

    `extents` are those of symbolic dimensions by name, where the arguments were made up for them.
    """

    arrays: tuple[Array, ...]
    source: str
    extents: Extents = field(default_factory=dict[str, int])


def entry_function(module: IRModule) -> str:
    """The function that verdicts run: `main`, else the first public graph function.

    Raises:
        CompileError: `session/no-entry` where there is no graph function.
    """
    functions = module.graph_functions
    public = [name for name, function in functions.items() if not function.private]
    if "main" in functions:
        return "main"
    if public:
        return public[0]
    raise CompileError(
        Diagnostic("session/no-entry", "the module has no public graph function to run")
    )


def seeded_inputs(
    module: IRModule,
    function: str,
    ranges: Mapping[str, Interval] | None = None,
    extents: Extents | None = None,
) -> Inputs:
    """Inputs for `function`: standard normal floats, integers in the range that their uses imply.

    `ranges` gives least and greatest value by parameter name and wins over what analysis finds,
    `extents` those of symbolic dimensions by name; others are distinct and odd. The source says
    which were taken.

    Raises:
        CompileError: `session/no-inputs`, `session/unknown-dimension`, `session/bad-extent`.
    """
    generator = np.random.default_rng(SEED)
    target = module.graph_functions[function]
    symbols, taken = _symbols(target.params, extents or {})
    domains = index_domains(module, function)
    arrays: list[Array] = []
    notes: dict[str, None] = {}
    for param in target.params:
        domain = (ranges or {}).get(param.name, domains.get(param.id))
        array, note = _value(param, symbols, domain, generator)
        arrays.append(array)
        notes[note] = None
    if taken:
        notes[told(taken)] = None
    source = "seeded " + ", ".join(notes) if notes else "no inputs"
    return Inputs(tuple(arrays), source, taken)


def extents_of(params: Sequence[Var], arrays: Sequence[Array]) -> dict[str, int]:
    """The symbolic dimensions of parameters by name, with what they are in these arguments."""
    symbols = Symbols()
    for param, array in zip(params, arrays, strict=False):
        symbols.bind(param.type, array, param.name)
    return {name: symbols[id_] for id_, name in symbols_of(params).items() if id_ in symbols}


def seeded_arguments(
    params: Sequence[Var],
    ranges: Mapping[str, Interval] | None = None,
    extents: Extents | None = None,
) -> tuple[Array, ...]:
    """Values for the parameters of a tensor function, outputs included.

    Raises:
        CompileError: `session/no-inputs`.
    """
    generator = np.random.default_rng(SEED)
    symbols, _ = _symbols(params, extents or {})
    known = ranges or {}
    return tuple(_value(p, symbols, known.get(p.name), generator)[0] for p in params)


def check_ranges(params: Sequence[Var], ranges: Mapping[str, Interval]) -> None:
    """Refuse ranges that no values of integer parameters can be drawn from.

    Raises:
        CompileError: `session/bad-range`.
    """
    known = {param.name: getattr(param.type, "dtype", None) for param in params}
    faults = [
        Diagnostic("session/bad-range", fault, hint="" if name in known else near(name, known))
        for name, interval in ranges.items()
        if (fault := _range_fault(name, interval, known))
    ]
    if faults:
        raise CompileError(faults)


def _range_fault(name: str, interval: Interval, known: Mapping[str, str | None]) -> str:
    low, high = interval
    if name not in known:
        listed = ", ".join(f"`{param}`" for param in known)
        return f"no parameter is named `{name}`, only {listed or 'none'}"
    dtype = known[name]
    if dtype is None or np.dtype(dtype).kind not in "iu":
        return f"`{name}` is `{dtype}`, and ranges are for parameters of integers"
    limits = np.iinfo(dtype)
    if low > high:
        return f"the range of `{name}` begins at `{low}` and ends before, at `{high}`"
    if low < limits.min or high > limits.max:
        return (
            f"the range of `{name}` must be within `{limits.min}` and `{limits.max}` of `{dtype}`"
        )
    return ""


def _symbols(params: Sequence[Var], extents: Extents) -> tuple[Symbols, dict[str, int]]:
    """Extents of the symbolic dimensions of parameters, by id and by name."""
    found = symbols_of(params)
    chosen = distinct(found.values(), extents)
    taken = {name: chosen[name] for name in found.values()}
    faults = [
        Diagnostic("session/bad-extent", f"`{name}` cannot be `{extent}`: extents are from 0 on")
        for name, extent in extents.items()
        if isinstance(extent, bool) or not isinstance(extent, int) or extent < 0  # pyright: ignore[reportUnnecessaryIsInstance]
    ]
    shown = ", ".join(f"`{name}`" for name in taken) or "all known"
    faults += [
        Diagnostic(
            "session/unknown-dimension",
            f"no parameter has a dimension `{name}`",
            notes=(f"the dimensions of the parameters are {shown}",),
        )
        for name in extents
        if name not in taken
    ]
    if faults:
        raise CompileError(faults)
    return Symbols({id_: taken[name] for id_, name in found.items()}), taken


def _value(
    param: Var, symbols: Symbols, domain: Interval | None, generator: np.random.Generator
) -> tuple[Array, str]:
    match param.type:
        case TensorType(shape=shape, dtype=dtype) if shape is not None and dtype is not None:
            return _array(_extents(shape, symbols), dtype, domain, generator)
        case BufferType(shape=shape, dtype=dtype):
            return _array(_extents(shape, symbols), dtype, domain, generator)
        case ScalarType(dtype=dtype) if param.id in symbols:
            return np.dtype(dtype).type(symbols[param.id]), f"{dtype} {symbols[param.id]}"
        case ScalarType(dtype=dtype):
            array, note = _array((), dtype, domain, generator)
            return array[()], note
        case _:
            raise CompileError(
                Diagnostic(
                    "session/no-inputs",
                    f"no values of type `{param.type}` can be made up",
                    hint="give some: `s.inputs(...)`",
                )
            )


def _extents(shape: Shape, symbols: Symbols) -> tuple[int, ...]:
    return tuple(_extent(dim, symbols) for dim in shape)


def _extent(dim: Dim, symbols: Symbols) -> int:
    return dim if isinstance(dim, int) else int(evaluate(dim, symbols))


def _array(
    shape: tuple[int, ...], dtype: str, domain: Interval | None, generator: np.random.Generator
) -> tuple[Array, str]:
    if dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool), "bool"
    if is_float(dtype):
        return generator.standard_normal(shape).astype(np.dtype(dtype)), f"normal {dtype}"
    low, high = domain or ((0, 255) if dtype == "uint8" else FALLBACK_RANGE)
    array = generator.integers(low, high, shape, endpoint=True).astype(np.dtype(dtype))
    return array, f"{dtype} {low}..{high}"


# --- what integers index -------------------------------------------------------------------------


def index_domains(module: IRModule, function: str) -> dict[NodeId, Interval]:
    """For each integer parameter the values that its uses as an index or class number admit."""
    facts = flow(module, function)
    found: dict[NodeId, Interval] = {}
    for param in module.graph_functions[function].params:
        kind = param.type
        if isinstance(kind, TensorType) and kind.dtype is not None and not is_float(kind.dtype):
            intervals = list(_uses(module, facts, f"{function}/{param.id}"))
            if intervals:
                low = max(low for low, _ in intervals)
                found[param.id] = (low, max(low, min(high for _, high in intervals)))
    return found


def _uses(module: IRModule, facts: Flow, start: str) -> Iterator[Interval]:
    """Follow values that only move the elements of `start`; give the domains that others imply."""
    carriers = {start}
    for value in facts.values.values():
        if not carriers.intersection(value.inputs) or value.expr is None:
            continue
        form = _tensor_form(module, value)
        if form is None:
            continue
        args = [a for a in arguments(value.expr) if isinstance(type_of(a), TensorType)]
        positions = [i for i, key in enumerate(_producers(value)) if key in carriers]
        for position in positions:
            if position < len(form.params):
                yield from _domains(module, facts, form, position, args, value)
        if _passes_on(form):
            carriers.add(value.key)


def _producers(value: FlowValue) -> tuple[str, ...]:
    return value.inputs


def _tensor_form(module: IRModule, value: FlowValue) -> TensorFunction | None:
    """The tensor function that computes the value, by legalization where it is an operator."""
    match value.expr:
        case CallTIR(callee=callee) | CallTIRInplace(callee=callee) if callee in module:
            found = module[callee]
            return found if isinstance(found, TensorFunction) else None
        case CallOp():
            return legal_form(value.expr)
        case _:
            return None


def legal_form(call: GraphExpr) -> TensorFunction | None:
    """The tensor function of an operator call, if it has one."""
    if not isinstance(call, CallOp):
        return None
    known = find_operator(call.op)
    if known is None or known.legalize is None:
        return None
    try:
        return known.legalize(call, tuple(type_of(arg) for arg in call.args), infer_type(call))
    except CompileError:
        return None


def _passes_on(form: TensorFunction) -> bool:
    if only_moves_data(form):
        return True
    stores = [node for node in walk(form.body) if isinstance(node, Store)]
    return all(_is_integer_cast(store.value) for store in stores) and bool(stores)


def _is_integer_cast(value: PrimExpr) -> bool:
    return isinstance(value, Cast) and isinstance(value.value, Load) and not is_float(value.dtype)


def _domains(
    module: IRModule,
    facts: Flow,
    form: TensorFunction,
    position: int,
    args: list[Arg],
    value: FlowValue,
) -> Iterator[Interval]:
    buffer = form.params[position].id
    extents = _loop_extents(form)
    for node in walk(form.body):
        match node:
            case Load(buffer=other, indices=indices) if other.id != buffer:
                yield from _as_index(other, indices, buffer)
            case Binary(op=BinaryOp.EQ, a=a, b=b) if _loads(a, buffer) != _loads(b, buffer):
                other = b if _loads(a, buffer) else a
                yield from _as_class(module, facts, form, other, extents, args, value)
            case _:
                continue


def _as_index(other: Var, indices: tuple[PrimExpr, ...], buffer: NodeId) -> Iterator[Interval]:
    assert isinstance(other.type, BufferType)
    for index, extent in zip(indices, other.type.shape, strict=True):
        if _loads(index, buffer) and isinstance(extent, int):
            yield 0, extent - 1


def _as_class(
    module: IRModule,
    facts: Flow,
    form: TensorFunction,
    other: PrimExpr,
    extents: dict[NodeId, int],
    args: list[Arg],
    value: FlowValue,
) -> Iterator[Interval]:
    """Equality with a loop variable or with an element of a constant: one of its values."""
    inner = other.value if isinstance(other, Cast) else other
    if isinstance(inner, Var) and dtype_of(inner) == INDEX and inner.id in extents:
        yield 0, extents[inner.id] - 1
    if isinstance(inner, Load):
        ids = [param.id for param in form.params]
        position = ids.index(inner.buffer.id) if inner.buffer.id in ids else len(args)
        data = _constant(module, facts, value.inputs[position]) if position < len(args) else None
        if data is not None and data.size and data.dtype.kind in "iu":
            yield int(data.min()), int(data.max())


def _constant(module: IRModule, facts: Flow, key: str) -> Any | None:  # noqa: ANN401
    """The elements of a value that is a constant, or a constant moved about."""
    for _ in range(len(facts.values)):
        value = facts.values[key]
        leaf = arguments(value.expr)[0] if value.expr is not None else None
        if isinstance(leaf, Constant):
            return module.pool.get(leaf.digest)
        form = _tensor_form(module, value)
        if form is None or not _passes_on(form) or len(value.inputs) != 1:
            return None
        key = value.inputs[0]
    return None


def _loop_extents(form: TensorFunction) -> dict[NodeId, int]:
    found: dict[NodeId, int] = {}
    for node in walk(form.body):
        if isinstance(node, For | Axis):
            extent = node.extent
            if hasattr(extent, "value") and isinstance(extent.value, int):  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
                found[node.var.id] = extent.value  # pyright: ignore[reportAttributeAccessIssue]
    return found


def _loads(expr: PrimExpr, buffer: NodeId) -> bool:
    return any(isinstance(node, Load) and node.buffer.id == buffer for node in walk(expr))
