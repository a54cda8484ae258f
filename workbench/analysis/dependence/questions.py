"""One question about a pair of accesses: do two instances touch one element under conditions?"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from workbench.analysis.dependence.coordinates import coordinates
from workbench.analysis.dependence.evaluate import Instance
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.pairs import Pair, pairs_within
from workbench.analysis.dependence.proofs import Proof, Span
from workbench.analysis.dependence.ranges import Narrowed, narrowed
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.statements import Model, Statement
from workbench.analysis.dependence.system import System
from workbench.analysis.dependence.terms import Terms
from workbench.analysis.dependence.witness import Instances, confirmed, instances, starts
from workbench.support.ids import NodeId

TOO_LARGE = "the sets are too large to decide"
TOO_MANY = "there are too many pairs of accesses to decide"
MAX_QUESTIONS = 40_000
MAX_KEPT = 4_096
MAX_SETS = 1_000
"""Quick proofs and integer sets that one answer may take."""
_SAMPLES = ((2,), (3,), (2, 5), (5, 2))
"""Values of symbols that are tried where nothing holds for all: in turn, from the first symbol."""


@dataclass(frozen=True, slots=True)
class Question:
    """Are there instances that touch one element, with the same iterations of `shared` loops?

    `before` are loops in which the first instance has a smaller value, `after` in which it has a
    greater one. `equal` are forms that agree, `greater` forms where the first is greater.
    """

    pair: Pair
    shared: frozenset[int]
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    equal: tuple[tuple[Linear, Linear], ...] = ()
    greater: tuple[tuple[Linear, Linear], ...] = ()


class Found(enum.Enum):
    """Whether there are such instances."""

    NONE = enum.auto()
    SOME = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a question, with a pair of instances or the reasons why it stays open.

    `last` where the budget of the answer is used up.
    """

    found: Found
    question: Question | None = None
    witness: Instances | None = None
    reasons: tuple[str, ...] = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """What holds for all questions about a pair: computed once, and short for most pairs.

    `forms` agree where the accesses meet, `zero` are terms that agree then, `spans` bounds of
    differences; `private` loops agree because each of their iterations has its own buffer. `used`
    are the loops and other terms that the forms depend on.
    """

    forms: tuple[tuple[Linear, Linear], ...]
    private: frozenset[int]
    first: Narrowed
    second: Narrowed
    zero: frozenset[int]
    spans: dict[int, Span]
    used: frozenset[int] = frozenset()

    def decides(self, question: Question) -> bool:
        """Whether bounds may say more to a question than they have said already.

        Not where the loops that differ are in no form and may differ, and no other one is shared
        than those that are known to agree.
        """
        if question.equal or question.greater or not question.shared & self.used <= self.zero:
            return True
        differing = (*question.before, *question.after)
        return not self.used.isdisjoint(differing) or any(
            key not in self.spans or not self.spans[key][0] <= -1 < 1 <= self.spans[key][1]
            for key in differing
        )

    def proof(self, terms: Terms, shared: frozenset[int]) -> Proof:
        """An attempt at a proof that starts from here."""
        return Proof(terms, self.first, self.second, set(self.zero | shared), dict(self.spans))


NOTHING = Finding(Found.NONE)
ANYTHING = Base((), frozenset(), {}, {}, frozenset(), {})
"""What is known of a pair that the budget does not reach."""


