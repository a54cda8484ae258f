"""Scalar expressions and types.

One scalar language serves index arithmetic, symbolic dimensions and the arithmetic of tensor
functions. Reference: `tvm::PrimExpr`, `tvm::relax::StructInfo`.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from workbench.ir.binary_op import COMPARISONS, LOGICAL, BinaryOp, fold_int
from workbench.ir.dtypes import as_dtype, is_float
from workbench.ir.numbers import (
    as_rank,
    as_shape,
    fits,
    is_plain,
    no_scalar_value,
    no_truth,
    plain_number,
    whole_number,
)
from workbench.ir.tracing import TRACING
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.ids import NodeId
from workbench.support.slot_init import sets_slots

N = TypeVar("N")

DType: TypeAlias = str
"""`bool`, `int8` to `int64`, `uint8` to `uint64`, `float16`, `bfloat16`, `float32`, `float64`."""

INDEX: DType = "int64"
"""The dtype of loop variables, indices and symbolic dimensions."""


class Arithmetic:
    """Python operators on scalar expressions; constants fold, nothing else is simplified."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """The value of a constant condition.

        Raises:
            CompileError: `expr/truth` for all else, which is known when the program runs.
        """
        if isinstance(self, IntImm) and self.dtype == "bool":
            return self.value != 0
        raise CompileError(_no_truth(self))  # pyright: ignore[reportArgumentType]

    def __add__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.ADD, self, other)  # pyright: ignore[reportArgumentType]

    def __radd__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.ADD, other, self)  # pyright: ignore[reportArgumentType]

    def __sub__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.SUB, self, other)  # pyright: ignore[reportArgumentType]

    def __rsub__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.SUB, other, self)  # pyright: ignore[reportArgumentType]

    def __mul__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.MUL, self, other)  # pyright: ignore[reportArgumentType]

    def __rmul__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.MUL, other, self)  # pyright: ignore[reportArgumentType]

    def __truediv__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.DIV, self, other)  # pyright: ignore[reportArgumentType]

    def __rtruediv__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.DIV, other, self)  # pyright: ignore[reportArgumentType]

    def __floordiv__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.FLOORDIV, self, other)  # pyright: ignore[reportArgumentType]

    def __mod__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.FLOORMOD, self, other)  # pyright: ignore[reportArgumentType]

    def __neg__(self) -> PrimExpr:
        return binary(BinaryOp.SUB, 0, self)  # pyright: ignore[reportArgumentType]

    def __rfloordiv__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.FLOORDIV, other, self)  # pyright: ignore[reportArgumentType]

    def __rmod__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.FLOORMOD, other, self)  # pyright: ignore[reportArgumentType]

    def __pow__(self, other: Scalar) -> PrimExpr:
        return power(self, other)  # pyright: ignore[reportArgumentType]

    def __rpow__(self, other: Scalar) -> PrimExpr:
        return power(other, self)  # pyright: ignore[reportArgumentType]

    def __lt__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.LT, self, other)  # pyright: ignore[reportArgumentType]

    def __le__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.LE, self, other)  # pyright: ignore[reportArgumentType]

    def __gt__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.GT, self, other)  # pyright: ignore[reportArgumentType]

    def __ge__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.GE, self, other)  # pyright: ignore[reportArgumentType]


def _is_compared(a: Any, b: Any) -> bool:  # noqa: ANN401
    """Whether the function that is traced compares what only the program knows.

    Elements, and expressions of its indices or of reduction axes; symbolic dimensions are known to
    be equal, or not known to be.
    """
    indices = TRACING.get(threading.get_ident())
    if indices is None or not isinstance(b, Arithmetic | int | float):
        return False
    pending = [a, b]
    while pending:
        match pending.pop():
            case Load():
                return True
            case Var(id=ident) as var if ident in indices or var.__class__ is not Var:
                return True
            case Binary(a=left, b=right):
                pending += (left, right)
            case Not(value=value) | Cast(value=value):
                pending.append(value)
            case Select(condition=condition, true_value=left, false_value=right):
                pending += (condition, left, right)
            case Intrinsic(args=args):
                pending += args
            case _:
                continue
    return False


def _node(cls: type[N]) -> type[N]:
    """`==` compares trees; in a function that is traced, it is a comparison of the program."""
    same: Callable[[Any, Any], Any] = cls.__eq__

    def equal(self: Any, other: Any) -> Any:  # noqa: ANN401
        if TRACING and _is_compared(self, other):
            return binary(BinaryOp.EQ, self, other)
        return self is other or same(self, other)

    def unequal(self: Any, other: Any) -> Any:  # noqa: ANN401
        if TRACING and _is_compared(self, other):
            return binary(BinaryOp.NE, self, other)
        answer = same(self, other)
        return answer if answer is NotImplemented else not answer

    cls.__eq__ = equal
    cls.__ne__ = unequal
    return sets_slots(cls)


@_node
@dataclass(frozen=True, slots=True)
class Var(Arithmetic):
    """A value: parameter, binding, buffer, loop variable or symbolic dimension.

    `id` names the value within its function; `name` is for people and need not be unique.
    """

    id: NodeId
    name: str
    type: Type

    def __hash__(self) -> int:
        # equal variables have equal ids, and those of one function have few others
        return hash(self.id)


@_node
@dataclass(frozen=True, slots=True)
class IntImm(Arithmetic):
    """An integer or boolean constant; booleans have dtype `bool` and value 0 or 1."""

    value: int
    dtype: DType = INDEX


@_node
@dataclass(frozen=True, slots=True, eq=False)
class FloatImm(Arithmetic):
    """A floating point constant; equal only where dtype and bits are (`-0.0` is not `0.0`)."""

    value: float
    dtype: DType = "float32"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FloatImm) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[DType, bytes]:
        """Dtype and the bits of the value as float64."""
        return self.dtype, struct.pack("<d", self.value)


@_node
@dataclass(frozen=True, slots=True)
class Binary(Arithmetic):
    """`a op b`; both operands have one dtype, comparisons and logic give `bool`."""

    op: BinaryOp
    a: PrimExpr
    b: PrimExpr


@_node
@dataclass(frozen=True, slots=True)
class Not(Arithmetic):
    """Logical negation."""

    value: PrimExpr


@_node
@dataclass(frozen=True, slots=True)
class Select(Arithmetic):
    """A choice. `lazy` evaluates only the chosen side (`T.if_then_else`).

    Else both (`T.Select`).
    """

    condition: PrimExpr
    true_value: PrimExpr
    false_value: PrimExpr
    lazy: bool = True


@_node
@dataclass(frozen=True, slots=True)
class Cast(Arithmetic):
    """Conversion; float to integer truncates toward zero, anything to bool is `!= 0`."""

    value: PrimExpr
    dtype: DType


@_node
@dataclass(frozen=True, slots=True)
class Intrinsic(Arithmetic):
    """A scalar function such as `exp`, `sqrt`, `tanh`, `erf`; names as in TVM's `T.` namespace."""

    name: str
    args: tuple[PrimExpr, ...]
    dtype: DType


