"""Methods of `Schedule` on blocks and intrinsics."""

from __future__ import annotations

from workbench.schedule.base import ScheduleBase


class BlockMethods(ScheduleBase):
    """`Schedule` on blocks and intrinsics."""
