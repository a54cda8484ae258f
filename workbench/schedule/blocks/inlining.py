"""Inlining: a block that computes single elements is computed where they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence import Answer, illegal, inapplicable, unproved
from workbench.analysis.dependence.reaching import Gap, Reaching
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.versions import Event, Version
from workbench.ir import (
    INDEX,
    Allocate,
    Axis,
    Block,
    For,
    IntImm,
    Let,
    Load,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    dtype_of,
    free_vars,
    map_children,
    substitute,
    walk,
)
from workbench.ir.traverse import Node
from workbench.schedule.blocks.inverse import solved
from workbench.schedule.blocks.loops_by_axes import LoopsByAxes, alike, apart
from workbench.schedule.blocks.moved import part_deciding, too_large
from workbench.schedule.blocks.nest import CARRIED, Nest, nest_of
from workbench.schedule.blocks.other_writers import Apart, renamed, told_apart
from workbench.schedule.blocks.producer import refuse_read_guard, written_buffer
from workbench.schedule.buffers.mentions import extents_read
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.schedule.touches import places_of, touches_of
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Element:
    """A block that stores one value an instance, scalars substituted."""

    nest: Nest
    buffer: Var
    store: Store

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Its axes."""
        return self.nest.block.axes


def element_of(scope: Scope, block: Block, target: Sequence[Stmt] | None = None) -> Element:
    """A block as a single store per instance; `target` is what is around where it goes to.

    Raises:
        RefusedError: it reduces, or is more than one store.
    """
    nest = nest_of(scope, block, target)
    if block.init is not None or any(axis.kind in CARRIED for axis in block.axes):
        message = f"`{block.name}` is a reduction, expected one store per element"
        hint = "compute it at a loop instead, with `compute_at` or `reverse_compute_at`"
        raise RefusedError(inapplicable(message, block.id, hint=hint))
    body = nest.block.body
    while isinstance(body, Let):
        body = substitute(body.body, {body.var.id: body.value})
    if not isinstance(body, Store):
        message = f"`{block.name}` is more than one store"
        raise RefusedError(inapplicable(message, block.id))
    return Element(nest, body.buffer, _over_axes(nest, body))


def _over_axes(nest: Nest, store: Store) -> Store:
    """A store with loop variables replaced by what the axes say they are."""
    used = {var.id: var for var in free_vars(store).values()}
    mine = [loop.var for loop in nest.loops if loop.var.id in used]
    if not mine:
        return store
    values: dict[NodeId, PrimExpr] = {axis.var.id: axis.var for axis in nest.block.axes}
    loops = LoopsByAxes(nest.block, nest.loops, values, Facts())
    for var in mine:
        if var.id not in loops.known:
            answer = alike(nest.block, var, nest.loops) or apart(nest.block, var)
            raise RefusedError(answer)
    return substitute(store, {var.id: loops.known[var.id] for var in mine})


# --- into the readers -------------------------------------------------------------------------


def inlined_producer(scope: Scope, block: Block) -> Element:
    """A block that can be computed where its elements are read, as far as its form says.

    Raises:
        RefusedError: what is missing.
    """
    buffer = written_buffer(scope, block)
    element = element_of(scope, block)
    if any(param.id == buffer.id for param in scope.function.params):
        message = f"`{block.name}` writes the output `{buffer.name}`, which has to stay"
        raise RefusedError(inapplicable(message, block.id))
    if solved(element.axes, element.store.indices, element.store.indices) is None:
        message = (
            f"the axes of `{block.name}` cannot be computed from the indices with which it "
            f"stores to `{buffer.name}`"
        )
        raise RefusedError(inapplicable(message, block.id))
    others = (place for place in places_of(scope.function) if place.stmt is not block)
    if not any(buffer.id in place.reads for place in others):
        message = f"nothing reads `{buffer.name}`"
        raise RefusedError(inapplicable(message, block.id))
    return element


def inlining_keeps(scope: Scope, element: Element) -> Apart:
    """Whether reads find the value that the block would compute there; which find none of it."""
    try:
        return _inlining_keeps(scope, element)
    except TooLargeError:
        return Apart(too_large(element.nest.block))