@dataclass(slots=True)
class Solver:
    """Decides questions about one function."""

    model: Model
    questions: int = MAX_QUESTIONS
    sets: int = MAX_SETS
    ranges: dict[int, Narrowed] = field(default_factory=dict[int, Narrowed])
    bases: dict[object, Base | None] = field(default_factory=dict[object, "Base | None"])
    firsts: dict[int, Instance] = field(default_factory=dict[int, Instance])
    pairs: dict[object, tuple[Pair, ...]] = field(default_factory=dict[object, "tuple[Pair, ...]"])

    def begin(self) -> None:
        """A new answer: the budget is full again."""
        self.questions, self.sets = MAX_QUESTIONS, MAX_SETS

    def within(self, span: range) -> Iterator[tuple[Pair, Base]]:
        """The pairs of accesses in a range of statements that may meet, with what is known."""
        for pair in self._pairs(span):
            self.questions -= 1
            base = self.base(pair) if self.questions >= 0 else ANYTHING
            if base is not None:
                yield pair, base

    def _pairs(self, span: range) -> Iterable[Pair]:
        """All pairs in a range of statements; kept where they are not very many."""
        key = span.start, span.stop
        if key in self.pairs:
            return self.pairs[key]
        found = pairs_within(self.model.statements[span.start : span.stop])
        first = tuple(islice(found, MAX_KEPT))
        if len(first) == MAX_KEPT:
            return chain(first, found)
        self.pairs[key] = first
        return first

    def decide(self, question: Question) -> Finding:
        """Whether there are such instances."""
        self.questions -= 1
        if self.questions < 0 or self.sets < 0:
            return Finding(Found.UNKNOWN, question, reasons=(TOO_MANY,), last=True)
        base = self.base(question.pair)
        if base is None:
            return NOTHING
        differing = (*question.before, *question.after)
        if not base.zero.isdisjoint(differing):
            return NOTHING
        shared = question.shared | base.private
        proof = base.proof(self.model.terms, shared)
        if base.decides(question) and proof.excludes(
            (*base.forms, *question.equal), question.greater, question.before, question.after
        ):
            return NOTHING
        equations = [*base.forms, *question.equal]
        guess = self._guess(question)
        if guess is not None:
            return Finding(Found.SOME, question, guess)
        self.sets -= 1
        try:
            return self._solve(question, shared, equations)
        except TooLargeError:
            return Finding(Found.UNKNOWN, question, reasons=(TOO_LARGE,))

    def base(self, pair: Pair) -> Base | None:
        """What holds whenever the accesses of a pair meet, None where they never do."""
        key = pair.first.index, id(pair.a), pair.second.index, id(pair.b)
        if key not in self.bases:
            self.bases[key] = self._new_base(pair)
        return self.bases[key]

    def _new_base(self, pair: Pair) -> Base | None:
        terms = self.model.terms
        forms = tuple(coordinates(terms, pair.a, pair.b))
        private = frozenset(pair.a.private)
        first, second = self._narrowed(pair.first), self._narrowed(pair.second)
        proof = Proof(terms, first, second, set(private))
        if proof.excludes(forms, (), (), ()):
            return None
        for key in pair.common():
            if proof.span(key) == (0, 0):
                proof.zero.add(key)
        keys = {key for form in forms for side in form for key in side.terms}
        used = frozenset[int]().union(keys, *(terms[key].deps for key in keys))
        zero, spans = frozenset(proof.zero), dict(proof.spans)
        return Base(forms, private, first, second, zero, spans, used)

    def _narrowed(self, statement: Statement) -> Narrowed:
        found = self.ranges.get(statement.index)
        if found is None:
            found = self.ranges[statement.index] = narrowed(self.model.terms, statement)
        return found

    def _guess(self, question: Question) -> Instances | None:
        """The very first iterations, if these are an example: most dependences have one there."""
        if question.equal or question.greater:
            return None
        pair = question.pair
        first, second = self._starts(pair.first), self._starts(pair.second)
        for key in (NodeId(key) for key in question.before):
            if key not in first.values or key not in second.values:
                return None
            second = second.moved(key, first.values[key] + 1)
        for key in (NodeId(key) for key in question.after):
            if key not in first.values or key not in second.values:
                return None
            first = first.moved(key, second.values[key] + 1)
        found = Instances(first, second)
        return found if self._confirmed(question, found) else None

    def _starts(self, statement: Statement) -> Instance:
        found = self.firsts.get(statement.index)
        if found is None:
            found = self.firsts[statement.index] = starts(self.model, statement)
        return found

    def _solve(
        self,
        question: Question,
        shared: frozenset[int],
        equations: list[tuple[Linear, Linear]],
    ) -> Finding:
        point = self._system(question, shared, equations, {}).point()
        if point is None:
            return NOTHING
        witness = instances(self.model, question.pair.first, question.pair.second, point)
        reasons = self._reasons(question, equations)
        real = self._confirmed(question, witness)
        if real or (real is None and not reasons):
            return Finding(Found.SOME, question, witness)
        # What depends on memory alone is no clearer for some values of the symbols.
        terms = self.model.terms.table.values()
        some = real is False or any(term.factors or term.division is not None for term in terms)
        sample = self._sampled(question, shared, equations) if some else None
        if sample is not None:
            return Finding(Found.SOME, question, sample)
        return Finding(Found.UNKNOWN, question, witness, reasons)

    def _confirmed(self, question: Question, witness: Instances) -> bool | None:
        pair = question.pair
        return confirmed(witness, pair.first, pair.a, pair.second, pair.b)

    def _sampled(
        self,
        question: Question,
        shared: frozenset[int],
        equations: list[tuple[Linear, Linear]],
    ) -> Instances | None:
        """Real instances for some values of the symbols, which make products linear."""
        symbols = self.model.symbols
        for cycle in _SAMPLES if symbols else ():
            fixed = {symbol: cycle[n % len(cycle)] for n, symbol in enumerate(symbols)}
            point = self._system(question, shared, equations, fixed).point()
            if point is not None:
                found = instances(self.model, question.pair.first, question.pair.second, point)
                if self._confirmed(question, found):
                    return found
        return None

    def _system(
        self,
        question: Question,
        shared: frozenset[int],
        equations: list[tuple[Linear, Linear]],
        fixed: dict[int, int],
    ) -> System:
        pair = question.pair
        system = System(self.model.terms, shared, fixed=fixed)
        for symbol in self.model.symbols:
            system.column(0, symbol)
            term = self.model.terms[symbol]
            if term.low is not None:
                system.rows.append(({system.column(0, symbol): 1}, -term.low, False))
        for side, statement in ((1, pair.first), (2, pair.second)):
            for key in statement.keys:
                system.column(side, key)
        for a, b in equations:
            system.relate(a, b)
        for key in question.before:
            system.relate(Linear.of(key), Linear.of(key), gap=1, equal=False)
        for key in question.after:
            system.relate(Linear.of(key, -1), Linear.of(key, -1), gap=1, equal=False)
        for a, b in question.greater:
            system.relate(a.scale(-1), b.scale(-1), gap=1, equal=False)
        for side, statement, access in ((1, pair.first, pair.a), (2, pair.second, pair.b)):
            system.add(side, statement.domain)
            system.add(side, access.constraints)
        return system

    def _reasons(
        self, question: Question, equations: list[tuple[Linear, Linear]]
    ) -> tuple[str, ...]:
        pair = question.pair
        found = [*pair.first.inexact, *pair.a.inexact, *pair.second.inexact, *pair.b.inexact]
        for access, side in ((pair.a, 0), (pair.b, 1)):
            for forms in equations:
                found += [
                    f"the access {access.text}: {why}"
                    for why in unknown_in(self.model.terms, forms[side])
                ]
        return tuple(dict.fromkeys(found))


def unknown_in(terms: Terms, form: Linear) -> Iterator[str]:
    """Why the terms of a form are not determined."""
    for key in form.terms:
        term = terms[key]
        if term.why:
            yield term.why
