"""Operators that move elements: shapes, slices, joins, indices."""

from __future__ import annotations

import numpy as np

from workbench.frontend.node import Node, Value, converter, shape_arg, tuple_arg
from workbench.frontend.shapes import Symbolic, broadcast_dims, scalar
from workbench.ir import Cast, Dim, ScalarValue, Shape, TupleItem, Var, as_expr, dtype_of
from workbench.ir.dims import same_shape
from workbench.ops.dims import product, quotient

NO_LIMIT = 1_000_000_000
"""Exporters write ends like this for `to the end`."""


@converter("Reshape")
def _reshape(node: Node) -> Value:
    """0 keeps an extent, -1 is what is left."""
    x = node.tensor(0)
    source, wanted = node.shape(x), node.dims(1)
    if not node.attr("allowzero", 0):
        wanted = tuple(_kept(node, source, axis) if d == 0 else d for axis, d in enumerate(wanted))
    return reshaped(node, x, with_rest(source, wanted))


def _kept(node: Node, source: Shape, axis: int) -> Dim:
    if axis >= len(source):
        raise node.error("type/shape-mismatch", f"keeps dimension {axis} of {len(source)}")
    return source[axis]


def with_rest(source: Shape, wanted: Shape) -> Shape:
    """`wanted` with its -1 replaced, if the rest can be said as a dimension."""
    if -1 not in wanted:
        return wanted
    others = [dim for dim in wanted if dim != -1]
    if 0 in others:
        return wanted
    rest = quotient(product(source), product(others))
    return wanted if rest is None else tuple(rest if dim == -1 else dim for dim in wanted)


def reshaped(node: Node, x: Var, shape: Shape, part: str = "") -> Var:
    """`x` in `shape`; nothing is emitted where it has it already."""
    if same_shape(node.shape(x), shape) is True:
        return x
    return node.emit("reshape", x, shape_arg(shape), part=part)


@converter("Flatten")
def _flatten(node: Node) -> Value:
    x = node.tensor(0)
    shape = node.shape(x)
    axis = node.attr("axis", 1)
    axis += len(shape) if axis < 0 else 0
    return reshaped(node, x, (product(shape[:axis]), product(shape[axis:])))


@converter("Expand")
def _expand(node: Node) -> Value:
    x = node.tensor(0)
    shape = broadcast_dims(node.shape(x), node.dims(1))
    if same_shape(node.shape(x), shape) is True:
        return x
    return node.emit("broadcast_to", x, shape_arg(shape))


@converter("Transpose")
def _transpose(node: Node) -> Value:
    x = node.tensor(0)
    axes = node.ints("perm") or tuple(reversed(range(node.rank(x))))
    return x if axes == tuple(range(len(axes))) else node.emit("permute_dims", x, axes=axes)


@converter("Squeeze")
def _squeeze(node: Node) -> Value:
    return node.emit("squeeze", node.tensor(0), axis=node.ints("axes", 1))


@converter("Unsqueeze")
def _unsqueeze(node: Node) -> Value:
    return node.emit("expand_dims", node.tensor(0), axis=node.ints("axes", 1) or ())


@converter("Concat")
def _concat(node: Node) -> Value:
    return node.emit("concat", tuple_arg(node.tensors()), axis=node.attr("axis", 0))


