"""Tensor functions: run one element at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from workbench.interpret.allocation import allocated
from workbench.interpret.emit_expr import AccessSite, Scope
from workbench.interpret.emit_stmt import StatementEmitter, symbols_of
from workbench.interpret.matching import Symbols, Value
from workbench.interpret.scalars import SCALAR_TYPES
from workbench.ir.digest import function_digest
from workbench.ir.expr import BufferType, DType, ScalarType, Var, is_float
from workbench.ir.numbers import element_bytes
from workbench.ir.tensor import Block, MatchBuffer, TensorFunction
from workbench.support.diagnostics import CompileError, Diagnostic

_PATTERN = 0xA5
_CACHE: dict[str, Program] = {}
_CACHE_SIZE = 256


@dataclass(frozen=True, slots=True)
class Program:
    """A tensor function as a Python function of its parameters and its symbolic dimensions."""

    function: TensorFunction
    symbols: tuple[Var, ...]
    call: Callable[..., None]
    source: str


def run_tensor_function(
    function: TensorFunction,
    arrays: Sequence[NDArray[Any]],
    scalars: Sequence[int | float] = (),
    name: str = "",
) -> None:
    """Run `function` in destination-passing style.

    `arrays` are for its buffers, `scalars` for its scalar parameters. Floats round to their dtype
    after each operation, integers wrap around, accesses outside a buffer are faults.

    Raises:
        CompileError: `run/wrong-argument`, `run/out-of-bounds`, `run/axis-out-of-range`,
            `run/match-buffer`, `run/division-by-zero`, `tensor/unknown-intrinsic`.
    """
    buffers, numbers = iter(arrays), iter(scalars)
    expected = sum(isinstance(param.type, BufferType) for param in function.params)
    given = len(arrays), len(scalars)
    if given != (expected, len(function.params) - expected):
        raise CompileError(
            Diagnostic(
                "run/wrong-argument",
                f"expected {expected} arrays and {len(function.params) - expected} scalars, "
                f"got {given[0]} and {given[1]}",
                function=name or None,
            )
        )
    call_tensor_function(
        function,
        [next(buffers if isinstance(p.type, BufferType) else numbers) for p in function.params],
        name,
    )


def call_tensor_function(function: TensorFunction, arguments: Sequence[Value], name: str) -> None:
    """Run `function` on one value per parameter.

    Raises:
        CompileError: as `run_tensor_function`.
    """
    try:
        symbols = Symbols()
        for param, value in zip(function.params, arguments, strict=True):
            symbols.bind(param.type, value, f"`{param.name}`")
        values = [
            _argument(symbols, param, value)
            for param, value in zip(function.params, arguments, strict=True)
        ]
        for param, value in zip(function.params, arguments, strict=True):
            symbols.match(param.type, value, f"`{param.name}`")
        program = compile_function(function)
        dims = symbols.shape(program.symbols)
        with np.errstate(all="ignore"):
            program.call(*values, *dims)
    except CompileError as error:
        located = (replace(d, function=d.function or name or None) for d in error.diagnostics)
        raise CompileError(located) from None


def _argument(symbols: Symbols, param: Var, value: Value) -> Value:
    symbols.match(param.type, value, f"`{param.name}`")
    if not isinstance(param.type, ScalarType):
        return value
    dtype = param.type.dtype
    if is_float(dtype):
        return SCALAR_TYPES[dtype](value)
    number = bool(value) if dtype == "bool" else int(value)
    symbols[param.id] = number
    return number


def compile_function(function: TensorFunction) -> Program:
    """`function` as a Python program; kept by digest.

    Raises:
        CompileError: `ir/too-deep`, `tensor/unknown-intrinsic`.
    """
    try:
        digest = function_digest(function)
        if digest not in _CACHE:
            if len(_CACHE) >= _CACHE_SIZE:
                _CACHE.clear()
            _CACHE[digest] = _compile(function)
    except (RecursionError, SyntaxError, MemoryError):
        raise CompileError(
            Diagnostic("ir/too-deep", "statements or expressions are nested too deep to interpret")
        ) from None
    return _CACHE[digest]


def _compile(function: TensorFunction) -> Program:
    scope, symbols = Scope(), symbols_of(function)
    source = StatementEmitter(scope).function(function, symbols)
    code = compile(source, "<tensor function>", "exec")
    sites = tuple(scope.sites)

    def fault(site: int, index: int, bound: int) -> NoReturn:
        _fault(sites[site], index, bound)

    namespace: dict[str, Any] = dict(scope.constants)
    namespace |= {
        "local_array": _local_array,
        "region": _region,
        "check_region": _check_region,
        "axis_fault": _axis_fault,
        "fault": fault,
    }
    exec(code, namespace)  # variables are numbered: no text of the program is in it
    return Program(function, symbols, namespace["program"], source)


def fresh_array(shape: tuple[int, ...], dtype: DType) -> NDArray[Any]:
    """An array whose contents show when used before they are written: NaN, or a bit pattern.

    Raises:
        CompileError: `run/out-of-memory`.
    """
    return allocated(lambda: _marked(shape, dtype), shape, element_bytes(dtype))


def _local_array(shape: tuple[int, ...], dtype: DType) -> NDArray[Any]:
    """Memory of a function's own; a negative extent has no elements, as its loop no iterations."""
    return fresh_array(tuple(max(extent, 0) for extent in shape), dtype)


