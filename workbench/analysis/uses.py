"""Uses: which bindings read a value."""

from __future__ import annotations

from typing_extensions import TypeIs

from workbench.analysis.calls import bindings_in, call_sites
from workbench.ir import (
    Arg,
    Constant,
    FloatImm,
    GraphFunction,
    IfThenElse,
    IntImm,
    IRModule,
    ScalarValue,
    TupleValue,
    Var,
    leaf_vars,
)
from workbench.ir.graph import (
    Alias,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphExpr,
)
from workbench.support import NodeId

_CALLS = (CallOp, CallTIR, CallPacked, CallFunction, CallTIRInplace)
"""A tuple: asking for a union would take most of the time here."""


def arguments(value: GraphExpr) -> tuple[Arg, ...]:
    """The leaves that a right side reads, in argument order."""
    if isinstance(value, _CALLS):
        return value.args
    if isinstance(value, IfThenElse):
        return (value.condition,)
    return (value.value,)


def argument_vars(value: GraphExpr) -> tuple[Var, ...]:
    """The variables that a right side reads, branches included, repeated where read twice."""
    if not isinstance(value, IfThenElse):
        return own_vars(value)
    read = list(leaf_vars(value.condition))
    for body in (value.then, value.otherwise):
        for binding in bindings_in(body.blocks):
            read += own_vars(binding.value)
        read += leaf_vars(body.result)
    return tuple(read)


def own_vars(value: GraphExpr) -> tuple[Var, ...]:
    """The variables that a right side itself reads: of a branch, what it asks and gives."""
    args = arguments(value)
    if not isinstance(value, IfThenElse) and all_vars(args):
        return args
    read = [*args]
    if isinstance(value, IfThenElse):
        read += [value.then.result, value.otherwise.result]
    return tuple(var for arg in read for var in leaf_vars(arg))


def all_vars(args: tuple[Arg, ...]) -> TypeIs[tuple[Var, ...]]:
    """Whether nothing needs to be taken apart, as for most calls."""
    for arg in args:  # noqa: SIM110  a generator would take longer than the rest
        if arg.__class__ is not Var:
            return False
    return True


def users(function: GraphFunction) -> dict[NodeId, tuple[NodeId, ...]]:
    """For each value the ids of the bindings that read it, in program order, once each.

    Those inside branches too; a branch itself reads what it asks and what its arms give.
    """
    found: dict[NodeId, dict[NodeId, None]] = {}
    for binding in bindings_in(function.blocks):
        for var in own_vars(binding.value):
            found.setdefault(var.id, {})[binding.var.id] = None
    return {value: tuple(readers) for value, readers in found.items()}


def result_ids(function: GraphFunction) -> frozenset[NodeId]:
    """The values that the function returns."""
    result = function.result
    if isinstance(result, Var):
        return frozenset((result.id,))
    return frozenset(var.id for var in leaf_vars(result))


def constant_values(function: GraphFunction) -> dict[NodeId, Constant]:
    """The values that are bound to constants, in branches too."""
    return {
        b.var.id: b.value.value
        for b in bindings_in(function.blocks)
        if isinstance(b.value, Alias) and isinstance(b.value.value, Constant)
    }


def callees(module: IRModule) -> dict[str, int]:
    """How often each function of the module is called."""
    return {callee: len(sites) for callee, sites in call_sites(module).items()}


def algorithms(module: IRModule) -> frozenset[str]:
    """Functions that others name as what they compute (`algorithm`).

    Schedules and library calls.
    """
    attrs = [f.attrs for f in module.tensor_functions.values()]
    for function in module.graph_functions.values():
        values = [b.value for b in bindings_in(function.blocks)]
        attrs += [value.attrs for value in values if isinstance(value, CallPacked)]
    named = [dict(items).get("algorithm") for items in attrs]
    return frozenset(name for name in named if isinstance(name, str))


def is_constant(arg: Arg, constants: dict[NodeId, Constant]) -> bool:
    """Whether a leaf is known when compiling."""
    if isinstance(arg, Var):
        return arg.id in constants
    if isinstance(arg, TupleValue):
        return all(is_constant(item, constants) for item in arg.fields)
    return not isinstance(arg, ScalarValue) or isinstance(arg.value, IntImm | FloatImm)