def _inlining_keeps(scope: Scope, element: Element) -> Apart:
    block, buffer = element.nest.block, element.buffer
    binders = [s for s in scope.paths[block.id] if _bound(s) & free_vars(element.store).keys()]
    makers = [s for s in scope.paths[block.id] if _made(s) & free_vars(element.store).keys()]
    fixed = bool(binders)
    flow = Reaching(Version(part_deciding(scope.function, block)), block.id, buffer.id, fixed)
    found = told_apart(flow.version.function, block, flow)
    if not found.answer.applies:
        return found
    flow.apart = found.events
    answer = _outside(element, flow, binders, makers) or _unknown_times(scope, block, flow)
    if answer is not None:
        return Apart(answer)
    gap = flow.unwritten()
    if gap is not None:
        return Apart(_unwritten(block, gap))
    gap = flow.changed_input()
    if gap is not None and gap.between is not None:
        return Apart(_changed(block, gap, gap.between))
    return found


def _outside(
    element: Element, flow: Reaching, binders: Sequence[Stmt], makers: Sequence[Stmt]
) -> Answer | None:
    """Why the value of a block cannot be said where it is read."""
    block = element.nest.block
    for reader in flow.readers:
        name, path = reader.statement.name, reader.statement.path
        if any(not any(stmt is binder for stmt in path) for binder in binders):
            buffer = element.buffer.name
            message = f"`{name}` reads `{buffer}` outside of what `{block.name}` depends on"
            return inapplicable(message, block.id)
        for maker in makers:
            if not any(stmt is maker for stmt in path):
                gone = next(v for v in free_vars(element.store).values() if v.id in _made(maker))
                message = f"`{name}` is outside of what `{gone.name}` is made for"
                return inapplicable(message, block.id)
    return None


def _unknown_times(scope: Scope, block: Block, flow: Reaching) -> Answer | None:
    """Why it is not known when the block and its readers run."""
    path = scope.paths[block.id]
    if any(isinstance(stmt, While) for stmt in path):
        return unproved(f"`{block.name}` lies under a `while`", block.id)
    sources = touches_of(block).reads
    for reader in flow.readers:
        if isinstance(reader.statement.node, While):
            for access in reader.statement.accesses:
                if access.write and access.buffer.id in sources:
                    message = (
                        f"`{reader.access.buffer.name}` is read under a `while` that writes "
                        f"`{access.buffer.name}`, which `{block.name}` reads"
                    )
                    return unproved(message, block.id)
        try:
            for stmt in path:
                if not any(stmt is other for other in reader.statement.path):
                    refuse_read_guard(block, stmt)
        except RefusedError as refused:
            return refused.answer
    return None


def _bound(stmt: Stmt) -> set[NodeId]:
    """The variables that a statement binds."""
    match stmt:
        case For(var=var) | Let(var=var):
            return {var.id}
        case Block(axes=axes):
            return {axis.var.id for axis in axes}
        case _:
            return set()


def _made(stmt: Stmt) -> set[NodeId]:
    """The buffers that live within a statement."""
    match stmt:
        case Allocate(buffer=buffer):
            return {buffer.id}
        case Block(allocations=made, match_buffers=matched):
            return {buffer.id for buffer in (*made, *(match.buffer for match in matched))}
        case _:
            return set()


def _unwritten(block: Block, gap: Gap) -> Answer:
    name, text = gap.reader.statement.name, gap.reader.text
    loops = gap.reader.loops_at(gap.point, "r")
    at = f" at {loops}" if loops else ""
    note = f"`{name}`{at} reads {text}, and no instance of `{block.name}` before it writes that"
    if gap.inexact:
        message = f"it is not proved that `{block.name}` has written {text}, which `{name}` reads"
        return unproved(message, block.id, (*gap.inexact[:2], note))
    message = f"`{name}` reads {text}, which `{block.name}` has not written by then"
    return illegal(message, block.id, (note,))


