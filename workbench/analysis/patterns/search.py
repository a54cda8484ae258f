"""Search: all ways in which a pattern may fit at a value are tried, in one order, up to a bound.

What is still to be matched is a list of goals. A goal that can be met in several ways (one of
several alternatives, arguments in any order, another output that may be anywhere) makes the search
come back to it when what follows does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.analysis.homes import Home, border_between
from workbench.analysis.patterns.fitting import Place
from workbench.analysis.patterns.language import (
    AnyOf,
    Anything,
    CallTo,
    ConstantValue,
    Item,
    Pattern,
    Several,
)
from workbench.analysis.patterns.matches import AMBIGUOUS, NEAR_MISS, Judge, Match, NearMiss
from workbench.ir import Arg, Binding, CallOp, CallPacked, CallTIR, TupleItem, Var
from workbench.support import NodeId
from workbench.support.slot_init import sets_slots

MOST_STEPS = 10_000
"""Values compared with parts of a pattern at one place, before the search gives up there."""


_CALLS = (CallOp, CallTIR, CallPacked)


_At: TypeAlias = tuple[Pattern, Arg]
"""The leaf is what the pattern says. A plain tuple: they are made for every argument."""


@sets_slots
@dataclass(frozen=True, slots=True)
class _Unordered:
    """Each pattern is one of the arguments, each argument one of the patterns."""

    patterns: tuple[Pattern, ...]
    args: tuple[Arg, ...]


@sets_slots
@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Some value that reads one that is matched already is what the pattern says."""

    pattern: Pattern


_Goal: TypeAlias = "_At | _Unordered | _Elsewhere"
_Goals: TypeAlias = "tuple[_Goal, _Goals] | None"


@dataclass(slots=True)
class _State:
    """What is bound so far: leaves by pattern (identity), members by value, leaves by name."""

    leaves: dict[int, Arg] = field(default_factory=dict[int, Arg])
    members: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    names: dict[str, Arg] = field(default_factory=dict[str, Arg])

    def copy(self) -> _State:
        return _State(self.leaves.copy(), self.members.copy(), self.names.copy())


def search(place: Place, pattern: Pattern, root: Binding, judge: Judge | None) -> Match | NearMiss:
    """The first match with `root` outermost that nobody objects to, or what came nearest to one."""
    return _Search(place, root, judge).run(pattern)


