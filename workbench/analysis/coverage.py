"""Outputs that a call leaves unwritten: elements that no statement of its function ever writes.

A call gets its outputs as memory that holds anything. An element is named where it is proved that
nothing writes it, for all extents: places at the ends and in the middle of each axis are asked
for. What the analysis cannot follow (indices and conditions that depend on data, calls of foreign
code) may write anything, so there are no false alarms, and gaps in other places are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

from workbench.analysis.arith import Facts
from workbench.analysis.calls import bindings_in
from workbench.analysis.dependence import dependences
from workbench.analysis.dependence.boxes import box_of
from workbench.analysis.dependence.spelling import spell
from workbench.ir import (
    BufferType,
    CallTIR,
    CallTIRInplace,
    Dim,
    IRModule,
    Seq,
    Shape,
    Store,
    TensorFunction,
    Var,
    function_digest,
    walk,
)
from workbench.ir.expr import IntImm, PrimExpr, as_expr
from workbench.ir.tensor import Range
from workbench.support import Diagnostic, Severity

MOST_PLACES = 40
"""Elements of an output that are asked for."""
_MOST_KEPT = 4096
_KNOWN: dict[tuple[str, int], str] = {}


def unwritten_outputs(module: IRModule) -> tuple[Diagnostic, ...]:
    """A warning `tensor/unwritten-output` for each output of a call that is left unwritten.

    A warning is proved: no run with any extents writes that element. No warning proves less:
    either one statement is seen to write all elements, or none of at most `MOST_PLACES` places at
    the ends and in the middle of the axes is known to stay unwritten; a gap elsewhere, or behind
    a condition on data, is not found.
    """
    found: dict[tuple[str, int], Diagnostic] = {}
    for name, function in module.graph_functions.items():
        for binding in bindings_in(function.blocks):
            call = binding.value
            if not isinstance(call, CallTIR | CallTIRInplace):
                continue
            callee = module[call.callee]
            fresh = call.out_types if isinstance(call, CallTIR) else call.fresh
            for output in range(len(call.args), len(call.args) + len(fresh)):
                key = call.callee, output
                if isinstance(callee, TensorFunction) and key not in found:
                    element = unwritten_element(callee, output)
                    if element:
                        found[key] = _warning(call.callee, element, name, binding.var)
    return tuple(found.values())


def _warning(callee: str, element: str, function: str, var: Var) -> Diagnostic:
    return Diagnostic(
        "tensor/unwritten-output",
        f"`{callee}` never writes {element}, the output for `{var.name}`",
        severity=Severity.WARNING,
        function=function,
        node=var.id,
        notes=("it holds whatever was in memory",),
        hint=f"let `{callee}` write all elements of its output",
    )


def unwritten_element(function: TensorFunction, param: int) -> str:
    """An element of a buffer that the function never writes, as `Y[0, 7]`; empty if none is known.

    `any element of `Y`` where nothing is written at all. Parameters are counted from 0.
    """
    key = function_digest(function), param  # with names: the answer has them
    if key not in _KNOWN:
        if len(_KNOWN) >= _MOST_KEPT:
            _KNOWN.clear()
        _KNOWN[key] = _find(function, function.params[param])
    return _KNOWN[key]


def _find(function: TensorFunction, buffer: Var) -> str:
    if not isinstance(buffer.type, BufferType) or 0 in buffer.type.shape:
        return ""
    stores = any(isinstance(node, Store) for node in walk(function.body))
    if stores and _is_filled(function, buffer):
        return ""
    places = [*islice(_places(buffer.type.shape), MOST_PLACES)] if stores else []
    missing = _never_written(function, buffer, places)
    if len(missing) == len(places):
        return f"any element of `{buffer.name}`" if _is_untouched(function, buffer) else ""
    return f"`{buffer.name}[{', '.join(map(spell, missing[0]))}]`" if missing else ""


def _places(shape: Shape) -> Iterator[tuple[PrimExpr, ...]]:
    """Elements to ask for: both corners, then others along each axis from both."""
    first = tuple(IntImm(0) for _ in shape)
    last = tuple(_before(dim, 1) for dim in shape)
    yield first
    if shape:
        yield last
    for axis, dim in enumerate(shape):
        others = [last[axis], _before(dim, 2), IntImm(1)]
        if isinstance(dim, int):
            others = [IntImm(n) for n in sorted({dim - 1, dim - 2, dim // 2, 1}) if 0 < n < dim]
        for start, other in product((first, last), (*others, IntImm(0))):
            if start[axis] != other and (len(shape) > 1 or other not in (first[0], last[0])):
                yield (*start[:axis], other, *start[axis + 1 :])


def _before(dim: Dim, count: int) -> PrimExpr:
    """The index so many places before the end of an axis."""
    return IntImm(dim - count) if isinstance(dim, int) else Facts().simplify(as_expr(dim) - count)


def _is_filled(function: TensorFunction, buffer: Var) -> bool:
    """Whether one statement writes every element: that is so for most functions, and quick."""
    found = dependences(function)
    terms = found.model.terms
    assert isinstance(buffer.type, BufferType)
    whole = tuple(Range(IntImm(0), as_expr(dim)) for dim in buffer.type.shape)
    boxes = (
        box_of(terms, statement, access, frozenset())
        for statement in found.statements
        for access in found.writes(statement)
        if access.buffer.id == buffer.id
    )
    return any(box.exact and box.ranges(terms, buffer) == whole for box in boxes)


def _never_written(
    function: TensorFunction, buffer: Var, places: Sequence[tuple[PrimExpr, ...]]
) -> list[tuple[PrimExpr, ...]]:
    """Elements that no statement touches: as stores to them at the end would tell."""
    probes = tuple(Store(buffer, place, IntImm(0)) for place in places)
    found = dependences(replace(function, body=Seq((function.body, *probes))))
    first = len(found.statements) - len(probes)
    writers = [
        statement.index
        for statement in found.statements[:first]
        if any(access.buffer.id == buffer.id for access in found.writes(statement))
    ]
    return [
        place
        for number, place in enumerate(places)
        if found.conflict(writers, [first + number]).applies
    ]


def _is_untouched(function: TensorFunction, buffer: Var) -> bool:
    """Whether no statement writes any element."""
    found = dependences(function)
    return not any(
        access.buffer.id == buffer.id for s in found.statements for access in found.writes(s)
    )
