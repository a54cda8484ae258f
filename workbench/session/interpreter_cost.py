"""How long the reference interpreter would take: what decides whether the import can run on it."""

from __future__ import annotations

from workbench.ir import Block, CallTIR, For, IntImm, IRModule, TensorFunction, children
from workbench.rewrite import all_bindings

MOST_INSTANCES = 5_000_000
"""Block instances that the interpreter may run for a verdict, at about a microsecond each."""


def interpreter_can_run(module: IRModule) -> bool:
    """Whether the tensor functions that `module` calls are small enough for the interpreter.

    Operators run on their numpy references and do not count; a symbolic extent counts as one.
    """
    total = 0
    for function in module.graph_functions.values():
        for binding in all_bindings(function):
            call = binding.value
            if isinstance(call, CallTIR) and call.callee in module.tensor_functions:
                total += instances(module.tensor_functions[call.callee])
    return total <= MOST_INSTANCES


def instances(function: TensorFunction) -> int:
    """The number of block instances that one call runs."""
    return _count(function.body)


def _count(node: object) -> int:
    if isinstance(node, Block) and not any(isinstance(child, For) for child in children(node)):
        return 1
    below = sum(_count(child) for child in children(node))
    if isinstance(node, For) and isinstance(node.extent, IntImm):
        return node.extent.value * max(1, below)
    return below
