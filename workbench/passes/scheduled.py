"""Scheduled forms beside their algorithms."""

from __future__ import annotations

from dataclasses import replace

from workbench.ir import TensorFunction, function_digest
from workbench.rewrite import ModuleEditor
from workbench.schedule.cpu.default import ScheduleOptions, schedule_function


def add_scheduled(editor: ModuleEditor, algorithm: str, options: ScheduleOptions) -> str:
    """Add the scheduled form of a tensor function beside it; gives its name."""
    function = editor.function(algorithm)
    assert isinstance(function, TensorFunction)
    key = (function_digest(function), algorithm, options)
    if key not in _MARKED:
        scheduled = scheduled_form(function, options)
        attrs = tuple(sorted((*scheduled.attrs, ("algorithm", algorithm))))
        _MARKED[key] = replace(scheduled, attrs=attrs, private=True)
    return editor.add_function(f"{algorithm}_scheduled", _MARKED[key])


_MARKED: dict[tuple[str, str, ScheduleOptions], TensorFunction] = {}
"""Memo of a pure function: the same function is not made, and hashed, for each of its calls."""


def scheduled_form(function: TensorFunction, options: ScheduleOptions) -> TensorFunction:
    """The function with a schedule; `schedule_function` must give one for it."""
    scheduled = schedule_function(function, options)
    assert isinstance(scheduled, TensorFunction)
    return scheduled
