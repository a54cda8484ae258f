"""Nodes whose result is known while importing: shape arithmetic and small constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.frontend.node import Node, Value
from workbench.frontend.reader import dtype_name
from workbench.frontend.shapes import (
    Known,
    Symbolic,
    elements_of,
    is_small,
    settle,
    shape_binary,
    shape_product,
    shape_where,
    symbolic,
)
from workbench.ir import TensorType, Var
from workbench.ops.dims import product

Fold = Callable[[Node, list[Known]], "Known | None"]


def fold(node: Node) -> Value | None:
    """The result of a node if it needs no binding, else None.

    Raises:
        CompileError: `onnx/dynamic-argument`.
    """
    if node.op in {"Shape", "Size"}:
        return _shape(node)
    rule = _RULES.get(node.op)
    if rule is None or not node.inputs:
        return None
    known = [value for value in node.inputs if value is not None and is_small(value)]
    if len(known) != sum(value is not None for value in node.inputs):
        return None
    return rule(node, known)  # pyright: ignore[reportArgumentType]


def _shape(node: Node) -> Value | None:
    value = node.value(0)
    if isinstance(value, Var):
        dims = value.type.shape if isinstance(value.type, TensorType) else None
        if dims is None:
            return None
    else:
        elements = value.elements if isinstance(value, Symbolic) else value
        dims = tuple(int(extent) for extent in elements.shape)
    if node.op == "Size":
        return settle(np.array(product(dims), dtype=object), "int64")
    start, end = node.attr("start", 0), node.attr("end", len(dims))
    return symbolic(dims[slice(start, end)])


def _cast(node: Node, values: list[Known]) -> Known | None:
    dtype = dtype_name(node.attr("to"), node.described)
    if not dtype.startswith(("int", "uint")):
        return None
    return settle(elements_of(values[0]), dtype)


def _slice(node: Node, values: list[Known]) -> Known | None:
    data = elements_of(values[0])
    starts, ends = node.ints("starts", 1), node.ints("ends", 2)
    axes, steps = node.ints("axes", 3) or (0,), node.ints("steps", 4) or (1,)
    if starts is None or ends is None or data.ndim != 1 or axes not in {(0,), (-1,)}:
        return None
    end: int | None = ends[0]
    if steps[0] < 0 and ends[0] < -len(data):
        end = None
    return settle(data[slice(starts[0], end, steps[0])], str(values[0].dtype))


def _gather(node: Node, values: list[Known]) -> Known | None:
    data, indices = elements_of(values[0]), values[1]
    if isinstance(indices, Symbolic) or data.ndim != 1 or node.attr("axis", 0) not in {0, -1}:
        return None
    if indices.size and not (-len(data) <= indices.min() and indices.max() < len(data)):
        raise node.error("onnx/bad-index", f"takes element `{indices.tolist()}` of {len(data)}")
    return settle(np.array(data[indices], dtype=object), str(values[0].dtype))


def _concat(_: Node, values: list[Known]) -> Known | None:
    if any(elements_of(value).ndim != 1 for value in values):
        return None
    return settle(np.concatenate([elements_of(value) for value in values]), str(values[0].dtype))


def _unsqueeze(node: Node, values: list[Known]) -> Known | None:
    data = elements_of(values[0])
    if data.ndim or node.ints("axes", 1) not in {(0,), (-1,)}:
        return None
    return settle(data.reshape(1), str(values[0].dtype))


def _squeeze(_: Node, values: list[Known]) -> Known | None:
    data = elements_of(values[0])
    return settle(data.reshape(()), str(values[0].dtype)) if data.shape == (1,) else None


def _reshape(_: Node, values: list[Known]) -> Known | None:
    target = values[1]
    if isinstance(target, Symbolic) or target.size > 1:
        return None
    return settle(elements_of(values[0]).reshape(target.tolist()), str(values[0].dtype))


def _binary(node: Node, values: list[Known]) -> Known | None:
    if len(values) != 2:
        return None
    return shape_binary(node.op, values[0], values[1])


def _where(_: Node, values: list[Known]) -> Known | None:
    return shape_where(values[0], values[1], values[2])


def _identity(_: Node, values: list[Known]) -> Known | None:
    return values[0]


def _product(node: Node, values: list[Known]) -> Known | None:
    result: NDArray[Any] = np.array(shape_product(values[0]), dtype=object)
    keep = node.attr("keepdims", 1)
    return settle(result.reshape(1) if keep else result, str(values[0].dtype))


def _constant_of_shape(node: Node, values: list[Known]) -> Known | None:
    if isinstance(values[0], Symbolic):
        return None
    value = node.attr("value", np.zeros(1, "float32"))
    filled: NDArray[Any] = np.full(values[0].astype(int), value.reshape(-1)[0], dtype=value.dtype)
    return filled


_RULES: dict[str, Fold] = {
    "Add": _binary,
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _binary,
    "Equal": _binary,
    "Gather": _gather,
    "Identity": _identity,
    "Max": _binary,
    "Min": _binary,
    "Mod": _binary,
    "Mul": _binary,
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _binary,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
