"""What a move has to keep: every read finds what it found, every instance that counts runs."""

from __future__ import annotations

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence import (
    Answer,
    applies,
    illegal,
    inapplicable,
    unproved,
)
from workbench.analysis.dependence.clashes import Clash, Witness
from workbench.analysis.dependence.comparison import Comparison, Group
from workbench.analysis.dependence.gains import changed_value
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.versions import Event, Version
from workbench.ir import (
    AxisKind,
    Block,
    For,
    If,
    Let,
    Load,
    LoopKind,
    PrimExpr,
    Select,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    free_vars,
    substitute,
    walk,
)
from workbench.ir.traverse import Node
from workbench.schedule.blocks.nest import known_at, stores_of
from workbench.schedule.blocks.one_to_one import tells_apart
from workbench.schedule.blocks.producer import Plan, updates_in_place
from workbench.schedule.empties import HINT, empty_at
from workbench.schedule.primitive import all_apply
from workbench.schedule.scope import Scope
from workbench.schedule.symbolic_box import bound_in
from workbench.schedule.touches import items_of, part_about, places_of, touches_of
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


def recomputed(before: TensorFunction, plan: Plan) -> Answer:
    """Whether a block may be computed where a plan has it, again where it overlaps itself.

    It is a pure function of what it reads. No instance may run that did not run before, reads
    outside of it keep what they found, other writes of its buffer stay before or after it, and
    what it reads is the same at both places.
    """
    block = plan.nest.block
    try:
        found = compared(before, plan.function, block.id)
        guarded = _guarded(block, found)
        if guarded is not None:
            return guarded
        extra = found.extra_instance()
        if extra is not None:
            return _extra(block, extra)
        clash = found.reordered({buffer.id for buffer in plan.buffers})
        if clash is not None:
            return clash_answer(block, clash)
        for buffer in plan.buffers:
            lost = changed_value(found, buffer.id)
            if lost is not None:
                return _lost(block, buffer, lost)
        order = _own_order(before, plan, found)
        for buffer in plan.outputs if order.applies else ():
            written = _all_written(before, plan, buffer, found)
            if not written.applies:
                return written
    except TooLargeError:
        return too_large(block)
    return all_apply(order, independent(before, plan.function, block))


def _own_order(before: TensorFunction, plan: Plan, found: Comparison) -> Answer:
    """Whether of instances that write one element the same one is last, and updates keep theirs.

    The loops of axes are made anew, so the order changes where an element belongs to several.

    Raises:
        TooLargeError: where the sets are too large to decide.
    """
    block = plan.nest.block
    if not plan.mixed and _one_each(plan, known_at(before, plan.nest.around)):
        return applies()
    clash = found.reordered_within(plan.around)
    if clash is not None:
        return clash_answer(block, clash)
    if not plan.local and not plan.mixed and found.reordered_within() is not None:
        message = f"it is not proved which instance of `{block.name}` is the last to write an "
        message += "element that is read elsewhere as well"
        return unproved(message, block.id)
    return applies(reassociates=found.updates_reordered(plan.around))


def _one_each(plan: Plan, facts: Facts) -> bool:
    """Whether it is plain that loops which do not reduce lead to elements of their own."""
    nest = plan.nest
    values = {axis.var.id: axis.value for axis in nest.block.axes}
    moving = bound_in(nest.block) - values.keys() | {loop.var.id for loop in nest.carried}
    for loop in nest.carried:
        facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    for buffer in plan.buffers:
        stores = {s.indices for s in stores_of(nest.block) if s.buffer.id == buffer.id}
        if len(stores) != 1:
            return False
        places = [substitute(index, values) for index in next(iter(stores))]
        if any(moving & free_vars(place).keys() for place in places):
            return False
        if not tells_apart(nest.free, places, facts):
            return False
    return True


def independent(before: TensorFunction, after: TensorFunction, block: Block) -> Answer:
    """Whether loops that run at once, and that a block has come under, are independent still."""
    known = {loop.var.id for loop in _around(before, block)}
    scope = Scope("", after)
    for loop in scope.loops_around(block.id):
        if loop.var.id not in known and loop.kind in AT_ONCE:
            answer = scope.dependences_around(loop).independent(loop.var.id)
            if not answer.applies:
                return answer
    return applies()


AT_ONCE = frozenset({LoopKind.PARALLEL, LoopKind.VECTORIZED})
"""Kinds of loops whose iterations run at the same time."""


