"""Schedules: rewrites of the loops of tensor functions."""

from workbench.schedule.base import BlockRef, LoopRef
from workbench.schedule.default import ScheduleOptions, schedule_function
from workbench.schedule.intrinsics import (
    TensorIntrinsic,
    brain_dot,
    byte_dot,
    intrinsic,
    intrinsic_names,
    intrinsic_of_script,
    matmul_tile,
    register_intrinsic,
)
from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives import PRIMITIVES
from workbench.schedule.schedule import Schedule
from workbench.schedule.trace import Trace

__all__ = [
    "PRIMITIVES",
    "BlockRef",
    "LoopRef",
    "Primitive",
    "Schedule",
    "ScheduleOptions",
    "TensorIntrinsic",
    "Trace",
    "brain_dot",
    "byte_dot",
    "intrinsic",
    "intrinsic_names",
    "intrinsic_of_script",
    "matmul_tile",
    "register_intrinsic",
    "schedule_function",
]
