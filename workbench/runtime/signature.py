"""How a tensor function is called natively: which slots there are and what binds its symbols."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.interpret import dim_text, evaluate
from workbench.ir import (
    BufferType,
    Dim,
    MatchBuffer,
    ScalarType,
    Store,
    TensorFunction,
    Var,
    free_vars,
    is_float,
    walk,
)
from workbench.ir.dims import unknown_of
from workbench.runtime.arrays import is_array
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.amounts import counted

Argument = tuple[tuple[int, ...], str] | int | float | bool
"""Shape and dtype of an array, or a number."""
MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class KernelSignature:
    """Parameters of a tensor function.

    `symbols` are its symbolic dimensions that are no parameters, in order of first occurrence,
    `written` the positions of parameters that it writes.
    """

    name: str
    params: tuple[Var, ...]
    symbols: tuple[Var, ...]
    written: frozenset[int]
    _bound: dict[Any, tuple[int, ...]] = field(
        default_factory=dict[Any, tuple[int, ...]], compare=False, repr=False
    )

    def bind_values(self, values: Sequence[Any]) -> tuple[int, ...]:
        """Values of `symbols` for arrays and numbers; remembered, since shapes repeat.

        Raises:
            CompileError: as `bind`.
        """
        key = tuple((v.shape, v.dtype) if is_array(v) else v for v in values)
        bound = self._bound.get(key)
        if bound is None:
            bound = self.bind([(v.shape, str(v.dtype)) if is_array(v) else v for v in values])
            if len(self._bound) >= MAX_REMEMBERED:
                self._bound.clear()
            self._bound[key] = bound
        return bound

    def bind(self, arguments: Sequence[Argument]) -> tuple[int, ...]:
        """Values of `symbols` for a call.

        Raises:
            CompileError: `run/wrong-argument`, naming parameter, expected and found.
        """
        if len(arguments) != len(self.params):
            raise self._wrong(
                f"takes {counted(len(self.params), 'argument')}, got {len(arguments)}"
            )
        known: dict[NodeId, Any] = {}
        for param, argument in zip(self.params, arguments, strict=True):
            self._collect(param, argument, known)
        for param, argument in zip(self.params, arguments, strict=True):
            if isinstance(param.type, BufferType) and isinstance(argument, tuple):
                _solve(param.type, argument[0], known)
        for param, argument in zip(self.params, arguments, strict=True):
            if isinstance(param.type, BufferType) and isinstance(argument, tuple):
                self._check(param, param.type, argument[0], known)
        try:
            return tuple(int(known[var.id]) for var in self.symbols)
        except KeyError as error:
            name = next(var.name for var in self.symbols if var.id == error.args[0])
            raise self._wrong(f"has dimension `{name}`, which no argument binds") from None

    def _collect(self, param: Var, argument: Argument, known: dict[NodeId, Any]) -> None:
        if isinstance(param.type, BufferType):
            if not isinstance(argument, tuple):
                raise self._wrong(f"needs an array for `{param.name}`, got a number", param)
            shape, dtype = argument
            if dtype != param.type.dtype or len(shape) != len(param.type.shape):
                found = f"`{dtype}` with shape `{shape}`"
                raise self._wrong(f"needs {describe(param)}, got {found}", param)
            for dim, extent in zip(param.type.shape, shape, strict=True):
                if isinstance(dim, Var):
                    known.setdefault(dim.id, extent)
        elif isinstance(argument, tuple):
            raise self._wrong(f"needs a number for `{param.name}`, got an array", param)
        else:
            known[param.id] = argument

    def _check(
        self, param: Var, type_: BufferType, shape: tuple[int, ...], known: dict[NodeId, Any]
    ) -> None:
        for position, (dim, extent) in enumerate(zip(type_.shape, shape, strict=True)):
            expected = value_of(dim, known)
            if expected is not None and expected != extent:
                raise self._wrong(
                    f"needs extent `{expected}` in dimension {position} of `{param.name}`, "
                    f"got `{extent}`",
                    param,
                )

    def _wrong(self, message: str, param: Var | None = None) -> CompileError:
        return CompileError(
            Diagnostic(
                "run/wrong-argument",
                f"`{self.name}` {message}",
                function=self.name,
                node=None if param is None else param.id,
            )
        )


def signature_of(name: str, function: TensorFunction) -> KernelSignature:
    """The signature of a tensor function."""
    given = {param.id for param in function.params}
    symbols: dict[NodeId, Var] = {}
    for param in function.params:
        if isinstance(param.type, BufferType):
            for dim in (*param.type.shape, *param.type.strides):
                if not isinstance(dim, int):
                    symbols.update(
                        (id_, var) for id_, var in free_vars(dim).items() if id_ not in given
                    )
    return KernelSignature(
        name, function.params, tuple(symbols.values()), frozenset(_written(function))
    )


def slot_of(param: Var, value: Any) -> int:  # noqa: ANN401
    """A number as the 8-byte slot of a scalar parameter."""
    assert isinstance(param.type, ScalarType)
    if is_float(param.type.dtype):
        return struct.unpack("<q", struct.pack("<d", float(value)))[0]
    return int(value)


def _solve(type_: BufferType, shape: tuple[int, ...], known: dict[NodeId, Any]) -> None:
    """Bind variables that stand only in expressions: `n` by an extent of `n * 2`."""
    for dim, extent in zip(type_.shape, shape, strict=True):
        unknown = unknown_of(dim, known)
        if unknown is not None and not isinstance(dim, int):
            var, factor = unknown
            known[var.id] = max(0, (extent - evaluate(dim, {**known, var.id: 0})) // factor)


def value_of(dim: Dim, known: dict[NodeId, Any]) -> int | None:
    """The value of a dimension, None while a variable in it is unknown."""
    if isinstance(dim, int):
        return dim
    try:
        return evaluate(dim, known)
    except KeyError:
        return None


def describe(param: Var) -> str:
    """What a parameter takes, for messages: "`x`: `float32` with shape `(n, 4)`"."""
    type_ = param.type
    if isinstance(type_, ScalarType):
        return f"`{param.name}`: a `{type_.dtype}` number"
    assert isinstance(type_, BufferType)
    return f"`{param.name}`: `{type_.dtype}` with shape `{show_shape(type_.shape)}`"


def show_shape(shape: Sequence[Dim]) -> str:
    """A shape with the names of its symbols."""
    shown = [dim_text(dim) for dim in shape]
    return "(" + ", ".join(shown) + ("," if len(shown) == 1 else "") + ")"


def _written(function: TensorFunction) -> set[int]:
    """Positions of parameters that some statement stores to, through matched buffers too."""
    stored: set[NodeId] = set()
    sources: dict[NodeId, NodeId] = {}
    for node in walk(function.body):
        if isinstance(node, Store):
            stored.add(node.buffer.id)
        elif isinstance(node, MatchBuffer):
            sources[node.buffer.id] = node.source.buffer.id
    for buffer, source in reversed(sources.items()):
        if buffer in stored:
            stored.add(source)
    return {i for i, param in enumerate(function.params) if param.id in stored}
