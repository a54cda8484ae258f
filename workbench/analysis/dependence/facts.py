"""Facts about named integers, and quick proofs that they cannot hold or follow from each other.

Equations are solved for a variable that has the factor 1, alternatives that contradict the rest go,
bounds are narrowed. What that does not decide is left to isl. Reference: the exact elimination of
the Omega test (Pugh, "The Omega Test", Supercomputing 1991).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd, inf
from typing import NamedTuple, TypeAlias

from workbench.analysis.dependence import sets
from workbench.analysis.dependence.sets import TooLargeError

MAX_LEAVES = 200
"""Combinations of alternatives that are looked at for one proof."""
MAX_PAIRS = 16
_ROUNDS = 3

Form: TypeAlias = tuple[Mapping[str, int], int]
"""Coefficients by name, and a constant."""


class Fact(NamedTuple):
    """`sum(coefficient * name) + constant == 0` where `equal`, else `>= 0`."""

    terms: Mapping[str, int]
    constant: int
    equal: bool

    @property
    def text(self) -> str:
        """As isl reads it."""
        found = [f"{c}*{name}" for name, c in self.terms.items()]
        return f"{' + '.join([*found, str(self.constant)])} {'=' if self.equal else '>='} 0"


class Choice(NamedTuple):
    """One of several conjunctions holds; none of none."""

    options: tuple[tuple[Part, ...], ...]

    @property
    def text(self) -> str:
        """As isl reads it."""
        options = [" and ".join(part.text for part in option) or "0 = 0" for option in self.options]
        return "(" + (" or ".join(f"({option})" for option in options) or "1 = 0") + ")"


Part: TypeAlias = "Fact | Choice"


def difference(a: Form, b: Form, gap: int = 0, *, equal: bool) -> Fact:
    """`a - b - gap == 0`, or `>= 0`."""
    terms = dict(a[0])
    for name, c in b[0].items():
        terms[name] = terms.get(name, 0) - c
    return Fact({n: c for n, c in terms.items() if c}, a[1] - b[1] - gap, equal)


def named(name: str) -> Form:
    """The value of a name."""
    return {name: 1}, 0


def equals(a: str, b: str) -> Fact:
    """`a == b`."""
    return difference(named(a), named(b), equal=True)


def less(a: str, b: str) -> Fact:
    """`a < b`."""
    return difference(named(b), named(a), 1, equal=False)


def impossible(parts: Sequence[Part]) -> bool:
    """Whether it is proved that no integers fulfil all parts."""
    try:
        return all(_empty(leaf) for leaf in leaves(parts, ()))
    except TooLargeError:
        return False


def contained(parts: Sequence[Part], others: Iterable[Sequence[Part]], kept: set[str]) -> bool:
    """Whether it is proved that what fulfils the parts fulfils one of the others as well.

    `kept` are the names that they share; all others exist only. Where nothing can be said of the
    others, the parts are not looked at: that they hold nowhere is seldom.
    """
    try:
        found = [projected(leaf.facts, kept) for other in others for leaf in leaves(other, kept)]
        right = [facts for facts in found if facts is not None]
        return bool(right) and all(
            any(leaf.implies(facts) for facts in right) or _empty(leaf)
            for leaf in leaves(parts, ())
        )
    except TooLargeError:
        return False


class _ContradictionError(Exception):
    """No integers fulfil the facts."""


@dataclass(slots=True)
class Leaf:
    """A conjunction of facts with the equations solved: `solved` gives names by others, in order.

    `bounds` are those of single names, `least` the greatest known lower bounds of forms.
    """

    facts: list[Fact] = field(default_factory=list[Fact])
    solved: list[tuple[str, Form]] = field(default_factory=list[tuple[str, Form]])
    bounds: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])
    least: dict[object, int] = field(default_factory=dict[object, int])

    def implies(self, facts: Iterable[Fact]) -> bool:
        """Whether facts follow from these, by bounds alone."""
        return all(self._implies(fact) for fact in facts)

    def _implies(self, fact: Fact) -> bool:
        for name, form in self.solved:
            fact = substituted(fact, name, form)
        if fact.equal:
            opposite = Fact({n: -c for n, c in fact.terms.items()}, -fact.constant, equal=False)
            return self._at_least(fact) and self._at_least(opposite)
        return self._at_least(fact)

    def _at_least(self, fact: Fact) -> bool:
        least = self.least.get(_key(fact.terms))
        if least is not None and least + fact.constant >= 0:
            return True
        return fact.constant + sum(self._low(n, c) for n, c in fact.terms.items()) >= 0

    def _low(self, name: str, c: int) -> float:
        low, high = self.bounds.get(name, (-inf, inf))
        return c * low if c > 0 else c * high

    def possible(self, choice: Choice) -> Choice:
        """A choice without the options that the facts exclude.

        Raises:
            _ContradictionError: where none is left.
        """
        options = [option for option in choice.options if not any(map(self._excludes, option))]
        if not options:
            raise _ContradictionError
        return choice if len(options) == len(choice.options) else Choice(tuple(options))

    def _excludes(self, part: Part) -> bool:
        if isinstance(part, Choice):
            return False
        return any(self._below_zero(terms, constant) for terms, constant in _rows(part))

    def _below_zero(self, terms: Mapping[str, int], constant: int) -> bool:
        least = self.least.get(_key({n: -c for n, c in terms.items()}))
        if least is not None and constant - least < 0:
            return True
        return constant - sum(self._low(n, -c) for n, c in terms.items()) < 0

    # --- bounds ---------------------------------------------------------------------------

    def close(self) -> None:
        """Find bounds.

        Raises:
            _ContradictionError: where they exclude each other.
        """
        rows = [row for fact in self.facts for row in _rows(fact)]
        for terms, constant in rows:
            key = _key(terms)
            self.least[key] = max(self.least.get(key, -constant), -constant)
        for terms, _ in rows:
            opposite = self.least.get(_key({n: -c for n, c in terms.items()}))
            if opposite is not None and self.least[_key(terms)] + opposite > 0:
                raise _ContradictionError
        for _ in range(_ROUNDS):
            new = [self._narrow(terms, constant) for terms, constant in rows]
            if not any(new):
                return

    def _narrow(self, terms: Mapping[str, int], constant: int) -> bool:
        """Bounds that `terms + constant >= 0` gives; whether they are new."""
        highs = {name: -self._low(name, -c) for name, c in terms.items()}
        total = constant + sum(highs.values())
        if total < 0:
            raise _ContradictionError
        if total == inf and sum(high == inf for high in highs.values()) > 1:
            return False
        found = False
        for name, c in terms.items():
            rest = constant + sum(high for other, high in highs.items() if other != name)
            if rest == inf:
                continue
            known = self.bounds.setdefault(name, [-inf, inf])
            side, value = (0, -(rest // c)) if c > 0 else (1, rest // -c)
            if (value > known[0]) if side == 0 else (value < known[1]):
                known[side] = value
                found = True
            if known[0] > known[1]:
                raise _ContradictionError
        return found


def leaves(parts: Sequence[Part], kept: Collection[str]) -> Iterator[Leaf]:
    """The alternatives that are not contradictory at first sight, equations solved.

    Raises:
        TooLargeError: where there are too many.
    """
    pending: list[tuple[list[Part], list[tuple[str, Form]]]] = [(list(parts), [])]
    count = 0
    while pending:
        found, solved = pending.pop()
        try:
            facts, choices = _solved(found, solved, kept)
            leaf = Leaf(facts, solved)
            leaf.close()
            choices = [leaf.possible(choice) for choice in choices]
        except _ContradictionError:
            continue
        count += 1
        if count > MAX_LEAVES:
            raise TooLargeError
        if not choices:
            yield leaf
            continue
        first, *rest = sorted(choices, key=lambda choice: len(choice.options))
        pending += [([*facts, *rest, *option], list(solved)) for option in first.options[::-1]]


def projected(facts: Sequence[Fact], kept: Collection[str]) -> list[Fact] | None:
    """What facts say about the kept names, where the others have the factor 1; None elsewhere.

    Fourier-Motzkin elimination, which is exact for integers then.
    """
    left = list(facts)
    for name in {n: None for fact in facts for n in fact.terms if n not in kept}:
        own = [fact for fact in left if name in fact.terms]
        low = [fact for fact in own if fact.terms[name] == 1]
        high = [fact for fact in own if fact.terms[name] == -1]
        if any(fact.equal for fact in own) or len(low) + len(high) < len(own):
            return None
        if len(low) * len(high) > MAX_PAIRS:
            return None
        left = [fact for fact in left if name not in fact.terms]
        left += [
            difference(
                (a.terms, a.constant),
                ({n: -c for n, c in b.terms.items()}, -b.constant),
                equal=False,
            )
            for a in low
            for b in high
        ]
    return left


def substituted(fact: Fact, name: str, form: Form) -> Fact:
    """A fact with a name given by others."""
    c = fact.terms.get(name)
    if c is None:
        return fact
    terms = {n: v for n, v in fact.terms.items() if n != name}
    for other, factor in form[0].items():
        total = terms.get(other, 0) + c * factor
        if total:
            terms[other] = total
        else:
            terms.pop(other, None)
    return Fact(terms, fact.constant + c * form[1], fact.equal)


def _solved(
    parts: Sequence[Part], solved: list[tuple[str, Form]], kept: Collection[str]
) -> tuple[list[Fact], list[Choice]]:
    """Facts without equations that could be solved, and the choices that are left."""
    facts: list[Fact] = []
    choices: list[Choice] = []
    pending = list(parts)
    while True:
        while pending:
            part = pending.pop()
            if isinstance(part, Choice):
                choices.append(part)
            else:
                fact = _normal(part)
                if fact is not None:
                    facts.append(fact)
        equation = next((f for f in facts if f.equal and _unit(f, kept) is not None), None)
        if equation is None:
            choices, decided = _decided(choices)
            if not decided:
                return facts, choices
            pending = decided
            continue
        name = _unit(equation, kept)
        assert name is not None
        form = _solution(equation, name)
        solved.append((name, form))
        pending = [substituted(f, name, form) for f in facts if name in f.terms and f != equation]
        facts = [f for f in facts if name not in f.terms]
        choices = [_choice(choice, name, form) for choice in choices]


def _unit(fact: Fact, kept: Collection[str]) -> str | None:
    return next((n for n, c in fact.terms.items() if c in {1, -1} and n not in kept), None)


def _solution(fact: Fact, name: str) -> Form:
    sign = -fact.terms[name]
    return {n: c * sign for n, c in fact.terms.items() if n != name}, fact.constant * sign


def _choice(choice: Choice, name: str, form: Form) -> Choice:
    def changed(part: Part) -> Part:
        if isinstance(part, Choice):
            return _choice(part, name, form)
        return substituted(part, name, form)

    return Choice(tuple(tuple(map(changed, option)) for option in choice.options))


def _decided(choices: Sequence[Choice]) -> tuple[list[Choice], list[Part]]:
    """Choices without options that are false by themselves; those with one give their parts."""
    left: list[Choice] = []
    parts: list[Part] = []
    for choice in choices:
        options = [option for option in choice.options if not any(map(_false, option))]
        if not options:
            raise _ContradictionError
        if len(options) == 1:
            parts += options[0]
        elif all(options):
            left.append(Choice(tuple(options)))
    return left, parts


def _false(part: Part) -> bool:
    if isinstance(part, Choice) or part.terms:
        return False
    return part.constant != 0 if part.equal else part.constant < 0


def _normal(fact: Fact) -> Fact | None:
    """A fact divided by what its factors have in common, None where it always holds."""
    if not fact.terms:
        if _false(fact):
            raise _ContradictionError
        return None
    divisor = gcd(*fact.terms.values())
    if divisor == 1:
        return fact
    if fact.equal and fact.constant % divisor:
        raise _ContradictionError
    terms = {n: c // divisor for n, c in fact.terms.items()}
    return Fact(terms, fact.constant // divisor, fact.equal)


def _rows(fact: Fact) -> Iterator[Form]:
    yield fact.terms, fact.constant
    if fact.equal:
        yield {n: -c for n, c in fact.terms.items()}, -fact.constant


def _key(terms: Mapping[str, int]) -> object:
    return frozenset(terms.items())


def _empty(leaf: Leaf) -> bool:
    """Whether a conjunction has no point."""
    columns: dict[str, int] = {}
    rows: list[sets.SparseRow] = []
    for fact in leaf.facts:
        row = {columns.setdefault(n, len(columns)): c for n, c in fact.terms.items()}
        rows.append((row, fact.constant, fact.equal))
    return sets.point(rows, len(columns), smallest=False) is None
