"""Whether a function that is called as a pure one left its arguments as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from workbench.support.amounts import ordinal
from workbench.support.diagnostics import CompileError, Diagnostic

NAMES = ("first", "second", "third", "fourth")


def check_kept(symbol: str, before: Sequence[Any], after: Sequence[Any]) -> None:
    """Refuse a pure function that wrote into arguments: `after` are those that it was given.

    Raises:
        CompileError: `library/writes-argument`, one diagnostic an argument.
    """
    written = [
        position
        for position, (old, new) in enumerate(zip(before, after, strict=True))
        if _differ(old, new)
    ]
    if written:
        raise CompileError(writes_argument(symbol, position) for position in written)


def writes_argument(symbol: str, position: int | None = None) -> Diagnostic:
    """What is said of a pure function that writes into an argument, by its position if known."""
    which = "an" if position is None else f"its {_nth(position)}"
    return Diagnostic(
        "library/writes-argument",
        f"`{symbol}` writes into {which} argument, which others may read",
        hint="let it write into a copy, or call it with `R.call_packed`, which is for effects",
    )


def _nth(position: int) -> str:
    return NAMES[position] if position < len(NAMES) else ordinal(position + 1)


def _differ(old: object, new: object) -> bool:
    """Whether two arrays have other bits; tuples item by item."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        pairs = zip(cast("tuple[Any, ...]", old), cast("tuple[Any, ...]", new), strict=True)
        return any(_differ(a, b) for a, b in pairs)
    if not isinstance(old, np.ndarray) or not isinstance(new, np.ndarray):
        return False
    a, b = cast("np.ndarray[Any, Any]", old), cast("np.ndarray[Any, Any]", new)
    return a.shape != b.shape or a.tobytes() != b.tobytes()
