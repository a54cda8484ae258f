"""Library functions that numpy brings: BLAS products and a convolution by columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def matmul(a: Array, b: Array, out: Array) -> None:
    """`out = a @ b` with numpy's BLAS: `(..., i, k)` by `(..., k, j)`."""
    np.matmul(a, b, out=out)


def conv2d(
    data: Array,
    weight: Array,
    out: Array,
    *,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> None:
    """Convolution `(n, c, h, w)` by `(f, c, kh, kw)` into `(n, f, y, x)`, as a product of columns.

    `padding` is top, left, bottom, right. Reference: Chellapilla et al., "High Performance
    Convolutional Neural Networks for Document Processing", 2006.
    """
    top, left, bottom, right = padding
    if any(padding):
        data = np.pad(data, ((0, 0), (0, 0), (top, bottom), (left, right)))
    n, f, height, width = out.shape
    _, c, kh, kw = weight.shape
    rows, columns = data.strides[2:]
    shape = (n, c, kh, kw, height, width)
    steps = (
        *data.strides[:2],
        rows * dilation[0],
        columns * dilation[1],
        rows * strides[0],
        columns * strides[1],
    )
    patches = np.lib.stride_tricks.as_strided(data, shape, steps, writeable=False)
    flat = patches.reshape(n, c * kh * kw, height * width)
    np.matmul(weight.reshape(f, c * kh * kw), flat, out=out.reshape(n, f, height * width))
