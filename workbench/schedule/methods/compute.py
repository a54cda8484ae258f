"""Methods of `Schedule` that move blocks."""

from __future__ import annotations

from workbench.schedule.base import ScheduleBase


class ComputeMethods(ScheduleBase):
    """`Schedule` that move blocks."""
