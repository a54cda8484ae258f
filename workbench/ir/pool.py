"""The constant pool: weights by content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from workbench.support.masked import unmasked

Array = NDArray[np.generic]
SMALL = 4096
"""Bytes of an array that is copied to be hashed."""


def content_digest(array: Array) -> str:
    """16 hex digits that name dtype, shape and bits of an array."""
    dense = np.ascontiguousarray(array)
    kind = str(dense.dtype) if dense.dtype.kind == "V" else dense.dtype.str
    state = hashlib.blake2b(f"{kind}{np.asarray(array).shape}".encode(), digest_size=8)
    if dense.size:
        small = dense.nbytes < SMALL  # a copy takes less than the views
        state.update(dense.tobytes() if small else dense.reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def frozen_array(array: Array) -> Array:
    """The array, row-major and read-only; a copy where somebody else could write to it."""
    frozen = np.ascontiguousarray(array).reshape(np.asarray(array).shape).view()
    if frozen.flags.writeable and frozen.base is not None:
        frozen = frozen.copy()
    frozen.flags.writeable = False
    return frozen


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Item:
    """An array of a pool, and the one that was added before it."""

    digest: str
    array: Array
    position: int
    before: _Item | None


class ConstantPool(Mapping[str, Array]):
    """An immutable map from content hash to read-only, row-major array.

    Bytes are shared, not copied. A pool and the one that `with_array` makes of it share their
    table, in which each sees only what was there when it was made: adding takes constant time. The
    table is weak, and each pool holds its own items: what only a dropped pool had goes with it.
    """

    __slots__ = ("_last", "_size", "_table")

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        self._table: WeakValueDictionary[str, _Item] = WeakValueDictionary()
        self._last: _Item | None = None
        self._size = 0
        for digest, array in (arrays or {}).items():
            self._last = self._table[digest] = _Item(digest, array, self._size, self._last)
            self._size += 1

    def __getitem__(self, digest: str) -> Array:
        found = self._table.get(digest)
        if found is None or found.position >= self._size:
            raise KeyError(digest)
        return found.array

    def __contains__(self, digest: object) -> bool:
        found = self._table.get(digest) if isinstance(digest, str) else None
        return found is not None and found.position < self._size

    def __iter__(self) -> Iterator[str]:
        digests: list[str] = []
        item = self._last
        while item is not None:
            digests.append(item.digest)
            item = item.before
        return reversed(digests)

    def __len__(self) -> int:
        return self._size

    def __reduce__(self) -> tuple[type[ConstantPool], tuple[dict[str, Array]]]:
        return ConstantPool, (dict(self),)

    def with_array(self, array: Array) -> tuple[str, ConstantPool]:
        """The digest of `array` and a pool that holds it.

        Raises:
            CompileError: `call/masked-array`.
        """
        digest = content_digest(unmasked(array))
        if digest in self:
            return digest, self
        frozen = frozen_array(array)
        with _GROWING:
            if len(self._table) == self._size:
                return digest, self._grown(digest, frozen)
        return digest, ConstantPool({**self, digest: frozen})

    def _grown(self, digest: str, array: Array) -> ConstantPool:
        """The pool that sees one array more of the same table."""
        grown = ConstantPool.__new__(ConstantPool)
        grown._table, grown._size = self._table, self._size + 1
        grown._last = self._table[digest] = _Item(digest, array, self._size, self._last)
        return grown

    def merged(self, other: ConstantPool) -> ConstantPool:
        """Both pools in one."""
        return ConstantPool({**self, **other})


_GROWING = Lock()
