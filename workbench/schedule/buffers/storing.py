"""Storing: whether each iteration of a loop can have a buffer of its own."""

from __future__ import annotations

from workbench.analysis.dependence import Answer, inapplicable
from workbench.analysis.dependence.lifetimes import written_in_iteration
from workbench.ir import Allocate, Block, For, Stmt, Var
from workbench.schedule.buffers.caching import named_twice, not_redirected
from workbench.schedule.buffers.mentions import accesses_buffer
from workbench.schedule.buffers.operands import is_parameter
from workbench.schedule.scope import Scope, walk_statements


def storable(scope: Scope, buffer: Var, loop: For) -> Answer:
    """Whether `store_at` applies: the loop alone accesses the buffer, and writes what it reads."""
    refused = _refused(scope, buffer, loop)
    if refused is not None:
        return refused
    nest = scope.holding((*scope.paths[loop.var.id], loop))
    return written_in_iteration(nest, buffer.id, loop)


def _refused(scope: Scope, buffer: Var, loop: For) -> Answer | None:
    name = buffer.name
    if is_parameter(scope, buffer):
        message = f"`{name}` is a parameter: it lives where the caller put it"
        return inapplicable(message, buffer.id, hint="`cache_read` or `cache_write` it")
    if not accesses_buffer(loop, buffer.id) or defined_inside(loop, buffer):
        message = f"loop `{loop.var.name}` does not access `{name}`, or has one of its own"
        return inapplicable(message, loop.var.id)
    if accesses_buffer(scope.replaced(loop, None).body, buffer.id):
        message = f"`{name}` is accessed outside of loop `{loop.var.name}` as well"
        return inapplicable(message, loop.var.id, hint="move that under the loop: `compute_at`")
    return named_twice(scope, buffer) or not_redirected([scope.function.body], buffer)


def defined_inside(stmt: Stmt, buffer: Var) -> bool:
    """Whether a buffer lives only inside of a statement."""
    return any(defines(inner, buffer) for inner in walk_statements(stmt))


def defines(stmt: Stmt, buffer: Var) -> bool:
    """Whether a statement brings a buffer into being."""
    if isinstance(stmt, Block):
        return any(b.id == buffer.id for b in stmt.allocations)
    return isinstance(stmt, Allocate) and stmt.buffer.id == buffer.id
