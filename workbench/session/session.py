"""The session: a tree of snapshots with a head, verdicts in the background, and listeners."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.ir import IRModule, module_digest
from workbench.ir.verify import check as check_module
from workbench.rewrite import Pass
from workbench.session.catalogue import as_pass, is_builtin, run_pass
from workbench.session.comparison import Comparison
from workbench.session.diff import Diff, diff_steps
from workbench.session.display import display_bundle, upper
from workbench.session.engine import Engine
from workbench.session.events import Changed, Event, Listeners, Measured, Progress, Selected
from workbench.session.implementations import (
    Implementation,
    edit_pass,
    implementation_pass,
    implementations_of,
)
from workbench.session.inputs import Interval
from workbench.session.lineage import Lineage, follow, root_lineage
from workbench.session.measure import compare_steps, measure_value
from workbench.session.naming import find_value
from workbench.session.recipe import write_recipe
from workbench.session.snapshot import History, Snapshot
from workbench.session.step import Step
from workbench.session.verdict import Verdict
from workbench.session.verdicts import Verdicts
from workbench.session.worker import Job, Worker
from workbench.support import CompileError, Diagnostic

UNCHANGED = Verdict("exact", "✓ no change")


@dataclass(frozen=True, slots=True)
class Adapter:
    """What `run` does with things that are not arrays, and with what comes out.

    `prepare(items)` gives the arrays for them; `present(outputs)` makes of the outputs what people read.
    """

    prepare: Callable[[Any], tuple[Any, ...]]
    present: Callable[[Any], Any]


class Session:
    """One module and everything that was done to it; displays itself as a live picture.

    All methods may be called from any thread. Steps are given by number or as `Step`.
    """

    def __init__(
        self, module: IRModule, name: str = "", adapter: Adapter | None = None
    ) -> None:
        """Start with `module` as step 0.

        Raises:
            CompileError: what the verifier finds.
        """
        check_module(module)
        self.key = uuid.uuid4().hex
        self.name = name or module.name
        self.adapter = adapter
        self.engine = Engine()
        self.listeners = Listeners()
        self.comparison: Comparison | None = None
        self._lock = threading.RLock()
        self._changing = threading.RLock()
        self._history = History(Snapshot(0, module_digest(module), module))
        self._lineages: dict[int, Lineage] = {0: root_lineage(module)}
        self._head = 0
        self._selection = ""
        self._worker = Worker(f"workbench-{self.key[:8]}")
        self._verdicts = Verdicts(self.engine, self.snapshot, self._changed)

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
                return self._history[index]
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
        return Step(snapshot, counts, changed, self.verdict)

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
        self._verdicts.put(child.index, UNCHANGED if digest == parent.digest else None)
        self._schedule_check(child.index)
        return child

    def _child(self, parent: int, wanted: Pass) -> Snapshot | None:
        """A child that the same pass made; newest first, since a user's pass may have changed."""
        with self._lock:
            children = self._history.children(parent)
        for child in reversed(children):
            same = type(child.applied).__qualname__ == type(wanted).__qualname__
            if same and repr(child.applied) == repr(wanted):
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

    def swap(self, name: str, implementation: str, at: int | Step | None = None) -> Step:
        """Compute the value `name` by another of its `implementations`; a new step.

        Raises:
            CompileError: `session/unknown-value`, or why the implementation does not fit.
        """
        with self._changing:
            base = self.head if at is None else at
            value = find_value(self.lineage(base), name)
            return self.apply(implementation_pass(value, implementation), base)

    def edit(self, name: str, text: str, at: int | Step | None = None) -> Step:
        """Replace the text of a tensor function (or of the one that the value `name` calls); a new step.

        Raises:
            CompileError: all faults of the text; nothing is changed.
        """
        with self._changing:
            base = self.head if at is None else at
            module = self.snapshot(base).module
            return self.apply(edit_pass(module, self.lineage(base), name, text), base)

    # --- asking ----------------------------------------------------------------------------------

    def verdict(self, step: int | Step) -> Verdict:
        """The verdict on a step as far as it is known."""
        return self._verdicts.get(self.snapshot(step).index)

    def diff(self, a: int | Step, b: int | Step) -> Diff:
        """What differs between two steps, as values and as text."""
        old, new = self.snapshot(a), self.snapshot(b)
        before, after = self.lineage(old.index), self.lineage(new.index)
        return diff_steps(old.index, new.index, old.module, new.module, before, after)

    def implementations(self, name: str) -> tuple[Implementation, ...]:
        """The ways in which the value `name` of the head could be computed, those included that cannot be used here."""
        head = self.head.index
        return implementations_of(
            self.snapshot(head).module, find_value(self.lineage(head), name)
        )

    def recipe(self, step: int | Step | None = None) -> str:
        """Python that makes the module of `step` (default: the head) outside the notebook.

        Raises:
            CompileError: `session/recipe-...` for what a script cannot express, by name.
        """
        end = self.head.index if step is None else self.snapshot(step).index
        return write_recipe(self.name, self.path_to(end))

    def run(self, *arrays: Any) -> Any:  # noqa: ANN401
        """The outputs of the head's module for these arrays (or files, where the model has an adapter)."""
        executable = self.engine.executable(self.module)
        if self.adapter is None or all(hasattr(item, "__dlpack__") for item in arrays):
            return executable(*arrays)
        prepared = self.adapter.prepare(arrays[0] if len(arrays) == 1 else arrays)
        return self.adapter.present(executable(*prepared))

    # --- checking --------------------------------------------------------------------------------

    def inputs(self, *arrays: Any, ranges: Mapping[str, Interval] | None = None) -> None:  # noqa: ANN401
        """Check on these arrays from now on (none: on seeded ones), every step anew.

        `ranges` gives least and greatest value of integer parameters by name.
        """
        if self.adapter is not None and arrays and not hasattr(arrays[0], "__dlpack__"):
            arrays = self.adapter.prepare(arrays[0] if len(arrays) == 1 else arrays)
        self._verdicts.use(arrays, dict(ranges or {}))
        for step in self.steps[1:]:
            self._verdicts.put(step.index, None if step.changed else UNCHANGED)
            self._schedule_check(step.index)
        self._changed()

    def _schedule_check(self, index: int) -> None:
        if self._verdicts.get(index).state != "checking":
            return
        work = Job("check", lambda job: self._verdicts.check(index, job), background=True)
        self._worker.submit(work)

    # --- measuring -------------------------------------------------------------------------------

    def compare(self, steps: tuple[int | Step, ...] | list[int | Step] | None = None) -> Comparison:
        """Times of whole steps side by side (default: import and head), and of their operators."""
        return self._wait_for(self.start_compare(steps))

    def start_compare(self, steps: tuple[int | Step, ...] | list[int | Step] | None = None) -> Job:
        """The same in the background; `Measured` is sent when it is ready."""
        wanted = [self.snapshot(step) for step in steps or (0, self.head.index)]
        indices = tuple(dict.fromkeys(snapshot.index for snapshot in wanted))
        return self._submit(
            f"compare steps {', '.join(map(str, indices))}",
            lambda job: self._measured(compare_steps(self, indices, job), None),
        )

    def measure(self, name: str) -> Comparison:
        """Times of all implementations of the value `name` side by side."""
        return self._wait_for(self.start_measure(name))

    def start_measure(self, name: str, step: int | Step | None = None) -> Job:
        """The same in the background; `Measured` is sent when it is ready."""
        base = self.head.index if step is None else self.snapshot(step).index
        value = find_value(self.lineage(base), name)
        return self._submit(
            f"measure {value.name}",
            lambda job: self._measured(measure_value(self, base, value, job), value.key),
        )

    def _measured(self, comparison: Comparison, node: str | None) -> Comparison:
        self.comparison = comparison
        self.listeners(Measured(comparison, node))
        return comparison

    def _submit(self, phase: str, work: Callable[[Job], object]) -> Job:
        return self._worker.submit(Job(phase, work, lambda job: self.listeners(Progress(job))))

    def _wait_for(self, job: Job) -> Any:  # noqa: ANN401
        try:
            while not job.finished.wait(0.1):
                pass
        except KeyboardInterrupt:
            job.cancel()
            raise
        if job.fault is not None:
            raise job.fault
        if job.state == "cancelled":
            raise CompileError(Diagnostic("session/cancelled", f"`{job.phase}` was cancelled"))
        return job.result

    def verdict_side(self, step: int) -> Any:  # noqa: ANN401
        """Inputs and values of a step, as the verdicts use them."""
        return self._verdicts.inputs(), self._verdicts.side(step)

    def cancel(self) -> int:
        """Stop what runs in the background at its next checkpoint; gives how many jobs there were."""
        return self._worker.cancel()

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until nothing runs in the background; whether that came to pass within `timeout` seconds."""
        end = time.monotonic() + timeout
        while self._worker.pending():
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    # --- watching --------------------------------------------------------------------------------

    @property
    def selection(self) -> str:
        """Key of the value selected last in a view, such as `main/12`; empty for none."""
        return self._selection

    def select(self, key: str) -> None:
        """Select a value in all views."""
        if key != self._selection:
            self._selection = key
            self.listeners(Selected(key))

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event; gives the function that ends it."""
        return self.listeners.add(listener)

    def widget(self) -> Any:  # noqa: ANN401
        """An ipywidget with traits `step` and `selection`, for `observe`, `link` and `interact`.

        Raises:
            CompileError: `session/no-notebook` where the notebook layer is not loaded.
        """
        make = upper("widget")
        if make is None:
            raise CompileError(
                Diagnostic("session/no-notebook", "widgets need `workbench.notebook`")
            )
        return make(self)

    def _changed(self) -> None:
        self.listeners(Changed())

    def __repr__(self) -> str:
        return f"Session {self.name!r}\n" + "\n".join(
            f"{'→' if step.index == self._head else ' '} {step!r}" for step in self.steps
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return display_bundle("session", self)


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


def module_name(path: Path) -> str:
    """The name to show for a file."""
    return path.stem if path.stem != "model" else f"{path.parent.name}"
