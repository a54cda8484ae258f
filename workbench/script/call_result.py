"""The result type of a call as its caller sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.ir import (
    Binary,
    Dim,
    PrimExpr,
    Shape,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
    as_dim,
    as_expr,
    binary,
    free_vars,
    map_children,
)
from workbench.ir.dims import bind_dims
from workbench.support.ids import NodeId


def result_type(params: tuple[Type, ...], result: Type, arguments: tuple[Type, ...]) -> Type | None:
    """The result type of a call, in the caller's symbols; None where a symbol stays unbound."""
    bound: dict[NodeId, Dim] = {}
    pairs = [
        pair
        for param, argument in zip(params, arguments, strict=False)
        for pair in _pairs(param, argument)
    ]
    for dims, given in (*pairs, *pairs):  # the second time, what later ones tell is known
        bind_dims(dims, given, bound)
    if any(var.id not in bound for var in free_vars(result).values()):
        return None
    return _substituted(result, {id_: as_expr(value) for id_, value in bound.items()})


def _pairs(param: Type, argument: Type) -> Iterator[tuple[Shape, Shape]]:
    """Shapes of a parameter and of what is given for it."""
    match param, argument:
        case (TensorType(shape=tuple() as a), TensorType(shape=tuple() as b)) | (
            ShapeType(dims=tuple() as a),
            ShapeType(dims=tuple() as b),
        ) if len(a) == len(b):
            yield a, b
        case TupleType(fields=a), TupleType(fields=b):
            for left, right in zip(a, b, strict=False):
                yield from _pairs(left, right)
        case _:
            return


def _substituted(type_: Type, bound: dict[NodeId, PrimExpr]) -> Type:
    match type_:
        case TensorType(shape=tuple() as shape):
            return TensorType(_dims(shape, bound), type_.dtype, type_.ndim)
        case ShapeType(dims=tuple() as dims):
            return ShapeType(_dims(dims, bound), type_.ndim)
        case TupleType(fields=fields):
            return TupleType(tuple(_substituted(item, bound) for item in fields))
        case _:
            return type_


def _dims(dims: Shape, bound: dict[NodeId, PrimExpr]) -> Shape:
    """Dimensions in the caller's symbols; what has become constant is a number."""

    def replaced(node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, Var):
            return bound.get(node.id, node)
        node = map_children(node, replaced)
        return binary(node.op, node.a, node.b) if isinstance(node, Binary) else node

    return tuple(dim if isinstance(dim, int) else as_dim(replaced(dim)) for dim in dims)


def seen_outside(type_: Type, params: tuple[Var, ...]) -> Type:
    """A result type in the symbols of the parameters; other shapes keep their rank only."""
    known = {var.id for param in params for var in free_vars(param).values()}
    match type_:
        case TensorType(shape=tuple() as shape) if not free_vars(type_).keys() <= known:
            return TensorType(None, type_.dtype, len(shape))
        case ShapeType(dims=tuple() as dims) if not free_vars(type_).keys() <= known:
            return ShapeType(None, len(dims))
        case TupleType(fields=fields):
            return TupleType(tuple(seen_outside(item, params) for item in fields))
        case _:
            return type_
