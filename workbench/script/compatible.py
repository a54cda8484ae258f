"""Whether a written type can be the type of a value, and types as seen by a caller."""

from __future__ import annotations

from workbench.ir import (
    Dim,
    IntImm,
    ObjectType,
    PrimExpr,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
    free_vars,
    substitute,
)
from workbench.support.ids import NodeId


def compatible(written: Type, inferred: Type) -> bool:
    """False where no value has both types; what cannot be decided is compatible."""
    match written, inferred:
        case (ObjectType(), _) | (_, ObjectType()):
            return True
        case TensorType(), TensorType():
            if written.dtype and inferred.dtype and written.dtype != inferred.dtype:
                return False
            if written.rank is not None and inferred.rank is not None:
                return written.rank == inferred.rank and _dims(written.shape, inferred.shape)
            return True
        case ShapeType(), ShapeType():
            return _dims(written.dims, inferred.dims)
        case TupleType(), TupleType():
            return len(written.fields) == len(inferred.fields) and all(
                map(compatible, written.fields, inferred.fields)
            )
        case _:
            return type(written) is type(inferred)


def _dims(a: Shape | None, b: Shape | None) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(map(_dim, a, b))


def _dim(a: Dim, b: Dim) -> bool:
    """Numbers must be equal; so must a symbol and what it is compared with, if that is as simple."""
    simple = isinstance(a, int | Var) and isinstance(b, int | Var)
    return a == b if simple else True


def result_type(params: tuple[Type, ...], result: Type, arguments: tuple[Type, ...]) -> Type | None:
    """The result type of a call, in the caller's symbols; None where a symbol stays unbound."""
    bound: dict[NodeId, PrimExpr] = {}
    for param, argument in zip(params, arguments, strict=False):
        _match(param, argument, bound)
    if any(var.id not in bound for var in free_vars(result).values()):
        return None
    return substitute(result, bound)


def _match(param: Type, argument: Type, bound: dict[NodeId, PrimExpr]) -> None:
    match param, argument:
        case TensorType(shape=tuple() as a), TensorType(shape=tuple() as b):
            _match_dims(a, b, bound)
        case ShapeType(dims=tuple() as a), ShapeType(dims=tuple() as b):
            _match_dims(a, b, bound)
        case TupleType(fields=a), TupleType(fields=b):
            for left, right in zip(a, b, strict=False):
                _match(left, right, bound)
        case _:
            pass


def _match_dims(a: Shape, b: Shape, bound: dict[NodeId, PrimExpr]) -> None:
    for left, right in zip(a, b, strict=False):
        if isinstance(left, Var):
            bound.setdefault(left.id, IntImm(right) if isinstance(right, int) else right)
