"""One node of an ONNX graph as converters see it, and the table of converters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from workbench.frontend.reader import tensor_array
from workbench.frontend.shapes import Symbolic, as_dims
from workbench.ir import (
    Arg,
    CallOp,
    Dim,
    FloatImm,
    GraphExpr,
    IntImm,
    ScalarValue,
    Shape,
    ShapeValue,
    TensorType,
    TupleValue,
    Var,
    is_float,
)
from workbench.support import CompileError, Diagnostic, Span

Value: TypeAlias = "Var | NDArray[Any] | Symbolic"
"""What a name of the graph stands for: a bound tensor, a constant, or dimensions."""


class Target(Protocol):
    """Where converters put what they make."""

    def materialize(self, value: Value, name: str, span: Span) -> Var:
        """The value as a bound tensor."""
        ...

    def bind(self, expr: GraphExpr, name: str, span: Span) -> Var:
        """A new binding."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """One node: inputs by position, attributes by name, and how to emit bindings for it."""

    proto: onnx.NodeProto
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    opset: int
    base: str
    span: Span
    target: Target

    # --- what the file says -------------------------------------------------------------------

    @property
    def op(self) -> str:
        """The ONNX operator."""
        return self.proto.op_type

    def attr(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """An attribute, or its default."""
        return self.attributes.get(name, default)

    def has(self, position: int) -> bool:
        """Whether an optional input is there."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def value(self, position: int) -> Value:
        """An input as it is known.

        Raises:
            CompileError: `onnx/missing-input`.
        """
        found = self.inputs[position] if position < len(self.inputs) else None
        if found is None:
            raise self.error("onnx/missing-input", f"lacks input {position}")
        return found

    def tensor(self, position: int) -> Var:
        """An input as a bound tensor; constants are bound under their own name."""
        found = self.value(position)
        name = self.proto.input[position]
        return found if isinstance(found, Var) else self.target.materialize(found, name, self.span)

    def tensors(self) -> list[Var]:
        """All inputs as bound tensors."""
        return [self.tensor(position) for position in range(len(self.inputs))]

    def array(self, position: int) -> NDArray[Any]:
        """An input that must be a constant.

        Raises:
            CompileError: `onnx/dynamic-argument`.
        """
        found = self.value(position)
        if not isinstance(found, np.ndarray):
            raise self.error(
                "onnx/dynamic-argument",
                f"needs a constant as input `{self.proto.input[position]}`",
            )
        return found

    def dims(self, position: int) -> tuple[Dim, ...]:
        """An input that is a shape known while importing.

        Raises:
            CompileError: `onnx/dynamic-shape`.
        """
        found = self.value(position)
        if isinstance(found, Var):
            raise self.error(
                "onnx/dynamic-shape",
                f"computes its shape `{self.proto.input[position]}` from data",
            )
        return as_dims(found)

    def ints(self, name: str, position: int | None = None) -> tuple[int, ...] | None:
        """Integers that older operator sets have as an attribute, newer ones as an input."""
        if position is not None and self.has(position):
            return tuple(int(item) for item in self.array(position).reshape(-1))
        given = self.attr(name)
        return None if given is None else tuple(int(item) for item in np.atleast_1d(given))

    def shape(self, var: Var) -> Shape:
        """The dimensions of a tensor.

        Raises:
            CompileError: `onnx/dynamic-shape`.
        """
        if isinstance(var.type, TensorType) and var.type.shape is not None:
            return var.type.shape
        raise self.error("onnx/dynamic-shape", f"needs a tensor of known shape, not `{var.name}`")

    def rank(self, var: Var) -> int:
        """The number of dimensions of a tensor."""
        return len(self.shape(var))

    def dtype(self, var: Var) -> str:
        """The element type of a tensor."""
        found = var.type.dtype if isinstance(var.type, TensorType) else None
        return found or "float32"

    def error(self, code: str, message: str) -> CompileError:
        """An error that names node and operator."""
        return CompileError(Diagnostic(code, f"{self.described} {message}", span=self.span))

    @property
    def described(self) -> str:
        """The node in words."""
        return f"`{self.op}` (node `{self.span.label}`)"

    # --- what it becomes ----------------------------------------------------------------------

    def emit(self, op: str, *args: Arg, part: str = "", **attrs: Any) -> Var:  # noqa: ANN401
        """Bind an operator call; the node's own name is for its result, `part` for steps before."""
        named = tuple(sorted((key, _frozen(item)) for key, item in attrs.items()))
        name = f"{self.base}_{part}" if part else self.base
        return self.target.bind(CallOp(op, args, named), name, self.span)

    def bind(self, expr: GraphExpr, part: str = "") -> Var:
        """Bind any right side."""
        return self.target.bind(expr, f"{self.base}_{part}" if part else self.base, self.span)

    def number(self, value: float, like: Var) -> ScalarValue:
        """A number as an operand for a tensor."""
        dtype = self.dtype(like)
        if is_float(dtype):
            return ScalarValue(FloatImm(float(value), dtype))
        return ScalarValue(IntImm(int(value), dtype))


def _frozen(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, list | tuple):
        return value
    return tuple(_frozen(item) for item in cast("Sequence[Any]", value))


def shape_arg(dims: Sequence[Dim]) -> ShapeValue:
    """Dimensions as an argument."""
    return ShapeValue(tuple(dims))


def tuple_arg(values: Sequence[Var]) -> TupleValue:
    """Tensors as one argument."""
    return TupleValue(tuple(values))


Converter: TypeAlias = Callable[[Node], "Value | tuple[Value, ...]"]
"""Gives the outputs of a node, in order."""
CONVERTERS: dict[str, Converter] = {}
"""Converters by ONNX operator."""


def converter(*operators: str) -> Callable[[Converter], Converter]:
    """Register a converter for ONNX operators."""

    def register(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(operators, function))
        return function

    return register


@functools.cache
def _attributes() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain:
            found.setdefault(schema.name, set()).update(schema.attributes)
    return found


def known_attributes(op: str) -> tuple[str, ...]:
    """The attributes that an ONNX operator has or had in any version."""
    return tuple(sorted(_attributes().get(op, ())))


def unknown_attributes(proto: onnx.NodeProto) -> list[str]:
    """The attributes of a node that no version of its operator has."""
    known = known_attributes(proto.op_type)
    return [a.name for a in proto.attribute if a.name not in known]


def attribute_values(proto: onnx.NodeProto, source: str) -> dict[str, Any]:
    """The attributes of a node; texts as str, tensors as arrays."""
    return {a.name: _attribute(a, source) for a in proto.attribute}


def _attribute(attribute: onnx.AttributeProto, source: str) -> Any:  # noqa: ANN401
    if attribute.type == onnx.AttributeProto.TENSOR:
        return tensor_array(attribute.t, source)
    found = onnx.helper.get_attribute_value(attribute)
    if isinstance(found, bytes):
        return found.decode("utf-8", "replace")
    return (
        list(found)
        if not isinstance(found, int | float | str) and hasattr(found, "__len__")
        else found
    )
