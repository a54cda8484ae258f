"""Provenance: from any value or kernel of a step to the nodes of the import, and forward again.

Ids name values, so a value that keeps its id is its own source; the derivations of passes tell the
others. What a pass made without a word (a conversion, an operand of something new) comes from what
it was made for: the values that it feeds, or else those that feed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from workbench.analysis.uses import argument_vars, users
from workbench.ir import (
    Binding,
    Block,
    CallFunction,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
    leaf_vars,
    walk,
)
from workbench.rewrite import Derivation, NodeRef, all_bindings
from workbench.session.lineage import Lineage
from workbench.session.naming import find_value, operation, other_names
from workbench.support import CompileError

Sources: TypeAlias = Mapping[NodeRef, frozenset[NodeRef]]
"""For each value the values of the import that it comes from."""
Origins: TypeAlias = dict[NodeRef, set[NodeRef]]


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a step: its key, its name with the function, and what computes it.

    `label` is the name of the node in the file that was imported, where it has one.
    """

    key: str
    name: str
    operation: str = ""
    label: str = ""

    def __repr__(self) -> str:
        by = f" by {self.operation}" if self.operation else ""
        return f"{self.name}{by}" + (f" ({self.label})" if self.label else "")


def graph_refs(module: IRModule) -> frozenset[NodeRef]:
    """All values of graph functions, parameters included."""
    return frozenset(
        NodeRef(name, var.id)
        for name, function in module.graph_functions.items()
        for var in (*function.params, *(b.var for b in all_bindings(function)))
    )


def own_origins(module: IRModule) -> Sources:
    """Every value of an import is its own origin."""
    return {ref: frozenset({ref}) for ref in graph_refs(module)}


def follow_origins(before: Sources, new: IRModule, derivations: Iterable[Derivation]) -> Sources:
    """The origins of the values of `new`, given those of the step before it."""
    found: Origins = {ref: set() for ref in graph_refs(new)}
    told = _told(derivations)
    for ref, origins in found.items():
        for source in _sources(ref, told, before):
            origins |= before[source]
    _parameters(new, found)
    for name, function in new.graph_functions.items():
        _from_users(name, function, found)
        _from_operands(name, function, found)
    _from_calls(new, found)
    for name, function in new.graph_functions.items():
        _from_users(name, function, found)
    return {ref: frozenset(origins) for ref, origins in found.items()}


def _told(derivations: Iterable[Derivation]) -> dict[NodeRef, list[NodeRef]]:
    told: dict[NodeRef, list[NodeRef]] = defaultdict(list)
    for derivation in derivations:
        for result in derivation.results:
            told[result] += derivation.sources
    return told


def _sources(
    ref: NodeRef, told: Mapping[NodeRef, list[NodeRef]], before: Sources
) -> Iterator[NodeRef]:
    """The old values that a value comes from; values of the middle of the pass are followed."""
    seen, todo = {ref}, [ref]
    while todo:
        at = todo.pop()
        if at in before:
            yield at
            if at is not ref:
                continue
        for source in told.get(at, ()):
            if source not in seen:
                seen.add(source)
                todo.append(source)


def _parameters(module: IRModule, found: Origins) -> None:
    """Parameters without an origin come from the arguments of the calls."""
    for caller, binding, callee in _calls(module):
        call = binding.value
        assert isinstance(call, CallFunction)
        for param, arg in zip(callee.params, call.args, strict=False):
            origins = found[NodeRef(call.callee, param.id)]
            if not origins:
                origins |= _union(found, (NodeRef(caller, var.id) for var in leaf_vars(arg)))


def _from_users(name: str, function: GraphFunction, found: Origins) -> None:
    """Values without an origin come from what they feed."""
    readers = users(function)
    bound = [binding.var for binding in all_bindings(function)]
    for var in (*reversed(bound), *function.params):
        origins = found[NodeRef(name, var.id)]
        if not origins:
            origins |= _union(found, (NodeRef(name, each) for each in readers.get(var.id, ())))


