"""The tree of a session: snapshots, head, and what makes new ones."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from workbench.ir import IRModule, module_digest
from workbench.ir.verify import check as check_module
from workbench.rewrite import Pass
from workbench.session.catalogue import as_pass, is_builtin, run_pass, same_pass
from workbench.session.implementations import edit_pass, implementation_pass
from workbench.session.lineage import Lineage, follow, root_lineage
from workbench.session.naming import find_value
from workbench.session.provenance import (
    Node,
    Sources,
    follow_origins,
    nodes,
    own_origins,
    refs_of,
)
from workbench.session.snapshot import History, Snapshot
from workbench.session.step import Step
from workbench.session.titles import step_title
from workbench.session.verdict import Verdict
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import methods_check_kinds


@methods_check_kinds("item")
class SessionTree(ABC):
    """Snapshots with a head. Any thread may call all methods; steps are numbers or `Step`."""

    def __init__(self, module: IRModule) -> None:
        """Start with `module` as step 0.

        Raises:
            CompileError: what the verifier finds.
        """
        check_module(module)
        self._lock = threading.RLock()
        self._changing = threading.RLock()
        self._history = History(Snapshot(0, module_digest(module), module))
        self._lineages: dict[int, Lineage] = {0: root_lineage(module)}
        self._sources: dict[int, Sources] = {0: own_origins(module)}
        self._head = 0

    @abstractmethod
    def verdict(self, step: int | Step) -> Verdict:
        """The verdict on a step as far as it is known."""

    @abstractmethod
    def _added(self, child: Snapshot, parent: Snapshot) -> None:
        """A new step is there."""

    @abstractmethod
    def _changed(self) -> None:
        """History or head changed."""

    # --- history ---------------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they were made."""
        with self._lock:
            return tuple(self._step(index) for index in range(len(self._history)))

    @property
    def head(self) -> Step:
        """The step that the next pass is applied to."""
        with self._lock:
            return self._step(self._head)

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps from the import to the head."""
        with self._lock:
            return tuple(self._step(index) for index in self._history.path(self._head))

    @property
    def module(self) -> IRModule:
        """The module at the head."""
        return self.head.module

    def snapshot(self, step: int | Step) -> Snapshot:
        """The snapshot of a step.

        Raises:
            CompileError: `session/unknown-step`.
        """
        index = step.index if isinstance(step, Step) else step
        with self._lock:
            if 0 <= index < len(self._history):
                found = self._history[index]
                if isinstance(step, Step) and step.snapshot is not found:
                    message = f"the step `{step.title}` is one of another session"
                    raise CompileError(Diagnostic("session/unknown-step", message))
                return found
            message = f"there is no step `{index}`, only 0 to {len(self._history) - 1}"
        raise CompileError(Diagnostic("session/unknown-step", message))

    def path_to(self, step: int | Step) -> tuple[Snapshot, ...]:
        """The snapshots from the import to a step."""
        end = self.snapshot(step).index
        with self._lock:
            return tuple(self._history[index] for index in self._history.path(end))

    def lineage(self, step: int | Step) -> Lineage:
        """The values of a step by key, linked to the step before."""
        end = self.snapshot(step).index
        with self._lock:
            for index in self._history.path(end):
                if index not in self._lineages:
                    self._lineages[index] = self._follow(self._history[index])
            return self._lineages[end]

    def lineages(self, step: int | Step) -> tuple[Lineage, ...]:
        """The lineages from the import to a step."""
        return tuple(self.lineage(snapshot.index) for snapshot in self.path_to(step))

    def origins(self, name: str, step: int | Step | None = None) -> tuple[Node, ...]:
        """The nodes of the import that a value or a tensor function of a step comes from.

        `name` as in `implementations`, or that of a tensor function, alone or with a block of it
        (`conv2d.init`). The step is the head where none is given. Many to many: a fused kernel
        comes from all its members, a value that stands for several equal ones from each.

        Raises:
            CompileError: `session/unknown-value`, `session/ambiguous-value`,
                `session/unknown-step`.
        """
        at = self.head.index if step is None else self.snapshot(step).index
        sources = self._origins(at)
        refs = refs_of(self.snapshot(at).module, self.lineages(at), name)
        found = {origin for ref in refs for origin in sources[ref]}
        return nodes(self.snapshot(0).module, found)

    def where_is(self, name: str, step: int | Step | None = None) -> tuple[Node, ...]:
        """The values of a step that come from a node of the import; none where it is gone.

        Raises:
            CompileError: as `origins`.
        """
        at = self.head.index if step is None else self.snapshot(step).index
        wanted = set(refs_of(self.snapshot(0).module, self.lineages(0), name))
        found = (ref for ref, origins in self._origins(at).items() if origins & wanted)
        return nodes(self.snapshot(at).module, found)

    def _origins(self, end: int) -> Sources:
        with self._lock:
            for index in self._history.path(end):
                if index not in self._sources:
                    snapshot = self._history[index]
                    assert snapshot.parent is not None
                    assert snapshot.result is not None
                    self._sources[index] = follow_origins(
                        self._sources[snapshot.parent],
                        snapshot.module,
                        snapshot.result.derivations,
                    )
            return self._sources[end]

    def _follow(self, snapshot: Snapshot) -> Lineage:
        assert snapshot.parent is not None
        assert snapshot.result is not None
        parent = self._history[snapshot.parent]
        before = self._lineages[parent.index]
        return follow(before, parent.module, snapshot.module, snapshot.result.derivations)

    def _step(self, index: int) -> Step:
        snapshot = self._history[index]
        parent = snapshot.parent
        changed = parent is not None and self._history[parent].digest != snapshot.digest
        counts = self.lineage(index).counts
        before = None if parent is None else self.lineage(parent)
        return Step(snapshot, step_title(snapshot, before), counts, changed, self.verdict)

    # --- changing --------------------------------------------------------------------------------

    def apply(self, item: Pass | type[Pass] | str, at: int | Step | None = None) -> Step:
        """Run a pass on the head, or on step `at`; the head moves to the new step.

        The same pass on the same step again gives the step that is there.

        Raises:
            CompileError: what the pass finds; `session/pass-raised` for any other exception of it;
                what the verifier finds in its result. The session stays where it was.
        """
        wanted = as_pass(item)
        with self._changing:
            parent = self.head.snapshot if at is None else self.snapshot(at)
            known = self._child(parent.index, wanted) if is_builtin(type(wanted)) else None
            if known is None:
                known = self._extend(parent, wanted)
            return self._move(known.index)

    def _extend(self, parent: Snapshot, wanted: Pass) -> Snapshot:
        started = time.perf_counter()
        result = run_pass(wanted, parent.module)
        _verify(result.module, type(wanted).__name__)
        seconds = time.perf_counter() - started
        digest = module_digest(result.module)
        twin = self._child(parent.index, wanted)
        if twin is not None and twin.digest == digest:
            return twin
        with self._lock:
            child = self._history.add(parent.index, digest, wanted, result, seconds)
        self._added(child, parent)
        return child

    def _child(self, parent: int, wanted: Pass) -> Snapshot | None:
        """A child that the same pass made; newest first, since a user's pass may have changed."""
        with self._lock:
            children = self._history.children(parent)
        for child in reversed(children):
            if child.applied is not None and same_pass(child.applied, wanted):
                return child
        return None

    def checkout(self, step: int | Step) -> Step:
        """Make a step the head; the next pass makes a branch where it has children.

        Raises:
            CompileError: `session/unknown-step`.
        """
        with self._changing:
            return self._move(self.snapshot(step).index)

    def _move(self, index: int) -> Step:
        with self._lock:
            self._head = index
        self._changed()
        return self.head

    def swap(
        self,
        name: str,
        implementation: str | Callable[..., Any],
        at: int | Step | None = None,
    ) -> Step:
        """Compute the value `name` by another of its `implementations`, or by a function of yours.

        A function of numpy, torch or your own gets the arrays of the call and fills the last one,
        or returns the result. A new step.

        Raises:
            CompileError: `session/unknown-value`, or why the implementation does not fit.
        """
        with self._changing:
            base = self.head if at is None else at
            value = find_value(self.lineages(base), name)
            module = self.snapshot(base).module
            return self.apply(implementation_pass(module, value, implementation), base)

    def edit(self, name: str, text: str, at: int | Step | None = None) -> Step:
        """Give a tensor function (`name`, or what the value `name` calls) another text; a new step.

        Raises:
            CompileError: all faults of the text; nothing is changed.
        """
        with self._changing:
            base = self.head if at is None else at
            module = self.snapshot(base).module
            return self.apply(edit_pass(module, self.lineages(base), name, text), base)


def _verify(module: IRModule, name: str) -> None:
    try:
        check_module(module)
    except CompileError as error:
        first = error.diagnostics[0]
        fault = Diagnostic(
            "session/ill-formed-result",
            f"`{name}` made a module that is not well formed: {first.message}",
            node=first.node,
            function=first.function,
            hint="the session stands where it was",
        )
        raise CompileError((fault, *error.diagnostics)) from error
