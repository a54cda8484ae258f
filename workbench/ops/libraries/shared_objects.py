"""Functions of shared objects, called with pointers to DLPack tensors.

Reference: `dlpack.h`, version 1.0.
"""

from __future__ import annotations

import ctypes
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CPU = 1
CODES = {"i": 0, "u": 1, "f": 2, "V": 4, "b": 6}
"""DLPack's codes by numpy's kinds; `V` is bfloat16."""


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def load(data: NDArray[Any], entry: str) -> Callable[..., Any]:
    """The function `entry` of a shared object with these bytes.

    Raises:
        OSError: the bytes cannot be loaded.
        ValueError: there is no such function.
    """
    library = _library(data.tobytes())
    try:
        function = getattr(library, entry)
    except AttributeError as error:
        message = f"the shared object has no function `{entry}`"
        raise ValueError(message) from error
    function.restype = ctypes.c_int32

    def call(*arrays: NDArray[Any]) -> None:
        dense = [np.ascontiguousarray(array) for array in arrays]
        if any(new is not old for new, old in zip(dense[-1:], arrays[-1:], strict=True)):
            message = "the output is not row-major"
            raise ValueError(message)
        tensors = [_tensor(array) for array in dense]
        status = function(*(ctypes.byref(tensor) for tensor in tensors))
        if status:
            message = f"`{entry}` returned {status}"
            raise RuntimeError(message)

    return call


@functools.lru_cache(maxsize=64)
def _library(data: bytes) -> ctypes.CDLL:
    """The loaded object; its file is needed only while it is loaded."""
    handle, name = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return ctypes.CDLL(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _tensor(array: NDArray[Any]) -> _Tensor:
    rank = array.ndim
    return _Tensor(
        array.ctypes.data,
        CPU,
        0,
        rank,
        CODES[array.dtype.kind],
        array.dtype.itemsize * 8,
        1,
        (ctypes.c_int64 * rank)(*array.shape),
        None,
        0,
    )
