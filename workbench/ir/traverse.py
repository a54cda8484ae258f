"""Generic traversal: `children`, `map_children` and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from workbench.ir.expr import PrimExpr, Var
from workbench.support.ids import NodeId
from workbench.support.spans import Span

Node = Any
"""Any frozen dataclass of the IR."""
N = TypeVar("N")


@cache
def node_fields(kind: type) -> tuple[str, ...]:
    """Names of the fields that are part of the node's value (no spans, no caches)."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.compare)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, in field order; tuples are looked through."""
    for name in node_fields(type(node)):
        yield from _nodes_in(getattr(node, name))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Span):
        yield value


def map_children(node: N, function: Callable[[Node], Node]) -> N:
    """`node` with `function` applied to each node directly below; the same object if nothing changed."""
    changes: dict[str, object] = {}
    for name in node_fields(type(node)):
        old = getattr(node, name)
        new = _map_value(old, function)
        if new is not old:
            changes[name] = new
    return dataclasses.replace(node, **changes) if changes else node  # pyright: ignore[reportArgumentType, reportReturnType]


def _map_value(value: object, function: Callable[[Node], Node]) -> object:
    if isinstance(value, tuple):
        mapped = tuple(_map_value(item, function) for item in value)
        return mapped if any(a is not b for a, b in zip(mapped, value, strict=True)) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, Span):
        return function(value)
    return value


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def transform(node: N, function: Callable[[Node], Node]) -> N:
    """Rewrite bottom-up: `function` sees each node after its children were rewritten."""
    return function(map_children(node, lambda child: transform(child, function)))


def substitute(node: N, values: dict[NodeId, PrimExpr]) -> N:
    """`node` with variables replaced by id; binders and buffers are replaced too if named."""

    def replace_var(current: Node) -> Node:
        if isinstance(current, Var):
            if current.id in values:
                return values[current.id]
            return map_children(current, replace_var)
        return map_children(current, replace_var)

    return replace_var(node)


def free_vars(node: Node) -> dict[NodeId, Var]:
    """All variables that occur in `node`, bound ones included, by id in order of first occurrence."""
    found: dict[NodeId, Var] = {}
    for item in walk(node):
        if isinstance(item, Var):
            found.setdefault(item.id, item)
    return found
