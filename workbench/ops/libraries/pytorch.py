"""Library functions that torch brings, on tensors that share memory with the arrays given."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@functools.cache
def torch() -> Any:  # noqa: ANN401
    """The package, loaded on first use: that takes seconds."""
    return importlib.import_module("torch")


@functools.cache
def reason() -> str:
    """Loads torch; why that fails, empty where it does not."""
    try:
        torch()
    except (ImportError, OSError) as error:
        return f"torch cannot be loaded: {error}"
    return ""


def tensor(array: Array) -> Any:  # noqa: ANN401
    """A torch tensor in the memory of the array.

    That of a read-only array is writable for torch: it cannot say otherwise.
    """
    if array.dtype == ml_dtypes.bfloat16:
        return torch().from_dlpack(array.view(np.uint16)).view(torch().bfloat16)
    return torch().from_dlpack(array)


def matmul(a: Array, b: Array, out: Array) -> None:
    """`out = a @ b`: `(..., i, k)` by `(..., k, j)`."""
    torch().matmul(tensor(a), tensor(b), out=tensor(out))


def conv2d(
    data: Array,
    weight: Array,
    out: Array,
    *,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> None:
    """Convolution `(n, c, h, w)` by `(f, c, kh, kw)` into `(n, f, y, x)`.

    `padding` is top, left, bottom, right.
    """
    functional = torch().nn.functional
    top, left, bottom, right = padding
    source, around = tensor(data), (top, left)
    if padding[:2] != padding[2:]:
        source, around = functional.pad(source, (left, right, top, bottom)), (0, 0)
    result = functional.conv2d(
        source, tensor(weight), stride=strides, padding=around, dilation=dilation
    )
    tensor(out).copy_(result)
