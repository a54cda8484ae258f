"""Buffers of a loop's body, allocated once before the loop.

Rewrite::

    for i: t = alloc(...); body    =>    t = alloc(...); for i: body

Parallel loops keep theirs: every chunk of iterations has memory of its own. So do vectorized ones,
whose lanes would share it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench.ir.expr import BufferType, Var
from workbench.ir.tensor import Allocate, For, If, Let, LoopKind, Seq, Stmt, While
from workbench.ir.traverse import map_children


def hoist_allocations(stmt: Stmt) -> Stmt:
    """`stmt` with buffers of constant extents outside of serial loops."""
    found: list[Var] = []
    return _wrapped(_extract(stmt, found, in_loop=False), found)


def _extract(stmt: Stmt, found: list[Var], *, in_loop: bool) -> Stmt:
    """The statement without the allocations that move out; they are added to `found`."""
    match stmt:
        case Allocate(buffer=buffer, body=body) if in_loop and _is_static(buffer):
            found.append(buffer)
            return _extract(body, found, in_loop=True)
        case For(kind=LoopKind.VECTORIZED):
            return stmt
        case For(kind=LoopKind.PARALLEL, body=body):
            inner: list[Var] = []
            rest = _extract(body, inner, in_loop=True)
            return replace(stmt, body=_wrapped(rest, inner))
        case For(body=body):
            return replace(stmt, body=_extract(body, found, in_loop=True))
        case Seq() | If() | While() | Let() | Allocate():
            return map_children(stmt, lambda node: _child(node, found, in_loop=in_loop))
        case _:
            return stmt


def _child(node: Any, found: list[Var], *, in_loop: bool) -> Any:  # noqa: ANN401
    is_statement = isinstance(node, For | Seq | If | While | Let | Allocate)
    return _extract(node, found, in_loop=in_loop) if is_statement else node


def _is_static(buffer: Var) -> bool:
    return isinstance(buffer.type, BufferType) and all(
        isinstance(extent, int) for extent in buffer.type.shape
    )


def _wrapped(stmt: Stmt, buffers: list[Var]) -> Stmt:
    for buffer in reversed(buffers):
        stmt = Allocate(buffer, stmt)
    return stmt