@_node
@dataclass(frozen=True, slots=True)
class Load(Arithmetic):
    """`buffer[indices]`; `buffer.type` is a `BufferType`."""

    buffer: Var
    indices: tuple[PrimExpr, ...]


PrimExpr: TypeAlias = Var | IntImm | FloatImm | Binary | Not | Select | Cast | Intrinsic | Load
Scalar: TypeAlias = PrimExpr | int | float
Dim: TypeAlias = int | PrimExpr
"""A dimension: a Python int where it is known, an `int64` expression where it is symbolic."""
Shape: TypeAlias = tuple[Dim, ...]


# --- types ------------------------------------------------------------------------------------


@sets_slots
@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar value, such as a loop variable or a symbolic dimension."""

    dtype: DType = INDEX


@sets_slots
@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor value. `shape` is None where the extents are not known, of which `ndim` may be."""

    shape: Shape | None
    dtype: DType | None = "float32"
    ndim: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no tensor has; lists, numpy's numbers and dtypes become ours.

        Raises:
            CompileError: `type/unknown-dtype`, `type/rank` and as dimensions do.
        """
        if not is_plain(self.shape, self.dtype):
            object.__setattr__(self, "shape", as_shape(self.shape, Arithmetic))
            object.__setattr__(self, "dtype", as_dtype(self.dtype))
        if self.ndim is not None:
            object.__setattr__(self, "ndim", as_rank(self.ndim, self.shape))

    @property
    def rank(self) -> int | None:
        """Number of dimensions, None if unknown."""
        return self.ndim if self.shape is None else len(self.shape)


@sets_slots
@dataclass(frozen=True, slots=True)
class BufferType:
    """Memory of a tensor function: row-major unless `strides` (in elements) says otherwise."""

    shape: Shape
    dtype: DType = "float32"
    scope: str = "global"
    strides: Shape = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class ShapeType:
    """A shape as a value; `dims` is None where only the rank is known."""

    dims: Shape | None
    ndim: int | None = None


@sets_slots
@dataclass(frozen=True, slots=True)
class TupleType:
    """A tuple of values."""

    fields: tuple[Type, ...]


@sets_slots
@dataclass(frozen=True, slots=True)
class ObjectType:
    """Any value at all; strings and opaque results of packed calls."""


Type: TypeAlias = ScalarType | TensorType | BufferType | ShapeType | TupleType | ObjectType


def as_expr(value: Scalar, dtype: DType | None = None) -> PrimExpr:
    """A Python or numpy number as a constant of `dtype` (default: `int64`, `float32`, `bool`).

    Raises:
        CompileError: `expr/not-a-scalar` for all else that is no expression.
    """
    match value:
        case bool():
            return IntImm(int(value), dtype or "bool")
        case int() if dtype is not None and is_float(dtype):
            return FloatImm(float(value), dtype)
        case int():
            return IntImm(value, dtype or INDEX)
        case float():
            return FloatImm(value, dtype or "float32")
        case Arithmetic():
            return value
        case _:
            return as_expr(plain_number(value), dtype)


def as_dim(value: Scalar) -> Dim:
    """A constant as a Python int, other integer expressions as they are.

    Raises:
        CompileError: `expr/not-a-dimension` for what counts nothing.
    """
    match value:
        case IntImm(value=number):
            return number
        case int():
            return value
        case Arithmetic():
            return value
        case _:
            return whole_number(value)


def dtype_of(expr: PrimExpr) -> DType:
    """The dtype of a scalar expression.

    Raises:
        CompileError: `expr/not-a-scalar` for a variable that is no scalar, and for what is no
            expression.
    """
    match expr:
        case Var(type=ScalarType(dtype=dtype)):
            return dtype
        case IntImm(dtype=dtype) | FloatImm(dtype=dtype) | Cast(dtype=dtype):
            return dtype
        case Intrinsic(dtype=dtype):
            return dtype
        case Binary(op=op, a=a):
            return "bool" if op in COMPARISONS or op in LOGICAL else dtype_of(a)
        case Not():
            return "bool"
        case Select(true_value=value):
            return dtype_of(value)
        case Load(buffer=Var(type=BufferType(dtype=dtype))):
            return dtype
        case _:
            raise CompileError(_no_scalar(expr))


def _no_scalar(value: object) -> Diagnostic:
    if isinstance(value, Var):
        return no_scalar_value(value.name, type(value.type).__name__, value.id)
    message = f"expected a number or a scalar expression, found {found(value)}"
    return Diagnostic("expr/not-a-scalar", message)


def _no_truth(expr: PrimExpr) -> Diagnostic:
    graph = isinstance(expr, Var) and not isinstance(expr.type, ScalarType)
    return no_truth(expression_text(expr), expr.id if isinstance(expr, Var) else None, graph=graph)


def expression_text(expr: Dim, depth: int = 4) -> str:
    """A scalar expression in few characters, for messages."""
    match expr:
        case _ if depth == 0:
            return "..."
        case Var(name=name):
            return name
        case IntImm(value=value, dtype="bool"):
            return str(value != 0)
        case int() | IntImm() | FloatImm():
            return str(expr if isinstance(expr, int) else expr.value)
        case Binary(op=op, a=a, b=b):
            left, right = expression_text(a, depth - 1), expression_text(b, depth - 1)
            word = op.value.isalpha() and op not in LOGICAL
            return f"{op.value}({left}, {right})" if word else f"({left} {op.value} {right})"
        case Load(buffer=buffer, indices=parts):
            return f"{buffer.name}[{', '.join(expression_text(i, depth - 1) for i in parts)}]"
        case Intrinsic(name=name, args=parts):
            return f"{name}({', '.join(expression_text(i, depth - 1) for i in parts)})"
        case _:
            return f"{type(expr).__name__.lower()}(...)"


def binary(op: BinaryOp, a: Scalar, b: Scalar) -> PrimExpr:
    """`a op b` with Python numbers adapted to the other side, folded where both are integers."""
    left, right = _adapt(a, b)
    if isinstance(left, IntImm) and isinstance(right, IntImm):
        folded = fold_int(op, left.value, right.value)
        result = "bool" if op in COMPARISONS or op in LOGICAL else left.dtype
        if folded is not None and fits(folded, result):
            return IntImm(folded, result)
    same = _identity(op, left, right)
    return Binary(op, left, right) if same is None else same


def power(a: Scalar, b: Scalar) -> PrimExpr:
    """`a ** b`, which is `T.pow(a, b)` in scripts too."""
    left, right = _adapt(a, b)
    return Intrinsic("pow", (left, right), dtype_of(left))


def _adapt(a: Scalar, b: Scalar) -> tuple[PrimExpr, PrimExpr]:
    if not isinstance(a, Arithmetic):
        right = as_expr(b)
        return _beside(a, right), right
    if not isinstance(b, Arithmetic):
        return a, _beside(b, a)
    return a, b


def _beside(number: Scalar, other: PrimExpr) -> PrimExpr:
    """A number in the dtype of the other operand, unless it has a fraction that is lost there."""
    made = as_expr(number)
    dtype = dtype_of(other)
    if isinstance(made, FloatImm) and not is_float(dtype):
        return made
    return as_expr(made.value, dtype) if isinstance(made, IntImm | FloatImm) else made


def _identity(op: BinaryOp, a: PrimExpr, b: PrimExpr) -> PrimExpr | None:
    """Integer identities only: they hold for every value."""
    zero, one = isinstance(b, IntImm) and b.value == 0, isinstance(b, IntImm) and b.value == 1
    match op:
        case BinaryOp.ADD if isinstance(a, IntImm) and a.value == 0:
            return b
        case BinaryOp.ADD | BinaryOp.SUB if zero:
            return a
        case BinaryOp.MUL if isinstance(a, IntImm) and a.value == 1:
            return b
        case BinaryOp.MUL | BinaryOp.FLOORDIV if one and dtype_of(a) != "bool":
            return a
        case _:
            return None
