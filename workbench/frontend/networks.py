"""Networks built from code, with random weights: ResNet-18 and MobileNetV2.

In evaluation form: each batch normalisation is folded into the convolution before it, which so has
a bias. Weights are normal with deviation `sqrt(2 / fan_in)`, so that values keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ir import (
    Attr,
    CallOp,
    Dim,
    GraphBuilder,
    IRModule,
    ShapeValue,
    TensorType,
    Var,
)

RESNET_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride of the stages of ResNet-18, two blocks each."""

MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and stride of the stages of MobileNetV2."""


def resnet18(
    batch: int | None = 1, size: int = 224, *, width: float = 1.0, seed: int = 0
) -> IRModule:
    """ResNet-18 for `(batch, 3, size, size) float32`, giving `(batch, 1000)`.

    `batch` None makes it symbolic; `width` scales the numbers of channels. Reference: He et al.,
    "Deep Residual Learning for Image Recognition", CVPR 2016.
    """
    net = _Network(batch, size, seed)
    first = _channels(64, width)
    x = net.relu(net.convolution(net.input, first, 7, stride=2))
    x = net.op("nn.max_pool2d", x, pool_size=(3, 3), strides=(2, 2), padding=(1, 1, 1, 1))
    for channels, stride in RESNET_STAGES:
        for step in (stride, 1):
            x = _residual(net, x, _channels(channels, width), step)
    return net.classifier(x, 1000)


def mobilenet_v2(
    batch: int | None = 1, size: int = 224, *, width: float = 1.0, seed: int = 0
) -> IRModule:
    """MobileNetV2 for `(batch, 3, size, size) float32`, giving `(batch, 1000)`.

    `batch` None makes it symbolic; `width` scales the numbers of channels. Reference: Sandler et
    al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
    """
    net = _Network(batch, size, seed)
    x = net.relu6(net.convolution(net.input, _channels(32, width), 3, stride=2))
    for expansion, channels, blocks, stride in MOBILENET_STAGES:
        for number in range(blocks):
            step = stride if number == 0 else 1
            x = _inverted_residual(net, x, expansion, _channels(channels, width), step)
    x = net.relu6(net.convolution(x, _channels(1280, max(width, 1.0)), 1))
    return net.classifier(x, 1000)


def _channels(count: int, width: float) -> int:
    """A scaled number of channels, a multiple of 8."""
    return max(8, round(count * width / 8) * 8)


def _residual(net: _Network, x: Var, channels: int, stride: int) -> Var:
    shortcut = x
    if stride != 1 or net.channels(x) != channels:
        shortcut = net.convolution(x, channels, 1, stride=stride)
    y = net.relu(net.convolution(x, channels, 3, stride=stride))
    y = net.convolution(y, channels, 3)
    return net.relu(net.op("add", y, shortcut))


def _inverted_residual(net: _Network, x: Var, expansion: int, channels: int, stride: int) -> Var:
    inner = net.channels(x) * expansion
    y = x if expansion == 1 else net.relu6(net.convolution(x, inner, 1))
    y = net.relu6(net.convolution(y, inner, 3, stride=stride, groups=inner))
    y = net.convolution(y, channels, 1)
    return net.op("add", y, x) if stride == 1 and net.channels(x) == channels else y


@dataclass
class _Network:
    """A graph function that grows layer by layer."""

    batch: int | None
    size: int
    seed: int
    builder: GraphBuilder = field(default_factory=GraphBuilder)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        rows: Dim = self.builder.symbol("n") if self.batch is None else self.batch
        self.input = self.builder.param("x", TensorType((rows, 3, self.size, self.size)))
        self.rows = rows

    def channels(self, x: Var) -> int:
        """The number of channels of a value."""
        assert isinstance(x.type, TensorType)
        assert x.type.shape is not None
        found = x.type.shape[1]
        assert isinstance(found, int)
        return found

    def op(self, name: str, *args: Any, **attrs: Attr) -> Var:  # noqa: ANN401
        """The result of an operator."""
        return self.builder.emit(CallOp(name, args, tuple(sorted(attrs.items()))))

    def weights(self, *shape: int) -> NDArray[np.float32]:
        """Normal numbers that keep the size of what they multiply."""
        scale = math.sqrt(2 / max(1, math.prod(shape[1:])))
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def constant(self, array: NDArray[np.float32], name: str) -> Var:
        """A weight, bound to a name."""
        return self.builder.constant(array, f"{name}{len(self.builder.bindings)}")

    def convolution(
        self, x: Var, filters: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> Var:
        """A convolution that keeps the size but for its stride, and its bias."""
        shape = (filters, self.channels(x) // groups, kernel, kernel)
        weight = self.constant(self.weights(*shape), "weight")
        strides, padding = (stride, stride), (kernel // 2,) * 4
        y = self.op("nn.conv2d", x, weight, strides=strides, padding=padding, groups=groups)
        bias = (self.rng.standard_normal((1, filters, 1, 1)) * 0.1).astype(np.float32)
        return self.op("add", y, self.constant(bias, "bias"))

    def relu(self, x: Var) -> Var:
        """`max(x, 0)`."""
        return self.op("nn.relu", x)

    def relu6(self, x: Var) -> Var:
        """`min(max(x, 0), 6)`."""
        return self.op("nn.relu6", x)

    def classifier(self, x: Var, classes: int) -> IRModule:
        """The mean over the picture, and a matrix product: the module."""
        channels = self.channels(x)
        x = self.op("mean", x, axis=(2, 3), keepdims=True)
        x = self.op("reshape", x, ShapeValue((self.rows, channels)))
        weight = self.weights(classes, channels).T
        y = self.op("matmul", x, self.constant(np.ascontiguousarray(weight), "weight"))
        bias: Sequence[float] = [0.0] * classes
        y = self.op("add", y, self.constant(np.array(bias, np.float32), "bias"))
        function = self.builder.build(y)
        return self.builder.module.with_function("main", function)
