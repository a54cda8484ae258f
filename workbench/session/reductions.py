"""How many terms a value sums: what its tolerance grows with."""

from __future__ import annotations

from workbench.analysis.calls import bindings_in
from workbench.ir import (
    AxisKind,
    Block,
    CallFunction,
    CallOp,
    CallTIR,
    CallTIRInplace,
    GraphExpr,
    GraphFunction,
    IntImm,
    IRModule,
    TensorFunction,
    function_digest,
    walk,
)
from workbench.session.inputs import legal_form

_KNOWN: dict[str, int] = {}


def reduction_length(
    module: IRModule, value: GraphExpr, inside: frozenset[str] = frozenset()
) -> int:
    """The number of terms that a right side sums, read off its loop nests; at least 1.

    A function that calls itself counts once: `inside` are those around.
    """
    match value:
        case CallTIR() | CallTIRInplace() | CallFunction() if value.callee in module:
            function = module[value.callee]
            if isinstance(function, TensorFunction):
                return tensor_length(function)
            if value.callee in inside:
                return 1
            return graph_length(module, function, inside | {value.callee})
        case CallOp():
            form = legal_form(value)
            return 1 if form is None else tensor_length(form)
        case _:
            return 1


def graph_length(
    module: IRModule, function: GraphFunction, inside: frozenset[str] = frozenset()
) -> int:
    """The sum over the bindings of a graph function, those in branches included."""
    found = bindings_in(function.blocks)
    return sum(reduction_length(module, binding.value, inside) for binding in found) or 1


def tensor_length(function: TensorFunction) -> int:
    """The sum over blocks of the product of reduction extents; symbolic ones count as one."""
    digest = function_digest(function)
    if digest not in _KNOWN:
        lengths = [_block_length(node) for node in walk(function.body) if isinstance(node, Block)]
        _KNOWN[digest] = max(1, sum(lengths))
    return _KNOWN[digest]


def _block_length(block: Block) -> int:
    length = 1
    for axis in block.axes:
        if axis.kind is AxisKind.REDUCE and isinstance(axis.extent, IntImm):
            length *= axis.extent.value
    return length if any(axis.kind is AxisKind.REDUCE for axis in block.axes) else 0
