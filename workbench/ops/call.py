"""One operator call as its type rule, reference and tensor form see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.ir import (
    Arg,
    CallOp,
    Dim,
    DType,
    ScalarType,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    is_float,
    type_of,
)
from workbench.ir.call_types import show_dim, show_shape
from workbench.ops.dims import same
from workbench.support import CompileError, Diagnostic


class OpCall:
    """A call with the types of its arguments and the operator's default attributes filled in.

    `unproved` collects equalities between extents that the types do not decide; the operator then
    has no tensor form and runs on its reference, which checks them on the values.
    """

    def __init__(
        self, call: CallOp, types: Sequence[Type] | None, defaults: Sequence[tuple[str, Any]]
    ) -> None:
        self.name = call.op
        self.args: tuple[Arg, ...] = call.args
        self.types = tuple(types) if types is not None else tuple(map(type_of, call.args))
        self.attributes: dict[str, Any] = {**dict(defaults), **dict(call.attrs)}
        self.unproved: list[str] = []

    def __getitem__(self, attribute: str) -> Any:  # noqa: ANN401
        return self.attributes[attribute]

    def error(
        self, code: str, message: str, notes: tuple[str, ...] = (), hint: str = ""
    ) -> CompileError:
        """An error about this call; `message` goes on after the operator's name."""
        return CompileError(Diagnostic(code, f"`{self.name}` {message}", notes=notes, hint=hint))

    # --- arguments ----------------------------------------------------------------------------

    def tensor(self, position: int) -> TensorType:
        """The type of a tensor argument; a scalar counts as a tensor without dimensions.

        Raises:
            CompileError: `type/argument-count`, `type/not-a-tensor`.
        """
        return self.as_tensor(self._type(position), f"argument {position}")

    def tensors(self, position: int) -> tuple[TensorType, ...]:
        """The types of the fields of a tuple argument.

        Raises:
            CompileError: `type/argument-count`, `type/not-a-tuple`, `type/not-a-tensor`.
        """
        found = self._type(position)
        if not isinstance(found, TupleType):
            raise self.error("type/not-a-tuple", f"needs a tuple as argument {position}")
        return tuple(self.as_tensor(field, "each field") for field in found.fields)

    def as_tensor(self, found: Type, what: str) -> TensorType:
        """`found` as the type of a tensor, or the error that it is none.

        Raises:
            CompileError: `type/not-a-tensor`.
        """
        match found:
            case TensorType():
                return found
            case ScalarType(dtype=dtype):
                return TensorType((), dtype)
            case _:
                kind = type(found).__name__.removesuffix("Type").lower()
                raise self.error(
                    "type/not-a-tensor", f"needs a tensor as {what}, got a value of kind `{kind}`"
                )

    def target_shape(self, position: int) -> Shape | None:
        """The dimensions of a shape argument, None where only its rank is known.

        Raises:
            CompileError: `type/argument-count`, `type/not-a-shape`.
        """
        found = self._type(position)
        if not isinstance(found, ShapeType):
            raise self.error("type/not-a-shape", f"needs a shape as argument {position}")
        return found.dims

    def target_rank(self, position: int) -> int | None:
        """The number of dimensions of a shape argument.

        Raises:
            CompileError: `type/argument-count`.
        """
        found = self._type(position)
        assert isinstance(found, ShapeType)
        return found.ndim if found.dims is None else len(found.dims)

    def has(self, position: int) -> bool:
        """Whether an optional argument is there."""
        return position < len(self.types)

    def _type(self, position: int) -> Type:
        if position >= len(self.types):
            raise self.error("type/argument-count", f"lacks argument {position}")
        return self.types[position]

    # --- checks -------------------------------------------------------------------------------

    def same_dtype(self, *types: TensorType) -> DType:
        """The dtype that all of `types` have.

        Raises:
            CompileError: `type/dtype-mismatch`.
        """
        first = types[0].dtype
        for other in types[1:]:
            if other.dtype != first:
                raise self.error(
                    "type/dtype-mismatch",
                    f"needs operands of one dtype, got `{first}` and `{other.dtype}`",
                    hint="convert one of them with `astype`",
                )
        return first or "float32"

    def need_float(self, type_: TensorType) -> DType:
        """The dtype of `type_`, which must be floating point.

        Raises:
            CompileError: `type/dtype`.
        """
        if not is_float(type_.dtype or "float32"):
            raise self.error("type/dtype", f"needs a floating point operand, got `{type_.dtype}`")
        return type_.dtype or "float32"

    def need_integer(self, type_: TensorType, what: str) -> None:
        """An error unless `type_` is an integer tensor.

        Raises:
            CompileError: `type/dtype`.
        """
        dtype = type_.dtype or "int64"
        if not dtype.startswith(("int", "uint")):
            raise self.error("type/dtype", f"needs integers as {what}, got `{dtype}`")

    def need_rank(self, type_: TensorType, rank: int, what: str) -> Shape:
        """The shape of `type_`, which must have `rank` dimensions.

        Raises:
            CompileError: `type/rank`.
        """
        shape = self.shape(type_)
        if len(shape) != rank:
            raise self.error(
                "type/rank",
                f"needs {what} with `{rank}` dimensions, got `{len(shape)}`",
                notes=(f"{what} has shape `{show_shape(shape)}`",),
            )
        return shape

    def shape(self, type_: TensorType) -> Shape:
        """The shape of `type_`; definition has made unknown ones symbolic."""
        assert type_.shape is not None
        return type_.shape

    def require_equal(self, a: Dim, b: Dim, what: str, *shapes: Shape) -> None:
        """An error if two extents can never be equal; remembers it if they might not be.

        Raises:
            CompileError: `type/shape-mismatch`.
        """
        verdict = same(a, b)
        if verdict is False:
            raise self.error(
                "type/shape-mismatch",
                f"needs equal {what}, got `{show_dim(a)}` and `{show_dim(b)}`",
                notes=tuple(f"argument {i} is `{show_shape(s)}`" for i, s in enumerate(shapes)),
            )
        if verdict is None:
            self.unproved.append(f"{what}: `{show_dim(a)}` and `{show_dim(b)}`")

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from the front.

        Raises:
            CompileError: `type/axis`.
        """
        if not -rank <= value < rank:
            raise self.error(
                "type/axis", f"has axis `{value}`, but its operand has `{rank}` dimensions"
            )
        return value % rank if rank else 0

    def axes(self, value: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
        """Axes counted from the front, in the given order; all of them for None.

        Raises:
            CompileError: `type/axis`.
        """
        if value is None:
            return tuple(range(rank))
        given = (value,) if isinstance(value, int) else tuple(value)
        found = tuple(self.axis(int(axis), rank) for axis in given)
        if len(set(found)) != len(found):
            raise self.error("type/axis", f"names an axis twice: `{given}`")
        return found
