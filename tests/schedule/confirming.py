"""Illegal answers against the truth: the program run instance by instance must show a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tests.analysis.dependence.brute import Event, Machine, carried, reversed_pairs
from tests.generate.programs import Program
from workbench.ir import LoopKind, TensorFunction, free_vars
from workbench.schedule import Primitive
from workbench.schedule.primitives import Bind, Parallel, Reorder, Vectorize
from workbench.schedule.scope import Scope

AT_ONCE = (Parallel, Vectorize, Bind)
"""Primitives that let the iterations of one loop happen at the same time."""
IN_ORDER = (LoopKind.SERIAL, LoopKind.UNROLLED)


def confirmed(program: Program, function: TensorFunction, refused: Primitive) -> bool:
    """Whether a run confirmed that `refused` is illegal; False where a run cannot tell.

    Raises:
        AssertionError: the run shows that nothing is in the way.
    """
    scope = Scope("f", function)
    if isinstance(refused, AT_ONCE):
        loop = scope.loop(refused.loop).var.id
        assert carried(events(program, function), loop), f"{refused}: no two instances meet"
        return True
    if isinstance(refused, Reorder):
        return _reversed(scope, events(program, function), refused)
    return False


def events(program: Program, function: TensorFunction) -> list[Event]:
    """What the program does, in its order, on arguments of seed 0."""
    symbols: dict[int, float] = {
        symbol.id: program.symbols[symbol.name]
        for param in function.params
        for symbol in free_vars(param.type).values()
    }
    machine = Machine(symbols)
    for param, array in zip(function.params, program.arguments(function, 0), strict=True):
        for place, value in np.ndenumerate(array):
            machine.memory[param.id, place] = value.item()
    return machine.run(function)


def _reversed(scope: Scope, found: Sequence[Event], refused: Reorder) -> bool:
    """Confirms that a new order of loops turns two instances around that touch one element."""
    order = [scope.loop(name).var.id for name in refused.loops]
    inside = [n for n, e in enumerate(found) if any(e.value(loop) is not None for loop in order)]
    if any(found[n].value(loop) is None for n in inside for loop in order):
        return False
    time = {n: ((n,), (), n) for n in range(len(found))}
    time |= {n: (*_time(found, inside[0], n, order), n) for n in inside}
    ways = (reversed_pairs(found, time, commuting=either) for either in (False, True))
    turned = [_turned(found[n], order) for n in inside]
    at_once = [loop.var.id for loop in scope.loops if loop.kind not in IN_ORDER]
    seen = any(ways) or any(carried(turned, loop) for loop in at_once)
    assert seen, f"{refused}: no two instances are turned around"
    return True


def _turned(event: Event, order: Sequence[int]) -> Event:
    """The event with the loops around it in their new order."""
    values = dict(event.loops)
    ids = list(values)
    places = sorted(ids.index(loop) for loop in order)
    turned = dict(zip(places, order, strict=True))
    loops = (turned.get(place, ident) for place, ident in enumerate(ids))
    return replace(event, loops=tuple((ident, values[ident]) for ident in loops))


def _time(
    found: Sequence[Event], begin: int, n: int, order: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """When the loops around run, then the values of the loops in their new order."""
    values: Mapping[int, int] = dict(found[n].loops)
    ids = list(values)
    first = min(ids.index(loop) for loop in order)
    places = sorted(ids.index(loop) for loop in order)
    turned = dict(zip(places, order, strict=True))
    later = range(first, places[-1] + 1)
    around = tuple(values[loop] for loop in ids[:first])
    return (begin, *around), tuple(values[turned.get(place, ids[place])] for place in later)
