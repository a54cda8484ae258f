"""Generic traversal: `children`, `map_children` and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from workbench.ir.expr import PrimExpr, ScalarType, TensorType, Var
from workbench.support.ids import NodeId
from workbench.support.spans import Span

Node = Any
"""Any frozen dataclass of the IR."""
N = TypeVar("N")


_VALUE_ANNOTATIONS = frozenset(
    {
        "AxisKind",
        "Attrs",
        "BinaryOp",
        "DType",
        "DType | None",
        "LoopKind",
        "NodeId",
        "PackedStyle",
        "bool",
        "float",
        "int",
        "int | None",
        "str",
        "tuple[NodeId, ...]",
    }
)
"""Annotations of fields that never hold a node: traversal does not look at them."""


@cache
def node_fields(kind: type) -> tuple[str, ...]:
    """Names of the fields that are part of the node's value (no spans, no caches)."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.compare)


@cache
def _child_fields(kind: type) -> tuple[str, ...]:
    """Names of the fields that may hold nodes."""
    return tuple(
        f.name for f in dataclasses.fields(kind) if f.compare and f.type not in _VALUE_ANNOTATIONS
    )


@cache
def _is_node(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) and kind is not Span


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, in field order; tuples are looked through."""
    return iter(_child_list(node))


def _child_list(node: Node) -> list[Node]:
    found: list[Node] = []
    for name in _child_fields(node.__class__):
        value = getattr(node, name)
        kind: type[Any] = value.__class__
        if kind is tuple:
            _collect(value, found)
        elif _is_node(kind):
            found.append(value)
    return found


def _collect(values: tuple[Any, ...], found: list[Node]) -> None:
    for value in values:
        kind: type[Any] = value.__class__
        if kind is tuple:
            _collect(value, found)
        elif _is_node(kind):
            found.append(value)


def map_children(node: N, function: Callable[[Node], Node]) -> N:
    """`node` with `function` applied to each node directly below.

    The same object if nothing changed.
    """
    changes: dict[str, object] = {}
    for name in _child_fields(node.__class__):
        old = getattr(node, name)
        new = _map_value(old, function)
        if new is not old:
            changes[name] = new
    return evolve(node, changes) if changes else node


@cache
def _init_fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.init)


def evolve(node: N, changes: Mapping[str, object]) -> N:
    """`dataclasses.replace` without its checks: passes make many nodes."""
    kind = node.__class__
    values = [
        changes[name] if name in changes else getattr(node, name) for name in _init_fields(kind)
    ]
    return kind(*values)


def _map_value(value: Any, function: Callable[[Node], Node]) -> Any:  # noqa: ANN401
    kind: type[Any] = value.__class__
    if kind is tuple:
        mapped = tuple([_map_value(item, function) for item in value])
        for new, old in zip(mapped, value, strict=True):
            if new is not old:
                return mapped
        return value
    return function(value) if _is_node(kind) else value


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, parents first, in field order."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        below = _child_list(current)
        below.reverse()
        pending += below


def transform(node: N, function: Callable[[Node], Node]) -> N:
    """Rewrite bottom-up: `function` sees each node after its children were rewritten."""
    return function(map_children(node, lambda child: transform(child, function)))


def substitute(node: N, values: dict[NodeId, PrimExpr]) -> N:
    """`node` with variables replaced by id; binders and buffers are replaced too if named."""

    def replace_var(current: Node) -> Node:
        if isinstance(current, Var):
            if current.id in values:
                return values[current.id]
            if isinstance(current.type, ScalarType):  # as of loop variables, which are most
                return current
        return map_children(current, replace_var)

    return replace_var(node)


def _has_nodes(dims: tuple[object, ...]) -> bool:
    for dim in dims:  # noqa: SIM110  the types of most values are static
        if dim.__class__ is not int:
            return True
    return False


def free_vars(node: Node) -> dict[NodeId, Var]:
    """All variables that occur in `node`, bound ones included.

    By id in order of first occurrence.
    """
    found: dict[NodeId, Var] = {}
    pending = [node]
    while pending:
        current = pending.pop()
        kind: type[Any] = current.__class__
        if kind is TensorType and not _has_nodes(current.shape or ()):
            continue
        if issubclass(kind, Var):  # also those of tensor expressions
            found.setdefault(current.id, current)
        below = _child_list(current)
        below.reverse()
        pending += below
    return found
