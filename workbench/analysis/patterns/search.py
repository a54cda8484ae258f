"""Search: all ways in which a pattern may fit at a value are tried, in one order, up to a bound.

What is still to be matched is a list of goals. A goal that can be met in several ways (one of
several alternatives, arguments in any order, another output that may be anywhere) makes the search
come back to it when what follows does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from workbench.analysis.patterns.fitting import Place, wanted_call
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

MOST_STEPS = 10_000
"""Values compared with parts of a pattern at one place, before the search gives up there."""


_CALLS = (CallOp, CallTIR, CallPacked)


class _At(NamedTuple):
    """The leaf is what the pattern says."""

    pattern: Pattern
    leaf: Arg


class _Unordered(NamedTuple):
    """Each pattern is one of the arguments, each argument one of the patterns."""

    patterns: tuple[Pattern, ...]
    args: tuple[Arg, ...]


class _Elsewhere(NamedTuple):
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
        found = self._solve((_At(first, self.root.var), goals), _State())
        if found is not None:
            return found
        if self.steps > MOST_STEPS:
            text = f"it may fit in more ways than were tried: more than `{MOST_STEPS}` steps"
            return self._near(text, self.root.var.id, 0, AMBIGUOUS)
        assert self.nearest is not None
        return self.nearest

    def _solve(self, goals: _Goals, state: _State) -> Match | None:
        while goals is not None:
            self.steps += 1
            if self.steps > MOST_STEPS:
                return None
            goal, rest = goals
            ways = self._ways(goal, rest, state)
            if len(ways) != 1:
                for way in ways:
                    found = self._solve(way, state.copy())
                    if found is not None:
                        return found
                return None
            goals = ways[0]
        return self._judged(state)

    def _ways(self, goal: _Goal, rest: _Goals, state: _State) -> Sequence[_Goals]:
        """The ways to meet a goal, as what is to be matched then; none if it cannot be met."""
        if isinstance(goal, _At):  # most are; a `match` takes several times as long
            return self._value(goal.pattern, self.place.resolved(goal.leaf), rest, state)
        if isinstance(goal, _Unordered):
            return self._orders(goal, rest)
        return self._candidates(goal.pattern, rest, state)

    def _orders(self, goal: _Unordered, rest: _Goals) -> Sequence[_Goals]:
        """The first pattern with each of the arguments, equal ones once."""
        wanted, *others = goal.patterns
        ways: dict[Arg, _Goals] = {}
        for position, arg in enumerate(goal.args):
            left = (*goal.args[:position], *goal.args[position + 1 :])
            then = (_Unordered(tuple(others), left), rest) if others else rest
            ways.setdefault(self.place.resolved(arg), (_At(wanted, arg), then))
        return list(ways.values())

    def _candidates(self, pattern: Pattern, rest: _Goals, state: _State) -> Sequence[_Goals]:
        touched = [leaf.id for leaf in state.leaves.values() if isinstance(leaf, Var)]
        readers = {reader for value in touched for reader in self.place.users.get(value, ())}
        order = self.place.order
        found = sorted((r for r in readers if r not in state.members), key=lambda r: order[r])
        if not found:
            reason = "no other value fits the rest of the pattern"
            self._missed(reason, self.root.var.id, 1)
        return [(_At(pattern, self.place.bindings[value].var), rest) for value in found]

    # --- one value ---------------------------------------------------------------------------

    def _value(self, pattern: Pattern, leaf: Arg, rest: _Goals, state: _State) -> Sequence[_Goals]:
        known = state.leaves.get(id(pattern))
        node = leaf.id if isinstance(leaf, Var) else NodeId(-1)
        depth = len(state.members)
        if known is not None:
            same = known == leaf
            text = "expected the same value at both places"
            return [rest] if same else self._missed(text, node, depth)
        if (reason := self.place.restrictions(pattern, leaf)) is not None:
            return self._missed(reason, node, depth)
        state.leaves[id(pattern)] = leaf
        if pattern.name:
            state.names[pattern.name] = leaf
        match pattern:
            case AnyOf(choices=choices):
                return [(_At(choice, leaf), rest) for choice in choices]
            case Anything():
                return [rest]
            case ConstantValue():
                if self.place.constant(leaf) is not None:
                    return [rest]
                return self._missed(f"expected a constant, found {_computed(leaf)}", node, depth)
            case Item():
                return self._item(pattern, node, rest, state)
            case CallTo():
                return self._call(pattern, leaf, rest, state)
            case _:
                return self._missed("this pattern stands for several values", node, depth)

    def _item(self, pattern: Item, node: NodeId, rest: _Goals, state: _State) -> Sequence[_Goals]:
        binding = self.place.bindings.get(node)
        if binding is None or not isinstance(binding.value, TupleItem):
            return self._missed("expected a field of a tuple", node, len(state.members))
        found = binding.value.index
        if found != pattern.index:
            text = f"expected field `{pattern.index}`, found `{found}`"
            return self._missed(text, node, len(state.members))
        state.members[node] = binding
        return [(_At(pattern.value, binding.value.value), rest)]

    def _call(self, pattern: CallTo, leaf: Arg, rest: _Goals, state: _State) -> Sequence[_Goals]:
        node = leaf.id if isinstance(leaf, Var) else NodeId(-1)
        depth = len(state.members)
        binding = self.place.bindings.get(node)
        if binding is None:
            text = f"expected {wanted_call(pattern)}, found {_uncomputed(leaf)}"
            return self._missed(text, node, depth)
        if (reason := self.place.not_target(pattern, binding)) is not None:
            return self._missed(reason, node, depth)
        state.members[node] = binding
        if pattern.args is None:
            return [rest]
        value = binding.value
        args = value.args if isinstance(value, _CALLS) else ()
        if len(args) != len(pattern.args):
            text = f"expected `{len(pattern.args)}` arguments, found `{len(args)}`"
            return self._missed(text, node, depth + 1)
        if pattern.any_order:
            return [(_Unordered(pattern.args, args), rest)]
        for wanted, arg in zip(reversed(pattern.args), reversed(args), strict=True):
            rest = (_At(wanted, arg), rest)
        return [rest]

    # --- the end -----------------------------------------------------------------------------

    def _judged(self, state: _State) -> Match | None:
        """The match, unless it spans blocks or somebody objects."""
        place, root, depth = self.place, self.root, len(state.members)
        home = place.block[root.var.id]
        for value, binding in state.members.items():
            if place.block[value] != home or home == -1:
                text = f"`{binding.var.name}` is not in one dataflow block with the others"
                self._missed(text, value, depth)
                return None
        members = sorted(state.members.values(), key=lambda b: place.order[b.var.id])
        outputs = tuple(b.var for b in members if self._read_outside(b.var.id, state.members))
        found = Match(place.name, root, state.names, tuple(members), outputs)
        objection = None if self.judge is None else self.judge(found)
        if objection is None:
            return found
        self._missed(objection.reason, root.var.id, depth, objection.code)
        return None

    def _read_outside(self, value: NodeId, inside: dict[NodeId, Binding]) -> bool:
        readers = self.place.users.get(value, ())
        return value in self.place.results or any(reader not in inside for reader in readers)

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


def _uncomputed(leaf: Arg) -> str:
    return f"`{leaf.name}`, which no call computes" if isinstance(leaf, Var) else "a constant"