def _around(function: TensorFunction, block: Block) -> tuple[For, ...]:
    return Scope("", function).loops_around(block.id)


def moved_once(before: TensorFunction, after: TensorFunction, block: Block) -> Answer:
    """Whether a block may run where `after` has it, each instance once.

    The order of its own instances may have changed too. Updates of one reduction may change theirs;
    the answer says so.
    """
    try:
        found = compared(before, after, block.id)
        guarded = _guarded(block, found)
        if guarded is not None:
            return guarded
        again = found.repeated_instance(found.before) if updates_in_place(block) else None
        if again is not None:
            return _already_again(block, again)
        clash = found.reordered() or found.reordered_within()
        if clash is not None:
            return clash_answer(block, clash)
        extra = found.extra_instance()
        if extra is not None:
            return _extra(block, extra)
        lost = found.lost_instance() or found.repeated_instance(found.after)
        if lost is not None:
            return _not_once(block, lost)
        rounds = found.updates_reordered()
    except TooLargeError:
        return too_large(block)
    return all_apply(applies(reassociates=rounds), independent(before, after, block))


def _already_again(block: Block, witness: Witness) -> Answer:
    """A block that would run once updates in place what it updated in another iteration."""
    message = f"instances of `{block.name}`, which reads what it writes, run again in a loop that"
    note = f"an instance is {witness.text}"
    return inapplicable(f"{message} would not move with it", block.id, (note,))


def _not_once(block: Block, witness: Witness) -> Answer:
    note = f"an instance is {witness.text}"
    if witness.inexact:
        message = f"it is not proved that each instance of `{block.name}` would run once"
        return unproved(message, block.id, (note, *witness.inexact[:2]))
    return inapplicable(f"not each instance of `{block.name}` would run once", block.id, (note,))


def compared(before: TensorFunction, after: TensorFunction, block: NodeId) -> Comparison:
    """A function before and after a block was moved, with the statements that matter to it."""
    moved = next(place.stmt for place in places_of(before) if _is(place.stmt, block))
    old, new = (Version(part_deciding(function, moved)) for function in (before, after))
    return Comparison(Group.of(old, block), Group.of(new, block))


def part_deciding(function: TensorFunction, moved: Stmt) -> TensorFunction:
    """The statements at the top that matter to one that moves.

    Those that touch what it writes, that write what it reads, or what guards and indices there
    read. Buffers that have another name count as written.
    """
    touched = touches_of(moved)
    written = {*touched.writes, *touched.aliases} or {*touched.reads}
    read = {*touched.reads}
    while True:
        part = part_about(function, read, written)
        items = items_of(part)
        decide = {b for item in items for b in _DECIDING.get(item, lambda i=item: _deciding(i))}
        named = {b for item in items for b in touches_of(item).aliases}
        if decide <= read and named <= written:
            return part
        read |= decide
        written |= named


def _deciding(stmt: Stmt) -> frozenset[NodeId]:
    """The buffers whose values decide which instances run and which elements they touch."""
    return frozenset(
        part.buffer.id
        for node in walk(stmt)
        for value in _decided_by(node)
        for part in walk(value)
        if isinstance(part, Load)
    )


_DECIDING: IdentityMemo[Stmt, frozenset[NodeId]] = IdentityMemo(1024)


def _decided_by(node: Node) -> tuple[PrimExpr, ...]:
    match node:
        case For(start=start, extent=extent):
            return start, extent
        case If(condition=value) | While(condition=value) | Select(condition=value):
            return (value,)
        case Let(value=value):
            return (value,)
        case Load(indices=indices) | Store(indices=indices):
            return indices
        case Block(predicate=predicate, axes=axes):
            values = tuple(axis.value for axis in axes)
            return values if predicate is None else (predicate, *values)
        case _:
            return ()


def _guarded(block: Block, found: Comparison) -> Answer | None:
    """The answer where what is around the block reads memory in one version alone."""
    access = found.unlike()
    if access is None:
        return None
    message = f"it is not proved when `{block.name}` runs: its guard reads `{access}`"
    return unproved(message, block.id)


def _is(stmt: Stmt, block: NodeId) -> bool:
    return isinstance(stmt, Block) and stmt.id == block


def too_large(block: Block) -> Answer:
    """The answer where isl gives up."""
    return unproved(f"the instances of `{block.name}` are too many to compare", block.id)