def _marked(shape: tuple[int, ...], dtype: DType) -> NDArray[Any]:
    if dtype == "bfloat16":
        return np.full(shape, np.nan, dtype=ml_dtypes.bfloat16)
    if is_float(dtype):
        return np.full(shape, np.nan, dtype=dtype)
    if dtype == "bool":
        return np.ones(shape, dtype=bool)
    result = np.empty(shape, dtype=dtype)
    result.reshape(-1).view(np.uint8)[:] = _PATTERN
    return result


def _fault(site: AccessSite, index: int, bound: int) -> NoReturn:
    where = (f"in block `{site.block.name}`",) if site.block else ()
    raise CompileError(
        Diagnostic(
            "run/out-of-bounds",
            f"`{site.buffer.name}` is {site.verb} at index `{index}` of dimension "
            f"{site.dimension}, whose extent is `{bound}`",
            node=site.block.id if site.block else site.buffer.id,
            span=site.block.span if site.block else None,
            notes=where,
        )
    )


def _axis_fault(block: Block, position: int, value: int, extent: int) -> NoReturn:
    axis = block.axes[position]
    raise CompileError(
        Diagnostic(
            "run/axis-out-of-range",
            f"axis `{axis.var.name}` of block `{block.name}` takes the value `{value}`, "
            f"outside its extent `{extent}`",
            node=block.id,
            span=block.span,
            hint="guard the block with a predicate, or correct the binding of the axis",
        )
    )


def _region(
    match: MatchBuffer, source: NDArray[Any], starts: tuple[int, ...], extents: tuple[int, ...]
) -> NDArray[Any]:
    """The view of `source` that a match buffer names, without leading extents of 1."""
    for dimension, (start, extent) in enumerate(zip(starts, extents, strict=True)):
        for index in (start, start + extent - 1) if extent > 0 else ():
            if not 0 <= index < source.shape[dimension]:
                site = AccessSite(match.source.buffer, dimension, "matched", None)
                _fault(site, index, source.shape[dimension])
    view = source[tuple(slice(s, s + max(e, 0)) for s, e in zip(starts, extents, strict=True))]
    assert isinstance(match.buffer.type, BufferType)
    while view.ndim > len(match.buffer.type.shape) and view.shape[0] == 1:
        view = view[0, ...]  # of one element too it is a view
    return view


def _check_region(match: MatchBuffer, view: NDArray[Any], shape: tuple[int, ...]) -> None:
    if view.shape != shape:
        raise CompileError(
            Diagnostic(
                "run/match-buffer",
                f"`{match.buffer.name}` has shape `{shape}`, its region has `{view.shape}`",
                node=match.buffer.id,
            )
        )
