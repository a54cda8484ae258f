"""Schedules: rewrites of the loops of tensor functions."""

from workbench.schedule.default import ScheduleOptions, schedule_function
from workbench.schedule.schedule import BlockRef, LoopRef, Schedule

__all__ = ["BlockRef", "LoopRef", "Schedule", "ScheduleOptions", "schedule_function"]
