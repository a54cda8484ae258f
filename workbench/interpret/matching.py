"""Symbolic dimensions at run time: bound by matching types with values, and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, assert_never, cast

import numpy as np
from numpy.typing import NDArray

from workbench.interpret.scalars import python_binary
from workbench.ir.expr import (
    Binary,
    BufferType,
    Cast,
    Dim,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    ObjectType,
    PrimExpr,
    ScalarType,
    Select,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
)
from workbench.ir.graph import (
    Arg,
    CallOp,
    CallPacked,
    Constant,
    GraphExpr,
    ScalarValue,
    ShapeValue,
    StringValue,
    TupleValue,
)
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.ids import NodeId

Value: TypeAlias = Any
"""A run-time value: array, tuple of values, tuple of ints for a shape, number, string."""


class Constants(Protocol):
    """Arrays by the hash of their content."""

    def __contains__(self, digest: str, /) -> bool: ...

    def __getitem__(self, digest: str, /) -> NDArray[Any]: ...


class Symbols(dict[NodeId, int]):
    """Values of symbolic dimensions by id, filled while arguments are matched with types."""

    def match(self, type_: Type, value: Value, what: str, code: str = "run/wrong-argument") -> None:
        """Check `value` against `type_` and bind the dimensions that are still free.

        Raises:
            CompileError: with the code `code`, which says what kind of value it is: an argument,
                the result of foreign code, or something else whose type was declared.
        """
        match type_:
            case TensorType(shape=shape, dtype=dtype):
                self._match_array(shape, dtype, type_.rank, value, what, code)
            case BufferType(shape=shape, dtype=dtype):
                self._match_array(shape, dtype, len(shape), value, what, code)
            case ShapeType(dims=dims):
                if not isinstance(value, tuple):
                    raise _mismatch(code, what, "a shape", value)
                if dims is not None:
                    self._match_shape(dims, cast("tuple[int, ...]", value), what, code)
            case TupleType(fields=fields):
                self._match_tuple(fields, value, what, code)
            case ScalarType():
                if np.ndim(value) != 0 or isinstance(value, str | tuple):
                    raise _mismatch(code, what, "a number", value)
            case ObjectType():
                pass
            case _:
                assert_never(type_)

    def _match_tuple(self, fields: tuple[Type, ...], value: Value, what: str, code: str) -> None:
        items = cast("tuple[Value, ...]", value)
        if not isinstance(value, tuple) or len(items) != len(fields):
            raise _mismatch(code, what, f"a tuple of {len(fields)} values", value)
        for index, (field, item) in enumerate(zip(fields, items, strict=True)):
            self.match(field, item, f"{what}[{index}]", code)

    def _match_array(
        self,
        shape: Shape | None,
        dtype: str | None,
        rank: int | None,
        value: Value,
        what: str,
        code: str,
    ) -> None:
        if not isinstance(value, np.ndarray | np.generic):
            raise _mismatch(code, what, "an array", value)
        array = cast("NDArray[Any]", value)
        if dtype is not None and str(array.dtype) != dtype:
            raise CompileError(
                Diagnostic(code, f"{what} must have dtype `{dtype}`, got `{array.dtype}`")
            )
        if rank is not None and array.ndim != rank:
            raise CompileError(
                Diagnostic(code, f"{what} must have {rank} dimensions, got shape `{array.shape}`")
            )
        if shape is not None:
            self._match_shape(shape, array.shape, what, code)

    def _match_shape(self, dims: Shape, actual: tuple[int, ...], what: str, code: str) -> None:
        """Check extents against dimensions; variables first, then what is computed from them."""
        if len(dims) != len(actual):
            raise CompileError(
                Diagnostic(code, f"{what} must have {len(dims)} dimensions, got shape `{actual}`")
            )
        for dim, extent in zip(dims, actual, strict=True):
            if isinstance(dim, Var):
                self.setdefault(dim.id, int(extent))
        for position, (dim, extent) in enumerate(zip(dims, actual, strict=True)):
            expected = self.known(dim)
            if expected is not None and expected != extent:
                symbol = f" (`{dim.name}`)" if isinstance(dim, Var) else ""
                raise CompileError(
                    Diagnostic(
                        code,
                        f"dimension {position} of {what} must be `{expected}`{symbol}, "
                        f"got `{extent}`",
                    )
                )

    def known(self, dim: Dim) -> int | None:
        """The value of a dimension, None while a variable in it is free."""
        try:
            return evaluate(dim, self)
        except KeyError:
            return None

    def shape(self, dims: Shape) -> tuple[int, ...]:
        """The values of dimensions.

        Raises:
            CompileError: `run/unbound-dimension`.
        """
        try:
            return tuple(evaluate(dim, self) for dim in dims)
        except KeyError as error:
            raise CompileError(
                Diagnostic(
                    "run/unbound-dimension",
                    "a symbolic dimension is used that no argument binds",
                    node=error.args[0],
                )
            ) from None


def read_leaf(
    arg: Arg, values: Mapping[NodeId, Value], symbols: Symbols, constants: Constants
) -> Value:
    """The value of a leaf, given those of bindings, dimensions and constants.

    Raises:
        CompileError: `module/missing-constant`, `run/unbound-dimension`.
    """
    match arg:
        case Var(id=id_):
            return values[id_] if id_ in values else symbols[id_]
        case Constant(digest=digest):
            return _constant(digest, constants)
        case ShapeValue(dims=dims):
            return symbols.shape(dims)
        case ScalarValue(value=value):
            return evaluate(value, symbols)
        case StringValue(text=text):
            return text
        case TupleValue(fields=fields):
            return tuple(read_leaf(item, values, symbols, constants) for item in fields)
        case _:
            assert_never(arg)


def _constant(digest: str, constants: Constants) -> NDArray[Any]:
    if digest not in constants:
        raise CompileError(
            Diagnostic("module/missing-constant", f"no constant `{digest}` in the pool")
        )
    return constants[digest]


def mismatch_code(value: GraphExpr) -> str:
    """The code of the fault that `value` has at run time another type than its variable."""
    foreign = isinstance(value, CallOp | CallPacked)
    return "run/wrong-result" if foreign else "run/type-mismatch"


def _mismatch(code: str, what: str, expected: str, value: Value) -> CompileError:
    return CompileError(
        Diagnostic(code, f"{what} must be {expected}, got `{type(value).__name__}`")
    )


def evaluate(dim: Dim, symbols: Mapping[NodeId, Any]) -> Any:  # noqa: ANN401
    """The value of a scalar expression without loads.

    Raises:
        KeyError: with the id of a variable that has no value.
        CompileError: `run/division-by-zero`.
    """
    if isinstance(dim, int):
        return dim
    match dim:
        case Var(id=id_):
            return symbols[id_]
        case IntImm(value=value, dtype=dtype):
            return bool(value) if dtype == "bool" else value
        case FloatImm(value=value):
            return value
        case Binary(op=op, a=a, b=b):
            return python_binary(op, evaluate(a, symbols), evaluate(b, symbols))
        case Not(value=value):
            return not evaluate(value, symbols)
        case Select():
            chosen = evaluate(dim.condition, symbols)
            return evaluate(dim.true_value if chosen else dim.false_value, symbols)
        case Cast(value=value, dtype=dtype):
            return np.asarray(evaluate(value, symbols)).astype(dtype).item()
        case Intrinsic() | Load():
            return _refuse(dim)
        case _:
            assert_never(dim)


def _refuse(expr: PrimExpr) -> int:
    raise CompileError(
        Diagnostic(
            "run/bad-dimension",
            "a dimension is made of sums, products, divisions and choices, "
            f"got `{type(expr).__name__}`",
        )
    )
