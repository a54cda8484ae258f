"""Library functions that torch brings, on tensors that share memory with the arrays given."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from workbench.support.embed import home_of

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


def adapted(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """A function of torch on numpy arrays: it gets tensors that share their memory.

    Functions of torch, modules, and functions whose parameters are annotated as `torch.Tensor`;
    None for others. What it returns goes back without a copy too.
    """
    if not _takes_tensors(function):
        return None

    def call(*values: Any, **attributes: Any) -> Any:  # noqa: ANN401
        with torch().no_grad():
            found = function(*(_tensor_or_same(value) for value in values), **attributes)
        return _arrays(found)

    return call


def _tensor_or_same(value: Any) -> Any:  # noqa: ANN401
    return tensor(value) if isinstance(value, np.ndarray) else value  # pyright: ignore[reportUnknownArgumentType]


def _takes_tensors(function: Callable[..., Any]) -> bool:
    homes = [getattr(function, "__module__", None) or home_of(function)]
    homes += [kind.__module__ for kind in inspect.getmro(type(function))]
    if any(home.split(".")[0] == "torch" for home in homes if isinstance(home, str)):
        return True
    hints = getattr(function, "__annotations__", {})
    return any(_is_tensor(hint) for name, hint in hints.items() if name != "return")


def _is_tensor(hint: object) -> bool:
    if isinstance(hint, str):
        return hint.rsplit(".", maxsplit=1)[-1] == "Tensor"
    home = getattr(hint, "__module__", "")
    return home.split(".")[0] == "torch" and getattr(hint, "__name__", "") == "Tensor"


def _arrays(found: Any) -> Any:  # noqa: ANN401
    """Tensors as arrays in the same memory."""
    if isinstance(found, tuple | list):
        return tuple(_arrays(item) for item in found)  # pyright: ignore[reportUnknownVariableType]
    if "torch" in sys.modules and isinstance(found, torch().Tensor):
        dense = found.detach().resolve_neg().contiguous()
        if dense.dtype == torch().bfloat16:
            return np.from_dlpack(dense.view(torch().uint16)).view(ml_dtypes.bfloat16)
        return np.from_dlpack(dense)
    return found


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
