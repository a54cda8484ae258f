"""Symbolic dimensions at run time: bound by matching types with values, and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, assert_never, cast

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.index_text import index_text
from workbench.interpret.scalars import python_binary
from workbench.ir.call_types import show_dim
from workbench.ir.dims import unknown_of
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
from workbench.ir.traverse import free_vars
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.ids import NodeId

Value: TypeAlias = Any
"""A run-time value: array, tuple of values, tuple of ints for a shape, number, string."""


class Constants(Protocol):
    """Arrays by the hash of their content."""

    def __contains__(self, digest: str, /) -> bool: ...

    def __getitem__(self, digest: str, /) -> NDArray[Any]: ...


class Symbols(dict[NodeId, int]):
    """Values of symbolic dimensions by id, filled while arguments are matched with types.

    `origins` says where a value was found: "dimension 0 of `x`".
    """

    def __init__(self, values: Mapping[NodeId, int] | None = None) -> None:
        super().__init__(values or {})
        self.origins: dict[NodeId, str] = {}

    def bind(self, type_: Type, value: Value, what: str) -> None:
        """Bind the variables that are dimensions of `type_` as they are; checks nothing."""
        match type_:
            case TensorType(shape=dims) | BufferType(shape=dims) if dims is not None:
                self._bind_shape(dims, np.shape(value), what)
            case ShapeType(dims=dims) if dims is not None and isinstance(value, tuple):
                self._bind_shape(dims, cast("tuple[int, ...]", value), what)
            case TupleType(fields=fields) if isinstance(value, tuple):
                items = cast("tuple[Value, ...]", value)
                for index, (field, item) in enumerate(zip(fields, items, strict=False)):
                    self.bind(field, item, f"{what}[{index}]")
            case _:
                return

    def _bind_shape(self, dims: Shape, actual: tuple[int, ...], what: str) -> None:
        for position, (dim, extent) in enumerate(zip(dims, actual, strict=False)):
            if isinstance(dim, Var) and dim.id not in self:
                self[dim.id] = int(extent)
                self.origins[dim.id] = f"dimension {position} of {what}"

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
        self._bind_shape(dims, actual, what)
        for position, (dim, extent) in enumerate(zip(dims, actual, strict=True)):
            place = f"dimension {position} of {what}"
            solved = isinstance(dim, int) or self._solve(dim, int(extent), place)
            expected = self.known(dim) if solved else None
            if expected != extent and (expected is not None or not solved):
                notes = (*self._origins(dim, place), *_whole(dims, actual, what))
                raise CompileError(
                    Diagnostic(
                        code,
                        f"{place} must be {_wanted(dim, expected)}, got `{extent}`",
                        notes=notes,
                    )
                )

    def _solve(self, dim: PrimExpr, extent: int, place: str) -> bool:
        """Bind the one unknown variable of `dim`; False where no extent gives `extent`."""
        unknown = unknown_of(dim, self)
        if unknown is None:
            return True
        var, factor = unknown
        value, rest = divmod(extent - evaluate(dim, {**self, var.id: 0}), factor)
        if rest or value < 0:
            return False
        self[var.id] = value
        self.origins[var.id] = place
        return True

    def _origins(self, dim: Dim, place: str) -> tuple[str, ...]:
        """Where the values of the variables of a dimension come from, if from elsewhere."""
        if isinstance(dim, int):
            return ()
        return tuple(
            f"`{var.name}` is `{self[var.id]}` by {self.origins[var.id]}"
            for var in free_vars(dim).values()
            if self.origins.get(var.id, place) != place
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
            CompileError: `run/unbound-dimension`, `run/negative-dimension`.
        """
        return extents(dims, self)

    def number(self, dim: Dim) -> Any:  # noqa: ANN401
        """The value of a scalar expression.

        Raises:
            CompileError: `run/unbound-dimension`.
        """
        return number(dim, self)


def extents(dims: Shape, symbols: Mapping[NodeId, Any]) -> tuple[int, ...]:
    """The values of dimensions.

    Raises:
        CompileError: `run/unbound-dimension`, `run/negative-dimension`.
    """
    found = tuple(int(number(dim, symbols)) for dim in dims)
    for dim, extent in zip(dims, found, strict=True):
        if extent < 0:
            shown = f" (`{dim_text(dim)}`)" if not isinstance(dim, int) else ""
            raise CompileError(
                Diagnostic("run/negative-dimension", f"a dimension would be `{extent}`{shown}")
            )
    return found


def number(dim: Dim, symbols: Mapping[NodeId, Any]) -> Any:  # noqa: ANN401
    """The value of a scalar expression without loads.

    Raises:
        CompileError: `run/unbound-dimension`.
    """
    try:
        return evaluate(dim, symbols)
    except KeyError as error:
        names = {} if isinstance(dim, int) else free_vars(dim)
        name = names[error.args[0]].name if error.args[0] in names else "?"
        raise CompileError(
            Diagnostic(
                "run/unbound-dimension",
                f"the value of `{name}` is needed, and no argument tells it",
                node=error.args[0],
                hint=f"an argument with a dimension `{name}`, `{name} + 1` or `{name} * 2` tells "
                f"it; `{name} // 2` does not",
            )
        ) from None


def dim_text(dim: Dim) -> str:
    """A dimension for messages: `n * 2`."""
    try:
        return str(dim) if isinstance(dim, int) else index_text(dim)
    except CompileError:  # `min`, `max` and choices
        return show_dim(dim)


def _wanted(dim: Dim, expected: int | None) -> str:
    if isinstance(dim, int):
        return f"`{dim}`"
    return f"`{dim_text(dim)}`" if expected is None else f"`{expected}` (`{dim_text(dim)}`)"


def _whole(dims: Shape, actual: tuple[int, ...], what: str) -> tuple[str, ...]:
    """The whole shapes, where there is more than the one dimension."""
    if len(dims) < 2:
        return ()
    shown = ", ".join(dim_text(dim) for dim in dims)
    return (f"{what} must have shape `({shown})`, got `{tuple(map(int, actual))}`",)


def read_leaf(
    arg: Arg, values: Mapping[NodeId, Value], symbols: Symbols, constants: Constants
) -> Value:
    """The value of a leaf, given those of bindings, dimensions and constants.

    Raises:
        CompileError: `module/missing-constant`, `run/unbound-dimension`.
    """
    match arg:
        case Var(id=id_):
            return values[id_] if id_ in values else number(arg, symbols)
        case Constant(digest=digest):
            return _constant(digest, constants)
        case ShapeValue(dims=dims):
            return symbols.shape(dims)
        case ScalarValue(value=value):
            return number(value, symbols)
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


def called_note(value: GraphExpr, name: str, function: str) -> tuple[str, ...]:
    """The note that says which call of foreign code `value` is; none where it is no such call."""
    match value:
        case CallOp(op=callee) | CallPacked(symbol=callee):
            return (call_note(callee, name, function),)
        case _:
            return ()


def call_note(callee: str, name: str, function: str) -> str:
    """What is called, and for which value."""
    return f"`{callee}` is called for `{name}` in `{function}`"


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
