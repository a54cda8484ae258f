"""Changes of nodes of tensor functions, each wrong in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from workbench.ir import Binary, BinaryOp, FloatImm, For, IntImm, Load, Select, Store, transform

Node: TypeAlias = Any
Change: TypeAlias = Callable[[Any], Any]


def extent(old: int, new: int) -> Change:
    """Loops of one extent get another."""

    def change(node: Node) -> Node:
        if isinstance(node, For) and node.extent == IntImm(old):
            return replace(node, extent=IntImm(new))
        return node

    return change


def shorter_symbolic(node: Node) -> Node:
    if isinstance(node, For) and not isinstance(node.extent, IntImm):
        return replace(node, extent=node.extent - 1)
    return node


def otherwise(value: float) -> Change:
    """What stands outside of the image."""

    def change(node: Node) -> Node:
        return replace(node, false_value=FloatImm(value)) if isinstance(node, Select) else node

    return change


def operator_in_stores(old: BinaryOp, new: BinaryOp) -> Change:
    """One operator of what is stored becomes another."""

    def change(node: Node) -> Node:
        if isinstance(node, Store) and isinstance(node.value, Binary) and node.value.op is old:
            return replace(node, value=replace(node.value, op=new))
        return node

    return change


def stride(old: int, new: int) -> Change:
    """Indices are multiplied by another number."""

    def change(node: Node) -> Node:
        if isinstance(node, Binary) and node.op is BinaryOp.MUL and node.b == IntImm(old):
            return replace(node, b=IntImm(new))
        return node

    return change


def first_index_twice(buffer: str) -> Change:
    """Vector `buffer` is read along the other axis of the block."""

    def change(node: Node) -> Node:
        if isinstance(node, Store) and len(node.indices) == 2:
            row = node.indices[0]

            def along(part: Node) -> Node:
                if isinstance(part, Load) and part.buffer.name == buffer and len(part.indices) == 1:
                    return replace(part, indices=(row,))
                return part

            return transform(node, along)
        return node

    return change


def one_further(buffer: str, extent: int) -> Change:
    """The buffer is read one element further along its last axis, around its end."""

    def change(node: Node) -> Node:
        if isinstance(node, Load) and node.buffer.name == buffer:
            last = (node.indices[-1] + 1) % extent
            return replace(node, indices=(*node.indices[:-1], last))
        return node

    return change
