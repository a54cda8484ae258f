"""IPython's side of sessions: the cell that runs, the names of the user, the history of outputs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HISTORY = re.compile(r"_|__|___|_\d+")
"""Names that IPython gives to outputs by itself."""

_AFTER_CELLS: list[Callable[[], None]] = []


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a cell. The front end names the cell, IPython numbers the run."""

    name: str
    run: int


def shell() -> Any:  # noqa: ANN401
    """IPython's shell, if this process runs under IPython; does not import it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def current_cell() -> Cell | None:
    """The cell that runs, None outside of notebooks whose front end names cells."""
    found = shell()
    parent: dict[str, Any] = found.get_parent() if hasattr(found, "get_parent") else {}
    name = parent.get("metadata", {}).get("cellId")
    return Cell(name, found.execution_count) if isinstance(name, str) else None


def after_cells(call: Callable[[], None]) -> None:
    """Call `call` whenever a cell has run, once however often this is asked for."""
    if call not in _AFTER_CELLS:
        _AFTER_CELLS.append(call)
    events = getattr(shell(), "events", None)
    if events is not None and _cell_ran not in events.callbacks["post_run_cell"]:
        events.register("post_run_cell", _cell_ran)


def _cell_ran(*_: object) -> None:
    for call in _AFTER_CELLS:
        call()


def name_of(item: object) -> str | None:
    """The name that the user's code has for an object, the history of outputs left aside."""
    space = getattr(shell(), "user_ns", {})
    return next((n for n, v in list(space.items()) if v is item and not n.startswith("_")), None)


def forget_outputs(chosen: Callable[[object], bool]) -> bool:
    """Take values out of IPython's history of outputs; whether there were any."""
    found = shell()
    if found is None:
        return False
    outputs = found.history_manager.output_hist
    numbers = [n for n, v in list(outputs.items()) if chosen(v)]
    for number in numbers:
        del outputs[number]
    for space in (found.user_ns, found.user_ns_hidden):  # IPython notes its own names twice
        for name, value in list(space.items()):
            if HISTORY.fullmatch(name) and chosen(value):
                del space[name]
    for name in ("_", "__", "___"):  # which the display hook keeps a second time
        if chosen(getattr(found.displayhook, name, None)):
            setattr(found.displayhook, name, None)
    if chosen(getattr(found.last_execution_result, "result", None)):
        found.last_execution_result = None
    return bool(numbers)
