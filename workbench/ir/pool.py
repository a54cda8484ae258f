"""The constant pool: weights by content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
SMALL = 4096
"""Bytes of an array that is copied to be hashed."""


def content_digest(array: Array) -> str:
    """16 hex digits that name dtype, shape and bits of an array."""
    dense = np.ascontiguousarray(array)
    kind = str(dense.dtype) if dense.dtype.kind == "V" else dense.dtype.str
    state = hashlib.blake2b(f"{kind}{np.shape(array)}".encode(), digest_size=8)
    if dense.size:
        small = dense.nbytes < SMALL  # a copy takes less than the views
        state.update(dense.tobytes() if small else dense.reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def frozen_array(array: Array) -> Array:
    """The array, row-major and read-only; a copy where somebody else could write to it."""
    frozen = np.ascontiguousarray(array).reshape(np.shape(array)).view()
    if frozen.flags.writeable and frozen.base is not None:
        frozen = frozen.copy()
    frozen.flags.writeable = False
    return frozen


class ConstantPool(Mapping[str, Array]):
    """An immutable map from content hash to read-only, row-major array.

    Bytes are shared, not copied.
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        self._arrays: dict[str, Array] = dict(arrays or {})

    def __getitem__(self, digest: str) -> Array:
        return self._arrays[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def with_array(self, array: Array) -> tuple[str, ConstantPool]:
        """The digest of `array` and a pool that holds it."""
        digest = content_digest(array)
        if digest in self._arrays:
            return digest, self
        return digest, ConstantPool({**self._arrays, digest: frozen_array(array)})

    def merged(self, other: ConstantPool) -> ConstantPool:
        """Both pools in one."""
        return ConstantPool({**self._arrays, **other._arrays})
