"""Compiling kernels: one after the other, or in worker processes where there are many."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.codegen import KernelCode, Target, compile_object


def compile_objects(codes: Sequence[KernelCode], target: Target) -> list[bytes]:
    """Object code of each kernel, in order."""
    return [compile_object(code.llvm, target) for code in codes]
