"""Arguments of a call: checked against the parameters' types, converted where that costs nothing.

Arrays of the right dtype and shape are passed as they are, those that are not row-major are
copied, which a `CopiedArgumentWarning` says, others are refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.interpret import Symbols
from workbench.interpret.foreign import as_array
from workbench.ir import (
    Dim,
    ObjectType,
    ScalarType,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
    is_float,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.runtime.arrays import (
    Array,
    as_number,
    direct,
    is_array,
    is_direct,
    is_fields,
    is_number,
)
from workbench.runtime.program import Operand, Program, TupleOperand, ValueRef
from workbench.runtime.signature import show_shape
from workbench.support import CompileError, Diagnostic
from workbench.support.amounts import counted
from workbench.support.spelling import near

MOST_TOLD = 4
"""Arguments by name that a message tells to be wrong."""


class CopiedArgumentWarning(UserWarning):
    """An argument was copied, since native code reads row-major arrays only."""


class Parameters:
    """Checks the arguments of one graph function."""

    def __init__(self, name: str, params: Sequence[Var]) -> None:
        self.name = name
        self.params = tuple(params)
        self._plain = tuple(_plain(param.type) for param in params)

    def check(
        self, arguments: Sequence[Any], *, say_copies: bool = False
    ) -> tuple[list[Any], Symbols]:
        """Converted arguments, and the symbols that they bind; says which ones it copied.

        Raises:
            CompileError: `run/wrong-argument`, one diagnostic a parameter that does not fit.
        """
        if len(arguments) != len(self.params):
            raise CompileError(self._count(len(arguments)))
        quick = self._quickly(arguments)
        if quick is not None:
            return quick
        symbols = Symbols()
        converted: list[Any] = [None] * len(arguments)
        self._slowly(arguments, converted, symbols)
        if say_copies:
            self._say_copies(arguments)
        return converted, symbols

    def _say_copies(self, arguments: Sequence[Any]) -> None:
        for param, argument in zip(self.params, arguments, strict=True):
            if not isinstance(param.type, TensorType):
                continue
            array = as_array(argument)
            if is_array(array) and not is_direct(array):
                lacks = "aligned" if array.flags.c_contiguous else "row-major"
                text = (
                    f"argument `{param.name}` of `{self.name}` is not {lacks} and was copied; "
                    + (
                        "`np.ascontiguousarray` or `contiguous()`"
                        if lacks == "row-major"
                        else "`copy()`"
                    )
                    + " does that once"
                )
                warnings.warn(text, CopiedArgumentWarning, stacklevel=5)

    def _quickly(self, arguments: Sequence[Any]) -> tuple[list[Any], Symbols] | None:
        """What `check` gives where all arguments are arrays that fit as they are, else None."""
        symbols = Symbols()
        for plain, argument in zip(self._plain, arguments, strict=True):
            if (
                plain is None
                or type(argument) is not np.ndarray
                or argument.dtype != plain.dtype
                or not is_direct(argument)
            ):
                return None
            if argument.shape == plain.shape:
                continue
            if argument.ndim != len(plain.dims):
                return None
            for dim, extent in zip(plain.dims, argument.shape, strict=True):
                if (symbols.setdefault(dim.id, extent) if type(dim) is Var else dim) != extent:
                    return None
        return list(arguments), symbols

    def _slowly(self, arguments: Sequence[Any], converted: list[Any], symbols: Symbols) -> None:
        faults: dict[int, Diagnostic] = {}
        for position, param in enumerate(self.params):
            try:
                converted[position] = _convert(param.type, arguments[position], param.name)
            except CompileError as error:
                faults[position] = error.diagnostics[0]
                continue
            if isinstance(param.type, ScalarType):
                symbols[param.id] = converted[position]
            symbols.bind(param.type, converted[position], f"`{param.name}`")
        for _ in range(2):  # the second time, dimensions computed from later parameters are known
            for position, param in enumerate(self.params):
                if position not in faults:
                    fault = _fault(param, converted[position], symbols)
                    faults |= {} if fault is None else {position: fault}
        if faults:
            raise CompileError(
                _of_parameter(fault, self.name, self.params[position])
                for position, fault in sorted(faults.items())
            )

    def _count(self, found: int) -> Diagnostic:
        names = ", ".join(f"`{param.name}`" for param in self.params)
        return Diagnostic(
            "run/wrong-argument",
            f"expected {counted(len(self.params), 'argument')}, got {found}",
            function=self.name,
            notes=(f"the parameters are {names}",) if names else (),
        )


def in_order(
    function: str, params: Sequence[Var], given: Sequence[Any], named: Mapping[str, Any]
) -> list[Any]:
    """Arguments by position and by the names of parameters, in the order of the parameters.

    Raises:
        CompileError: `run/wrong-argument` for names that no parameter has, or several, or one that
            was given, and for parameters that get nothing.
    """
    names = [param.name for param in params]
    left = names[len(given) :]
    faults = [_named(name, names, left) for name in named if left.count(name) != 1]
    faults += [f"`{name}` is missing" for name in left if name not in named]
    faults = faults if len(given) <= len(names) else [f"got {len(given)} by position"]
    if faults:
        notes = ("the parameters are " + ", ".join(f"`{name}`" for name in names),)
        text = f"expected {len(names)} arguments: {'; '.join(faults[:MOST_TOLD])}"
        unknown = next((name for name in named if name not in names), "")
        hint = near(unknown, names) if unknown else ""
        raise CompileError(
            Diagnostic("run/wrong-argument", text, function=function, notes=notes, hint=hint)
        )
    return [*given, *(named[name] for name in left)]


def _named(name: str, names: Sequence[str], left: Sequence[str]) -> str:
    if name not in names:
        return f"no parameter is called `{name}`"
    return f"several parameters are called `{name}`" if name in left else f"`{name}` is given twice"


def input_values(program: Program, arguments: Sequence[Any]) -> list[tuple[int, Any]]:
    """Arguments as values of a program by index; tuples are taken apart."""
    if program.flat_inputs is not None:
        return list(zip(program.flat_inputs, arguments, strict=True))
    return [
        pair
        for operand, argument in zip(program.inputs, arguments, strict=True)
        for pair in _leaves(operand, argument)
    ]


def _leaves(operand: Operand, argument: Any) -> Iterator[tuple[int, Any]]:  # noqa: ANN401
    match operand:
        case ValueRef(index=index):
            yield index, argument
        case TupleOperand(fields=fields):
            for field, item in zip(fields, argument, strict=True):
                yield from _leaves(field, item)
        case _:
            return


@dataclass(frozen=True, slots=True)
class _Plain:
    """A tensor parameter of numbers and variables; `shape` is set where all are numbers."""

    dtype: np.dtype[Any]
    dims: Shape
    shape: tuple[int, ...] | None


def _plain(type_: Type) -> _Plain | None:
    if not isinstance(type_, TensorType) or type_.shape is None or type_.dtype is None:
        return None
    if not all(isinstance(dim, int | Var) for dim in type_.shape):
        return None
    fixed = tuple(dim for dim in type_.shape if isinstance(dim, int))
    whole = fixed if len(fixed) == len(type_.shape) else None
    return _Plain(numpy_dtype(type_.dtype), type_.shape, whole)


def _convert(type_: Type, argument: Any, name: str) -> Any:  # noqa: ANN401
    match type_:
        case TensorType():
            return _convert_array(type_, argument, name)
        case TupleType(fields=fields):
            if not is_fields(argument) or len(argument) != len(fields):
                raise _wrong(name, f"a tuple of {len(fields)} values", argument)
            return tuple(
                _convert(field, item, f"{name}[{i}]")
                for i, (field, item) in enumerate(zip(fields, argument, strict=True))
            )
        case ShapeType():
            if not is_fields(argument):
                raise _wrong(name, "a shape, as a tuple of integers", argument)
            return tuple(int(extent) for extent in argument)
        case ScalarType(dtype=dtype):
            return _convert_number(dtype, argument, name)
        case _:
            return as_array(argument)


def _convert_array(type_: TensorType, argument: Any, name: str) -> Any:  # noqa: ANN401
    value = as_array(argument)
    wanted = _show_tensor(type_)
    if isinstance(value, bool | int | float) and type_.shape == ():
        value = np.asarray(value, numpy_dtype(type_.dtype or "float32"))
    if not is_array(value) and not is_number(value):
        raise _wrong(name, wanted, argument)
    array: Array = np.asarray(value)
    fits = type_.dtype is None or array.dtype == numpy_dtype(type_.dtype)
    if not fits or (type_.rank is not None and array.ndim != type_.rank):
        raise _wrong(name, wanted, array)
    return direct(array)


def _convert_number(dtype: str, argument: Any, name: str) -> int | float:  # noqa: ANN401
    value = as_number(argument)
    allowed = int | float if is_float(dtype) else int
    if not isinstance(value, allowed):
        raise _wrong(name, f"a `{dtype}` number", argument)
    return value


def _fault(param: Var, value: Any, symbols: Symbols) -> Diagnostic | None:  # noqa: ANN401
    """What is wrong with the shape of an argument."""
    if isinstance(param.type, ScalarType | ObjectType):
        return None
    try:
        symbols.match(param.type, value, f"`{param.name}`")
    except CompileError as error:
        return error.diagnostics[0]
    return None


def _of_parameter(fault: Diagnostic, function: str, param: Var) -> Diagnostic:
    """The fault at a parameter; its name is in a note where the message does not say it."""
    note = () if f"`{param.name}" in fault.message else (f"given for `{param.name}`",)
    return replace(fault, function=function, node=param.id, notes=(*fault.notes, *note))


def _wrong(name: str, expected: str, found: Any) -> CompileError:  # noqa: ANN401
    shown, hint = f"`{type(found).__name__}`", ""
    if is_array(found):
        shown = f"`{found.dtype}` with shape `{found.shape}`"
        hint = "convert the array with `astype` if the dtype is wrong, `reshape` if the shape is"
    return CompileError(
        Diagnostic("run/wrong-argument", f"`{name}` must be {expected}, got {shown}", hint=hint)
    )


def _show_tensor(type_: TensorType) -> str:
    dims: Sequence[Dim] | None = type_.shape
    shape = f"shape `{show_shape(dims)}`" if dims is not None else _any_shape(type_.ndim)
    dtype = f"`{type_.dtype}`" if type_.dtype is not None else "any dtype"
    return f"{dtype} with {shape}"


def _any_shape(ndim: int | None) -> str:
    return "any shape" if ndim is None else counted(ndim, "dimension")
