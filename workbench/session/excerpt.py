"""Excerpts: one call as a module of its own with its arrays, so that it can be timed alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.analysis.uses import argument_vars, callees
from workbench.interpret import Symbols, evaluate
from workbench.ir import (
    Alias,
    Binding,
    BindingBlock,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphFunction,
    IRModule,
    ShapeType,
    ShapeValue,
    TensorFunction,
    TensorType,
    Var,
    as_dim,
    transform,
    type_of,
)
from workbench.passes.candidates import call_arguments
from workbench.passes.external_calls import like_in
from workbench.rewrite import all_bindings
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A module whose `main` computes one value of another module from `arrays`."""

    module: IRModule
    arrays: tuple[Any, ...]
    expected: Any


def excerpt(
    module: IRModule, function: str, value: NodeId, values: Mapping[NodeId, Any]
) -> Excerpt:
    """The call that binds `value` in `function`; `values` has the values of a run of it.

    Symbolic dimensions become what they were in that run; constants stay constants.
    """
    target = module.graph_functions[function]
    symbols = _symbols(target, values)
    bindings = {b.var.id: b for b in all_bindings(target)}
    wanted = _concrete(bindings[value], symbols, values)
    used = {var.id: var for var in argument_vars(wanted.value)}
    constants = [bindings[i] for i in used if i in bindings and _is_constant(bindings[i])]
    fixed = {binding.var.id for binding in constants}
    params = tuple(_shaped(var, values) for i, var in used.items() if i not in fixed)
    wanted = replace(wanted, var=_shaped(wanted.var, values))
    main = GraphFunction(
        params,
        (BindingBlock((*constants, wanted), dataflow=True, outputs=(value,)),),
        wanted.var,
        wanted.var.type,
        next_id=target.next_id,
    )
    functions = tuple((n, f) for n, f in module.functions if isinstance(f, TensorFunction))
    alone = IRModule((("main", main), *functions), module.pool)
    alone = _with_externals(alone, wanted, module, bindings[value])
    return Excerpt(alone, tuple(values[var.id] for var in params), values[value])


def _with_externals(alone: IRModule, wanted: Binding, module: IRModule, old: Binding) -> IRModule:
    """The module with the code that came with the other one and computes the call there."""
    before, after = call_arguments(module, old), call_arguments(alone, wanted)
    if before is None or after is None:
        return alone
    types = (*map(type_of, before), old.var.type)
    return like_in(alone, module, types, (*map(type_of, after), wanted.var.type))


def needed(module: IRModule, function: str) -> IRModule:
    """The module with `function` and what it calls, directly or not; nothing else."""
    found: dict[str, None] = {}
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += callees(IRModule(((name, module[name]),)))
    return replace(module, functions=tuple((n, f) for n, f in module.functions if n in found))


def _symbols(function: GraphFunction, values: Mapping[NodeId, Any]) -> Symbols:
    symbols = Symbols()
    for param in function.params:
        symbols.match(param.type, values[param.id], f"`{param.name}`")
    for binding in all_bindings(function):
        if binding.var.id in values and isinstance(binding.var.type, TensorType):
            _bind(symbols, binding.var.type, values[binding.var.id])
    return symbols


def _bind(symbols: Symbols, type_: TensorType, value: object) -> None:
    """Dimensions that the run found out, such as those of a match cast."""
    for dim, extent in zip(type_.shape or (), getattr(value, "shape", ()), strict=False):
        if isinstance(dim, Var):
            symbols.setdefault(dim.id, int(extent))


def _is_constant(binding: Binding) -> bool:
    return isinstance(binding.value, Alias) and isinstance(binding.value.value, Constant)


def _shaped(var: Var, values: Mapping[NodeId, Any]) -> Var:
    array = values.get(var.id)
    if isinstance(var.type, TensorType) and hasattr(array, "shape"):
        shape = tuple(int(extent) for extent in array.shape)  # pyright: ignore[reportOptionalMemberAccess]
        return replace(var, type=TensorType(shape, var.type.dtype))
    return var


def _concrete(binding: Binding, symbols: Symbols, values: Mapping[NodeId, Any]) -> Binding:
    def fix(node: Any) -> Any:  # noqa: ANN401
        match node:
            case TensorType(shape=shape) if shape is not None:
                return replace(node, shape=tuple(_extent(dim, symbols) for dim in shape))
            case ShapeType(dims=dims) | ShapeValue(dims=dims) if dims is not None:
                return replace(node, dims=tuple(_extent(dim, symbols) for dim in dims))
            case CallTIR() | CallTIRInplace() if node.scalars:
                scalars = node.scalars
                return replace(node, scalars=tuple(_extent(dim, symbols) for dim in scalars))
            case Var(type=TensorType()):
                return _shaped(node, values)
            case _:
                return node

    return replace(binding, value=transform(binding.value, fix))


def _extent(dim: Any, symbols: Symbols) -> Any:  # noqa: ANN401
    dim = as_dim(dim)
    return dim if isinstance(dim, int) else int(evaluate(dim, symbols))
