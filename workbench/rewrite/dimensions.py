"""Symbolic dimensions replaced by others or by numbers, throughout a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from workbench.ir import (
    Binary,
    BufferType,
    CallTIR,
    CallTIRInplace,
    Dim,
    IntImm,
    PrimExpr,
    Shape,
    ShapeType,
    ShapeValue,
    TensorType,
    Var,
    as_dim,
    binary,
    map_children,
)
from workbench.ir.traverse import evolve
from workbench.support import NodeId

N = TypeVar("N")


def with_dims(node: N, values: Mapping[NodeId, Dim]) -> N:
    """`node` with symbolic dimensions replaced by id, in types, shapes and expressions.

    What becomes a number is one: `n * 4` with 2 for `n` is `8`. Variables keep their ids. The same
    object where no such dimension occurs. Linear in the size of `node`.
    """
    return Dimensions(values).apply(node) if values else node


class Dimensions:
    """Replaces dimensions in one node after the other; more may get known on the way."""

    def __init__(self, values: Mapping[NodeId, Dim]) -> None:
        self.values: dict[NodeId, Dim] = dict(values)
        self.vars: dict[NodeId, tuple[Var, Var]] = {}
        self.types: dict[int, tuple[TensorType, TensorType]] = {}

    def apply(self, node: Any) -> Any:  # noqa: ANN401
        """`node` with the dimensions that are known replaced."""
        match node:
            case Var():
                return self._var(node)
            case TensorType(shape=shape) if shape is not None:
                known = self.types.get(id(node))
                if known is None:
                    known = self.types[id(node)] = (node, self._shaped(node, "shape", shape))
                return known[1]
            case BufferType(shape=shape):
                return map_children(self._shaped(node, "shape", shape), self.apply)
            case ShapeType(dims=dims) if dims is not None:
                return self._shaped(node, "dims", dims)
            case ShapeValue(dims=dims):
                return self._shaped(node, "dims", dims)
            case CallTIR(scalars=scalars) | CallTIRInplace(scalars=scalars):
                return map_children(self._shaped(node, "scalars", scalars), self.apply)
            case Binary(op=op, a=a, b=b):
                left, right = self.apply(a), self.apply(b)
                return node if left is a and right is b else binary(op, left, right)
            case _:
                return map_children(node, self.apply)

    def _var(self, var: Var) -> Var | PrimExpr:
        """A dimension's value, or the variable with its type rewritten."""
        if var.id in self.values:
            found = self.values[var.id]
            return IntImm(found) if isinstance(found, int) else found
        known = self.vars.get(var.id)
        if known is None or (known[0] is not var and known[0] != var):
            type_ = self.apply(var.type)
            known = (var, var if type_ is var.type else Var(var.id, var.name, type_))
            self.vars[var.id] = known
        return known[1]

    def _shaped(self, node: Any, name: str, dims: Shape) -> Any:  # noqa: ANN401
        changed = tuple(self.dim(dim) for dim in dims)
        same = all(a is b for a, b in zip(changed, dims, strict=True))
        return node if same else evolve(node, {name: changed})

    def dim(self, dim: Dim) -> Dim:
        """A dimension, a number where it is known."""
        return dim if isinstance(dim, int) else as_dim(self.apply(dim))
