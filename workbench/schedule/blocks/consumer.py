"""Consumers: where a block can run as soon as what it reads is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, AnswerKind, inapplicable, unproved
from workbench.ir import (
    Axis,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Load,
    PrimExpr,
    Seq,
    TensorFunction,
    free_vars,
    walk,
)
from workbench.schedule.blocks.axis_spans import completing, reading
from workbench.schedule.blocks.iterations import iterations, not_too_early
from workbench.schedule.blocks.loops_by_axes import UnsolvedError, apart
from workbench.schedule.blocks.moved import moved_once
from workbench.schedule.blocks.movement import placed
from workbench.schedule.blocks.nest import CARRIED, Nest, known_at, nest_of
from workbench.schedule.blocks.producer import refuse_unknown_times
from workbench.schedule.blocks.required_region import region
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.schedule.symbolic_box import UNKNOWN, Span, at_most, least
from workbench.schedule.touches import touches_of
from workbench.support import NodeId

_DIVISIONS = frozenset({BinaryOp.FLOORDIV, BinaryOp.FLOORMOD})


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """A move that is drawn up: the nest that moves, the function afterwards, its new loops."""

    nest: Nest
    function: TensorFunction
    loops: tuple[NodeId, ...]
    answer: Answer


def consume_under(
    scope: Scope, block: Block, loop: For, index: int, *, keep_unit_loops: bool
) -> ConsumerPlan:
    """The function with a consumer under a loop of its producers.

    In each iteration it runs for the instances whose last input is written there: those of a box,
    or where that is open, those of it, or of all, whose last element is.

    Raises:
        RefusedError: what is missing.
    """
    place = _Place(scope, block, loop, index, keep_unit_loops)
    plan = place.plan()
    assert plan is not None
    if plan.answer.kind in {AnswerKind.APPLIES, AnswerKind.ILLEGAL}:
        return plan
    for choice in (_Choice.OF_BOX, _Choice.OF_ALL):
        selected = place.plan(choice)
        if selected is not None and selected.answer.applies:
            return selected
    return plan


class _Choice(Enum):
    """Which instances run in an iteration."""

    BOX = auto()
    """A box of them."""
    OF_BOX = auto()
    """Those of the box whose last input is written there."""
    OF_ALL = auto()
    """Those of all whose last input is written there."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a consumer goes."""

    scope: Scope
    block: Block
    loop: For
    index: int
    keep_unit_loops: bool

    def plan(self, choice: _Choice = _Choice.BOX) -> ConsumerPlan | None:
        """The move, with a condition that selects instances where asked for.

        None where there is no such condition.

        Raises:
            RefusedError: what is missing.
        """
        moved = _moved(
            self.scope,
            self.block,
            self.loop,
            self.index,
            keep_unit_loops=self.keep_unit_loops,
            choice=choice,
        )
        if moved is None:
            return None
        function, nest, loops = moved
        before = self.scope.function
        answer = moved_once(before, function, nest.block)
        answer = not_too_early(before, function, nest.block, self.loop, answer)
        return ConsumerPlan(nest, function, loops, answer)


def _moved(
    scope: Scope, block: Block, loop: For, index: int, *, keep_unit_loops: bool, choice: _Choice
) -> tuple[TensorFunction, Nest, tuple[NodeId, ...]] | None:
    if any(stmt is loop for stmt in scope.paths[block.id]):
        message = f"`{block.name}` is under the loop `{loop.var.name}` already"
        raise RefusedError(inapplicable(message, block.id))
    if any(stmt is block for stmt in scope.paths[loop.var.id]):
        message = f"the loop `{loop.var.name}` is inside of `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    items = loop.body.body if isinstance(loop.body, Seq) else (loop.body,)
    touched = touches_of(block)
    if touched.effects:
        message = f"`{block.name}` calls something for its effect"
        raise RefusedError(unproved(message, block.id))
    sources = _sources(block)
    producers = [n for n, item in enumerate(items) if sources & touches_of(item).writes.keys()]
    if not producers:
        message = f"nothing under the loop `{loop.var.name}` writes what `{block.name}` reads"
        raise RefusedError(inapplicable(message, block.id))
    place = _place(index, producers[-1] + 1, len(items), block, loop)
    path = (*scope.paths[loop.var.id], loop)
    refuse_unknown_times(scope, block, path)
    nest = nest_of(scope, block, path)
    facts = known_at(scope.function, path)
    spans, only = _ready(nest, loop, sources, facts)
    if choice is not _Choice.BOX:
        selection = iterations(scope, nest, loop, sources, facts)
        if not selection:
            return None
        if choice is _Choice.OF_ALL:
            spans, only = (UNKNOWN,) * len(spans), ()
        only = (*only, *selection)
    regenerate = any(
        span.known is not None
        for axis, span in zip(nest.block.axes, spans, strict=True)
        if axis.kind in CARRIED
    ) or bool(nest.mixed)
    try:
        made = placed(
            scope,
            nest,
            spans,
            facts,
            keep_unit_loops=keep_unit_loops,
            regenerate=regenerate,
            once=True,
            only=only,
        )
    except UnsolvedError as error:
        raise RefusedError(apart(block, error.var)) from error
    body = sequence([*items[:place], made.stmt, *items[place:]])
    changed = replace_statement(scope.function.body, nest.outermost, None)
    changed = replace_statement(changed, loop, replace(loop, body=body))
    changed = left_to_analysis(changed, path)
    return scope.with_body(changed), nest, made.loops


