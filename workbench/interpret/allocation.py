"""Memory for arrays: what cannot be had is told with its size, before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.ir.call_types import show_shape
from workbench.support import CompileError, Diagnostic
from workbench.support.amounts import byte_count

A = TypeVar("A")
HINT = "`wb.memory_plan(module, extents={...})` shows what takes how much; extents come with inputs"


def new_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array whose contents are whatever was there; `shape`, `dtype`.

    Raises:
        CompileError: `run/out-of-memory`.
    """
    return allocated(lambda: np.empty(shape, dtype), shape, np.dtype(dtype).itemsize)


def allocated(make: Callable[[], A], shape: tuple[int, ...], itemsize: int) -> A:
    """What `make` gives, which is an array of that shape.

    Raises:
        CompileError: `run/out-of-memory`.
    """
    try:
        return make()
    except (MemoryError, ValueError, OverflowError) as error:
        what = f"a value of shape `{show_shape(shape)}`"
        raise out_of_memory(what, math.prod(shape) * itemsize) from error


def out_of_memory(what: str, size: int) -> CompileError:
    """The fault of something that takes more bytes than there are."""
    message = f"{what} needs {byte_count(size)}, more memory than there is"
    return CompileError(Diagnostic("run/out-of-memory", message, hint=HINT))