class _Search:
    def __init__(self, place: Place, root: Binding, judge: Judge | None) -> None:
        self.place = place
        self.root = root
        self.judge = judge
        self.steps = 0
        self.nearest: NearMiss | None = None

    def run(self, pattern: Pattern) -> Match | NearMiss:
        first, *others = pattern.outputs if isinstance(pattern, Several) else (pattern,)
        goals: _Goals = None
        for other in reversed(others):
            goals = (_Elsewhere(other), goals)
        found = self._solve(((first, self.root.var), goals), _State())
        if found is not None:
            return found
        if self.steps > MOST_STEPS:
            text = f"it may fit in more ways than were tried: more than `{MOST_STEPS}` steps"
            return self._near(text, self.root.var.id, 0, AMBIGUOUS)
        assert self.nearest is not None
        return self.nearest

    def _solve(self, goals: _Goals, state: _State) -> Match | None:
        named = self.place.named
        while goals is not None:
            self.steps += 1
            if self.steps > MOST_STEPS:
                return None
            goal, rest = goals
            if isinstance(goal, tuple):  # most are; a `match` takes several times as long
                pattern, leaf = goal
                if isinstance(leaf, Var) and leaf.id in named:
                    leaf = self.place.resolved(leaf)
                ways = self._value(pattern, leaf, rest, state)
            elif isinstance(goal, _Unordered):
                ways = self._orders(goal, rest)
            else:
                ways = self._candidates(goal.pattern, rest, state)
            if not ways:
                return None
            for way in ways[:-1]:
                found = self._solve(way, state.copy())
                if found is not None:
                    return found
            goals = ways[-1]  # what is bound so far is asked for nowhere else
        return self._judged(state)

    def _orders(self, goal: _Unordered, rest: _Goals) -> Sequence[_Goals]:
        """The first pattern with each of the arguments that it may be for, equal ones once."""
        wanted, others = goal.patterns[0], goal.patterns[1:]
        leaves = [self.place.resolved(arg) for arg in goal.args]
        likely = [n for n, leaf in enumerate(leaves) if self._may_begin(wanted, leaf)]
        ways: list[_Goals] = []
        tried: list[Arg] = []
        for position in likely or range(len(leaves)):
            leaf = leaves[position]
            if leaf in tried:
                continue
            tried.append(leaf)
            left = (*goal.args[:position], *goal.args[position + 1 :])
            if len(others) == 1:
                then = ((others[0], left[0]), rest)
            else:
                then = (_Unordered(others, left), rest) if others else rest
            ways.append(((wanted, leaf), then))
        return ways

    def _candidates(self, pattern: Pattern, rest: _Goals, state: _State) -> Sequence[_Goals]:
        touched = [leaf.id for leaf in state.leaves.values() if isinstance(leaf, Var)]
        readers = {reader for value in touched for reader in self.place.users.get(value, ())}
        order = self.place.order
        found = sorted((r for r in readers if r not in state.members), key=lambda r: order[r])
        if not found:
            reason = "no other value fits the rest of the pattern"
            self._missed(reason, self.root.var.id, 1)
        return [((pattern, self.place.bindings[value].var), rest) for value in found]

    # --- one value ---------------------------------------------------------------------------

    def _value(self, pattern: Pattern, leaf: Arg, rest: _Goals, state: _State) -> Sequence[_Goals]:
        key = id(pattern)
        known = state.leaves.get(key)
        if known is not None:
            if known == leaf:
                return (rest,)
            return self._missed_at("expected the same value at both places", leaf, state)
        if pattern.restricted:
            reason = self.place.restrictions(pattern, leaf)
            if reason is not None:
                return self._unfit(pattern, leaf, reason, state)
        state.leaves[key] = leaf
        if pattern.name:
            state.names[pattern.name] = leaf
        if isinstance(pattern, Anything):  # in the order of how often they come
            return (rest,)
        if isinstance(pattern, CallTo):
            return self._call(pattern, leaf, rest, state)
        return self._other(pattern, leaf, rest, state)

    def _other(self, pattern: Pattern, leaf: Arg, rest: _Goals, state: _State) -> Sequence[_Goals]:
        match pattern:
            case AnyOf(choices=choices):
                likely = [choice for choice in choices if self._may_begin(choice, leaf)]
                return [((choice, leaf), rest) for choice in likely or choices]
            case ConstantValue():
                if self.place.constant(leaf) is not None:
                    return (rest,)
                return self._missed_at(f"expected a constant, found {_computed(leaf)}", leaf, state)
            case Item():
                node = leaf.id if isinstance(leaf, Var) else NodeId(-1)
                return self._item(pattern, node, rest, state)
            case _:
                return self._missed_at("this pattern stands for several values", leaf, state)

    def _unfit(self, pattern: Pattern, leaf: Arg, reason: str, state: _State) -> Sequence[_Goals]:
        """No way, because of type or uses; that it is another call altogether is said first."""
        fault = self._other_call(pattern, leaf)
        fits = fault is None and isinstance(pattern, CallTo | AnyOf)
        return self._missed_at(fault or reason, leaf, state, calls=fits)

    def _other_call(self, pattern: Pattern, leaf: Arg) -> str | None:
        """Why no call that a pattern is for computes a value; of alternatives the first says it."""
        match pattern:
            case CallTo():
                return self.place.not_target(pattern, leaf)
            case AnyOf(choices=choices):
                faults = [self._other_call(choice, leaf) for choice in choices]
                return None if None in faults else faults[0]
            case _:
                return None

    def _may_begin(self, pattern: Pattern, leaf: Arg) -> bool:
        """Whether an alternative is worth a try; surely not where another operator is called."""
        if not isinstance(pattern, CallTo) or pattern.kind != "op":
            return True
        binding = self.place.bindings.get(leaf.id) if isinstance(leaf, Var) else None
        value = None if binding is None else binding.value
        return isinstance(value, CallOp) and value.op in pattern.target

    def _item(self, pattern: Item, node: NodeId, rest: _Goals, state: _State) -> Sequence[_Goals]:
        binding = self.place.bindings.get(node)
        if binding is None or not isinstance(binding.value, TupleItem):
            return self._missed("expected a field of a tuple", node, len(state.members))
        found = binding.value.index
        if found != pattern.index:
            text = f"expected field `{pattern.index}`, found `{found}`"
            return self._missed(text, node, len(state.members))
        state.members[node] = binding
        return [((pattern.value, binding.value.value), rest)]

    def _call(self, pattern: CallTo, leaf: Arg, rest: _Goals, state: _State) -> Sequence[_Goals]:
        if (reason := self.place.not_target(pattern, leaf)) is not None:
            return self._missed_at(reason, leaf, state)
        assert isinstance(leaf, Var)
        binding = self.place.bindings[leaf.id]
        value, args = binding.value, pattern.args
        if (reason := self.place.other_attribute(pattern, binding)) is not None:
            return self._missed_at(reason, leaf, state, calls=True)
        state.members[binding.var.id] = binding
        if args is None:
            return (rest,)
        given = value.args if isinstance(value, _CALLS) else ()
        if len(given) != len(args):
            text = f"expected `{len(args)}` arguments, found `{len(given)}`"
            return self._missed_at(text, leaf, state)
        if pattern.any_order:
            return ((_Unordered(args, given), rest),)
        for goal in reversed(tuple(zip(args, given, strict=True))):
            rest = (goal, rest)
        return (rest,)

    # --- the end -----------------------------------------------------------------------------

    def _judged(self, state: _State) -> Match | None:
        """The match, unless it spans blocks or somebody objects."""
        place, root, inside = self.place, self.root, state.members
        home = place.homes[root.var.id]
        for value, binding in inside.items():
            own = place.homes[value]
            if own.number != home.number or not home.dataflow:
                self._missed(self._elsewhere(binding, own, home), value, len(inside))
                return None
        ordered = sorted(inside, key=place.order.__getitem__) if len(inside) > 1 else inside
        members = [inside[value] for value in ordered]
        outputs = [m.var for m in members if self._read_outside(m.var.id, inside)]
        found = Match(place.name, root, state.names, tuple(members), tuple(outputs))
        objection = None if self.judge is None else self.judge(found)
        if objection is None:
            return found
        self._missed(objection.reason, root.var.id, len(inside), objection.code)
        return None

    def _elsewhere(self, binding: Binding, own: Home, home: Home) -> str:
        """Why a value is in no dataflow block with the outermost one."""
        name, root = binding.var.name, self.root.var.name
        if border := border_between(own, home):
            return f"`{root}` is in {border} and `{name}` is not"
        if border := border_between(home, own):
            return f"`{name}` is in {border} and `{root}` is not"
        return f"`{name}` is not in one dataflow block with the others"

    def _read_outside(self, value: NodeId, inside: dict[NodeId, Binding]) -> bool:
        for reader in self.place.users.get(value, ()):
            if reader not in inside:
                return True
        return value in self.place.results

    def _missed_at(
        self, reason: str, leaf: Arg, state: _State, calls: bool = False
    ) -> Sequence[_Goals]:
        """No way at a value; `calls` where the right call computes it all the same."""
        node = leaf.id if isinstance(leaf, Var) else NodeId(-1)
        return self._missed(reason, node, len(state.members) + calls)

    def _missed(
        self, reason: str, node: NodeId, depth: int, code: str = NEAR_MISS
    ) -> Sequence[_Goals]:
        """No way; the first of those at which most calls fitted is what will be said."""
        nearest = self.nearest
        judged = code != NEAR_MISS
        if nearest is None or (depth, judged) > (nearest.depth, nearest.code != NEAR_MISS):
            self.nearest = self._near(reason, node, depth, code)
        return ()

    def _near(self, reason: str, node: NodeId, depth: int, code: str) -> NearMiss:
        return NearMiss(self.place.name, self.root, node, reason, depth, code)


def _computed(leaf: Arg) -> str:
    return f"`{leaf.name}`" if isinstance(leaf, Var) else "another kind of value"
