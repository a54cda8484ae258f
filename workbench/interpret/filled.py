"""Whether a function that has to fill memory did so, or returned its value instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.support.diagnostics import CompileError, Diagnostic

Array = NDArray[Any]


def check_filled(symbol: str, returned: object, outputs: Sequence[Any]) -> None:
    """Refuse an array that a destination-passing function returned and that is no output of it.

    It is the value, most likely, and the memory for it holds anything. Functions may return their
    outputs, as those of numpy and torch do.

    Raises:
        CompileError: `run/returned-value`.
    """
    if returned is None or any(returned is out for out in outputs):
        return
    arrays: list[Array] = [out for out in outputs if isinstance(out, np.ndarray)]
    if any(_is_elsewhere(found, arrays) for found in _arrays(returned)):
        raise CompileError(
            Diagnostic(
                "run/returned-value",
                f"`{symbol}` must fill its last argument, but returned an array",
                hint="write `out[...] = value`, or call it with `R.call_pure_packed`, which takes "
                "what a function returns",
            )
        )


def _arrays(returned: object) -> Iterator[object]:
    if isinstance(returned, list | tuple):
        for item in cast("Sequence[object]", returned):
            yield from _arrays(item)
    elif isinstance(returned, np.ndarray) or hasattr(returned, "__dlpack__"):
        yield cast("object", returned)


def _is_elsewhere(found: Any, outputs: Sequence[Array]) -> bool:  # noqa: ANN401
    array = cast("Array", found)
    try:
        if not isinstance(found, np.ndarray):
            array = cast("Array", np.from_dlpack(found))
    except (BufferError, RuntimeError, TypeError, ValueError):
        return False  # memory that numpy does not know: nothing is said
    return array.size > 0 and not any(np.may_share_memory(array, out) for out in outputs)
