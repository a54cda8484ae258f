"""Summaries: what equal functions share, for finding one among thousands."""

from __future__ import annotations

from workbench.analysis.same_type import is_static
from workbench.ir import (
    Arg,
    Binding,
    CallFunction,
    CallOp,
    CallTIR,
    Constant,
    Function,
    GraphFunction,
    TensorFunction,
    TupleValue,
    Var,
    fingerprint,
)
from workbench.support import NodeId


def summary(function: Function) -> tuple[object, bool]:
    """A key that equal functions share, and whether they share it with no others.

    It says all of a tensor function, and of a private graph function that only calls others and
    operators on values of static types.
    """
    if isinstance(function, TensorFunction):
        return (fingerprint(function), function.private), True
    if not function.private:
        return "public", False
    whole = _plain_calls(function)
    if whole is not None:
        return whole, True
    values = (binding.value for binding in function.bindings)
    names = (getattr(v, "callee", getattr(v, "op", type(v).__name__)) for v in values)
    return (len(function.params), *names), False


def _plain_calls(function: GraphFunction) -> object | None:
    """All of a function but ids and names of values; None where it has more than plain calls."""
    numbers: dict[NodeId, int] = {}
    for param in function.params:
        numbers[param.id] = len(numbers)
    rows: list[object] = []
    for block in function.blocks:
        for binding in block.bindings:
            row = _row(binding, numbers)
            if row is None:
                return None
            numbers[binding.var.id] = len(numbers)
            rows.append(row)
        rows.append((block.dataflow, frozenset(map(numbers.get, block.outputs))))
    result = _leaf(function.result, numbers)
    types = [param.type for param in function.params]
    if result is None or not all(map(is_static, types)):
        return None
    flags = (function.private, function.pure, repr(function.attrs))
    return tuple(types), tuple(rows), result, function.return_type, flags


def _row(binding: Binding, numbers: dict[NodeId, int]) -> object | None:
    value = binding.value
    match value:
        case CallTIR(callee=name, out_types=rest, scalars=()):
            if not all(map(is_static, rest)):
                return None
        case CallOp(op=name, attrs=attrs):
            rest = repr(attrs)  # equal texts only: 0.0 is not -0.0, 1 is not True
        case CallFunction(callee=name):
            rest = ()
        case _:
            return None
    args = [_leaf(arg, numbers) for arg in value.args]
    if None in args or not is_static(binding.var.type):
        return None
    return value.__class__, name, rest, tuple(args), binding.var.type


def _leaf(arg: Arg, numbers: dict[NodeId, int]) -> object | None:
    """A leaf as the number of a value, or as a constant; None for anything else."""
    match arg:
        case Var(id=value):
            return numbers.get(value)
        case Constant():
            return arg
        case TupleValue(fields=fields):
            found = tuple(_leaf(field, numbers) for field in fields)
            return None if None in found else found
        case _:
            return None
