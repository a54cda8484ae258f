"""How long the reference interpreter would take: what decides whether the import can run on it."""

from __future__ import annotations

from workbench.ir import (
    Block,
    CallTIR,
    CallTIRInplace,
    For,
    IntImm,
    IRModule,
    TensorFunction,
    children,
)
from workbench.rewrite import all_bindings

MOST_INSTANCES = 5_000_000
"""Block instances that the interpreter may run for a verdict, at about a microsecond each."""
SMALL = 32
"""Symbolic extents above this are those of a second run, which has to be quick."""


def interpreter_can_run(module: IRModule, symbolic: int = 1) -> bool:
    """Whether the tensor functions that `module` calls are small enough for the interpreter.

    Operators run on their numpy references and do not count; a symbolic extent counts as
    `symbolic`.
    """
    total = 0
    for function in module.graph_functions.values():
        for binding in all_bindings(function):
            call = binding.value
            if not isinstance(call, CallTIR | CallTIRInplace):
                continue
            if call.callee in module.tensor_functions:
                total += instances(module.tensor_functions[call.callee], symbolic)
    return total <= most_instances(symbolic)


def most_instances(symbolic: int) -> int:
    """The block instances that a run may have whose symbolic extents are at most `symbolic`."""
    return MOST_INSTANCES if symbolic <= SMALL else MOST_INSTANCES // 10


def instances(function: TensorFunction, symbolic: int = 1) -> int:
    """The number of block instances that one call runs; a symbolic extent is `symbolic`."""
    return _count(function.body, symbolic)


def _count(node: object, symbolic: int) -> int:
    if isinstance(node, Block) and not any(isinstance(child, For) for child in children(node)):
        return 1
    below = sum(_count(child, symbolic) for child in children(node))
    if isinstance(node, For):
        extent = node.extent.value if isinstance(node.extent, IntImm) else symbolic
        return extent * max(1, below)
    return below
