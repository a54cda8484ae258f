"""Types at calls: are two compatible, and what do the symbols of the callee stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.ir.dims import bind_dims, same_dim, same_shape, substitute_dim
from workbench.ir.expr import (
    Binary,
    BufferType,
    Dim,
    IntImm,
    ObjectType,
    PrimExpr,
    ScalarType,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
    dtype_of,
)
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an argument does not fit."""

    code: str
    message: str


def compatible(value: Type, declared: Type, *, shapes: bool = True) -> str | None:
    """The code of the fault if `value` surely is no `declared`; what is unknown on a side fits.

    Without `shapes`, extents are not compared, as they are checked at run time.
    """
    match value, declared:
        case (ObjectType(), _) | (_, ObjectType()):
            return None
        case TensorType(), TensorType():
            return _tensors(value, declared, shapes=shapes)
        case ShapeType(dims=a), ShapeType(dims=b):
            differ = shapes and a is not None and b is not None and same_shape(a, b) is False
            return "type/shape-mismatch" if differ else None
        case TupleType(fields=a), TupleType(fields=b):
            if len(a) != len(b):
                return "type/mismatch"
            found = (compatible(x, y, shapes=shapes) for x, y in zip(a, b, strict=True))
            return next((problem for problem in found if problem), None)
        case (ScalarType(dtype=a), ScalarType(dtype=b)):
            return None if a == b else "type/dtype-mismatch"
        case _:
            return None if value == declared else "type/mismatch"


def _tensors(value: TensorType, declared: TensorType, *, shapes: bool) -> str | None:
    if None not in {value.dtype, declared.dtype} and value.dtype != declared.dtype:
        return "type/dtype-mismatch"
    if None not in {value.rank, declared.rank} and value.rank != declared.rank:
        return "type/rank-mismatch"
    if not shapes or value.shape is None or declared.shape is None:
        return None
    return "type/shape-mismatch" if same_shape(value.shape, declared.shape) is False else None


@dataclass(slots=True)
class Unifier:
    """Finds what the symbolic dimensions of a callee stand for at one call."""

    values: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])

    def call(
        self, params: Sequence[Var], arguments: Sequence[Type | PrimExpr | int]
    ) -> list[Problem]:
        """Match arguments (types, or values of scalars) with parameters; all that does not fit."""
        found: list[Problem] = []
        for param, argument in zip(params, arguments, strict=True):
            if isinstance(param.type, ScalarType) and not _is_type(argument):
                self.values.setdefault(param.id, argument)  # pyright: ignore[reportArgumentType]
        shapes: list[tuple[str, Shape, Shape]] = []
        for param, argument in zip(params, arguments, strict=True):
            problem = self._kinds(param.name, param.type, argument, shapes)
            if problem is not None:
                found.append(problem)
        for _ in range(2):  # the second time, what later parameters tell is known
            for _, expected, given in shapes:
                bind_dims(expected, given, self.values)
        for name, expected, given in shapes:
            found += self._extents(name, expected, given)
        return found

    def substitute(self, type_: Type) -> Type:
        """A type of the callee in terms of the caller."""
        match type_:
            case TensorType(shape=shape) if shape is not None:
                return TensorType(self._shape(shape), type_.dtype)
            case ShapeType(dims=dims) if dims is not None:
                return ShapeType(self._shape(dims))
            case TupleType(fields=fields):
                return TupleType(tuple(self.substitute(item) for item in fields))
            case _:
                return type_

    def _shape(self, shape: Shape) -> Shape:
        return tuple(substitute_dim(dim, self.values) for dim in shape)

    def _kinds(
        self,
        name: str,
        expected: Type,
        given: Type | PrimExpr | int,
        shapes: list[tuple[str, Shape, Shape]],
    ) -> Problem | None:
        """Compare everything but extents; shapes to compare are appended to `shapes`."""
        if not _is_type(given):
            return _scalar_problem(name, expected, given)  # pyright: ignore[reportArgumentType]
        match expected, given:
            case ((BufferType() | TensorType()), TensorType()):
                return _array_problem(name, expected, given, shapes)
            case ShapeType(dims=a), ShapeType(dims=b) if a is not None and b is not None:
                if len(a) != len(b):
                    return Problem("type/rank-mismatch", f"`{name}` has {len(a)} dimensions")
                shapes.append((name, a, b))
                return None
            case TupleType(fields=a), TupleType(fields=b) if len(a) == len(b):
                for index, (x, y) in enumerate(zip(a, b, strict=True)):
                    problem = self._kinds(f"{name}[{index}]", x, y, shapes)
                    if problem is not None:
                        return problem
                return None
            case _:
                code = compatible(given, expected) if not isinstance(expected, BufferType) else ""  # pyright: ignore[reportArgumentType]
                if code is None:
                    return None
                wanted, got = show_type(expected), show_type(given)  # pyright: ignore[reportArgumentType]
                return Problem(code or "type/mismatch", f"`{name}` must be `{wanted}`, got `{got}`")

    def _extents(self, name: str, expected: Shape, given: Shape) -> list[Problem]:
        found: list[Problem] = []
        for position, (dim, actual) in enumerate(zip(expected, given, strict=True)):
            wanted = substitute_dim(dim, self.values)
            if same_dim(wanted, actual) is False:
                message = (
                    f"dimension {position} of `{name}` must be `{show_dim(wanted)}`, "
                    f"got `{show_dim(actual)}`"
                )
                found.append(Problem("type/shape-mismatch", message))
        return found


