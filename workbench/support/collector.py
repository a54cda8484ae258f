"""The collector of cyclic garbage, told to come less often while very many nodes are made.

Nodes form no cycles, so that looking through them again and again finds nothing: it was a quarter
of the time of a pass on ten thousand bindings.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock

ALLOCATIONS = 1_000_000
"""Objects made between two collections; Python's own setting is some hundreds."""
YOUNG = 10_000
"""Objects that are soon looked through."""

_LOCK = Lock()
_INSIDE: list[tuple[int, int, int]] = []
"""The thresholds that each of those now inside found; the first is what was set before all."""


@contextmanager
def rare_collections() -> Generator[None]:
    """Collect cyclic garbage rarely inside, and as before when the last one leaves.

    Threads may be inside together. A collector that is off stays off, a rarer one as rare.
    """
    with _LOCK:
        found = gc.get_threshold()
        _INSIDE.append(found)
        if 0 < found[0] < ALLOCATIONS:
            gc.set_threshold(ALLOCATIONS, *found[1:])
    try:
        yield
    finally:
        with _LOCK:
            before = _INSIDE[0]
            _INSIDE.pop()
            if not _INSIDE:
                _take_as_old()
                gc.set_threshold(*before)


def _take_as_old() -> None:
    """Spare what was made inside the collection of the young.

    Leaving would start one, which looks at all of it and frees nothing. The next full collection
    sees it. Objects that somebody froze stay frozen.
    """
    if gc.isenabled() and gc.get_count()[0] > YOUNG and gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()