def _changed(block: Block, gap: Gap, change: Event) -> Answer:
    name, text = change.statement.name, change.text
    reader = gap.reader.statement.name
    note = f"`{name}` at {change.loops_at(gap.point, 'w')} comes before `{reader}`"
    note += f" at {gap.reader.loops_at(gap.point, 'r')}"
    if gap.inexact:
        message = f"it is not proved that `{name}` leaves what `{block.name}` reads: {text}"
        return unproved(message, block.id, (*gap.inexact[:2], note))
    message = f"`{name}` writes {text}, which `{block.name}` reads, before `{reader}` does"
    return illegal(message, block.id, (note,))


def inline_everywhere(scope: Scope, element: Element, apart: Apart) -> TensorFunction:
    """The function with reads of the element's buffer replaced by its value, but those apart."""
    buffer, loads = element.buffer, apart.loads
    body = replace_statement(scope.function.body, element.nest.outermost, None)
    inliner = Inliner(buffer.id, element.axes, element.store)
    stays = scope.fresh(buffer.name, buffer.type) if loads else buffer

    def inlined(item: Stmt) -> Stmt:
        if not loads:
            return inliner.rewritten(item, Facts())
        changed = inliner.rewritten(renamed(item, buffer.id, loads, stays), Facts())
        return substitute(changed, {stays.id: buffer})

    items = body.body if isinstance(body, Seq) else (body,)
    changed = [inlined(x) if buffer.id in touches_of(x).reads else x for x in items]
    function = scope.with_body(sequence(changed))
    if touches_of(function.body).touches((buffer.id,)):
        return function
    return without_buffer(function, buffer.id)


@dataclass(frozen=True, slots=True)
class Inliner:
    """Replaces loads of a buffer by the value that `store` gives it at `axes`."""

    buffer: NodeId
    axes: tuple[Axis, ...]
    store: Store

    def rewritten(self, node: Node, facts: Facts) -> Node:
        """A node with every load replaced; declared reads are left to analysis again."""
        if isinstance(node, IntImm) or (isinstance(node, Var) and not [*extents_read(node)]):
            return node
        inside = facts
        if isinstance(node, For):
            inside = facts.with_range(node.var, loop_interval(node.start, node.extent))
        elif isinstance(node, Block):
            for axis in node.axes:
                interval = loop_interval(IntImm(0), axis.extent)
                inside = inside.with_range(axis.var, interval)
        changed = map_children(node, lambda child: self.rewritten(child, inside))
        if isinstance(changed, Load) and changed.buffer.id == self.buffer:
            return self._value(changed, inside)
        if isinstance(changed, Block) and changed is not node:
            reads = changed.reads or ()
            if any(region.buffer.id == self.buffer for region in reads):
                return replace(changed, reads=None)
        return changed

    def _value(self, load: Load, facts: Facts) -> PrimExpr:
        found = solved(self.axes, self.store.indices, load.indices)
        assert found is not None
        values = {axis: _plain(value, facts) for axis, value in found.items()}
        return substitute(self.store.value, values)


def _plain(value: PrimExpr, facts: Facts) -> PrimExpr:
    """The simpler of an index and its normal form."""
    if dtype_of(value) != INDEX:
        return value
    found = facts.simplify(value)
    return found if sum(1 for _ in walk(found)) < sum(1 for _ in walk(value)) else value


def without_buffer(function: TensorFunction, buffer: NodeId) -> TensorFunction:
    """The function without the allocation of a buffer that nothing uses any more."""

    def drop(node: Node) -> Node:
        if isinstance(node, Allocate) and node.buffer.id == buffer:
            return drop(node.body)
        changed = map_children(node, drop)
        if isinstance(changed, Seq) and changed is not node:
            return sequence(changed.body)
        if isinstance(changed, Block) and any(a.id == buffer for a in changed.allocations):
            kept = tuple(a for a in changed.allocations if a.id != buffer)
            return replace(changed, allocations=kept)
        return changed

    kept = tuple(a for a in function.allocations if a.id != buffer)
    if len(kept) < len(function.allocations):
        return replace(function, allocations=kept)
    return replace(function, body=drop(function.body))
