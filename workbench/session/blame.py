"""Blame: the first wrong step on a path, the rewrite that did it, and the first wrong value.

A verdict says that a step is wrong, and which value of the entry function shows it. Blame goes on
from there: into the functions and branches that compute the value, call by call, until it meets a
binding that is wrong although all that it reads is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.ir import CallTIR, CallTIRInplace, IRModule
from workbench.rewrite import Derivation, NodeRef
from workbench.session.frames import Wrong, bound
from workbench.session.snapshot import Snapshot
from workbench.session.step import Step
from workbench.session.verdict import Difference, Verdict, number

MOST_SITES = 4
"""Values of a rewrite that its text names."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a step did at one place: `rule` rewrote `values` of the step before.

    `function` is the tensor function that it changed, where it changed one.
    """

    rule: str
    values: tuple[str, ...] = ()
    function: str = ""

    def __str__(self) -> str:
        names = [f"`{name}`" for name in self.values[:MOST_SITES]]
        more = len(self.values) - len(names)
        of = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        if self.function:
            return f"`{self.rule}` of tensor function `{self.function}`"
        return f"`{self.rule}`" + (f" of {of}" if of else "")


@dataclass(frozen=True, slots=True)
class Blame:
    """The first wrong step, its rewrite, and the first value that is not what it should be.

    `path` names the calls that lead to the value, outermost first, and the value:
    `("main.h", "layer.a")`. `key` is the value with the calls by id, as `main/12>7`.
    """

    step: Step
    rewrite: Rewrite
    path: tuple[str, ...] = ()
    key: str = ""
    difference: Difference | None = None
    fault: str = ""
    """Why the step does not run, where that is what is wrong."""

    @property
    def index(self) -> int:
        """Number of the step."""
        return self.step.index

    @property
    def value(self) -> str:
        """The value with its function: `main.h`; empty where none could be named."""
        return self.path[-1] if self.path else ""

    def __str__(self) -> str:
        head = f"step {self.step.index} {self.step.title}"
        where = " > ".join(f"`{name}`" for name in self.path)
        if self.difference is not None:
            return f"{head}: {self.rewrite}: {where} {_seen(self.difference)}"
        what = self.fault or str(self.step.verdict)
        return ": ".join(part for part in (head, where, what) if part)

    __repr__ = __str__


def first_wrong(path: Iterable[Step]) -> Step | None:
    """The first step that is wrong; where none is, the first that is off by more than rounding."""
    steps = tuple(path)
    wrong = next((step for step in steps if step.verdict.state == "wrong"), None)
    if wrong is not None:
        return wrong
    return next((s for s in steps if s.verdict.state == "amber" and not s.verdict.inherited), None)


def blame_of(step: Step, old: IRModule, wrong: Wrong | None) -> Blame:
    """The blame of a step; `wrong` is what the search in its frames found."""
    verdict, snapshot = step.verdict, step.snapshot
    if wrong is None:
        return _blame_of_verdict(step, old, verdict)
    names = [*(name for name, _ in wrong.calls), wrong.ref]
    path = tuple(_name(snapshot.module, old, ref) or str(ref) for ref in names)
    key = ">".join([str(names[0]), *(str(ref.id) for ref in names[1:])])
    rewrite = rewrite_of(snapshot, old, wrong.ref, wrong.upstream)
    return Blame(step, rewrite, path, key, wrong.difference)


def _blame_of_verdict(step: Step, old: IRModule, verdict: Verdict) -> Blame:
    """What the verdict alone tells: an output, a buffer, or where the step does not run."""
    first, fault = verdict.first, verdict.fault
    if first is not None:
        ref = NodeRef(first.function, first.id)
    elif fault is not None and fault.function and fault.node is not None:
        ref = NodeRef(fault.function, fault.node)
    else:
        ref = _only_result(step.snapshot)
    if ref is None:
        rewrite = Rewrite(step.snapshot.name)
        return Blame(step, rewrite, fault="" if fault is None else fault.message)
    rewrite = rewrite_of(step.snapshot, old, ref, ())
    path = (_name(step.module, old, ref) or str(ref),)
    return Blame(step, rewrite, path, str(ref), first, "" if fault is None else fault.message)


def _only_result(snapshot: Snapshot) -> NodeRef | None:
    """The value that a step made, where it made one."""
    derivations = () if snapshot.result is None else snapshot.result.derivations
    results = {result for derivation in derivations for result in derivation.results}
    return results.pop() if len(results) == 1 else None


def rewrite_of(
    snapshot: Snapshot, old: IRModule, ref: NodeRef, upstream: Iterable[NodeRef]
) -> Rewrite:
    """The rewrite of a step that made a value, or else one of those that feed it."""
    derivations = () if snapshot.result is None else snapshot.result.derivations
    for each in (ref, *upstream):
        function = _changed_callee(snapshot.module, old, each)
        found = [d for d in derivations if each in d.results]
        found = found or [d for d in derivations if each in d.sources]
        if found:
            names = (_name(old, old, source) for d in found for source in d.sources)
            return Rewrite(found[0].rule, tuple(dict.fromkeys(name for name in names if name)))
        if function:
            return Rewrite(_rule(snapshot, derivations), (), function)
    if ref.function in snapshot.module.tensor_functions:
        return Rewrite(_rule(snapshot, derivations), (), ref.function)
    return Rewrite(_rule(snapshot, derivations))


def _seen(difference: Difference) -> str:
    place = f"at [{', '.join(map(str, difference.index))}] " if difference.index else ""
    over = "is overwritten: " if difference.overwritten else ""
    return f"{place}{over}expected {number(difference.expected)}, found {number(difference.found)}"


def _rule(snapshot: Snapshot, derivations: tuple[Derivation, ...]) -> str:
    if snapshot.applied is not None and getattr(snapshot.applied, "name", ""):
        return snapshot.applied.name
    return derivations[0].rule if derivations else snapshot.name


def _changed_callee(new: IRModule, old: IRModule, ref: NodeRef) -> str:
    """The tensor function that computes a value, where the step before has another of the name."""
    binding = bound(new, ref)
    call = None if binding is None else binding.value
    if not isinstance(call, CallTIR | CallTIRInplace) or call.callee not in new.tensor_functions:
        return ""
    known = old.tensor_functions.get(call.callee)
    return "" if known == new.tensor_functions[call.callee] else call.callee


def _name(module: IRModule, other: IRModule, ref: NodeRef) -> str:
    """`main.h`, looked up in either of two modules."""
    for each in (module, other):
        function = each.graph_functions.get(ref.function) or each.tensor_functions.get(ref.function)
        params = () if function is None else function.params
        found = next((p.name for p in params if p.id == ref.id), "")
        binding = None if found else bound(each, ref)
        if found or binding is not None:
            return f"{ref.function}.{found or (binding.var.name if binding else '')}"
    return ""