def _extra(block: Block, witness: Witness) -> Answer:
    if witness.inexact:
        return unproved(
            f"it is not proved that `{block.name}` runs only where it ran before",
            block.id,
            (f"it may run at {witness.text}", *witness.inexact[:2]),
        )
    return unproved(
        f"`{block.name}` does not run over a box of its axes",
        block.id,
        (f"it does not run at {witness.text}",),
    )


def clash_answer(block: Block, clash: Clash) -> Answer:
    """A pair of accesses whose order would change."""
    mine, other = clash.mine, clash.other
    if clash.inexact:
        return unproved(
            f"it is not proved that {_name(mine)} still {_verb(mine)} "
            f"{'before' if clash.first else 'after'} {_name(other)} {_verb_it(other)}",
            block.id,
            clash.inexact[:2],
        )
    order = "after" if clash.first else "before"
    twice = mine.statement is other.statement
    there = f"another instance of {_name(other)}" if twice else _name(other)
    return illegal(
        f"{_name(mine)} would {_plain(mine)} {order} {there} {_verb_it(other)}"
        if not (mine.access.write and other.access.write)
        else f"{_name(mine)} would {_plain(mine)} {order} {there} does",
        block.id,
        (
            f"the {_noun(mine)}{_at(clash, mine, 'x')} would come {order} the {_noun(other)}"
            f"{_at(clash, other, 'z')}",
        ),
    )


def _name(event: Event) -> str:
    return f"`{event.statement.name}`"


def _at(clash: Clash, event: Event, prefix: str) -> str:
    loops = event.loops_at(clash.point, prefix)
    return f" at {loops}" if loops else ""


def _verb(event: Event) -> str:
    return f"writes {event.text}" if event.access.write else f"reads {event.text}"


def _verb_it(event: Event) -> str:
    return "writes it" if event.access.write else "reads it"


def _plain(event: Event) -> str:
    return f"write {event.text}" if event.access.write else f"read {event.text}"


def _noun(event: Event) -> str:
    return "write" if event.access.write else "read"


def _lost(block: Block, buffer: Var, clash: Clash) -> Answer:
    reader = clash.mine
    where = ", ".join(
        f"{reader.model.terms[key].name}={clash.point[f'x{key}']}"
        for key in reader.statement.keys
        if f"x{key}" in clash.point
    )
    at = f" at {where}" if where else ""
    if clash.inexact:
        return unproved(
            f"it is not proved that `{block.name}` has written it when {_name(reader)} "
            f"{_verb(reader)}",
            block.id,
            clash.inexact[:2],
        )
    written = "would have" if clash.first else "would not have"
    return illegal(
        f"{_name(reader)} {_verb(reader)}, which `{block.name}` {written} written by then",
        block.id,
        (
            f"`{reader.statement.name}`{at} reads {reader.text} of `{buffer.name}`, and "
            f"{'an' if clash.first else 'no'} instance of `{block.name}` that writes it would come "
            "before",
        ),
    )


def _all_written(before: TensorFunction, plan: Plan, buffer: Var, found: Comparison) -> Answer:
    block = plan.nest.block
    missing = found.unwritten(buffer.id)
    if missing is None:
        return _empty_written(before, plan, buffer)
    element = ", ".join(str(missing[name]) for name in sorted(missing) if name.startswith("o"))
    return illegal(
        f"`{buffer.name}` is an output, and `{block.name}` would not compute all of it there",
        block.id,
        (f"`{buffer.name}[{element}]` would not be computed",),
    )


def _empty_written(before: TensorFunction, plan: Plan, buffer: Var) -> Answer:
    """Whether an output is initialised under its new loops where there is nothing to reduce."""
    block = plan.nest.block
    found = empty_at(before, block.id)
    if found is None or found.simple is None:
        return applies()
    known = {loop.var.id for loop in _around(before, block)} | {*plan.loops}
    there = next(b for b in Scope("", plan.function).blocks if b.id == block.id)
    known.update(
        var for a in there.axes if a.kind is not AxisKind.REDUCE for var in free_vars(a.value)
    )
    facts = known_at(before, ())
    for loop in _around(plan.function, block):
        if loop.var.id not in known and facts.proves(loop.extent > 0) is not True:
            message = f"it is not proved that `{loop.var.name}` has iterations: else the output "
            message += f"`{buffer.name}` would not get its initial value"
            return unproved(message, block.id, hint=HINT)
        facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    return applies()
