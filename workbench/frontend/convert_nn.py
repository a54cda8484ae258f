"""Operators of neural networks: products, convolutions, pooling, normalization."""

from __future__ import annotations

import functools
from typing import Any

from workbench.frontend.convert_shape import reshaped
from workbench.frontend.node import Node, Value, converter, shape_arg
from workbench.ir import Dim, Shape, TupleItem, TupleType
from workbench.ops.dims import product


@converter("MatMul")
def _matmul(node: Node) -> Value:
    return node.emit("matmul", node.tensor(0), node.tensor(1))


@converter("Gemm")
def _gemm(node: Node) -> Value:
    """`alpha * a' @ b' + beta * c`."""
    a, b = node.tensor(0), node.tensor(1)
    alpha, beta = float(node.attr("alpha", 1.0)), float(node.attr("beta", 1.0))
    a = node.emit("permute_dims", a, part="a", axes=(1, 0)) if node.attr("transA", 0) else a
    b = node.emit("permute_dims", b, part="b", axes=(1, 0)) if node.attr("transB", 0) else b
    biased = node.has(2) and beta != 0
    scaled = alpha != 1
    out = node.emit("matmul", a, b, part="matmul" if scaled or biased else "")
    if scaled:
        part = "scaled" if biased else ""
        out = node.emit("multiply", out, node.number(alpha, out), part=part)
    if not biased:
        return out
    c = node.tensor(2)
    c = c if beta == 1 else node.emit("multiply", c, node.number(beta, c), part="bias")
    return node.emit("add", out, c)


@converter("Conv")
def _conv(node: Node) -> Value:
    x, weight = node.tensor(0), node.tensor(1)
    spatial = node.rank(x) - 2
    if spatial not in {1, 2, 3}:
        message = f"works over 1 to 3 dimensions, got {spatial}"
        raise node.error("onnx/unsupported-attribute", message)
    kernel = node.shape(weight)[2:]
    biased = node.has(2)
    out = node.emit(
        f"nn.conv{spatial}d",
        x,
        weight,
        part="conv" if biased else "",
        **_windows(node, node.shape(x)[2:], kernel),
        groups=node.attr("group", 1),
    )
    if not biased:
        return out
    bias = node.tensor(2)
    column = reshaped(node, bias, (1, node.shape(bias)[0], *(1,) * spatial), "bias")
    return node.emit("add", out, column)


def _windows(node: Node, extents: Shape, kernel: Shape) -> dict[str, Any]:
    """Strides, dilation and padding: all befores, then all afters."""
    rank = len(kernel)
    strides = node.ints("strides") or (1,) * rank
    dilation = node.ints("dilations") or (1,) * rank
    auto = node.attr("auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        pairs = [
            _same_padding(node, e, k, s, d, upper=auto == "SAME_UPPER")
            for e, k, s, d in zip(extents, kernel, strides, dilation, strict=True)
        ]
        padding = (*(before for before, _ in pairs), *(after for _, after in pairs))
    else:
        padding = (node.ints("pads") if auto == "NOTSET" else None) or (0,) * (2 * rank)
    return {"strides": strides, "dilation": dilation, "padding": padding}


