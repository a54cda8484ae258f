"""Library functions that oneDNN brings: products and convolutions with bias and activation, norms.

All take and fill row-major float32 arrays. oneDNN differs from the operators in one thing: its relu
gives 0 for what is not a number, its softmax numbers beside one. Reference: oneDNN's matmul,
convolution, softmax and layer normalisation primitives with post-operations.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.ops.libraries import dnnl
from workbench.ops.libraries.dnnl import BETA, BIAS, DST, GAMMA, SRC, WEIGHTS, Buffer

Array = NDArray[np.float32]

ACTIVATIONS = {"": None, "relu": 0x20, "gelu": 0x31, "gelu_tanh": 0x2B}
"""Names of activations, and the library's numbers of them."""


def matmul(a: Array, b: Array, *rest: Array, activation: str = "") -> None:
    """`out = activation(a @ b + bias)`: `(..., i, k)` by `(..., k, j)`; `rest` is `[bias,] out`."""
    *bias, out = rest
    if a.shape[-1] == 0:  # an empty sum is zero
        a = np.zeros((*a.shape[:-1], 1), np.float32)
        b = np.zeros((*b.shape[:-2], 1, b.shape[-1]), np.float32)
    if b.ndim == 2:  # one product of many rows
        rows = math.prod(a.shape[:-1])
        a, out = a.reshape(rows, a.shape[-1]), out.reshape(rows, out.shape[-1])
    shapes = [_padded(array.shape, out.ndim) for array in (a, b, out)]
    operands = [
        (Buffer(role, shape), array)
        for role, shape, array in zip((SRC, WEIGHTS, DST), shapes, (a, b, out), strict=True)
    ]
    if bias:
        flat = (*(1,) * (out.ndim - 1), out.shape[-1])
        operands.append((Buffer(BIAS, flat), bias[0]))
    library = dnnl.library()

    def create(descriptor: Any) -> None:  # noqa: ANN401
        source, weights, result, *more = (library.describe(buffer.shape) for buffer, _ in operands)
        attributes = library.activation(ACTIVATIONS[activation])
        third = more[0] if more else None
        library.check(
            "matmul_primitive_desc_create",
            descriptor,
            library.engine,
            source,
            weights,
            third,
            result,
            attributes,
        )

    _run(("matmul", activation, *(buffer for buffer, _ in operands)), create, operands)


def conv2d(
    data: Array,
    weight: Array,
    *rest: Array,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    groups: int = 1,
    activation: str = "",
) -> None:
    """Convolution `(n, c, h, w)` by `(f, c / groups, kh, kw)` into `(n, f, y, x)`.

    `rest` is `[bias,] out`; `padding` is top, left, bottom, right.
    """
    *bias, out = rest
    filters = weight.shape
    if groups != 1:
        filters = (groups, filters[0] // groups, *filters[1:])
    operands = [
        (Buffer(SRC, data.shape), data),
        (Buffer(WEIGHTS, filters), weight),
        (Buffer(DST, out.shape), out),
        *((Buffer(BIAS, (array.size,)), array) for array in bias),
    ]
    library = dnnl.library()
    window = (strides, tuple(d - 1 for d in dilation), padding[:2], padding[2:])

    def create(descriptor: Any) -> None:  # noqa: ANN401
        source, weights, result, *more = (library.describe(buffer.shape) for buffer, _ in operands)
        library.check(
            "convolution_forward_primitive_desc_create",
            descriptor,
            library.engine,
            dnnl.INFERENCE,
            dnnl.CONVOLUTION,
            source,
            weights,
            more[0] if more else None,
            result,
            *((ctypes.c_int64 * dnnl.RANK)(*pair) for pair in window),
            library.activation(ACTIVATIONS[activation]),
        )

    key = ("conv2d", activation, window, *(buffer for buffer, _ in operands))
    _run(key, create, operands)


def softmax(data: Array, out: Array, *, axis: int = -1) -> None:
    """Exponentials along `axis`, divided by their sum, into `out`."""
    library = dnnl.library()
    operands = [(Buffer(SRC, data.shape), data), (Buffer(DST, out.shape), out)]

    def create(descriptor: Any) -> None:  # noqa: ANN401
        library.check(
            "softmax_forward_primitive_desc_create",
            descriptor,
            library.engine,
            dnnl.INFERENCE,
            dnnl.SOFTMAX,
            library.describe(data.shape),
            library.describe(out.shape),
            axis % data.ndim,
            None,
        )

    _run(("softmax", axis % data.ndim, data.shape), create, operands)


def layer_norm(data: Array, gamma: Array, beta: Array, out: Array, *, epsilon: float) -> None:
    """Normalisation over the last axis of `(..., c)`, times `gamma (c,)`, plus `beta (c,)`."""
    library = dnnl.library()
    width = data.shape[-1]
    shape = (math.prod(data.shape[:-1]), width)
    operands = [
        (Buffer(SRC, shape), data),
        (Buffer(GAMMA, (width,)), gamma),
        (Buffer(BETA, (width,)), beta),
        (Buffer(DST, shape), out),
    ]

    def create(descriptor: Any) -> None:  # noqa: ANN401
        library.check(
            "layer_normalization_forward_primitive_desc_create",
            descriptor,
            library.engine,
            dnnl.INFERENCE,
            library.describe(shape),
            library.describe(shape),
            None,
            ctypes.c_float(epsilon),
            dnnl.SCALE_AND_SHIFT,
            None,
        )

    _run(("layer_norm", epsilon, shape), create, operands)


def _run(key: tuple[object, ...], create: Any, operands: list[tuple[Buffer, Array]]) -> None:  # noqa: ANN401
    """Run on dense arrays: others are copied."""
    if operands[-1][1].size == 0 or any(0 in buffer.shape for buffer, _ in operands):
        return
    dense = [
        (buffer, array if array.flags.c_contiguous else np.ascontiguousarray(array))
        for buffer, array in operands
    ]
    dnnl.library().run(key, create, dense)
    for (_, given), (buffer, used) in zip(operands, dense, strict=True):
        if buffer.role == DST and used is not given:
            np.copyto(given, used.reshape(given.shape))


def _padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (*(1,) * (rank - len(shape)), *shape)