def _from_operands(name: str, function: GraphFunction, found: Origins) -> None:
    """Those that feed nothing which has one come from what they read."""
    for binding in all_bindings(function):
        origins = found[NodeRef(name, binding.var.id)]
        if not origins:
            read = (NodeRef(name, var.id) for var in argument_vars(binding.value))
            origins |= _union(found, read)


def _from_calls(module: IRModule, found: Origins) -> None:
    """What is still without one, inside a function, comes from the calls of it."""
    for caller, binding, callee in _calls(module):
        assert isinstance(binding.value, CallFunction)
        for inner in all_bindings(callee):
            origins = found[NodeRef(binding.value.callee, inner.var.id)]
            if not origins:
                origins |= found[NodeRef(caller, binding.var.id)]


def _calls(module: IRModule) -> Iterator[tuple[str, Binding, GraphFunction]]:
    functions = module.graph_functions
    for caller, function in functions.items():
        for binding in all_bindings(function):
            call = binding.value
            if isinstance(call, CallFunction) and call.callee in functions:
                yield caller, binding, functions[call.callee]


def _union(found: Origins, refs: Iterable[NodeRef]) -> set[NodeRef]:
    return {origin for ref in refs for origin in found.get(ref, ())}


# --- asking ------------------------------------------------------------------------------------


def callers(module: IRModule, kernel: str) -> tuple[NodeRef, ...]:
    """The values that a tensor function computes, directly."""
    return tuple(
        NodeRef(name, binding.var.id)
        for name, function in module.graph_functions.items()
        for binding in all_bindings(function)
        if isinstance(binding.value, CallTIR | CallTIRInplace) and binding.value.callee == kernel
    )


def refs_of(module: IRModule, path: Sequence[Lineage], name: str) -> tuple[NodeRef, ...]:
    """The values that a name stands for: one value, or all that a tensor function computes.

    Raises:
        CompileError: `session/unknown-value`, `session/ambiguous-value`.
    """
    function, _, block = name.partition(".")
    kernel = module.tensor_functions.get(function)
    if kernel is None or (block and block not in _blocks(kernel)):
        return _value(module, path, name)
    return callers(module, function)


def _value(module: IRModule, path: Sequence[Lineage], name: str) -> tuple[NodeRef, ...]:
    if others := other_names(path[-1], name):
        return tuple(other.ref for other in others)
    try:
        value = find_value(path, name)
    except CompileError:
        inside = _in_branches(module, name)
        if len(inside) != 1:
            raise
        return inside
    return (value.ref,) if value.ref.id >= 0 else ()


def _in_branches(module: IRModule, name: str) -> tuple[NodeRef, ...]:
    """Values of that name inside branches, which pictures do not show."""
    found: list[NodeRef] = []
    for function_name, function in module.graph_functions.items():
        shown = {binding.var.id for binding in function.bindings}
        for binding in all_bindings(function):
            ref = NodeRef(function_name, binding.var.id)
            names = {binding.var.name, f"{function_name}.{binding.var.name}", str(ref)}
            if binding.var.id not in shown and name in names:
                found.append(ref)
    return tuple(found)


def _blocks(function: TensorFunction) -> set[str]:
    return {node.name for node in walk(function.body) if isinstance(node, Block)}


def nodes(module: IRModule, refs: Iterable[NodeRef]) -> tuple[Node, ...]:
    """The values in program order, with what a reader wants to know of each.

    Parameters of private functions are left out: they are the arguments of their calls.
    """
    wanted = set(refs)
    return tuple(_nodes(module, wanted))


def _nodes(module: IRModule, wanted: set[NodeRef]) -> Iterator[Node]:
    for name, function in module.graph_functions.items():
        for param in () if function.private else function.params:
            if (ref := NodeRef(name, param.id)) in wanted:
                yield Node(str(ref), f"{name}.{param.name}")
        for binding in all_bindings(function):
            if (ref := NodeRef(name, binding.var.id)) in wanted:
                label = binding.span.label if binding.span is not None else ""
                by = operation(binding.value)
                yield Node(str(ref), f"{name}.{binding.var.name}", by, label)
