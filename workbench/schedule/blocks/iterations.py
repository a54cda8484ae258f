"""In which iteration of a loop does a block find what it reads: from the element, backwards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence import Answer, AnswerKind, unproved
from workbench.analysis.recombine import recombined
from workbench.ir import (
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Load,
    PrimExpr,
    Store,
    TensorFunction,
    Var,
    free_vars,
    walk,
)
from workbench.schedule.blocks.inverse import solved
from workbench.schedule.blocks.loops_by_axes import LoopsByAxes
from workbench.schedule.blocks.moved import compared
from workbench.schedule.blocks.nest import CARRIED, Nest
from workbench.schedule.scope import Scope, walk_statements
from workbench.schedule.touches import touches_of
from workbench.support import NodeId


def iterations(
    scope: Scope, nest: Nest, loop: For, sources: Collection[NodeId], facts: Facts
) -> tuple[PrimExpr, ...]:
    """Conditions on axes of a block: what an instance reads is written in this iteration.

    None at all where it reads several elements, or where the loops are not known from an element.
    """
    reads = {n for n in walk(nest.block.body) if isinstance(n, Load) and n.buffer.id in sources}
    if len(reads) != 1:
        return ()
    (read,) = reads
    writer = _writer(loop, read.buffer)
    if writer is None:
        return ()
    block, store = writer
    for axis in nest.block.axes:
        facts = facts.with_range(axis.var, loop_interval(IntImm(0), axis.extent))
    own = tuple(axis for axis in block.axes if axis.kind not in CARRIED)
    values = solved(own, store.indices, read.indices)
    if values is None:
        return ()
    shared = [stmt for stmt in nest.around if isinstance(stmt, For)]
    loops = [s for s in scope.loops_around(block.id) if not any(s is o for o in shared)]
    known = LoopsByAxes(_with_positions(block, values), loops, values, facts).known
    around = loops[: 1 + next(n for n, own in enumerate(loops) if own is loop)]
    if any(own.var.id not in known for own in around):
        return ()
    return tuple(Binary(BinaryOp.EQ, known[own.var.id], own.var) for own in around)


def _with_positions(block: Block, values: dict[NodeId, PrimExpr]) -> Block:
    """A block with an axis more for quotient and rest of one number, which is that number.

    Its value is added to `values`: what is `x // 6` and `x % 6` is `x` once they are put together.
    """
    facts, axes = Facts(), list(block.axes)
    for rest in block.axes:
        match rest.value:
            case Binary(op=BinaryOp.FLOORMOD, b=IntImm(value=count) as divisor) if count > 1:
                pass
            case _:
                continue
        for axis in block.axes:
            whole = recombined(axis.value * divisor + rest.value, facts)
            if axis is rest or _divides(whole) or not {axis.var.id, rest.var.id} <= values.keys():
                continue
            var = Var(NodeId(-len(axes)), f"{axis.var.name}_{rest.var.name}", axis.var.type)
            axes.append(replace(axis, var=var, value=whole, extent=axis.extent * divisor))
            values[var.id] = values[axis.var.id] * divisor + values[rest.var.id]
    return replace(block, axes=tuple(axes))


def _divides(expr: PrimExpr) -> bool:
    return any(
        isinstance(n, Binary) and n.op in {BinaryOp.FLOORDIV, BinaryOp.FLOORMOD} for n in walk(expr)
    )


def _writer(loop: For, buffer: Var) -> tuple[Block, Store] | None:
    """The one block under a loop that writes a buffer, by one store."""
    blocks = [b for b in walk_statements(loop) if isinstance(b, Block)]
    writers = [b for b in blocks if buffer.id in touches_of(b).writes]
    if len(writers) != 1 or not isinstance(writers[0].body, Store):
        return None
    store = writers[0].body
    return (writers[0], store) if store.buffer.id == buffer.id else None


def not_too_early(
    before: TensorFunction, after: TensorFunction, block: Block, loop: For, answer: Answer
) -> Answer:
    """The answer, *unproved* where only the iteration in which the block runs is a bad one.

    There is a better one: that which writes what the block reads.
    """
    if answer.kind is not AnswerKind.ILLEGAL:
        return answer
    read = touches_of(block).reads.keys()
    inside = [other for other in walk_statements(loop) if isinstance(other, Block)]
    writers = [other for other in inside if not read.isdisjoint(touches_of(other).writes)]
    if all(_sums_up(other, loop) for other in writers if other.id != block.id):
        return answer
    clash = compared(before, after, block.id).reordered()
    if clash is None or clash.first or clash.mine.access.write or not clash.other.access.write:
        return answer
    writer = clash.other.statement
    if all(own.var.id != loop.var.id for own in writer.loops) or _sums_up(writer.block, loop):
        return answer
    message = (
        f"it is not proved in which iteration of `{loop.var.name}` everything is there that "
        f"`{block.name}` reads of `{clash.mine.access.buffer.name}`"
    )
    return unproved(message, block.id, answer.notes)


def _sums_up(block: Block | None, loop: For) -> bool:
    """Whether a loop does nothing but reduce, so that no iteration but the last has a result."""
    axes = () if block is None else block.axes
    kinds = {axis.kind in CARRIED for axis in axes if loop.var.id in free_vars(axis.value)}
    return kinds == {True}
