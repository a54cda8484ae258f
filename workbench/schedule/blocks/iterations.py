"""In which iteration of a loop does a block find what it reads: from the element, backwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial, reduce

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
    """Conditions on axes of a block: the last input of an instance is written in this iteration.

    Where it reads several elements, or several blocks write them: the last of these iterations.
    None at all where the loops are not known from an element.
    """
    shared = [stmt for stmt in nest.around if isinstance(stmt, For)]
    loops = [*scope.loops_around(loop.var.id), loop]
    around = [own for own in loops if not any(own is other for other in shared)]
    for axis in nest.block.axes:
        facts = facts.with_range(axis.var, loop_interval(IntImm(0), axis.extent))
    loads = (n for n in walk(nest.block.body) if isinstance(n, Load))
    reads = dict.fromkeys(n for n in loads if n.buffer.id in sources)
    found: dict[tuple[PrimExpr, ...], None] = {}
    for read in reads:
        writers = _writers(loop, read.buffer)
        if writers is None:
            return ()
        for block, store in writers:
            inner = [s for s in scope.loops_around(block.id) if not any(s is o for o in shared)]
            last = _last(block, store, read, inner, around, facts)
            if last is None:
                return ()
            found[last] = None
    return _at_the_last(around, tuple(found), facts)


def _last(
    block: Block,
    store: Store,
    read: Load,
    loops: Sequence[For],
    around: Sequence[For],
    facts: Facts,
) -> tuple[PrimExpr, ...] | None:
    """The last iteration in which a block writes an element: values of the loops `around`."""
    own = tuple(axis for axis in block.axes if axis.kind not in CARRIED)
    values = solved(own, store.indices, read.indices)
    if values is None:
        return None
    values = dict(values)
    for axis in block.axes:
        if axis.kind in CARRIED:
            last = axis.extent - 1 if _rises(axis.value, around, facts) else IntImm(0)
            values[axis.var.id] = facts.simplify(last)
    whole = _with_positions(_with_mirrored(block, values, loops, facts), values)
    known = LoopsByAxes(whole, loops, values, facts).known
    if any(own.var.id not in known for own in around):
        return None
    return tuple(known[own.var.id] for own in around)


def _rises(value: PrimExpr, loops: Sequence[For], facts: Facts) -> bool:
    """Whether later iterations have the larger values, as far as it can be seen."""
    names = {loop.var.id for loop in loops}
    for key, factor in facts.poly(value).terms.items():
        for atom in key:
            if names.isdisjoint(free_vars(atom)):
                continue
            match atom:
                case Binary(op=BinaryOp.FLOORDIV | BinaryOp.FLOORMOD, a=a):
                    return (factor > 0) is _rises(a, loops, facts)
                case _:
                    return factor > 0
    return True


def _at_the_last(
    around: Sequence[For], found: Sequence[tuple[PrimExpr, ...]], facts: Facts
) -> tuple[PrimExpr, ...]:
    """The conditions for being in the last one of some iterations."""
    here = [own.var for own in around]
    if not found:
        return ()
    if len(found) == 1:
        return _each(found[0], here)
    numbers = [n for values in (*found, here) if (n := _number(around, values)) is not None]
    if len(numbers) <= len(found):
        one = reduce(partial(Binary, BinaryOp.OR), [_equal(values, here) for values in found])
        return (one, *(_at_most(values, here) for values in found))
    *inputs, now = numbers
    latest = facts.simplify(reduce(partial(Binary, BinaryOp.MAX), inputs))
    return (Binary(BinaryOp.EQ, latest, now),)


def _each(values: Sequence[PrimExpr], here: Sequence[Var]) -> tuple[PrimExpr, ...]:
    return tuple(Binary(BinaryOp.EQ, a, b) for a, b in zip(values, here, strict=True))


def _equal(values: Sequence[PrimExpr], here: Sequence[Var]) -> PrimExpr:
    return reduce(partial(Binary, BinaryOp.AND), _each(values, here))


def _at_most(values: Sequence[PrimExpr], here: Sequence[Var]) -> PrimExpr:
    """Whether an iteration is not after this one, by the outermost loop that differs."""
    *outer, (value, own) = zip(values, here, strict=True)
    order: PrimExpr = Binary(BinaryOp.LE, value, own)
    for a, b in reversed(outer):
        inner = Binary(BinaryOp.AND, Binary(BinaryOp.EQ, a, b), order)
        order = Binary(BinaryOp.OR, Binary(BinaryOp.LT, a, b), inner)
    return order


def _number(around: Sequence[For], values: Sequence[PrimExpr]) -> PrimExpr | None:
    """How many iterations come before one; None where extents within the outermost are open."""
    number: PrimExpr = IntImm(0)
    for own, value in zip(around, values, strict=True):
        if own is around[0]:
            number = value
        elif isinstance(own.extent, IntImm):
            number = number * own.extent + (value - own.start)
        else:
            return None
    return number


def _with_mirrored(
    block: Block, values: dict[NodeId, PrimExpr], loops: Sequence[For], facts: Facts
) -> Block:
    """A block with an axis more for each that falls where loops rise: the same from its end.

    Its value is added to `values`.
    """
    axes = list(block.axes)
    for axis in block.axes:
        if _rises(axis.value, loops, facts):
            continue
        var = Var(NodeId(-len(axes)), f"{axis.var.name}_back", axis.var.type)
        axes.append(replace(axis, var=var, value=facts.simplify(axis.extent - 1 - axis.value)))
        values[var.id] = facts.simplify(axis.extent - 1 - values[axis.var.id])
    return replace(block, axes=tuple(axes))


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


def _writers(loop: For, buffer: Var) -> tuple[tuple[Block, Store], ...] | None:
    """The blocks under a loop that write a buffer, each by one store; None where one has others."""
    found: list[tuple[Block, Store]] = []
    for block in walk_statements(loop):
        if not isinstance(block, Block) or buffer.id not in touches_of(block).writes:
            continue
        if not isinstance(block.body, Store) or block.body.buffer.id != buffer.id:
            return None
        found.append((block, block.body))
    return tuple(found)


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
