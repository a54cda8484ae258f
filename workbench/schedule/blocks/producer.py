"""Producers: where a block that computes a buffer can be computed again, and for what."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import inapplicable, unproved
from workbench.ir import (
    Allocate,
    Block,
    For,
    If,
    Load,
    LoopKind,
    PrimExpr,
    Seq,
    Stmt,
    TensorFunction,
    Var,
    While,
    walk,
)
from workbench.schedule.blocks.axis_spans import axis_spans
from workbench.schedule.blocks.late_init import refuse_late_init
from workbench.schedule.blocks.loops_by_axes import UnsolvedError, apart
from workbench.schedule.blocks.movement import placed
from workbench.schedule.blocks.nest import (
    Nest,
    known_at,
    nest_of,
    stores_of,
)
from workbench.schedule.blocks.own_init import not_initialised
from workbench.schedule.blocks.required_region import region
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import (
    Scope,
    defined_in,
    replace_statement,
    sequence,
    walk_statements,
)
from workbench.schedule.symbolic_box import Span, hull
from workbench.schedule.touches import aliased, places_of, touches_of
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Plan:
    """A move that is drawn up: the nest that moves, its buffers, the function afterwards.

    `outputs` are those of the buffers that the caller gives. `around` are the loops around the new
    place. `mixed`: the loops of a reduction were made anew, so that the order of its updates may
    have changed. `local`: what the block writes is read in the same iteration of the loop alone.
    `once`: the block updates a buffer in place, so that no instance may run again.
    """

    nest: Nest
    buffers: tuple[Var, ...]
    function: TensorFunction
    loops: tuple[NodeId, ...]
    outputs: tuple[Var, ...]
    around: frozenset[NodeId]
    mixed: bool
    local: bool
    once: bool


def compute_under(
    scope: Scope, block: Block, loop: For, index: int, *, keep_unit_loops: bool
) -> Plan:
    """The function with a producer under a loop of its consumers.

    Raises:
        RefusedError: what is missing, or in the way.
    """
    if any(stmt is loop for stmt in scope.paths[block.id]):
        message = f"`{block.name}` is under the loop `{loop.var.name}` already"
        raise RefusedError(inapplicable(message, block.id))
    if any(stmt is block for stmt in scope.paths[loop.var.id]):
        message = f"the loop `{loop.var.name}` is inside of `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    buffers = written_buffers(scope, block)
    own = {buffer.id for buffer in buffers}
    items = _items(loop)
    place = insertion_place(items, block, loop, buffers, index)
    path = (*scope.paths[loop.var.id], loop)
    refuse_unknown_times(scope, block, path)
    nest = nest_of(scope, block, path)
    refuse_late_init(nest, known_at(scope.function, nest.around))
    facts = known_at(scope.function, path)
    boxes = {buffer.id: _needed(items[place:], buffer, facts) for buffer in buffers}
    stores = [s for s in stores_of(nest.block) if s.buffer.id in own]
    asked = [(s, box) for s in stores if (box := boxes[s.buffer.id]) is not None]
    spans = axis_spans(nest.block, asked, facts)
    mixed = bool(nest.mixed)
    try:
        made = placed(scope, nest, spans, facts, keep_unit_loops=keep_unit_loops, regenerate=mixed)
    except UnsolvedError as error:
        raise RefusedError(apart(block, error.var)) from error
    body = sequence([*items[:place], made.stmt, *items[place:]])
    changed = replace_statement(scope.function.body, loop, replace(loop, body=body))
    changed = replace_statement(changed, nest.outermost, None)
    changed = left_to_analysis(changed, path)
    function, once = scope.with_body(changed), updates_in_place(block)
    if not once:
        for buffer in buffers:
            function = _private(function, buffer, path, scope.paths[block.id])
    given = {param.id for param in scope.function.params}
    return Plan(
        nest,
        buffers,
        function,
        made.loops,
        outputs=tuple(buffer for buffer in buffers if buffer.id in given),
        around=frozenset(s.var.id for s in path if isinstance(s, For)),
        mixed=mixed,
        local=given.isdisjoint(own) and not _read_elsewhere(scope, block, items[place:], own),
        once=once,
    )


def _needed(items: Sequence[Stmt], buffer: Var, facts: Facts) -> tuple[Span, ...] | None:
    """The box of a buffer that statements read, None where they do not."""
    needed: tuple[Span, ...] | None = None
    for item in items:
        found = region(item, buffer.id, facts)
        if found is not None:
            pairs = zip(needed or found, found, strict=True)
            needed = tuple(hull(facts, a, b) for a, b in pairs)
    return needed


def _read_elsewhere(
    scope: Scope, block: Block, items: Sequence[Stmt], buffers: Collection[NodeId]
) -> bool:
    """Whether anything but the block and some statements reads one of the buffers."""
    known = {id(place.stmt) for item in items for place in touches_of(item).places}
    return any(
        not place.reads.keys().isdisjoint(buffers)
        for place in places_of(scope.function)
        if id(place.stmt) not in known and place.stmt is not block
    )


def _private(
    function: TensorFunction, buffer: Var, path: Sequence[Stmt], before: Sequence[Stmt]
) -> TensorFunction:
    """A buffer that is used under one parallel loop alone is allocated in it, where that helps."""
    entered = [stmt for stmt in path if not any(stmt is other for other in before)]
    loop = next((s for s in entered if isinstance(s, For) and s.kind is LoopKind.PARALLEL), None)
    kept = tuple(a for a in function.allocations if a.id != buffer.id)
    if loop is None or len(kept) == len(function.allocations):
        return function
    there = next(
        s for s in walk_statements(function.body) if isinstance(s, For) and s.var.id == loop.var.id
    )
    rest = replace_statement(function.body, there, None)
    if touches_of(rest).touches((buffer.id,)):
        return function
    known = Scope("", function).dependences_around(there)
    if known.independent(loop.var.id).applies:
        return function
    private = replace(there, body=Allocate(buffer, there.body))
    body = replace_statement(function.body, there, private)
    return replace(function, body=body, allocations=kept)


def refuse_unknown_times(scope: Scope, block: Block, around: Sequence[Stmt]) -> None:
    """A block runs at instances that are known, here and where it goes to, under `around`.

    Raises:
        RefusedError: one of both is under a `while`; what is around the block alone reads memory.
    """
    path = scope.paths[block.id]
    if any(isinstance(stmt, While) for stmt in around):
        message = f"the place that `{block.name}` would go to lies under a `while`"
        raise RefusedError(unproved(message, block.id))
    for stmt in path:
        if not any(stmt is other for other in around):
            refuse_read_guard(block, stmt)


def refuse_read_guard(block: Block, stmt: Stmt) -> None:
    """A statement around a block does not read memory to say when the block runs.

    Raises:
        RefusedError: it does.
    """
    for value in _guards(stmt):
        for node in walk(value):
            if isinstance(node, Load):
                message = f"it is not proved when `{block.name}` runs: its guard reads "
                raise RefusedError(unproved(f"{message}`{node.buffer.name}`", block.id))


def _guards(stmt: Stmt) -> tuple[PrimExpr, ...]:
    match stmt:
        case For(start=start, extent=extent):
            return start, extent
        case If(condition=condition):
            return (condition,)
        case Block(predicate=predicate, axes=axes):
            values = tuple(axis.value for axis in axes)
            return values if predicate is None else (predicate, *values)
        case _:
            return ()


def _items(loop: For) -> tuple[Stmt, ...]:
    return loop.body.body if isinstance(loop.body, Seq) else (loop.body,)


def written_buffer(scope: Scope, block: Block) -> Var:
    """The one buffer that a block writes.

    Raises:
        RefusedError: it writes none or several, or not by stores alone.
    """
    written = written_buffers(scope, block)
    if len(written) != 1:
        names = ", ".join(f"`{buffer.name}`" for buffer in written)
        message = f"`{block.name}` writes {names}, expected one buffer"
        raise RefusedError(inapplicable(message, block.id))
    return written[0]


def written_buffers(scope: Scope, block: Block) -> tuple[Var, ...]:
    """The buffers that a block writes and does not keep to itself.

    Raises:
        RefusedError: it writes none, or not by stores alone.
    """
    touched = touches_of(block)
    inside = defined_in(block)
    written = tuple(b for b in touched.writes.values() if b.id not in inside)
    if not written or not {store.buffer.id for store in stores_of(block)} - inside:
        names = ", ".join(f"`{buffer.name}`" for buffer in written) or "no buffer"
        message = f"`{block.name}` writes {names}, expected stores to a buffer"
        raise RefusedError(inapplicable(message, block.id))
    if touched.effects:
        message = f"`{block.name}` calls something for its effect"
        raise RefusedError(unproved(message, block.id))
    for buffer in written:
        alias = aliased(scope.function, buffer.id)
        if alias:
            message = f"`{buffer.name}` is not only loaded and stored: {alias}"
            raise RefusedError(inapplicable(message, block.id))
    _refuse_initial_alone(block, written)
    return written


def _refuse_initial_alone(block: Block, buffers: Sequence[Var]) -> None:
    """The body of a block writes what its init does.

    Raises:
        RefusedError: the init alone writes a buffer.
    """
    updated = touches_of(block.body).writes
    for buffer in buffers:
        if block.init is not None and buffer.id not in updated:
            message = f"the init of `{block.name}` writes `{buffer.name}`, and its body does not"
            raise RefusedError(inapplicable(message, block.id, hint="`decompose_reduction` it"))


def updates_in_place(block: Block) -> bool:
    """Whether a block reads what it writes, other than to update what its own init left."""
    written = touches_of(block).writes.keys() - defined_in(block)
    return any(
        isinstance(access, Load) and access.buffer.id in written
        for access in not_initialised(block)
    )


def insertion_place(
    items: Sequence[Stmt], block: Block, loop: For, buffers: Sequence[Var], index: int
) -> int:
    """Before which statement of a loop a producer goes.

    Raises:
        RefusedError: nothing there reads the buffers, or the index is none.
    """
    own = {buffer.id for buffer in buffers}
    names = ", ".join(f"`{buffer.name}`" for buffer in buffers)
    readers = [n for n, item in enumerate(items) if own & touches_of(item).reads.keys()]
    if not readers:
        message = f"nothing under the loop `{loop.var.name}` reads {names}"
        raise RefusedError(inapplicable(message, block.id))
    if index == -1:
        return readers[0]
    sources = touches_of(block).reads.keys() - own
    written = [
        n for n, item in enumerate(items[: readers[0]]) if sources & touches_of(item).writes.keys()
    ]
    first = written[-1] + 1 if written else 0
    if index == -2:
        return first
    if not 0 <= index <= readers[0]:
        message = (
            f"index `{index}` is no place before the readers of {names} in the loop "
            f"`{loop.var.name}`, expected `0` to `{readers[0]}`"
        )
        raise RefusedError(inapplicable(message, block.id))
    return index
