"""Does a value read at one place come from a store at another, within one iteration around both?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from workbench.analysis.dependence.answers import Answer, illegal, unproved
from workbench.analysis.dependence.dependences import Dependences
from workbench.analysis.dependence.pairs import Pair, pairs_between
from workbench.analysis.dependence.questions import Finding, Question, Solver
from workbench.analysis.dependence.statements import Statement
from workbench.analysis.dependence.verdicts import Collector, node_of, pair_of, told
from workbench.ir.tensor import For, Stmt, While
from workbench.support.ids import NodeId


def unchanged_before_reads(
    found: Dependences, buffer: NodeId, run: Iterable[Stmt], readers: Iterable[Stmt]
) -> Answer:
    """Whether what `readers` read of a buffer is as it was when the statements `run` began.

    `readers` are parts of `run`, which is a run of one suite. Illegal with an instance that writes
    and a later one that reads the element, in one iteration of the loops around the run.
    """
    model = found.model
    inside = [s for s in model.statements if _within((*s.path, s.node), tuple(run))]
    reading = [s for s in inside if _within((*s.path, s.node), tuple(readers))]
    if not reading or any(_rewrites(s, buffer) for s in reading):
        return unproved("what reads the buffer lies under a `while`")
    depth = min((_depth(s.path, tuple(run)) for s in inside), default=0)
    solver, collector = Solver(model), Collector(model)
    for pair in pairs_between(inside, reading):
        if pair.a.buffer.id != buffer or not pair.a.write or pair.b.write:
            continue
        outer = tuple(key for loop in pair.first.loops[:depth] for key in model.loops[loop.var.id])
        for question in _later(pair, frozenset(outer)):
            if collector.take(solver.decide(question), lambda f: _stale(found, f)):
                return collector.answer()
    return collector.answer(inside)


def _rewrites(statement: Statement, buffer: NodeId) -> bool:
    """Whether a `while` writes a buffer: its iterations are not told apart."""
    writes = any(a.write and a.buffer.id == buffer for a in statement.accesses)
    return writes and isinstance(statement.node, While)


def _within(path: Collection[Stmt], places: Collection[Stmt]) -> bool:
    return any(stmt is place for stmt in path for place in places)


def _depth(path: tuple[Stmt, ...], run: tuple[Stmt, ...]) -> int:
    """How many loops are around the run."""
    from_run = next((n for n, s in enumerate(path) if any(s is r for r in run)), len(path))
    return sum(isinstance(stmt, For) for stmt in path[:from_run])


def _later(pair: Pair, outer: frozenset[int]) -> Iterator[Question]:
    """The second instance runs after the first, in the same iteration of the outer loops."""
    shared = outer
    for key in pair.common():
        if key not in shared:
            yield Question(pair, shared, before=(key,))
            shared |= {key}
    if pair.first.index < pair.second.index:
        yield Question(pair, shared)


def _stale(found: Dependences, finding: Finding) -> Answer:
    pair = pair_of(finding)
    message = (
        f"`{pair.second.name}` reads an element of `{pair.b.buffer.name}` that "
        f"`{pair.first.name}` writes after the copy was made"
    )
    return illegal(message, node_of(pair.second), told(found.model, finding))
