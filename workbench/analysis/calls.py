"""Calls: who calls a function of the module, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.ir import (
    Binding,
    CallFunction,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Function,
    GraphFunction,
    IRModule,
    bindings_in,
)
from workbench.support.slot_init import sets_slots


@sets_slots
@dataclass(frozen=True, slots=True)
class CallSite:
    """A binding that calls a function of the module; `caller` is the function it stands in."""

    caller: str
    binding: Binding

    @property
    def call(self) -> CallFunction | CallTIR | CallTIRInplace:
        """The call."""
        value = self.binding.value
        assert isinstance(value, _NAMING)
        return value


_NAMING = (CallFunction, CallTIR, CallTIRInplace)


def call_sites(module: IRModule) -> dict[str, tuple[CallSite, ...]]:
    """All calls by callee, in program order, those in branches included. Linear in the module."""
    found: dict[str, list[CallSite]] = {}
    for name, function in module.graph_functions.items():
        for binding in bindings_in(function.blocks):
            value = binding.value
            if isinstance(value, _NAMING):
                found.setdefault(value.callee, []).append(CallSite(name, binding))
    return {callee: tuple(sites) for callee, sites in found.items()}


def named_functions(function: Function) -> list[str]:
    """The functions that a function calls, or names as its algorithm or that of a call."""
    attrs = [function.attrs]
    found: list[str] = []
    if isinstance(function, GraphFunction):
        for binding in bindings_in(function.blocks):
            match binding.value:
                case CallTIR() | CallTIRInplace() | CallFunction():
                    found.append(binding.value.callee)
                case CallPacked(attrs=given):
                    attrs.append(given)
                case _:
                    pass
    named = (dict(items).get("algorithm") for items in attrs)
    return [*found, *(name for name in named if isinstance(name, str))]


def recursive(module: IRModule) -> frozenset[str]:
    """Graph functions that may call themselves, directly or through others.

    Reference: Tarjan, "Depth-First Search and Linear Graph Algorithms", 1972.
    """
    functions = module.graph_functions
    edges = {
        name: dict.fromkeys(
            b.value.callee
            for b in bindings_in(function.blocks)
            if isinstance(b.value, CallFunction) and b.value.callee in functions
        )
        for name, function in functions.items()
    }
    return frozenset(_in_cycles(edges))


def _in_cycles(edges: dict[str, dict[str, None]]) -> Iterator[str]:
    """Nodes that lie on a cycle; without recursion, since call chains may be long."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: dict[str, None] = {}
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        open_nodes[root] = None
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield from _component(node, open_nodes, edges)
            elif following not in index:
                index[following] = low[following] = len(index)
                open_nodes[following] = None
                work.append((following, iter(edges[following])))
            elif following in open_nodes:
                low[node] = min(low[node], index[following])


def _component(
    node: str, open_nodes: dict[str, None], edges: dict[str, dict[str, None]]
) -> Iterator[str]:
    members: list[str] = []
    while not members or members[-1] != node:
        members.append(open_nodes.popitem()[0])
    if len(members) > 1 or node in edges[node]:
        yield from members
