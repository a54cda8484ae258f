"""Epilogues: an elementwise consumer computed in the block that computes its input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.dependence import Answer, inapplicable
from workbench.analysis.dependence.reaching import Gap, Reaching
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.versions import Version, within_block
from workbench.ir import (
    Binary,
    BinaryOp,
    Block,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    ScalarType,
    Stmt,
    TensorFunction,
    Var,
    dtype_of,
    free_vars,
    substitute,
    transform,
    walk,
)
from workbench.schedule.blocks.inlining import Element, element_of, without_buffer
from workbench.schedule.blocks.inverse import solved
from workbench.schedule.blocks.loops_by_axes import LoopsByAxes, UnsolvedError, apart
from workbench.schedule.blocks.moved import part_deciding, too_large
from workbench.schedule.blocks.nest import known_at
from workbench.schedule.blocks.producer import refuse_unknown_times, written_buffer
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.buffers.levels import defines
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.schedule.touches import touches_of
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Merged:
    """A consumer and its producer, the function with one after the other, and with both in one."""

    producer: Block
    consumer: Block
    between: TensorFunction
    function: TensorFunction


def merged(scope: Scope, block: Block) -> Merged:
    """The function with a consumer computed in its producer.

    Raises:
        RefusedError: what is missing.
    """
    producer = _producer(scope, block)
    buffer = producer.buffer
    source = next(b for b in scope.blocks if b.id == producer.nest.block.id)
    refuse_unknown_times(scope, block, (*scope.paths[source.id], source))
    consumer = element_of(scope, block, (*scope.paths[source.id], source))
    _in_scope(scope, block, source)
    indices = _read_indices(consumer, buffer)
    again = consumer.buffer.id == buffer.id and consumer.store.indices == indices
    if not again:
        _refuse_others(scope, block, producer)
    axes = solved(consumer.axes, indices, producer.store.indices)
    if axes is None:
        message = (
            f"the axes of `{block.name}` cannot be computed from the element of `{buffer.name}` "
            "that it reads"
        )
        raise RefusedError(inapplicable(message, block.id))
    facts = known_at(scope.function, (*scope.paths[source.id], source))
    values = {axis: facts.simplify(value) for axis, value in axes.items()}
    moved = _moved(consumer, values, facts)
    between = replace(source, body=sequence([source.body, moved]), writes=None, reads=None)
    rest = replace_statement(scope.function.body, consumer.nest.outermost, None)
    rest = left_to_analysis(rest, scope.paths[source.id])
    before = scope.with_body(replace_statement(rest, source, between))
    one = _one(scope, source, producer, consumer, moved, again=again)
    function = scope.with_body(replace_statement(rest, source, one))
    if not touches_of(function.body).touches((buffer.id,)):
        function = without_buffer(function, buffer.id)
    return Merged(source, block, before, function)


def _one(
    scope: Scope,
    source: Block,
    producer: Element,
    consumer: Element,
    moved: Block,
    *,
    again: bool,
) -> Block:
    """The producer that stores what the consumer stores.

    Where the consumer writes its element `again`, what it leaves out keeps its first value.
    """
    buffer, value = producer.buffer, producer.store.value
    store = substitute(consumer.store, {a.var.id: a.value for a in moved.axes})
    count = sum(isinstance(n, Load) and n.buffer.id == buffer.id for n in walk(store))
    var = scope.fresh(buffer.name, ScalarType(dtype_of(value))) if count > 1 else None

    def load(node: object) -> object:
        if isinstance(node, Load) and node.buffer.id == buffer.id:
            return value if var is None else var
        return node

    body: Stmt = transform(store, load)
    if var is not None:
        body = Let(var, value, body)
    if again and moved.predicate is not None:
        body = If(moved.predicate, body, producer.store)
        return replace(source, body=body, writes=None, reads=None)
    loops = {axis.var.id: axis.value for axis in source.axes}
    extra = None if moved.predicate is None else substitute(moved.predicate, loops)
    predicate = conjunction(source.predicate, extra)
    return replace(source, body=body, predicate=predicate, writes=None, reads=None)


def _producer(scope: Scope, block: Block) -> Element:
    """The block that computes what a consumer reads: the last one before it."""
    touched = touches_of(block)
    output = {param.id for param in scope.function.params} - touched.writes.keys()
    found = [
        other
        for other in scope.blocks
        if other.id != block.id
        and any(b in touched.reads and b not in output for b in touches_of(other).writes)
    ]
    if not found:
        _refuse_param(scope, block)
        message = f"no block computes what `{block.name}` reads"
        raise RefusedError(inapplicable(message, block.id))
    place = next(n for n, other in enumerate(scope.blocks) if other.id == block.id)
    before = [other for other in scope.blocks[:place] if other in found]
    producer = (before or found)[-1]
    written_buffer(scope, producer)
    return element_of(scope, producer)


def _refuse_others(scope: Scope, block: Block, producer: Element) -> None:
    """What a producer writes is found by a consumer alone, since it is not stored any more.

    Raises:
        RefusedError: another statement finds it, or the caller.
    """
    source, buffer = producer.nest.block, producer.buffer
    if any(param.id == buffer.id for param in scope.function.params):
        _refuse_param(scope, block)
    part = part_deciding(scope.function, next(b for b in scope.blocks if b.id == source.id))
    flow = Reaching(Version(part), source.id, buffer.id, fixed=False)
    for reader in (*flow.own_reads, *flow.readers):
        if within_block(reader.statement, block.id):
            continue
        try:
            gap = flow.reaches(reader)
        except TooLargeError as error:
            raise RefusedError(too_large(source)) from error
        if gap is not None:
            raise RefusedError(_read_as_well(block, source, gap))


def _read_as_well(block: Block, source: Block, gap: Gap) -> Answer:
    reader, buffer = gap.reader, gap.reader.access.buffer
    name = f"`{reader.statement.name}`"
    if reader.statement.block is None:
        name = "a statement outside of blocks"
    message = f"{name} reads `{buffer.name}` as well as `{block.name}`"
    loops = reader.loops_at(gap.point, "r")
    note = f"at {loops} it reads {reader.text}, which `{source.name}` wrote" if loops else ""
    notes = (*((note,) if note else ()), *gap.inexact[:2])
    return inapplicable(message, block.id, notes)


def _refuse_param(scope: Scope, block: Block) -> None:
    """Where what a block reads is computed, but has to stay as the caller sees it.

    Raises:
        RefusedError: it is.
    """
    read = touches_of(block).reads
    for other in scope.blocks:
        for buffer in touches_of(other).writes.values() if other.id != block.id else ():
            if buffer.id in read:
                message = (
                    f"`{other.name}` computes `{buffer.name}`, which `{block.name}` reads, but "
                    f"`{buffer.name}` is a parameter, which has to stay"
                )
                raise RefusedError(inapplicable(message, block.id))


def _in_scope(scope: Scope, block: Block, source: Block) -> None:
    """What the consumer touches lives where its producer stands.

    Raises:
        RefusedError: it does not.
    """
    here = (*scope.paths[source.id], source)
    touched = touches_of(block)
    for stmt in scope.paths[block.id]:
        if any(stmt is outer for outer in here):
            continue
        for buffer in (*touched.reads.values(), *touched.writes.values()):
            if defines(stmt, buffer):
                message = f"`{buffer.name}` does not live at `{source.name}` yet"
                raise RefusedError(inapplicable(message, block.id))


def _read_indices(consumer: Element, buffer: Var) -> tuple[PrimExpr, ...]:
    block = consumer.nest.block
    found = {
        node.indices
        for node in walk(consumer.store)
        if isinstance(node, Load) and node.buffer.id == buffer.id
    }
    if len(found) != 1:
        message = f"`{block.name}` reads `{len(found)}` elements of `{buffer.name}`, expected one"
        raise RefusedError(inapplicable(message, block.id))
    return next(iter(found))


def _moved(consumer: Element, values: dict[NodeId, PrimExpr], facts: Facts) -> Block:
    """The consumer at the element that its producer has just stored."""
    block = consumer.nest.block
    axes = tuple(replace(a, value=values[a.var.id]) for a in block.axes)
    inside = [
        condition
        for axis in axes
        for condition in (
            Binary(BinaryOp.GE, axis.value, IntImm(0)),
            Binary(BinaryOp.LT, axis.value, axis.extent),
        )
    ]
    loops = LoopsByAxes(block, consumer.nest.loops, values, facts)
    uneven = {v for axis in block.axes for v in free_vars(axis.extent)}
    for loop in consumer.nest.loops:
        if loop.var.id in uneven:
            raise RefusedError(apart(block, loop.var))
    try:
        old = [loops.expression(part) for part in conjuncts(block.predicate)]
    except UnsolvedError as error:
        raise RefusedError(apart(block, error.var)) from error
    kept = [c for c in map(facts.simplify, (*inside, *old)) if c != IntImm(1, "bool")]
    return replace(block, axes=axes, predicate=conjunction(*kept))