@converter("Slice")
def _slice(node: Node) -> Value:
    """Axes that keep all their elements are left out."""
    x = node.tensor(0)
    shape = node.shape(x)
    starts, ends = node.ints("starts", 1), node.ints("ends", 2)
    if starts is None or ends is None:
        raise node.error("onnx/missing-input", "lacks starts or ends")
    axes = node.ints("axes", 3) or tuple(range(len(starts)))
    steps = node.ints("steps", 4) or (1,) * len(axes)
    kept = [
        (axis % len(shape), start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
        if not _is_whole(shape[axis], start, end, step)
    ]
    if not kept:
        return x
    axes, starts, ends, steps = (tuple(column) for column in zip(*kept, strict=True))
    return node.emit("strided_slice", x, axes=axes, begin=starts, end=ends, strides=steps)


def _is_whole(extent: Dim, start: int, end: int, step: int) -> bool:
    if start != 0 or step != 1:
        return False
    return end >= NO_LIMIT or (isinstance(extent, int) and end >= extent)


@converter("Split")
def _split(node: Node) -> Value | tuple[Value, ...]:
    x = node.tensor(0)
    axis = node.attr("axis", 0)
    axis += node.rank(x) if axis < 0 else 0
    sizes = node.ints("split", 1)
    cuts = tuple(int(c) for c in np.cumsum(sizes)[:-1]) if sizes else len(node.proto.output)
    parts = node.emit("split", x, part="parts", axis=axis, indices_or_sections=cuts)
    return tuple(
        node.target.bind(TupleItem(parts, index), name or f"{node.base}_{index}", node.span)
        for index, name in enumerate(node.proto.output)
    )


@converter("Tile")
def _tile(node: Node) -> Value:
    return node.emit("tile", node.tensor(0), repeats=node.ints("repeats", 1))


@converter("Pad")
def _pad(node: Node) -> Value:
    x = node.tensor(0)
    rank = node.rank(x)
    pads = node.ints("pads", 1) or (0,) * (2 * rank)
    before, after = _pads_per_axis(node, pads, rank)
    if any(pad < 0 for pad in (*before, *after)):
        raise node.error("onnx/unsupported-attribute", "has negative padding")
    value = float(node.array(2).reshape(-1)[0]) if node.has(2) else float(node.attr("value", 0.0))
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return node.emit(
        "nn.pad",
        x,
        pad_width=tuple(item for pair in zip(before, after, strict=True) for item in pair),
        pad_value=value,
        pad_mode=mode.get(node.attr("mode", "constant"), "constant"),
    )


def _pads_per_axis(node: Node, pads: tuple[int, ...], rank: int) -> tuple[list[int], list[int]]:
    axes = node.ints("axes", 3) or tuple(range(rank))
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        before[axis], after[axis] = pads[position], pads[position + len(axes)]
    return before, after


@converter("Gather")
def _gather(node: Node) -> Value:
    x = node.tensor(0)
    axis: int = node.attr("axis", 0)
    axis += node.rank(x) if axis < 0 else 0
    return node.emit("take", x, _from_the_start(node, node.shape(x)[axis]), axis=axis)


def _from_the_start(node: Node, extent: Dim) -> Var:
    """The indices, input 1 of the node: negative ones count from the end."""
    given = node.value(1)
    if isinstance(given, np.ndarray) and (isinstance(extent, int) or not (given < 0).any()):
        fixed = given if not isinstance(extent, int) else np.where(given < 0, given + extent, given)
        return node.target.materialize(fixed, f"{node.proto.input[1]}_{node.base}", node.span)
    indices = node.tensor(1)
    dtype = node.dtype(indices)
    negative = node.emit("less", indices, node.number(0, indices), part="negative")
    count = as_expr(extent, dtype) if isinstance(extent, int) else as_expr(extent)
    ending = ScalarValue(count if dtype_of(count) == dtype else Cast(count, dtype))
    wrapped = node.emit("add", indices, ending, part="from_end")
    return node.emit("where", negative, wrapped, indices, part="indices")


@converter("ConstantOfShape")
def _constant_of_shape(node: Node) -> Value:
    value = node.attr("value", np.zeros(1, "float32"))
    element = value.reshape(-1)[0].item()
    dtype = str(value.dtype)
    scalar_value = as_expr(element, dtype) if not isinstance(element, bool) else as_expr(element)
    return node.emit("full", shape_arg(node.dims(0)), ScalarValue(scalar_value), dtype=dtype)


@converter("Shape", "Size")
def _shape(node: Node) -> Value:
    raise node.error("onnx/dynamic-shape", "asks for a shape that is not known while importing")


@converter("Range")
def _range(node: Node) -> Value:
    bounds = [node.value(position) for position in range(3)]
    if all(isinstance(bound, np.ndarray) for bound in bounds):
        start, end, step = (node.array(position).reshape(()).item() for position in range(3))
        return np.arange(start, end, step, dtype=node.array(0).dtype)
    numbers = [scalar(b) if isinstance(b, np.ndarray | Symbolic) else None for b in bounds]
    if any(number is None for number in numbers):
        raise node.error("onnx/dynamic-shape", "computes its length from data")
    args = (ScalarValue(as_expr(number)) for number in numbers if number is not None)
    return node.emit("arange", *args, dtype="int64")


@converter("Trilu")
def _trilu(node: Node) -> Value:
    k = int(node.array(1).reshape(())) if node.has(1) else 0
    return node.emit("triu" if node.attr("upper", 1) else "tril", node.tensor(0), k=k)


@converter("OneHot")
def _one_hot(node: Node) -> Value:
    depth = int(node.array(1).reshape(-1)[0])
    off, on = node.array(2).tolist()
    dtype = str(node.array(2).dtype)
    return node.emit(
        "one_hot",
        node.tensor(0),
        ScalarValue(as_expr(on, dtype)),
        ScalarValue(as_expr(off, dtype)),
        depth=depth,
        axis=node.attr("axis", -1),
    )


@converter("GatherElements")
def _gather_elements(node: Node) -> Value:
    x = node.tensor(0)
    axis: int = node.attr("axis", 0)
    axis += node.rank(x) if axis < 0 else 0
    indices = _from_the_start(node, node.shape(x)[axis])
    return node.emit("gather_elements", x, indices, axis=axis)