def _is_type(argument: Type | PrimExpr | int) -> bool:
    return isinstance(
        argument, ScalarType | TensorType | BufferType | ShapeType | TupleType | ObjectType
    )


def _scalar_problem(name: str, expected: Type, given: PrimExpr | int) -> Problem | None:
    if isinstance(expected, ObjectType):
        return None
    dtype = "int64" if isinstance(given, int) else dtype_of(given)
    if isinstance(expected, ScalarType) and expected.dtype == dtype:
        return None
    code = "type/dtype-mismatch" if isinstance(expected, ScalarType) else "type/mismatch"
    return Problem(code, f"`{name}` must be `{show_type(expected)}`, got a scalar `{dtype}`")


def _array_problem(
    name: str,
    expected: BufferType | TensorType,
    given: TensorType,
    shapes: list[tuple[str, Shape, Shape]],
) -> Problem | None:
    if None not in {expected.dtype, given.dtype} and expected.dtype != given.dtype:
        message = f"`{name}` must have dtype `{expected.dtype}`, got `{given.dtype}`"
        return Problem("type/dtype-mismatch", message)
    rank = len(expected.shape) if isinstance(expected, BufferType) else expected.rank
    if None not in {rank, given.rank} and rank != given.rank:
        message = f"`{name}` must have {rank} dimensions, got {given.rank}"
        return Problem("type/rank-mismatch", message)
    if expected.shape is not None and given.shape is not None:
        shapes.append((name, expected.shape, given.shape))
    return None


def show_type(type_: Type) -> str:
    """A type in a few characters, for messages: `(n, 4) float32`."""
    match type_:
        case TensorType(shape=shape, dtype=dtype, ndim=ndim) if shape is None:
            rank = "?" if ndim is None else f"{ndim}-dimensional"
            return f"{rank} {dtype or '?'}"
        case TensorType(shape=shape, dtype=dtype) | BufferType(shape=shape, dtype=dtype):
            return f"{show_shape(shape or ())} {dtype or '?'}"
        case ScalarType(dtype=dtype):
            return f"scalar {dtype}"
        case ShapeType(dims=dims):
            return f"shape {'?' if dims is None else show_shape(dims)}"
        case TupleType(fields=fields):
            return "(" + ", ".join(show_type(item) for item in fields) + ")"
        case ObjectType():
            return "object"


def show_shape(shape: Shape) -> str:
    """A shape, for messages."""
    inner = ", ".join(show_dim(dim) for dim in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def show_dim(dim: Dim) -> str:
    """A dimension, for messages."""
    match dim:
        case int():
            return str(dim)
        case Var(name=name):
            return name
        case IntImm(value=value):
            return str(value)
        case Binary(op=op, a=a, b=b) if op.value in {"min", "max"}:
            return f"{op.value}({show_dim(a)}, {show_dim(b)})"
        case Binary(op=op, a=a, b=b):
            return f"({show_dim(a)} {op.value} {show_dim(b)})"
        case _:
            return type(dim).__name__.lower()
