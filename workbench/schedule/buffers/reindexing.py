"""Reindexing: whether a buffer can be accessed through a copy indexed by the axes of a block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.analysis.dependence.flows import unchanged_before_reads
from workbench.analysis.index_map import IndexMap
from workbench.ir import (
    Axis,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    Shape,
    Stmt,
    Store,
    Var,
    as_dim,
    as_expr,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.buffers.accesses import accesses, as_index
from workbench.schedule.buffers.caching import (
    Indices,
    named_twice,
    not_redirected,
    repeats_writes,
    stores_to,
)
from workbench.schedule.buffers.footprint import at_least_zero, facts_around, whole
from workbench.schedule.buffers.levels import Level, levels
from workbench.schedule.buffers.operands import buffer_of, plain_buffer
from workbench.schedule.buffers.redirect import redirected
from workbench.schedule.buffers.staging import has_contents, needs_contents
from workbench.schedule.facts import facts_of
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Reindexing:
    """`cache[axes]` takes the place of `buffer[indices]` in `block`; `cache` has no id yet."""

    block: Block
    buffer: Var
    cache: Var
    indices: Indices
    used: tuple[Axis, ...]
    level: Level
    writes: bool
    copy_in: bool = False
    notes: tuple[str, ...] = ()

    @property
    def axes(self) -> Indices:
        """The indices of the copy in the block."""
        return tuple(axis.var for axis in self.used)

    def remap(self, indices: Indices, facts: Facts) -> Indices:
        """The indices of the copy in place of those of the buffer, which are all the same."""
        del indices, facts
        return self.axes

    @property
    def shape(self) -> Shape:
        """Extents of the copy, as dimensions."""
        return plain_buffer(self.cache).shape

    @property
    def extents(self) -> tuple[PrimExpr, ...]:
        """Extents of the copy."""
        return tuple(as_index(axis.extent) for axis in self.used)

    def there(self, at: Indices) -> Indices:
        """The element of the buffer that the copy has at `at`."""
        known = {axis.var.id: e for axis, e in zip(self.used, at, strict=True)}
        return tuple(substitute(index, known) for index in self.indices)

    def copy(self, at: Indices, *, back: bool) -> Stmt:
        """One element copied into the copy, or back."""
        there = self.there(at)
        if back:
            return Store(self.buffer, there, Load(self.cache, at))
        return Store(self.cache, at, Load(self.buffer, there))

    def inside(self, at: Indices, facts: Facts) -> PrimExpr | None:
        """The condition that the buffer has the element, None where that is known."""
        for index, extent in zip(at, self.extents, strict=True):
            facts = facts.with_range(cast(Var, index), loop_interval(IntImm(0), extent))
        shape = plain_buffer(self.buffer).shape
        needed: list[PrimExpr] = []
        for index, dim in zip(self.there(at), shape, strict=True):
            needed += [c for c in (index >= 0, index < as_expr(dim)) if facts.proves(c) is not True]
        return conjunction(*needed)


def reindexing(
    scope: Scope, block: Block, which: int | str | tuple[str, int]
) -> Reindexing | Answer:
    """How the block accesses the buffer by its axes, or why it does not."""
    found = buffer_of(scope, block, which)
    if isinstance(found, Answer):
        return found
    buffer, writes = found
    level = levels(scope, [block], buffer)[0]
    refused = named_twice(scope, buffer, scope.paths[block.id]) or not_redirected(
        level.run, buffer, [block]
    )
    if refused is not None:
        return refused
    indices = _place(scope, block, buffer)
    if isinstance(indices, Answer):
        return indices
    mentioned = {v for index in indices for v in free_vars(index)}
    used = tuple(axis for axis in block.axes if axis.var.id in mentioned)
    facts = facts_of(scope.function)
    shape = tuple(as_dim(at_least_zero(as_index(axis.extent), facts)) for axis in used)
    type_ = BufferType(shape, plain_buffer(buffer).dtype)
    cache = Var(NodeId(-1), f"{buffer.name}_reindex", type_)
    plan = Reindexing(block, buffer, cache, indices, used, level, writes)
    return _written(scope, plan) if writes else _read(scope, plan)


def _place(scope: Scope, block: Block, buffer: Var) -> Indices | Answer:
    """The one place of the buffer that the block accesses, in terms of its axes."""
    places = {
        node.indices: None
        for node in walk(block)
        if isinstance(node, Load | Store) and node.buffer.id == buffer.id
    }
    if len(places) != 1:
        message = f"block `{block.name}` accesses `{buffer.name}` at `{len(places)}` places"
        return inapplicable(message, block.id, hint="one of its own axes for each is needed")
    (indices,) = places
    known = {axis.var.id for axis in block.axes} | set(facts_of(scope.function).ranges)
    for param in scope.function.params:
        known |= {param.id, *free_vars(param.type)}
    for node in (node for index in indices for node in walk(index)):
        if isinstance(node, Load):
            message = f"the index of `{buffer.name}` in block `{block.name}` reads memory"
            return inapplicable(message, block.id)
        if isinstance(node, Var) and node.id not in known:
            message = f"`{node.name}` in the index of `{buffer.name}` is no axis of the block"
            return inapplicable(message, block.id)
    outer = known - {axis.var.id for axis in block.axes}
    for axis in block.axes:
        if not set(free_vars(axis.extent)) <= outer:
            message = f"the extent of axis `{axis.var.name}` changes from instance to instance"
            return inapplicable(message, block.id)
    return indices


def _read(scope: Scope, plan: Reindexing) -> Reindexing | Answer:
    first: Answer | None = None
    for level in levels(scope, [plan.block], plan.buffer):
        if not stores_to(level.run, plan.buffer.id):
            return _at(plan, level, ())
        answer = repeats_writes(level, plan.buffer) or unchanged_before_reads(
            scope.dependences_holding(level.inside), plan.buffer.id, level.run, [plan.block]
        )
        if answer.applies:
            return _at(plan, level, answer.notes)
        first = first or answer
    assert first is not None
    return first


def _at(plan: Reindexing, level: Level, notes: tuple[str, ...]) -> Reindexing:
    return replace(plan, level=level, notes=notes)


def _written(scope: Scope, plan: Reindexing) -> Reindexing | Answer:
    buffer, level, block = plan.buffer, plan.level, plan.block
    if len(accesses(level.run, buffer.id)) > len(accesses([block], buffer.id)):
        message = f"`{buffer.name}` is accessed next to block `{block.name}` in its nest"
        return inapplicable(message, block.id, hint="part the nest first")
    if not _injective(plan):
        return unproved(
            f"it is not proved that instances of `{block.name}` with different axes write "
            f"different elements of `{buffer.name}`",
            block.id,
        )
    facts = facts_around(scope.function, level.path, level.suite)
    run = [redirected(item, buffer.id, plan.cache, plan.remap, facts) for item in level.run]
    found = accesses(run, plan.cache.id)
    copy_in = needs_contents(scope, found, whole(plan.cache), facts)
    copy_in = copy_in and has_contents(scope, level, buffer)
    around = [stmt for stmt in level.path if isinstance(stmt, For)]
    if copy_in and any(loop.kind is not LoopKind.SERIAL for loop in around):
        message = f"it is not proved that `{block.name}` writes all that would be copied back"
        return unproved(message, block.id)
    notes = (f"`{buffer.name}` is copied in first",) if copy_in else ()
    return replace(plan, copy_in=copy_in, notes=notes)


def _injective(plan: Reindexing) -> bool:
    """Whether different axes give different elements."""
    variables = tuple(axis.var for axis in plan.used)
    moving = tuple(
        index for index in plan.indices if set(free_vars(index)) & {v.id for v in variables}
    )
    return IndexMap(variables, moving).tells_apart(plan.shape)
