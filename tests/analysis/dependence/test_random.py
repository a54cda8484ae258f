"""Answers on random programs, compared with what the programs do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations

import pytest

from tests.analysis.dependence.brute import (
    Event,
    Machine,
    OutOfRangeError,
    carried,
    conflicts,
    reversed_pairs,
)
from tests.analysis.dependence.programs import Generator
from workbench.analysis.dependence import AnswerKind, Dependences, Time, dependences
from workbench.ir import BufferType, For, PrimExpr, TensorFunction, Var, walk
from workbench.support import NodeId

PROGRAMS = 30
MOST_EVENTS = 60


def program(seed: int, kind: str) -> TensorFunction:
    rng = random.Random(f"{kind}{seed}")
    return Generator(rng, affine=kind != "any", symbolic=kind == "symbolic").program()


def runs(function: TensorFunction, kind: str, seed: int) -> list[list[Event]] | None:
    """The events for several values of the symbols, None for a program that is not valid."""
    symbols = [
        dim
        for param in function.params
        if isinstance(param.type, BufferType)
        for dim in param.type.shape
        if isinstance(dim, Var)
    ]
    rng = random.Random(seed)
    found: list[list[Event]] = []
    for size in range(5) if kind == "symbolic" else [0]:
        memory: dict[tuple[int, tuple[int, ...]], float] = {}
        index = function.params[-1]
        for at in range(-SPREAD, SPREAD):
            place = (0, at) if symbols else (at,)
            memory[index.id, place] = rng.randrange(4)
        try:
            found.append(Machine({v.id: size for v in symbols}, memory).run(function))
        except OutOfRangeError:
            return None
    return None if any(len(events) > MOST_EVENTS for events in found) else found


SPREAD = 200


def loops_of(function: TensorFunction) -> list[For]:
    return [node for node in walk(function.body) if isinstance(node, For)]


@pytest.mark.parametrize("kind", ["affine", "symbolic", "any"])
@pytest.mark.parametrize("chunk", range(2))
def test_loops_that_carry_a_conflict(kind: str, chunk: int) -> None:
    asked = open_ = 0
    for seed in range(chunk * PROGRAMS, (chunk + 1) * PROGRAMS):
        function = program(seed, kind)
        events = runs(function, kind, seed)
        if events is None:
            continue
        deps = dependences(function)
        for loop in loops_of(function):
            answer = deps.independent(loop.var.id)
            truth = any(carried(run, loop.var.id) for run in events)
            asked += 1
            open_ += check(answer.kind, truth, kind, f"{seed}: {loop.var.name} {answer}")
    assert asked > 40
    assert open_ == 0 or kind == "any"


def check(kind: AnswerKind, truth: bool, program_kind: str, what: str) -> int:
    """Compare an answer with the truth; symbols may need values that were not tried."""
    if truth:
        assert kind is not AnswerKind.APPLIES, what
    elif program_kind == "affine":
        assert kind is not AnswerKind.ILLEGAL, what
    return kind is AnswerKind.UNPROVED


def nests_of(function: TensorFunction) -> list[list[For]]:
    """Chains of loops with nothing but loops between them."""
    found: list[list[For]] = []
    for loop in loops_of(function):
        chain = [loop]
        while isinstance(chain[-1].body, For):
            chain.append(chain[-1].body)
        if len(chain) > 1:
            found.append(chain)
    return found


@pytest.mark.parametrize("kind", ["affine", "symbolic", "any"])
@pytest.mark.parametrize("chunk", range(2))
def test_new_orders_of_loops(kind: str, chunk: int) -> None:
    asked = open_ = 0
    for seed in range(chunk * PROGRAMS, (chunk + 1) * PROGRAMS):
        function = program(seed, kind)
        chains = nests_of(function)
        events = runs(function, kind, seed) if chains else None
        if events is None:
            continue
        deps = dependences(function)
        for chain in chains:
            ids = [loop.var.id for loop in chain]
            for order in permutations(ids):
                answer = deps.reorderable(ids, order)
                if answer.kind is AnswerKind.INAPPLICABLE:
                    continue
                asked += 1
                what = f"{seed}: {[loop.var.name for loop in chain]} {order} {answer}"
                truth = any(is_reversed(run, ids, order, commuting=False) for run in events)
                open_ += check(answer.kind, truth, kind, what)
                if answer.applies and any(
                    is_reversed(run, ids, order, commuting=True, rounds=True) for run in events
                ):
                    assert answer.reassociates, what
    assert asked > 10
    assert open_ == 0 or kind == "any"


def is_reversed(
    events: Sequence[Event],
    ids: Sequence[NodeId],
    order: Sequence[NodeId],
    *,
    commuting: bool,
    rounds: bool = False,
) -> bool:
    inside = [e for e in events if set(ids) <= {ident for ident, _ in e.loops}]
    if rounds:
        inside = [e for e in inside if e.update in {"+", "*"}]
    time: dict[int, tuple[int, ...]] = {}
    for position, event in enumerate(inside):
        values = dict(event.loops)
        names = [ident for ident, _ in event.loops]
        first = names.index(ids[0])
        outer = [values[ident] for ident in names[:first]]
        time[position] = (*outer, *(values[ident] for ident in order), position)
    return reversed_pairs(inside, time, commuting=commuting)


@pytest.mark.parametrize("kind", ["affine", "symbolic", "any"])
def test_conflicts_between_statements(kind: str) -> None:
    open_ = 0
    for seed in range(PROGRAMS):
        function = program(seed, kind)
        events = runs(function, kind, seed)
        if events is None:
            continue
        deps = dependences(function)
        for a in deps.statements:
            for b in deps.statements[a.index :]:
                answer = deps.conflict([a.index], [b.index])
                truth = any(meet(run, a.index, b.index) for run in events)
                what = f"{seed}: {a.index} {b.index} {answer}"
                open_ += check(answer.kind, truth, kind, what)
    assert open_ == 0 or kind == "any"


def meet(events: Sequence[Event], first: int, second: int) -> bool:
    return any(
        {a.statement, b.statement} == {first, second} and any(True for _ in conflicts(a, b))
        for n, a in enumerate(events)
        for b in events[n + 1 :]
    )


@pytest.mark.parametrize("kind", ["affine", "symbolic", "any"])
def test_new_times_of_statements(kind: str) -> None:
    asked = open_ = 0
    for seed in range(3 * PROGRAMS):
        function = program(seed, kind)
        events = runs(function, kind, seed)
        if events is None:
            continue
        deps = dependences(function)
        times = random_times(random.Random(seed), deps)
        answer = deps.order_kept(times)
        truth = any(times_reverse(run, times) for run in events)
        asked += 1
        if "may change" in answer.message:
            continue
        open_ += check(answer.kind, truth, kind, f"{seed}: {answer}")
    assert asked > 25
    assert open_ == 0 or kind == "any"


def random_times(rng: random.Random, deps: Dependences) -> dict[int, Time]:
    """Loops of each statement in some order, between constants; or all statements one by one."""
    found: dict[int, Time] = {}
    for statement in deps.statements:
        parts: list[int | PrimExpr] = []
        loops = [loop.var for loop in statement.loops]
        if rng.randrange(3) == 0:
            rng.shuffle(loops)
        fission = rng.randrange(2)
        parts.append(statement.index if fission else 0)
        for var in loops:
            parts += [var + rng.randrange(2), 0] if rng.randrange(4) == 0 else [var, 0]
        parts[-1] = statement.index
        found[statement.index] = tuple(parts)
    return found


def times_reverse(events: Sequence[Event], times: dict[int, Time]) -> bool:
    machine = Machine({})
    width = max((len(time) for time in times.values()), default=0)
    time: dict[int, object] = {}
    for position, event in enumerate(events):
        machine.values = dict(event.values)
        parts = times[event.statement]
        row = [part if isinstance(part, int) else machine.eval(part) for part in parts]
        time[position] = tuple(row + [0] * (width - len(row)))
    return reversed_pairs(events, time, commuting=False)
