"""Dependence analysis of a tensor function: what may change its order, and what may not.

References: Feautrier, "Dataflow Analysis of Array and Scalar References", IJPP 1991; Pugh, "The
Omega Test", Supercomputing 1991; Verdoolaege, "isl: An Integer Set Library for the Polyhedral
Model", ICMS 2010; Polly (`polly::Dependences`). Dependences are between accesses to memory (every
conflict counts, also of a value that nobody reads); index arithmetic does not overflow; different
buffers do not overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from typing_extensions import override

from workbench.analysis.dependence import reorders
from workbench.analysis.dependence.answers import Answer, applies
from workbench.analysis.dependence.carried import Carried, carried_by
from workbench.analysis.dependence.model import model_of
from workbench.analysis.dependence.moves import Time, order_kept
from workbench.analysis.dependence.pairs import Pair, pairs_between, pairs_within
from workbench.analysis.dependence.questions import Question, Solver
from workbench.analysis.dependence.statements import Access, Statement
from workbench.analysis.dependence.verdicts import Collector, race
from workbench.ir.tensor import For, Stmt, TensorFunction
from workbench.support.identity_memo import IdentityMemo
from workbench.support.ids import NodeId


def dependences(function: TensorFunction) -> Dependences:
    """The dependences of a function; computed when asked for, kept by identity."""
    return _KNOWN.get(function, lambda: Dependences(function))


class Dependences:
    """Answers questions about the order of one tensor function.

    `statements` are its leaves in program order. Answers are exact for quasi-affine programs;
    what is not quasi-affine is over-approximated, so that `applies` is a proof, and `illegal`
    comes with a pair of instances that was checked against the program.
    """

    def __init__(self, function: TensorFunction) -> None:
        self.function = function
        self.model = model_of(function)
        self.statements = self.model.statements
        self._solver = Solver(self.model)
        self._answers: dict[object, Answer] = {}
        self._carried_by: dict[NodeId, tuple[Carried, ...]] = {}

    @override
    def __repr__(self) -> str:
        return f"<dependences of {len(self.statements)} statements>"

    def loop(self, loop: NodeId) -> For | None:
        """The loop whose variable has the id, None where it is gone."""
        return self.model.nodes.get(loop)

    def statements_in(self, loop: NodeId) -> tuple[Statement, ...]:
        """The statements under a loop."""
        span = self.model.spans.get(loop, range(0))
        return self.statements[span.start : span.stop]

    def independent(self, loop: NodeId, *, private: Collection[NodeId] = ()) -> Answer:
        """Whether the iterations of a loop may run in any order and at once.

        That is what `parallel` and `vectorize` need. Updates of a reduction that the loop carries
        are illegal here: each iteration needs an accumulator of its own (`rfactor`). Buffers in
        `private` are looked over.
        """
        found = self.loop(loop)
        if found is None:
            return reorders.missing(self.model, loop)
        key = ("independent", loop, frozenset(private))
        if key not in self._answers:
            self._answers[key] = self._independent(found, private)
        return self._answers[key]

    def _independent(self, loop: For, private: Collection[NodeId]) -> Answer:
        below = self.statements_in(loop.var.id)
        collector = Collector(self.model)
        self._solver.begin()
        if not below:
            return applies()
        outer = self._outside(below[0], loop)
        keys = self.model.loops[loop.var.id]
        ahead = {statement.index for statement in below if statement.precedes(loop.var.id)}
        for pair, base in self._solver.within(self.model.spans[loop.var.id]):
            if pair.a.buffer.id in private or base.zero.issuperset(keys):
                continue
            if ahead and not ahead.isdisjoint((pair.first.index, pair.second.index)):
                continue
            for question in self._between(pair, outer, loop):
                finding = self._solver.decide(question)
                if collector.take(finding, lambda f: race(self.model, loop, f)):
                    return collector.answer()
        return collector.answer(below)

    def _outside(self, statement: Statement, loop: For) -> frozenset[int]:
        position = statement.keys.index(self.model.loops[loop.var.id][0])
        return frozenset(statement.keys[:position])

    def _between(self, pair: Pair, outer: frozenset[int], loop: For) -> Iterable[Question]:
        """Conflicts between different iterations of a loop."""
        shared = outer
        for key in self.model.loops[loop.var.id]:
            yield Question(pair, shared, before=(key,))
            if pair.first is not pair.second or pair.a is not pair.b:
                yield Question(pair, shared, after=(key,))
            shared |= {key}

    def reorderable(self, loops: Sequence[NodeId], order: Sequence[NodeId]) -> Answer:
        """Whether nested loops (outer to inner as they are) may be put in another order.

        Loops between them stay where they are. `reassociates` is set where only updates of a
        floating point reduction change their order.
        """
        key = ("reorderable", tuple(loops), tuple(order))
        if key not in self._answers:
            self._answers[key] = reorders.reorderable(self.model, self._solver, loops, order)
        return self._answers[key]

    def order_kept(self, new: Mapping[int, Time]) -> Answer:
        """Whether new execution times keep every dependence among the given statements.

        `new` maps indices of statements to times: tuples of constants and of index expressions
        over the loop variables (or axes) of the statement, compared lexicographically, with
        missing components 0. Equal times are no order.
        """
        return order_kept(self.model, self._solver, new)

    def conflict(self, first: Iterable[int], second: Iterable[int]) -> Answer:
        """Whether instances of two sets of statements never touch one element with a write.

        Their order does not count: `applies` means that there is no conflict at all. Instances of
        a statement in both sets are compared with each other, not with themselves.
        """
        collector = Collector(self.model)
        self._solver.begin()
        left = [self.statements[index] for index in first]
        right = [self.statements[index] for index in second]
        for pair in pairs_between(left, right):
            for question in _any_two(pair):
                finding = self._solver.decide(question)
                if collector.take(finding, collector.meet):
                    return collector.answer()
        return collector.answer((*left, *right))

    def meeting(self, place: Stmt, buffer: NodeId) -> Answer:
        """Whether accesses of a buffer under a place touch one element, one of them writing it.

        In one run of the place, a loop or block of the function; accesses that have the same
        indices are one, and do not meet.
        """
        collector = Collector(self.model)
        self._solver.begin()
        below = [s for s in self.statements if any(stmt is place for stmt in s.path)]
        for pair in pairs_within(below):
            if pair.a.buffer.id != buffer or _one_access(pair):
                continue
            depth = next(n for n, stmt in enumerate(pair.first.path) if stmt is place)
            around = [stmt for stmt in pair.first.path[:depth] if isinstance(stmt, For)]
            outer = frozenset(key for loop in around for key in self.model.loops[loop.var.id])
            for question in _any_two(pair, outer):
                finding = self._solver.decide(question)
                if collector.take(finding, collector.meet):
                    return collector.answer()
        return collector.answer(below)

    def carried(self, loop: NodeId) -> tuple[Carried, ...]:
        """The dependences between different iterations of a loop, for display."""
        if loop not in self.model.nodes:
            return ()
        if loop not in self._carried_by:
            self._carried_by[loop] = carried_by(self.model, self._solver, loop)
        return self._carried_by[loop]

    def explain(self, loop: NodeId) -> tuple[str, ...]:
        """Why a loop may or may not run its iterations at once, line by line."""
        found = self.loop(loop)
        if found is None:
            return ()
        answer = self.independent(loop)
        first = f"iterations of `{found.var.name}` are independent"
        lines = [first] if answer.applies else [answer.message]
        return (*lines, *answer.notes, *(item.text for item in self.carried(loop)))

    def reads(self, statement: Statement | int) -> tuple[Access, ...]:
        """What a statement reads, conditions and bounds around it included."""
        return tuple(a for a in self._of(statement).accesses if not a.write)

    def writes(self, statement: Statement | int) -> tuple[Access, ...]:
        """What a statement writes."""
        return tuple(a for a in self._of(statement).accesses if a.write)

    def _of(self, statement: Statement | int) -> Statement:
        return self.statements[statement] if isinstance(statement, int) else statement


def _one_access(pair: Pair) -> bool:
    """Whether both have the same indices."""
    left, right = pair.a.indices, pair.b.indices
    return [form.key() for form in left] == [form.key() for form in right]


def _any_two(pair: Pair, outer: frozenset[int] = frozenset()) -> Iterable[Question]:
    """Any two instances in one iteration of outer loops; of one statement, two different ones."""
    if pair.first is not pair.second:
        yield Question(pair, outer)
        return
    shared = outer
    for key in pair.first.keys:
        if key in outer:
            continue
        yield Question(pair, shared, before=(key,))
        yield Question(pair, shared, after=(key,))
        shared |= {key}


_KNOWN: IdentityMemo[TensorFunction, Dependences] = IdentityMemo(128)