def _sources(block: Block) -> set[NodeId]:
    """The buffers whose values a block waits for: not those that its own init fills."""
    own = set[NodeId]() if block.init is None else set(touches_of(block.init).writes)
    return touches_of(block).reads.keys() - own


def _place(index: int, first: int, last: int, block: Block, loop: For) -> int:
    if index in {-1, -2}:
        return last if index == -1 else first
    if not first <= index <= last:
        message = (
            f"index `{index}` is no place after what `{block.name}` reads is written in the loop "
            f"`{loop.var.name}`, expected `{first}` to `{last}`"
        )
        raise RefusedError(inapplicable(message, block.id))
    return index


def _ready(
    nest: Nest, loop: For, sources: set[NodeId], facts: Facts
) -> tuple[tuple[Span, ...], tuple[PrimExpr, ...]]:
    """For each axis the instances whose last input is written in one iteration of the loop.

    And conditions on the axes that say which of these it is, where axes share an index.
    """
    boxes = {
        source: box
        for source in sorted(sources)
        if (box := region(loop.body, source, facts, write=True)) is not None
    }
    single = _single_read(nest.block, boxes)
    if single is not None:
        return _ready_for(single, boxes[single.buffer.id], nest.block, facts)
    found: list[Span] = []
    for axis in nest.block.axes:
        spans = list(_spans(axis, nest, boxes, facts))
        span = _earliest(facts, spans) if spans else UNKNOWN
        found.append(UNKNOWN if _everything(axis, span, facts) else span)
    return tuple(found), ()


def _single_read(block: Block, boxes: Mapping[NodeId, tuple[Span, ...]]) -> Load | None:
    """The one element that each instance of a block reads, where axes meet in its indices."""
    reads = {
        node for node in walk(block.body) if isinstance(node, Load) and node.buffer.id in boxes
    }
    if len(reads) != 1:
        return None
    (read,) = reads
    axes = {axis.var.id for axis in block.axes if axis.kind not in CARRIED}
    used = [free_vars(index).keys() for index in read.indices]
    mixed = any(
        len(names) > 1
        or any(isinstance(node, Binary) and node.op in _DIVISIONS for node in walk(i))
        for i, names in zip(read.indices, used, strict=True)
    )
    known = all(span.known is not None for span in boxes[read.buffer.id])
    return read if mixed and known and all(names <= axes for names in used) else None


def _ready_for(
    read: Load, box: Sequence[Span], block: Block, facts: Facts
) -> tuple[tuple[Span, ...], tuple[PrimExpr, ...]]:
    """The instances that read an element of a box."""
    found: list[Span] = []
    for axis in block.axes:
        pairs = zip(read.indices, box, strict=True)
        spans = (reading(block, axis, index, span, facts) for index, span in pairs)
        span = next((span for span in spans if span.known is not None), UNKNOWN)
        found.append(UNKNOWN if _everything(axis, span, facts) else span)
    only: list[PrimExpr] = []
    for index, span in zip(read.indices, box, strict=True):
        assert span.known is not None
        low, high = span.known
        if low == high:
            only.append(Binary(BinaryOp.EQ, index, low))
        else:
            only += [Binary(BinaryOp.GE, index, low), Binary(BinaryOp.LE, index, high)]
    return tuple(found), tuple(only)


def _everything(axis: Axis, span: Span, facts: Facts) -> bool:
    """Whether a span has all values of an axis."""
    if span.low is None or span.high is None:
        return True
    return at_most(facts, span.low, IntImm(0)) and at_most(facts, axis.extent - 1, span.high)


def _spans(
    axis: Axis, nest: Nest, boxes: dict[NodeId, tuple[Span, ...]], facts: Facts
) -> Iterator[Span]:
    """The axis where the last element that its instance reads lies in a box, read by read."""
    for node in walk(nest.block.body):
        if not isinstance(node, Load) or node.buffer.id not in boxes:
            continue
        for index, span in zip(node.indices, boxes[node.buffer.id], strict=True):
            found = completing(nest.block, axis, index, span, facts)
            if found.known is not None:
                yield found


def _earliest(facts: Facts, spans: Sequence[Span]) -> Span:
    """What is ready for every read: the least of all ends."""
    low, high = spans[0].low, spans[0].high
    for span in spans[1:]:
        assert low is not None
        assert high is not None
        assert span.low is not None
        assert span.high is not None
        low, high = least(facts, low, span.low), least(facts, high, span.high)
    return Span(low, high)
