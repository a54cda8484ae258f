"""Lineage: which values of a step are those of the step before, and what became of the others.

Ids name values, so most of it is looking up; values that a pass moved into a fused function are
followed through the derivations it recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from workbench.ir import IRModule
from workbench.rewrite import Derivation, NodeRef, Relation
from workbench.session.flow import (
    Flow,
    FlowValue,
    OtherName,
    flow,
    own_code_of,
    shown_functions,
)

Change = Literal["none", "new", "rewritten", "fused"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The flows of one step, the module that they are of, linked to the step before.

    `stable` gives every key the identity that it keeps over steps; `change` what the step did to
    it; `sources` the keys of the step before; `gone` the identities, with names, that are no more.
    """

    module: IRModule
    flows: dict[str, Flow]
    stable: dict[str, str]
    change: dict[str, Change] = field(default_factory=dict[str, Change])
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    gone: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def counts(self) -> dict[str, int]:
        """How many values are new, rewritten, fused and gone."""
        found = {"new": 0, "rewritten": 0, "fused": 0, "gone": len(self.gone)}
        for change in self.change.values():
            if change != "none":
                found[change] += 1
        return found

    def value(self, key: str) -> FlowValue | None:
        """The value of that key, renamings followed."""
        for each in self.flows.values():
            found = each.values.get(each.renamed.get(key, key))
            if found is not None:
                return found
        return None

    def values(self) -> Iterable[FlowValue]:
        """All values that compute something or are parameters, in the order of computing them.

        Those in the arms of an `if` come before that of the `if`.
        """
        for each in self.flows.values():
            yield from each.values.values()

    def others(self) -> Iterable[OtherName]:
        """All bindings that compute nothing."""
        for each in self.flows.values():
            yield from each.others

    def inside(self) -> Iterable[FlowValue]:
        """All values in the arms of an `if`."""
        return (value for value in self.values() if value.arm is not None)


def root_lineage(module: IRModule) -> Lineage:
    """The lineage of an import: every value is its own origin."""
    flows = {name: flow(module, name) for name in shown_functions(module)}
    keys = [key for each in flows.values() for key in each.values]
    return Lineage(module, flows, {key: key for key in keys}, dict.fromkeys(keys, "none"))


def follow(
    before: Lineage, old: IRModule, new: IRModule, derivations: Iterable[Derivation]
) -> Lineage:
    """The lineage of `new`, made from `old` by a pass with these derivations."""
    flows = {name: flow(new, name) for name in shown_functions(new)}
    links = _Links(before, flows, tuple(derivations))
    stable: dict[str, str] = {}
    change: dict[str, Change] = {}
    sources: dict[str, tuple[str, ...]] = {}
    owner = {identity: key for key, identity in before.stable.items()}
    taken: set[str] = set()
    for each in flows.values():
        for key, value in each.values.items():
            identity, found = links.identity(value)
            if identity in taken:
                identity, found = key, ()
            taken.add(identity)
            stable[key], sources[key] = identity, found
            previous = before.value(owner[identity]) if identity in owner else None
            change[key] = _change(value, previous, old, new, before)
    gone = _gone(before, flows, taken)
    return Lineage(new, flows, stable, change, sources, gone)


def _change(
    value: FlowValue, previous: FlowValue | None, old: IRModule, new: IRModule, before: Lineage
) -> Change:
    if "#" in value.key:
        return "none"
    if previous is None:
        return "new"
    if value.call is not None and previous.call is None:
        return "fused"
    if value.call is None and previous.call is not None and previous.call == value.key:
        return "fused" if _members(before, previous.call) > 1 else "rewritten"
    same_place = value.ref.function == previous.ref.function
    if same_place and own_code_of(new, value.expr) == own_code_of(old, previous.expr):
        return "none"
    return "rewritten" if same_place or not _same_call(value, previous) else "none"


def _same_call(value: FlowValue, previous: FlowValue) -> bool:
    return type(value.expr) is type(previous.expr) and value.call == previous.call


def _members(lineage: Lineage, call: str) -> int:
    return sum(1 for value in lineage.values() if value.call == call)


def _gone(before: Lineage, flows: dict[str, Flow], taken: set[str]) -> dict[str, str]:
    """Names of values that are no more; members of a call that became one kernel are merged."""
    kept = {key for each in flows.values() for key in (*each.values, *each.calls)}
    gone: dict[str, str] = {}
    for value in before.values():
        identity = before.stable[value.key]
        merged = value.call is not None and value.call in kept
        if identity not in taken and not merged and "#" not in value.key:
            gone[identity] = value.name
    return gone


class _Links:
    """Looks up, for a value of the new module, the value of the old one that it is."""

    def __init__(
        self, before: Lineage, flows: dict[str, Flow], derivations: tuple[Derivation, ...]
    ) -> None:
        self.before = before
        self.order = {key: index for index, key in enumerate(before.stable)}
        self.made: dict[NodeRef, list[tuple[Derivation, NodeRef]]] = defaultdict(list)
        for derivation in derivations:
            for result in derivation.results:
                self.made[result] += [(derivation, source) for source in derivation.sources]
        self.sites: dict[str, list[str]] = defaultdict(list)
        for each in flows.values():
            for call in each.calls.values():
                self.sites[call.callee].append(call.key)

    def identity(self, value: FlowValue) -> tuple[str, tuple[str, ...]]:
        """The stable identity of a value and the keys of its sources."""
        moved = self._candidates(value, moved=True)
        if value.call is not None and moved:
            chosen = self._choose(value, moved)
            return self.before.stable[chosen], (chosen,)
        if value.key in self.before.stable:
            return self.before.stable[value.key], (value.key,)
        renamed = self._renamed(value.key)
        if renamed is not None:
            return self.before.stable[renamed], self._members(value.key, renamed)
        return value.key, tuple(self._candidates(value, moved=False))

    def _renamed(self, key: str) -> str | None:
        """A value that was a fused call before: the member that gave its result."""
        for each in self.before.flows.values():
            if key in each.calls and key in each.renamed:
                return each.renamed[key]
        return None

    def _members(self, call: str, result: str) -> tuple[str, ...]:
        """The members of a fused call that became one kernel, that of its result last."""
        members = (v.key for v in self.before.values() if v.call == call and v.key != result)
        return (*members, result)

    def _candidates(self, value: FlowValue, *, moved: bool) -> list[str]:
        found: list[str] = []
        for derivation, source in self.made.get(value.ref, ()):
            if moved and derivation.relation is not Relation.MOVED:
                continue
            key = str(source)
            if key in self.order and key not in found:
                found.append(key)
        return sorted(found, key=lambda key: self.order[key])

    def _choose(self, value: FlowValue, candidates: list[str]) -> str:
        """Where several calls share a callee: the candidate of the same rank as the call."""
        calls = self.sites.get(value.ref.function, [])
        if value.call in calls and len(calls) == len(candidates):
            return candidates[calls.index(value.call)]
        return candidates[-1]
