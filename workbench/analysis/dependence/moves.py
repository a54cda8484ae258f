"""Does a new execution order, given as times of statements, keep every dependence?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from workbench.analysis.dependence.answers import Answer, unproved
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.pairs import Pair, pairs_within
from workbench.analysis.dependence.questions import Found, Question, Solver
from workbench.analysis.dependence.statements import Model
from workbench.analysis.dependence.verdicts import Collector, node_of, reversed_order
from workbench.ir.expr import PrimExpr

Time: TypeAlias = tuple[int | PrimExpr, ...]
"""When an instance runs: constants and index expressions, compared lexicographically."""
Forms = tuple[Linear, ...]
ZERO = Linear({})


def order_kept(model: Model, solver: Solver, new: Mapping[int, Time]) -> Answer:
    """Whether every dependence among the statements named by `new` is kept."""
    statements = [model.statements[index] for index in sorted(new)]
    for statement in statements:
        if statement.index in model.unstable:
            what = model.unstable[statement.index]
            return unproved(f"{what} may change under it", node_of(statement))
    times = {index: _forms(model, time) for index, time in new.items()}
    collector = Collector(model)
    solver.begin()
    for pair in pairs_within(statements):
        if pair.commutes:
            rounds = pair.b.update is not None and pair.b.update.rounds
            if not rounds or collector.reassociates:
                continue
        for question in _violations(pair, times[pair.first.index], times[pair.second.index]):
            finding = solver.decide(question)
            if pair.commutes:
                if finding.found is not Found.NONE:
                    collector.reassociates = True
                    break
            elif collector.take(finding, lambda f: reversed_order(model, f)):
                return collector.answer()
    return collector.answer(statements)


def _forms(model: Model, time: Time) -> Forms:
    return tuple(
        Linear({}, part) if isinstance(part, int) else model.reader.linear(part) for part in time
    )


def _violations(pair: Pair, first: Forms, second: Forms) -> Iterator[Question]:
    """Conflicts that are ordered one way now, and another way or not at all then."""
    for shared, before, after in _now(pair):
        source_first = not after
        source, sink = (first, second) if source_first else (second, first)
        for equal, greater in _not_before(source, sink):
            if source_first:
                yield Question(pair, shared, before, after, equal, greater)
            else:
                swapped = tuple((b, a) for a, b in equal)
                less = tuple((b.scale(-1), a.scale(-1)) for a, b in greater)
                yield Question(pair, shared, before, after, swapped, less)


def _now(pair: Pair) -> Iterator[tuple[frozenset[int], tuple[int, ...], tuple[int, ...]]]:
    """How two instances may be ordered now: loops that agree, then one that decides."""
    shared: frozenset[int] = frozenset()
    for key in pair.common():
        yield shared, (key,), ()
        if pair.first is not pair.second or pair.a is not pair.b:
            yield shared, (), (key,)
        shared |= {key}
    if pair.first is not pair.second:
        yield shared, (), ()


def _not_before(
    source: Forms, sink: Forms
) -> Iterator[tuple[tuple[tuple[Linear, Linear], ...], tuple[tuple[Linear, Linear], ...]]]:
    """All ways in which the time of the source is not smaller than that of the sink."""
    length = max(len(source), len(sink))
    left = source + (ZERO,) * (length - len(source))
    right = sink + (ZERO,) * (length - len(sink))
    equal: tuple[tuple[Linear, Linear], ...] = ()
    for a, b in zip(left, right, strict=True):
        if a.value is not None and b.value is not None:
            if a.value > b.value:
                yield equal, ()
            if a.value != b.value:
                return
            continue
        yield equal, ((a, b),)
        equal = (*equal, (a, b))
    yield equal, ()
