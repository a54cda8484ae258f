"""Methods of `Schedule` that choose numbers."""

from __future__ import annotations

from workbench.schedule.base import ScheduleBase


class SamplingMethods(ScheduleBase):
    """`Schedule` that choose numbers."""
