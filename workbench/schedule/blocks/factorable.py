"""What can be factored: a reduction alone in its nest, whose init runs once and first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.dependence import Answer, illegal, inapplicable, unproved
from workbench.analysis.dependence.spelling import short
from workbench.ir import (
    AxisKind,
    Block,
    For,
    IntImm,
    Load,
    Store,
    Var,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.blocks.accumulators import Accumulator, accumulators
from workbench.schedule.blocks.combiner import Combiner, Order, Unfit, combiners
from workbench.schedule.blocks.digits_apart import Apart, apart
from workbench.schedule.blocks.init_twice import come_back, init_again, init_once
from workbench.schedule.blocks.nest import CARRIED, Nest, known_at, nest_of
from workbench.schedule.blocks.one_to_one import tells_apart
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope
from workbench.schedule.shared import may_share
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Factorable:
    """A reduction in its nest: what it updates, and how that is put together."""

    nest: Nest
    parts: tuple[Accumulator, ...]
    combiners: tuple[Combiner, ...]
    rounds: bool

    @property
    def block(self) -> Block:
        """The block that reduces."""
        return self.nest.block


def factorable(scope: Scope, loop: For) -> Factorable:
    """The reduction under a loop, which the loop may factor.

    Raises:
        RefusedError: there is no reduction of a recognised operation, or the loop is not one of
            its loops alone, or it is not proved that init runs once and first.
    """
    found = _reductions(scope, loop)
    if len(found) != 1:
        message = f"there are `{len(found)}` reductions under the loop `{loop.var.name}`"
        message += ", expected one"
        hint = "`rfactor` takes one block at a time: take a loop around it alone"
        if not found:
            message = f"there is no reduction under the loop `{loop.var.name}`"
            hint = "expected an update such as `s = s + x`, by an associative operation, of an "
            hint += "element that the loop does not move"
        raise RefusedError(inapplicable(message, loop.var.id, hint=hint))
    (block,) = found
    nest = nest_of(scope, block)
    if not any(own is loop for own in nest.loops):
        message = f"the loop `{loop.var.name}` holds more than `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    _check_loops(nest, loop)
    found = _combined(nest, loop)
    _check_operands(scope, found)
    facts = known_at(scope.function, nest.around)
    _check_instances(found, facts)
    _check_places(found, facts)
    return found


def initialised(scope: Scope, loop: For) -> bool:
    """Whether a loop is around blocks with an init."""
    return any(block.init is not None for block in _inside(scope, loop))


def taken_apart(scope: Scope, loop: For) -> Apart | None:
    """The digits of a loop that moves a reduction axis of a block and another one as well."""
    found = _reductions(scope, loop)
    if len(found) != 1:
        return None
    kinds = {axis.kind in CARRIED for axis in found[0].axes if loop.var.id in free_vars(axis.value)}
    return apart(scope, loop, found[0]) if len(kinds) == 2 else None


def _inside(scope: Scope, loop: For) -> list[Block]:
    return [b for b in scope.blocks if any(s is loop for s in scope.paths[b.id])]


def _reductions(scope: Scope, loop: For) -> list[Block]:
    """The blocks under a loop that have an init, or else those that have a reduction axis."""
    inside = _inside(scope, loop)
    reducing = [block for block in inside if block.init is not None]
    return reducing or [
        block for block in inside if any(axis.kind is AxisKind.REDUCE for axis in block.axes)
    ]


def _combined(nest: Nest, loop: For) -> Factorable:
    """The elements that a block updates, put together associatively.

    Raises:
        RefusedError: they are not, or the order of operands counts and would change.
    """
    block = nest.block
    parts = accumulators(block)
    if parts is None:
        raise RefusedError(_unfit(block, ()))
    found = combiners(parts)
    if isinstance(found, Unfit):
        raise RefusedError(_unfit(block, parts, found))
    kept = _order_kept(nest, loop)
    for combiner in found:
        if not kept and combiner.order in {Order.NAN, Order.KEPT}:
            raise RefusedError(_disordered(nest, loop, parts, combiner))
    rounds = any(c.rounds or (not kept and c.order is Order.ROUNDS) for c in found)
    return Factorable(nest, parts, found, rounds)


def _order_kept(nest: Nest, loop: For) -> bool:
    """Whether parts along a loop are one after the other: it is the outermost that reduces."""
    loops = [own for own in nest.carried if own.extent != IntImm(1)]
    return loop.extent == IntImm(1) or loops[0] is loop


def _unfit(block: Block, parts: Sequence[Accumulator], found: Unfit | None = None) -> Answer:
    names = _names(parts if found is None else [parts[n] for n in found.parts])
    if found is not None and found.why == "cases":
        message = f"`{block.name}` compares too much to decide whether its order counts"
        return unproved(message, block.id)
    if found is not None and found.why == "laws":
        message = f"`{block.name}` combines {names} in a way that is not associative"
        hint = "keep the element that a comparison with the operand of its own prefers"
        return inapplicable(message, block.id, hint=hint)
    message = (
        f"`{block.name}` is no reduction of the form `{_written(block)} = "
        f"{_written(block)} op x` with an associative and commutative operation"
    )
    if len(parts) > 1:
        message = (
            f"`{block.name}` is no reduction that updates each of {names} by an operation or "
            "by choosing between it and an operand of its own"
        )
    return inapplicable(message, block.id)


def _names(parts: Sequence[Accumulator]) -> str:
    names = [f"`{part.buffer.name}`" for part in parts]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _disordered(nest: Nest, loop: For, parts: Sequence[Accumulator], combiner: Combiner) -> Answer:
    """Why operands that change their order make a difference."""
    block = nest.block
    names = _names([parts[n] for n in combiner.parts])
    first = next(own for own in nest.carried if own.extent != IntImm(1))
    hint = f"factor `{first.var.name}`, the outermost reduction loop: its parts stay in order"
    if combiner.order is Order.NAN:
        message = f"the operands of {names} may be NaN, and then their order counts in"
        return unproved(f"{message} `{block.name}`", block.id, hint=hint)
    message = (
        f"`{block.name}` takes {names} by the order of operands where they compare equal, and "
        f"parts along `{loop.var.name}` are not in that order"
    )
    note = (
        f"of equal ones in `{loop.var.name}=1` and then in `{loop.var.name}=0` of the next "
        f"iteration of `{first.var.name}`, the parts meet the other way round"
    )
    return illegal(message, block.id, notes=(note,), hint=f"{hint}; or let indices decide ties")


def _written(block: Block) -> str:
    store = block.body
    return f"{store.buffer.name}[...]" if isinstance(store, Store) else "C[...]"


def _check_operands(scope: Scope, found: Factorable) -> None:
    block, written = found.block, {part.buffer.id: part.buffer for part in found.parts}
    others = [
        *(operand for combiner in found.combiners for operand in combiner.operands),
        *(combiner.guard for combiner in found.combiners if combiner.guard is not None),
        *(part.initial for part in found.parts if part.initial is not None),
        *(index for part in found.parts for index in part.indices),
    ]
    for load in (node for part in others for node in walk(part) if isinstance(node, Load)):
        if load.buffer.id in written:
            message = (
                f"`{block.name}` reads `{load.buffer.name}` beside its update, expected operands "
                "that the reduction does not write"
            )
            raise RefusedError(inapplicable(message, block.id))
        for buffer in written.values():
            _check_shared(scope, block, load.buffer, buffer)
    for n, part in enumerate(found.parts):
        for other in found.parts[n + 1 :]:
            _check_shared(scope, block, part.buffer, other.buffer)
    loops = {loop.var.id for loop in found.nest.loops}
    for part in others:
        for var in free_vars(part).values():
            if var.id in loops:
                message = f"`{block.name}` uses the loop `{var.name}` apart from its axes"
                raise RefusedError(unproved(message, block.id))


def _check_shared(scope: Scope, block: Block, other: Var, written: Var) -> None:
    if may_share(scope, other, written):
        message = f"`{block.name}` touches `{other.name}`, which may show elements of"
        raise RefusedError(unproved(f"{message} `{written.name}`", block.id))


def _check_loops(nest: Nest, loop: For) -> None:
    """The loop reduces and does nothing else, and all loops of the reduction are in the nest."""
    block = nest.block
    reduced = {
        var for axis in block.axes if axis.kind is AxisKind.REDUCE for var in free_vars(axis.value)
    }
    if loop.var.id not in reduced:
        message = f"the loop `{loop.var.name}` is no reduction loop of `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    for outer in nest.around:
        if isinstance(outer, For) and outer.var.id in reduced:
            message = f"the reduction loop `{outer.var.name}` holds more than `{block.name}`"
            raise RefusedError(inapplicable(message, block.id))
    for mixed in nest.mixed:
        raise RefusedError(_mixed(block, mixed, loop))
    if any(axis.kind is AxisKind.SCAN for axis in block.axes):
        message = (
            f"`{block.name}` is a scan, where each instance goes on from the one before, "
            "expected a reduction"
        )
        raise RefusedError(inapplicable(message, block.id))
    _check_bounds(nest, loop)


def _mixed(block: Block, mixed: For, loop: For) -> Answer:
    """Why a loop that moves axes of both kinds is in the way."""
    name = mixed.var.name
    axes = [axis for axis in block.axes if mixed.var.id in free_vars(axis.value)]
    both = " and ".join(f"`{a.var.name} = {short(a.value)}`" for a in axes)
    message = (
        f"the loop `{name}` carries a reduction axis of `{block.name}` and another axis as well: "
        f"{both}"
    )
    if mixed is loop:
        message += ", of which no digit of the loop alone reduces"
    hint = "call `rfactor` before loops are fused, or split across what was fused"
    return inapplicable(message, block.id, hint=hint)


def _bounds(loop: For) -> set[NodeId]:
    return {*free_vars(loop.start), *free_vars(loop.extent)}


def _check_bounds(nest: Nest, loop: For) -> None:
    """No loop runs from or to what depends on a reduction loop; the factored one on none."""
    block = nest.block
    for carried in nest.carried:
        if any(carried.var.id in _bounds(other) for other in nest.loops):
            message = f"the extent of another loop depends on `{carried.var.name}`"
            raise RefusedError(unproved(message, block.id))
    if _bounds(loop) & {x.var.id for x in nest.loops}:
        message = f"the extent of the loop `{loop.var.name}` depends on other loops"
        raise RefusedError(unproved(message, block.id))


def _check_instances(found: Factorable, facts: Facts) -> None:
    """Init runs once for each element, and each element has a nest of its own.

    `Factoring` looks after the first update.

    Raises:
        RefusedError: where that is not proved.
    """
    nest, block = found.nest, found.nest.block
    reduced = [axis for axis in block.axes if axis.kind is AxisKind.REDUCE]
    values = [axis.value for axis in reduced]
    if not tells_apart(nest.carried, values, facts) and not init_once(nest.carried, values):
        if again := init_again(nest.carried, values):
            message = f"the init of `{block.name}` runs at {again[0]} and again at {again[1]}"
            note = f"the reduction axes of `{block.name}` are 0 at {again[0]} and at {again[1]}"
            raise RefusedError(illegal(message, block.id, (note,)))
        message = f"it is not proved that the init of `{block.name}` runs once for each element"
        raise RefusedError(unproved(message, block.id))
    own = {axis.var.id for axis in reduced}
    known = {axis.var.id: axis.value for axis in block.axes}
    free = [loop for loop in nest.free if loop.extent != IntImm(1)]
    for part in found.parts:
        initial = () if part.initial is None else (part.initial,)
        if any(own & free_vars(item).keys() for item in (*part.indices, *initial)):
            message = f"`{block.name}` uses a reduction axis where its result is stored"
            raise RefusedError(unproved(message, block.id))
        places = [substitute(index, known) for index in part.indices]
        if not tells_apart(free, places, facts):
            if block.init is None and (both := come_back(free, places)):
                message = (
                    f"`{block.name}` comes back to an element of `{part.buffer.name}` in loops "
                    f"that do not reduce, at {both[0]} and at {both[1]}"
                )
                raise RefusedError(inapplicable(message, block.id))
            message = (
                f"it is not proved that the loops around `{block.name}` that do not reduce lead "
                f"to different elements of `{part.buffer.name}`"
            )
            raise RefusedError(unproved(message, block.id))


def _check_places(found: Factorable, facts: Facts) -> None:
    """Elements that only a guarded update touches are there in all iterations.

    An init touches them where the update does not run, too.

    Raises:
        RefusedError: where that is not proved.
    """
    block = found.block
    if block.init is not None or all(one.guard is None for one in found.combiners):
        return
    known = {axis.var.id: axis.value for axis in block.axes}
    for loop in found.nest.free:
        facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    if block.predicate is not None:
        facts = facts.assume(substitute(block.predicate, known))
    for part in found.parts:
        for index, dim in zip(part.indices, part.type.shape, strict=True):
            place = substitute(index, known)
            if facts.proves(place >= 0) is True and facts.proves(place < dim) is True:
                continue
            message = (
                f"it is not proved that `{short(part.own)}` is there where `{block.name}` does not "
                "update it"
            )
            raise RefusedError(unproved(message, block.id))
