"""StoreAt: keep a buffer only for one iteration of a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer
from workbench.ir import Allocate, Block, BufferRegion, For, Stmt, TensorFunction, Var, as_dim
from workbench.schedule.buffers.accesses import accesses
from workbench.schedule.buffers.caching import named_twice
from workbench.schedule.buffers.footprint import facts_around, hull
from workbench.schedule.buffers.mentions import accesses_buffer
from workbench.schedule.buffers.operands import is_parameter, plain_buffer
from workbench.schedule.buffers.redirect import redirected, shifted_by
from workbench.schedule.buffers.storing import defined_inside, defines, storable
from workbench.schedule.primitive import Primitive, Rewritten
from workbench.schedule.scope import Scope, replace_statement, walk_statements


@dataclass(frozen=True)
class StoreAt(Primitive):
    """Give each iteration of a loop a buffer of its own, of the box that it accesses.

    For buffers of the function that only the loop accesses, such as a cache that was moved under
    it: the loop can be parallel then, and the buffer is small. Legal where each iteration writes
    what it reads. Called `store_at` in Halide, `sink_alloc` with `resize_dim` in Exo; TVM does it
    when it lowers (`CompactBufferAllocation`).

    Rewrite::

        B = T.alloc_buffer((64,), "float32")
        for i in range(8):
            for j in range(8): B[i * 8 + j] = A[i * 8 + j]
            for j in range(8): C[i * 8 + j] = B[i * 8 + 7 - j]
        =>  StoreAt(buffer="B", loop="i")
        for i in range(8):
            B = T.alloc_buffer((8,), "float32")
            for j in range(8): B[j] = A[i * 8 + j]
            for j in range(8): C[i * 8 + j] = B[7 - j]
    """

    name: ClassVar[str] = "store-at"
    halide: ClassVar[str] = "store_at"
    exo: ClassVar[str] = "sink_alloc"

    buffer: str = ""
    loop: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        return storable(scope, scope.buffer(self.buffer), scope.loop(self.loop))

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        buffer, loop = scope.buffer(self.buffer), scope.loop(self.loop)
        facts = facts_around(scope.function, (*scope.paths[loop.var.id], loop), loop.body)
        box = hull(buffer, accesses([loop.body], buffer.id), facts, local=True)
        shape = tuple(as_dim(r.extent) for r in box.ranges)
        small = replace(buffer, type=replace(plain_buffer(buffer), shape=shape))
        inner = redirected(loop.body, buffer.id, small, shifted_by(box), facts)
        made = scope.replaced(loop, replace(loop, body=Allocate(small, inner)))
        return Rewritten(_undeclared(_without_definition(made, small), small))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[StoreAt]:
        if isinstance(node, Block):
            return
        for buffer in scope.buffers:
            inside = accesses_buffer(node, buffer.id)
            given = is_parameter(scope, buffer) or named_twice(scope, buffer) is not None
            if inside and not given and not defined_inside(node, buffer):
                yield cls(scope.name, buffer.name, scope.label(node))


def _without_definition(function: TensorFunction, small: Var) -> TensorFunction:
    """The function without the old definition of the buffer, which is the first one."""
    if any(b.id == small.id for b in function.allocations):
        kept = tuple(b for b in function.allocations if b.id != small.id)
        return replace(function, allocations=kept)
    old = next(stmt for stmt in walk_statements(function.body) if defines(stmt, small))
    if isinstance(old, Allocate):
        new: Stmt = old.body
    else:
        assert isinstance(old, Block)
        new = replace(old, allocations=tuple(b for b in old.allocations if b.id != small.id))
    return replace(function, body=replace_statement(function.body, old, new))


def _undeclared(function: TensorFunction, small: Var) -> TensorFunction:
    """The function without regions of the buffer that blocks around its new place declare."""
    for stmt in walk_statements(function.body):
        if isinstance(stmt, Block) and _declares(stmt, small):
            kept = replace(
                stmt, reads=_others(stmt.reads, small), writes=_others(stmt.writes, small)
            )
            body = replace_statement(function.body, stmt, kept)
            return _undeclared(replace(function, body=body), small)
    return function


def _declares(block: Block, buffer: Var) -> bool:
    regions = (*(block.reads or ()), *(block.writes or ()))
    return any(region.buffer.id == buffer.id for region in regions)


def _others(
    regions: tuple[BufferRegion, ...] | None, buffer: Var
) -> tuple[BufferRegion, ...] | None:
    return None if regions is None else tuple(r for r in regions if r.buffer.id != buffer.id)
