"""Which blocks read what another one writes. Reference: `tvm::tir::BlockScope`."""

from __future__ import annotations

from workbench.ir import Block
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import NodeId


def neighbours(scope: Scope, block: Block, producers: bool) -> list[Block]:
    """The producers or the consumers of a block, in program order.

    Blocks inside of the block or around it are neither. Of two blocks under one loop either may
    come first, in another iteration.
    """
    own = {stmt.id for stmt in walk_statements(block) if isinstance(stmt, Block)}
    others = [
        other
        for other in scope.blocks
        if other.id not in own and all(stmt is not block for stmt in walk_statements(other))
    ]
    place = [b.id for b in scope.blocks].index(block.id)
    around = {loop.var.id for loop in scope.loops_around(block.id)}
    reads, writes = _touched(scope, block)
    found: list[Block] = []
    for other in others:
        position = [b.id for b in scope.blocks].index(other.id)
        in_order = position < place if producers else position > place
        shared = any(loop.var.id in around for loop in scope.loops_around(other.id))
        their_reads, their_writes = _touched(scope, other)
        met = reads & their_writes if producers else writes & their_reads
        if met and (in_order or shared):
            found.append(other)
    return found


def output_blocks(scope: Scope) -> list[Block]:
    """The outermost blocks that write parameters, in program order."""
    params = {param.id for param in scope.function.params}
    found = [block for block in scope.blocks if _touched(scope, block)[1] & params]
    inside = {
        stmt.id
        for block in found
        for stmt in walk_statements(block)
        if isinstance(stmt, Block) and stmt is not block
    }
    return [block for block in found if block.id not in inside]


def _touched(scope: Scope, block: Block) -> tuple[set[NodeId], set[NodeId]]:
    """The buffers that a block reads and writes, accumulators among both."""
    reads: set[NodeId] = set()
    writes: set[NodeId] = set()
    for statement in scope.dependences.statements:
        if any(isinstance(stmt, Block) and stmt.id == block.id for stmt in statement.path):
            for access in statement.accesses:
                (writes if access.write else reads).add(access.buffer.id)
    return reads, writes
