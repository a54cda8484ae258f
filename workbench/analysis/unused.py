"""Unused: parameters that private functions do not read, and results that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.analysis.calls import CallSite, bindings_in
from workbench.analysis.uses import algorithms, own_vars
from workbench.ir import (
    Binding,
    CallFunction,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    Stmt,
    TensorFunction,
    TupleItem,
    TupleValue,
    Var,
    free_vars,
    leaf_vars,
)
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo

Calls = Mapping[str, tuple[CallSite, ...]]
Place = tuple[str, int]
"""A parameter: function and position."""

_TOUCHED: IdentityMemo[Stmt, frozenset[NodeId]] = IdentityMemo()
"""The variables of the bodies of tensor functions, which most passes keep."""


@dataclass(frozen=True, slots=True)
class UnusedParams:
    """Parameters of one function that can go; `kept` are not read either, with why they stay."""

    function: str
    params: tuple[Var, ...]
    positions: tuple[int, ...]
    kept: tuple[tuple[Var, str], ...]


@dataclass(frozen=True, slots=True)
class UnusedFields:
    """Fields of the tuple that a function returns which no call of it reads.

    `values` are the values that they hold; `readers` the bindings that read other fields, for each
    call in the order of the calls.
    """

    function: str
    values: tuple[Var, ...]
    positions: tuple[int, ...]
    readers: tuple[tuple[Binding, ...], ...]


def unused_params(module: IRModule, calls: Calls) -> Iterator[UnusedParams]:
    """What private functions that are called take in vain. Linear in the module."""
    graphs = {name: f for name, f in module.graph_functions.items() if f.private and name in calls}
    read = _read_params(graphs)
    for name, function in graphs.items():
        dead = [n for n in range(len(function.params)) if (name, n) not in read]
        if dead:
            yield _removable(name, function, dead)
    fixed = algorithms(module)
    for name, function in module.tensor_functions.items():
        if function.private and name in calls and name not in fixed:
            found = _unread_inputs(name, function, calls[name])
            if found is not None:
                yield found


def _read_params(graphs: Mapping[str, GraphFunction]) -> set[Place]:
    """Parameters that are read, to hand them on to a parameter that is read included."""
    read: set[Place] = set()
    handed: dict[Place, list[Place]] = {}
    for name, function in graphs.items():
        index = {param.id: n for n, param in enumerate(function.params)}
        read.update((name, index[v.id]) for v in leaf_vars(function.result) if v.id in index)
        for binding in bindings_in(function.blocks):
            value = binding.value
            if isinstance(value, CallFunction) and value.callee in graphs:
                for n, arg in enumerate(value.args):
                    for var in leaf_vars(arg):
                        if var.id in index:
                            handed.setdefault((value.callee, n), []).append((name, index[var.id]))
                continue
            read.update((name, index[v.id]) for v in own_vars(value) if v.id in index)
    pending = list(read)
    while pending:
        for place in handed.get(pending.pop(), ()):
            if place not in read:
                read.add(place)
                pending.append(place)
    return read


def _removable(name: str, function: GraphFunction, dead: list[int]) -> UnusedParams:
    """The dead parameters without those that alone bind a dimension that the function names."""
    positions = set(dead)
    rest = [p for n, p in enumerate(function.params) if n not in positions]
    bound = {s for p in rest for s in _dimensions(p)}
    said = any(_dimensions(function.params[n]) for n in dead)
    named = _symbols(*function.blocks, function.return_type, *rest) if said else set[NodeId]()
    kept: list[tuple[Var, str]] = []
    gone: list[int] = []
    for n in dead:
        param = function.params[n]
        needed = [v for s, v in _dimensions(param).items() if s in named and s not in bound]
        if needed:
            bound.update(_dimensions(param))
            text = f"`{param.name}` is not read, but it alone says what `{needed[0].name}` is"
            kept.append((param, text))
        else:
            gone.append(n)
    params = tuple(function.params[n] for n in gone)
    return UnusedParams(name, params, tuple(gone), tuple(kept))


def _dimensions(param: Var) -> dict[NodeId, Var]:
    return free_vars(param.type)


def _symbols(*nodes: object) -> set[NodeId]:
    """Dimensions and values that occur in nodes."""
    return {var for node in nodes for var in free_vars(node)}


def _unread_inputs(
    name: str, function: TensorFunction, calls: tuple[CallSite, ...]
) -> UnusedParams | None:
    """Input buffers that a tensor function does not touch and that bind no dimension alone."""
    if dict(function.attrs).get("algorithm") or len({len(c.call.args) for c in calls}) != 1:
        return None
    inputs = len(calls[0].call.args)
    touched = _TOUCHED.get(function.body, lambda: frozenset(free_vars(function.body)))
    results = {n for c in calls if isinstance(c.call, CallTIRInplace) for n in c.call.inplace}
    params = enumerate(function.params[:inputs])
    dead = [n for n, p in params if p.id not in touched and n not in results]
    if not dead:
        return None
    positions = set(dead)
    rest = [p for n, p in enumerate(function.params) if n not in positions]
    bound = {s for p in rest for s in _dimensions(p)} | {p.id for p in rest}
    named = touched | _symbols(*function.allocations)
    gone = [n for n in dead if not (set(_dimensions(function.params[n])) & named - bound)]
    kept = tuple(
        (function.params[n], f"`{function.params[n].name}` is not read, but it binds a dimension")
        for n in dead
        if n not in gone
    )
    return UnusedParams(name, tuple(function.params[n] for n in gone), tuple(gone), kept)


def unused_fields(module: IRModule, calls: Calls) -> Iterator[UnusedFields]:
    """What private functions return in vain. Linear in the module."""
    items, whole = _reads(module)
    for name, function in module.graph_functions.items():
        result = function.result
        if not function.private or name not in calls or not isinstance(result, TupleValue):
            continue
        places = [(call.caller, call.binding.var.id) for call in calls[name]]
        if any(place in whole for place in places):
            continue
        readers = tuple(tuple(items.get(place, ())) for place in places)
        read = {b.value.index for found in readers for b in found if isinstance(b.value, TupleItem)}
        dead = [n for n in range(len(result.fields)) if n not in read]
        if dead and read:
            values = tuple(v for n in dead for v in leaf_vars(result.fields[n]))
            yield UnusedFields(name, values, tuple(dead), readers)


def _reads(
    module: IRModule,
) -> tuple[dict[tuple[str, NodeId], list[Binding]], set[tuple[str, NodeId]]]:
    """Bindings that take a field of a value, and values that are read in another way."""
    items: dict[tuple[str, NodeId], list[Binding]] = {}
    whole: set[tuple[str, NodeId]] = set()
    for name, function in module.graph_functions.items():
        whole.update((name, var.id) for var in leaf_vars(function.result))
        for binding in bindings_in(function.blocks):
            value = binding.value
            if isinstance(value, TupleItem) and isinstance(value.value, Var):
                items.setdefault((name, value.value.id), []).append(binding)
            else:
                whole.update((name, var.id) for var in own_vars(value))
    return items, whole
