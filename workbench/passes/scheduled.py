"""Scheduled forms beside their algorithms."""

from __future__ import annotations

from dataclasses import replace

from workbench.ir import TensorFunction
from workbench.rewrite import ModuleEditor
from workbench.schedule.default import ScheduleOptions, schedule_function


def add_scheduled(editor: ModuleEditor, algorithm: str, options: ScheduleOptions) -> str:
    """Add the scheduled form of a tensor function beside it; gives its name."""
    function = editor.function(algorithm)
    assert isinstance(function, TensorFunction)
    scheduled = scheduled_form(function, options)
    attrs = tuple(sorted((*scheduled.attrs, ("algorithm", algorithm))))
    marked = replace(scheduled, attrs=attrs, private=True)
    return editor.add_function(f"{algorithm}_scheduled", marked)


def scheduled_form(function: TensorFunction, options: ScheduleOptions) -> TensorFunction:
    """The function with a schedule; `schedule_function` must give one for it."""
    scheduled = schedule_function(function, options)
    assert isinstance(scheduled, TensorFunction)
    return scheduled
