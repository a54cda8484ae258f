"""Code in which loops become axes, or other loops, where its memory may be from outside.

A buffer whose extents name a loop is one buffer: in a block that calls the loop by an axis it
still has the type that its allocation gave it.
"""

from __future__ import annotations

from typing import TypeVar

from workbench.ir import Allocate, Block, BufferType, MatchBuffer, PrimExpr, Stmt, Var, walk
from workbench.ir.traverse import Node, map_children
from workbench.support import NodeId

N = TypeVar("N", Stmt, PrimExpr)


def loops_renamed(code: N, values: dict[NodeId, PrimExpr]) -> N:
    """`code` with variables replaced by id; buffers from outside of it keep their types.

    Buffers that the code allocates or matches have extents in the new expressions.
    """
    own = _buffers_of(code)

    def renamed(node: Node) -> Node:
        if isinstance(node, Var):
            if node.id in values:
                return values[node.id]
            if isinstance(node.type, BufferType) and node.id not in own:
                return node
        return map_children(node, renamed)

    return renamed(code)


def _buffers_of(code: Stmt | PrimExpr) -> set[NodeId]:
    """The buffers that exist inside of the code alone."""
    found: set[NodeId] = set()
    for node in walk(code):
        match node:
            case Allocate(buffer=buffer) | MatchBuffer(buffer=buffer):
                found.add(buffer.id)
            case Block(allocations=buffers):
                found.update(buffer.id for buffer in buffers)
            case _:
                pass
    return found
