"""How long the import takes: what decides whether it runs interpreted, and with what extents.

Counted from its loops and never measured, so that verdicts do not depend on how busy a machine is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from workbench.ir import (
    Block,
    CallTIR,
    CallTIRInplace,
    For,
    IntImm,
    IRModule,
    TensorFunction,
    While,
    children,
    walk,
)
from workbench.passes import LegalizeOps
from workbench.rewrite import all_bindings

MOST_INSTANCES = 5_000_000
"""Block instances that the interpreter may run for a verdict, at about a microsecond each."""
COMPILED, NUMPY = 1e-3, 2e-3
"""What an instance takes compiled, and in the numpy reference of an operator, of that."""
SMALL = 32
"""Symbolic extents above this are those of a second run, which has to be quick."""


def interpreter_can_run(module: IRModule, symbolic: int = 1) -> bool:
    """Whether the tensor functions that `module` calls are small enough for the interpreter.

    Operators run on their numpy references and do not count; a symbolic extent counts as
    `symbolic`.
    """
    called = _calls(module).items()
    total = sum(n * instances(module.tensor_functions[name], symbolic) for name, n in called)
    return total <= most_instances(symbolic)


def work_of(module: IRModule) -> Callable[[int], float]:
    """What a run of an import takes, in microseconds, by its largest symbolic extent.

    Infinite where there is a `while` loop: nobody knows how often that runs with other extents.

    Tensor functions run in the interpreter, or compiled where that is too long; operators run on
    their numpy references and take what their loops say.
    """
    lowered = LegalizeOps()(module).module
    own = _calls(module)
    endless = any(_has_while(module.tensor_functions[name]) for name in own)
    operators = _calls(lowered) - own

    def work(symbolic: int) -> float:
        loops, numpy = (
            sum(n * instances(lowered.tensor_functions[name], symbolic) for name, n in some.items())
            for some in (own, operators)
        )
        return math.inf if endless else _microseconds(loops, symbolic) + NUMPY * numpy

    return work


def work_of_function(function: TensorFunction) -> Callable[[int], float]:
    """The same for a tensor function that runs alone."""
    endless = _has_while(function)

    def work(symbolic: int) -> float:
        return math.inf if endless else _microseconds(instances(function, symbolic), symbolic)

    return work


def _has_while(function: TensorFunction) -> bool:
    return any(isinstance(node, While) for node in walk(function.body))


def _microseconds(loops: int, symbolic: int) -> float:
    return loops if loops <= most_instances(symbolic) else COMPILED * loops


def _calls(module: IRModule) -> Counter[str]:
    """How often the tensor functions are called."""
    values = (b.value for f in module.graph_functions.values() for b in all_bindings(f))
    calls = (value for value in values if isinstance(value, CallTIR | CallTIRInplace))
    return Counter(call.callee for call in calls if call.callee in module.tensor_functions)


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
