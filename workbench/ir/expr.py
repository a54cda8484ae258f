"""Scalar expressions and types.

One scalar language serves index arithmetic, symbolic dimensions and the arithmetic of tensor
functions. Reference: `tvm::PrimExpr`, `tvm::relax::StructInfo`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from workbench.ir.binary_op import COMPARISONS, LOGICAL, BinaryOp, fold_int
from workbench.support.ids import NodeId

DType: TypeAlias = str
"""`bool`, `int8` to `int64`, `uint8` to `uint64`, `float16`, `bfloat16`, `float32`, `float64`."""

INDEX: DType = "int64"
"""The dtype of loop variables, indices and symbolic dimensions."""


class Arithmetic:
    """Python operators on scalar expressions; constants fold, nothing else is simplified."""

    __slots__ = ()

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

    def __lt__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.LT, self, other)  # pyright: ignore[reportArgumentType]

    def __le__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.LE, self, other)  # pyright: ignore[reportArgumentType]

    def __gt__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.GT, self, other)  # pyright: ignore[reportArgumentType]

    def __ge__(self, other: Scalar) -> PrimExpr:
        return binary(BinaryOp.GE, self, other)  # pyright: ignore[reportArgumentType]


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


@dataclass(frozen=True, slots=True)
class IntImm(Arithmetic):
    """An integer or boolean constant; booleans have dtype `bool` and value 0 or 1."""

    value: int
    dtype: DType = INDEX


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


@dataclass(frozen=True, slots=True)
class Binary(Arithmetic):
    """`a op b`; both operands have one dtype, comparisons and logic give `bool`."""

    op: BinaryOp
    a: PrimExpr
    b: PrimExpr


@dataclass(frozen=True, slots=True)
class Not(Arithmetic):
    """Logical negation."""

    value: PrimExpr


@dataclass(frozen=True, slots=True)
class Select(Arithmetic):
    """A choice. `lazy` evaluates only the chosen side (`T.if_then_else`).

    Else both (`T.Select`).
    """

    condition: PrimExpr
    true_value: PrimExpr
    false_value: PrimExpr
    lazy: bool = True


@dataclass(frozen=True, slots=True)
class Cast(Arithmetic):
    """Conversion; float to integer truncates toward zero, anything to bool is `!= 0`."""

    value: PrimExpr
    dtype: DType


@dataclass(frozen=True, slots=True)
class Intrinsic(Arithmetic):
    """A scalar function such as `exp`, `sqrt`, `tanh`, `erf`; names as in TVM's `T.` namespace."""

    name: str
    args: tuple[PrimExpr, ...]
    dtype: DType


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


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar value, such as a loop variable or a symbolic dimension."""

    dtype: DType = INDEX


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor value. `shape` is None where not even the dimensions are known.

    Then `ndim` may be.
    """

    shape: Shape | None
    dtype: DType | None = "float32"
    ndim: int | None = None

    @property
    def rank(self) -> int | None:
        """Number of dimensions, None if unknown."""
        return self.ndim if self.shape is None else len(self.shape)


@dataclass(frozen=True, slots=True)
class BufferType:
    """Memory of a tensor function: row-major unless `strides` (in elements) says otherwise."""

    shape: Shape
    dtype: DType = "float32"
    scope: str = "global"
    strides: Shape = ()


@dataclass(frozen=True, slots=True)
class ShapeType:
    """A shape as a value; `dims` is None where only the rank is known."""

    dims: Shape | None
    ndim: int | None = None


@dataclass(frozen=True, slots=True)
class TupleType:
    """A tuple of values."""

    fields: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class ObjectType:
    """Any value at all; strings and opaque results of packed calls."""


Type: TypeAlias = ScalarType | TensorType | BufferType | ShapeType | TupleType | ObjectType


# --- construction -----------------------------------------------------------------------------


def as_expr(value: Scalar, dtype: DType | None = None) -> PrimExpr:
    """A Python number as a constant of `dtype` (default: `int64`, `float32`, `bool`)."""
    match value:
        case bool():
            return IntImm(int(value), dtype or "bool")
        case int() if dtype is not None and is_float(dtype):
            return FloatImm(float(value), dtype)
        case int():
            return IntImm(value, dtype or INDEX)
        case float():
            return FloatImm(value, dtype or "float32")
        case _:
            return value


def as_dim(value: Scalar) -> Dim:
    """A constant as a Python int, everything else as it is."""
    return value.value if isinstance(value, IntImm) else value  # pyright: ignore[reportReturnType]


def is_float(dtype: DType) -> bool:
    """Whether `dtype` is a floating point type."""
    return dtype.startswith(("float", "bfloat"))


def dtype_of(expr: PrimExpr) -> DType:
    """The dtype of a scalar expression.

    Raises:
        TypeError: for a variable that is no scalar.
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
            msg = f"{expr!r} is not a scalar"
            raise TypeError(msg)


def binary(op: BinaryOp, a: Scalar, b: Scalar) -> PrimExpr:
    """`a op b` with Python numbers adapted to the other side, folded where both are integers."""
    left, right = _adapt(a, b)
    if isinstance(left, IntImm) and isinstance(right, IntImm):
        folded = fold_int(op, left.value, right.value)
        result = "bool" if op in COMPARISONS or op in LOGICAL else left.dtype
        if folded is not None and _fits(folded, result):
            return IntImm(folded, result)
    return _identity(op, left, right) or Binary(op, left, right)


def _adapt(a: Scalar, b: Scalar) -> tuple[PrimExpr, PrimExpr]:
    if isinstance(a, int | float):
        right = as_expr(b)
        return as_expr(
            a, None if isinstance(a, float) and not is_float(dtype_of(right)) else dtype_of(right)
        ), right
    if isinstance(b, int | float):
        return a, as_expr(
            b, None if isinstance(b, float) and not is_float(dtype_of(a)) else dtype_of(a)
        )
    return a, b


def _fits(value: int, dtype: DType) -> bool:
    """Whether an integer is a value of `dtype`; what is not wraps around when it runs."""
    if dtype == "bool":
        return value in {0, 1}
    bits = int(dtype.lstrip("uint"))
    return (
        0 <= value < 1 << bits if dtype.startswith("u") else -1 << bits - 1 <= value < 1 << bits - 1
    )


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
