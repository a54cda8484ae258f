"""A memo of pure functions of immutable objects, by the object and not by its value.

Hashing a function of a thousand nodes for each question would cost more than the answers that are
found; most rewrites keep the very objects that they do not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

LARGE_MODULE = 16_384
"""As many functions as a module may have without that what is known of them is found anew."""


class IdentityMemo(Generic[K, V]):
    """Answers about objects, the `size` last used ones; may be asked by several threads at once.

    An object is held as long as an answer about it, so that no other has its address meanwhile.
    Two threads that ask the same at once both compute, and get the same answer.
    """

    def __init__(self, size: int = LARGE_MODULE) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[int, Hashable], tuple[K, V]] = OrderedDict()

    def get(self, item: K, make: Callable[[], V], key: Hashable = None) -> V:
        """What is known of `item` under `key`, or else what `make` gives; faults are not kept."""
        place = id(item), key
        with self._lock:
            entry = self._entries.get(place)
            if entry is not None:
                self._entries.move_to_end(place)
                return entry[1]
        made = make()
        with self._lock:
            kept = self._entries.setdefault(place, (item, made))[1]
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
        return kept

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
