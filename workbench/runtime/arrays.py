"""Arrays at the border: dtypes, addresses, alignment, foreign arrays."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.memory import ALIGNMENT
from workbench.interpret.allocation import new_array
from workbench.ir import ConstantPool

Array = NDArray[Any]


def is_array(value: object) -> TypeGuard[Array]:
    """Whether this is a numpy array."""
    return isinstance(value, np.ndarray)


def is_number(value: object) -> TypeGuard[np.generic[Any]]:
    """Whether this is a numpy scalar."""
    return isinstance(value, np.generic)


def as_number(value: Any) -> Any:  # noqa: ANN401
    """A numpy scalar or an array of one element as a Python number; everything else as it is."""
    return value.item() if (is_array(value) and value.size == 1) or is_number(value) else value


def is_fields(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether this is a tuple, or a list given for one."""
    return isinstance(value, list | tuple)


def address_of(array: Array) -> int:
    """Where the first element is."""
    return array.__array_interface__["data"][0]


def is_direct(array: Array) -> bool:
    """Whether native code can use the array where it is: row-major, elements aligned."""
    flags = array.flags
    return flags.c_contiguous and flags.aligned


def direct(array: Array) -> Array:
    """The array itself if native code can read it, else a row-major copy."""
    return array if is_direct(array) else np.array(array, order="C")


def aligned_bytes(size: int) -> NDArray[np.uint8]:
    """`size` fresh bytes that start at a multiple of 64; `(size,) uint8`.

    Raises:
        CompileError: `run/out-of-memory`.
    """
    memory = new_array((size + ALIGNMENT,), np.uint8)
    start = -address_of(memory) % ALIGNMENT
    return memory[start : start + size]


class _Aligned:
    """An array that a weak table can hold."""

    __slots__ = ("__weakref__", "array")

    def __init__(self, array: Array) -> None:
        self.array = array


_ALIGNED: weakref.WeakValueDictionary[str, _Aligned] = weakref.WeakValueDictionary()


class Constants:
    """Arrays of the pool at aligned addresses; executables share the copies that this needs."""

    def __init__(self, pool: ConstantPool) -> None:
        self._pool = pool
        self._held: dict[str, _Aligned] = {}

    def __getitem__(self, digest: str) -> Array:
        held = self._held.get(digest)
        if held is None:
            held = _ALIGNED.get(digest)
            if held is None:
                held = _Aligned(_aligned_array(self._pool[digest]))
                _ALIGNED[digest] = held
            self._held[digest] = held
        return held.array

    def __contains__(self, digest: str) -> bool:
        return digest in self._pool


def _aligned_array(array: Array) -> Array:
    if address_of(array) % ALIGNMENT == 0 and array.flags.c_contiguous:
        return array
    copy = aligned_bytes(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.flags.writeable = False
    return copy
