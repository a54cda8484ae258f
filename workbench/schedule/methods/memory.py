"""Methods of `Schedule` on buffers and layouts."""

from __future__ import annotations

from workbench.schedule.base import ScheduleBase


class MemoryMethods(ScheduleBase):
    """`Schedule` on buffers and layouts."""
