"""Types of values: is a value surely of a type, whatever its dimensions turn out to be."""

from __future__ import annotations

from workbench.ir import ObjectType, ScalarType, Shape, ShapeType, TensorType, TupleType, Type
from workbench.ir.dims import same_shape


def is_surely(value: Type, wanted: Type) -> bool:
    """Whether every value of type `value` is one of type `wanted`, as far as the types show."""
    match value, wanted:
        case (TensorType(), TensorType()):
            if wanted.dtype is not None and value.dtype != wanted.dtype:
                return False
            if wanted.shape is None:
                return wanted.rank is None or value.rank == wanted.rank
            return value.shape is not None and same_shape(value.shape, wanted.shape) is True
        case ShapeType(dims=given), ShapeType(dims=dims):
            return dims is None or (given is not None and same_shape(given, dims) is True)
        case TupleType(fields=given), TupleType(fields=fields):
            pairs = zip(given, fields, strict=False)
            return len(given) == len(fields) and all(is_surely(a, b) for a, b in pairs)
        case ScalarType(), ScalarType():
            return value == wanted
        case _, ObjectType():
            return True
        case _:
            return False


def same_type(a: Type, b: Type) -> bool:
    """Whether two types say the same, however their dimensions are written."""
    return a is b or a == b or (is_surely(a, b) and is_surely(b, a))


def known_shape(type_: Type) -> Shape | None:
    """The shape of a tensor type, None where it is none or does not say."""
    return type_.shape if isinstance(type_, TensorType) else None


def is_static(type_: Type) -> bool:
    """Whether a type is that of a tensor whose extents are all numbers."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return False
    for extent in type_.shape:  # noqa: SIM110  a generator would take longer than the rest
        if not isinstance(extent, int):
            return False
    return True
