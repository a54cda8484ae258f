"""Reductions that update an element before they initialise it: they cannot be computed again."""

from __future__ import annotations

from itertools import product

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjuncts
from workbench.analysis.dependence import unproved
from workbench.ir import (
    AxisKind,
    Block,
    For,
    IntImm,
    PrimExpr,
    dtype_of,
    free_vars,
    substitute,
)
from workbench.schedule.blocks.nest import Nest, stores_of
from workbench.schedule.blocks.own_init import not_initialised
from workbench.schedule.refusal import RefusedError
from workbench.support import NodeId

MOST = 1024
"""Instances that are tried where loops carry a reduction axis and another one."""
ZERO = IntImm(0)


def refuse_late_init(nest: Nest, facts: Facts) -> None:
    """The first update of each element is one that init precedes: all reduction axes are zero.

    Raises:
        RefusedError: where that is not proved.
    """
    block = nest.block
    reduced = [axis for axis in block.axes if axis.kind is AxisKind.REDUCE]
    if block.init is None or not reduced:
        return
    for loop in nest.loops:
        facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
    proved = _first_of_all(nest) if nest.mixed else _at_start(nest, facts)
    if not proved or not _of_its_own(block):
        message = f"it is not proved that `{block.name}` runs its init before all its updates"
        raise RefusedError(unproved(message, block.id))


def _of_its_own(block: Block) -> bool:
    """Whether each instance initialises what it updates, and no element of another instance."""
    assert block.init is not None
    initial = {store.buffer.id for store in stores_of(block.init)}
    return all(access.buffer.id not in initial for access in not_initialised(block))


def _at_start(nest: Nest, facts: Facts) -> bool:
    """Whether the reduction axes are zero, and the block runs, where their loops begin."""
    starts: dict[NodeId, PrimExpr] = {loop.var.id: loop.start for loop in nest.carried}
    values = {axis.var.id: axis.value for axis in nest.block.axes}
    reduced = (axis.value for axis in nest.block.axes if axis.kind is AxisKind.REDUCE)
    if any(facts.simplify(substitute(value, starts)) != ZERO for value in reduced):
        return False
    for part in conjuncts(nest.block.predicate):
        plain = substitute(part, values)
        if starts.keys() & free_vars(plain).keys():
            first = facts.simplify(substitute(plain, starts))
            if facts.assume(plain).proves(first) is not True:
                return False
    return True


def _first_of_all(nest: Nest) -> bool:
    """Whether it is seen, instance by instance, that each element begins at zero."""
    ranges = [_range(loop) for loop in nest.loops]
    known = [r for r in ranges if r is not None]
    count = 1
    for r in known:
        count *= len(r)
    if len(known) < len(ranges) or count > MOST or nest.block.predicate is not None:
        return False
    seen: set[tuple[PrimExpr, ...]] = set()
    for point in product(*known):
        at: dict[NodeId, PrimExpr] = {
            loop.var.id: IntImm(n, dtype_of(loop.var))
            for loop, n in zip(nest.loops, point, strict=True)
        }
        element = _values(nest, at, reduced=False)
        if element not in seen and any(v != ZERO for v in _values(nest, at, reduced=True)):
            return False
        seen.add(element)
    return True


def _range(loop: For) -> range | None:
    start, extent = Facts().simplify(loop.start), Facts().simplify(loop.extent)
    if isinstance(start, IntImm) and isinstance(extent, IntImm):
        return range(start.value, start.value + extent.value)
    return None


def _values(nest: Nest, at: dict[NodeId, PrimExpr], *, reduced: bool) -> tuple[PrimExpr, ...]:
    return tuple(
        Facts().simplify(substitute(axis.value, at))
        for axis in nest.block.axes
        if (axis.kind is AxisKind.REDUCE) is reduced
    )