def _same_padding(
    node: Node, extent: Dim, kernel: Dim, stride: int, dilation: int, *, upper: bool
) -> tuple[int, int]:
    """Padding so that the result has `ceil(extent / stride)` elements."""
    if not isinstance(extent, int) or not isinstance(kernel, int):
        raise node.error("onnx/dynamic-shape", "derives its padding from a symbolic extent")
    count = -(-extent // stride)
    total = max(0, (count - 1) * stride + (kernel - 1) * dilation + 1 - extent)
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


@converter("MaxPool", "AveragePool")
def _pool(node: Node) -> Value:
    x = node.tensor(0)
    kernel = node.ints("kernel_shape") or ()
    attributes = _windows(node, node.shape(x)[2:], kernel)
    name = "max" if node.op == "MaxPool" else "avg"
    if name == "avg":
        attributes["count_include_pad"] = bool(node.attr("count_include_pad", 0))
    return node.emit(
        f"nn.{name}_pool{len(kernel)}d",
        x,
        pool_size=kernel,
        ceil_mode=bool(node.attr("ceil_mode", 0)),
        **attributes,
    )


@converter("GlobalAveragePool")
def _global_average(node: Node) -> Value:
    x = node.tensor(0)
    spatial = node.rank(x) - 2
    if spatial in {1, 2, 3}:
        return node.emit(f"nn.adaptive_avg_pool{spatial}d", x, output_size=(1,) * spatial)
    return node.emit("mean", x, axis=tuple(range(2, node.rank(x))), keepdims=True)


@converter("GlobalMaxPool")
def _global_max(node: Node) -> Value:
    x = node.tensor(0)
    return node.emit("max", x, axis=tuple(range(2, node.rank(x))), keepdims=True)


@converter("Softmax", "LogSoftmax")
def _softmax(node: Node) -> Value:
    """Before operator set 13, over all dimensions from `axis` on, seen as one."""
    x = node.tensor(0)
    shape = node.shape(x)
    op = "nn.softmax" if node.op == "Softmax" else "nn.log_softmax"
    axis = node.attr("axis", -1 if node.opset >= 13 else 1)
    axis += len(shape) if axis < 0 else 0
    if node.opset >= 13 or all(extent == 1 for extent in shape[axis + 1 :]):
        return node.emit(op, x, axis=axis)
    flat = (product(shape[:axis]), product(shape[axis:]))
    rows = node.emit("reshape", x, shape_arg(flat), part="rows")
    return node.emit("reshape", node.emit(op, rows, part="flat", axis=1), shape_arg(shape))


@converter("BatchNormalization")
def _batch_norm(node: Node) -> Value:
    if node.attr("training_mode", 0):
        raise node.error("onnx/unsupported-attribute", "is in training mode")
    normalized = node.emit(
        "nn.batch_norm",
        *node.tensors()[:5],
        part="all",
        axis=1,
        epsilon=float(node.attr("epsilon", 1e-5)),
        training=False,
    )
    return (
        node.bind(TupleItem(normalized, 0))
        if isinstance(normalized.type, TupleType)
        else normalized
    )


@converter("LayerNormalization")
def _layer_norm(node: Node) -> Value:
    x, scale = node.tensor(0), node.tensor(1)
    axis, rank = node.attr("axis", -1), node.rank(x)
    axes = tuple(range(axis % rank, rank))
    epsilon = float(node.attr("epsilon", 1e-5))
    bias = node.tensor(2) if node.has(2) else node.emit("zeros_like", scale, part="bias")
    return node.emit("nn.layer_norm", x, scale, bias, axes=axes, epsilon=epsilon)


@converter("InstanceNormalization")
def _instance_norm(node: Node) -> Value:
    """Each channel of each sample, normalized over its spatial dimensions."""
    x, scale, bias = node.tensor(0), node.tensor(1), node.tensor(2)
    rank = node.rank(x)
    over = {"axis": tuple(range(2, rank)), "keepdims": True}
    column: Shape = (1, node.shape(scale)[0], *(1,) * (rank - 2))
    mean = node.emit("mean", x, part="mean", **over)
    variance = node.emit("variance", x, part="variance", **over)
    epsilon = node.number(float(node.attr("epsilon", 1e-5)), x)
    centered = node.emit("subtract", x, mean, part="centered")
    safe = node.emit("add", variance, epsilon, part="safe")
    unit = node.emit("divide", centered, node.emit("sqrt", safe, part="deviation"), part="unit")
    scaled = node.emit("multiply", unit, reshaped(node, scale, column, "scale"), part="scaled")
    return node.emit("add", scaled, reshaped(node, bias, column, "shift"))


@converter("LRN")
def _local_response(node: Node) -> Value:
    """`x / (bias + alpha / size * sum of squares of neighbouring channels) ** beta`."""
    x = node.tensor(0)
    size, channels = node.attr("size"), node.shape(x)[1]
    if not isinstance(channels, int):
        raise node.error("onnx/dynamic-shape", "needs a known number of channels")
    before, after = (size - 1) // 2, size // 2
    squares = node.emit("square", x, part="squares")
    width = (0, 0, before, after, *(0,) * (2 * (node.rank(x) - 2)))
    padded = node.emit("nn.pad", squares, part="padded", pad_width=width)
    window = {"axes": (1,), "strides": (1,)}
    parts = [
        node.emit("strided_slice", padded, part="part", begin=(i,), end=(i + channels,), **window)
        for i in range(size)
    ]
    total = functools.reduce(lambda a, b: node.emit("add", a, b, part="sum"), parts)
    share = node.number(float(node.attr("alpha", 1e-4)) / size, x)
    scaled = node.emit("multiply", total, share, part="scaled")
    shifted = node.emit("add", scaled, node.number(float(node.attr("bias", 1.0)), x), part="base")
    beta = node.number(float(node.attr("beta", 0.75)), x)
    return node.emit("divide", x, node.emit("power", shifted, beta, part="power"))
