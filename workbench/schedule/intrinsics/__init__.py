"""Intrinsics: pieces of code that a processor does better than loops, and what they compute."""

from workbench.ir.registry import TensorIntrinsic
from workbench.schedule.intrinsics.registry import intrinsic, intrinsic_names, register_intrinsic
from workbench.schedule.intrinsics.scripted import (
    intrinsic_of_script,
    registration,
    script_of_intrinsic,
)
from workbench.schedule.intrinsics.shipped import brain_dot, byte_dot, matmul_tile

__all__ = [
    "TensorIntrinsic",
    "brain_dot",
    "byte_dot",
    "intrinsic",
    "intrinsic_names",
    "intrinsic_of_script",
    "matmul_tile",
    "register_intrinsic",
    "registration",
    "script_of_intrinsic",
]
