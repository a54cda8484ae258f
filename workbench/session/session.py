"""The session: a tree of snapshots with a head, verdicts in the background, and listeners."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from typing_extensions import override

from workbench.ir import IRModule
from workbench.runtime.arguments import Parameters
from workbench.session.blame import Blame, first_wrong
from workbench.session.comparison import Comparison
from workbench.session.diff import Diff, diff_steps
from workbench.session.display import display_bundle, upper
from workbench.session.engine import Engine
from workbench.session.events import Changed, Event, Listeners, Measured, Progress, Selected
from workbench.session.extents import symbols_of
from workbench.session.implementations import Implementation, implementations_of
from workbench.session.inputs import (
    Interval,
    check_ranges,
    entry_function,
    extents_of,
    seeded_inputs,
)
from workbench.session.measure import compare_steps, measure_value
from workbench.session.naming import find_value
from workbench.session.other_parameters import StepData
from workbench.session.recipe import write_recipe
from workbench.session.scheduling import SessionSchedule
from workbench.session.snapshot import Snapshot
from workbench.session.step import Step
from workbench.session.tree import SessionTree
from workbench.session.verdict import Side, Verdict
from workbench.session.verdicts import Verdicts
from workbench.session.worker import Job, Worker
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import methods_check_kinds

UNCHANGED = Verdict("exact", "✓ no change")
CANCEL_SECONDS = 2.0
"""How long an interrupted cell waits for its job to end."""

Watch: TypeAlias = Callable[[Job], None]
"""Called with a job again and again while a cell waits for it, and once when it has ended."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What `run` does with things that are not arrays, and with what comes out.

    `prepare(items)` gives the arrays for them; `present(outputs)` gives what people read.
    """

    prepare: Callable[[Any], tuple[Any, ...]]
    present: Callable[[Any], Any]


@methods_check_kinds()
class Session(SessionTree):
    """One module and everything that was done to it; displays itself as a live picture.

    All methods may be called from any thread. Steps are given by number or as `Step`.
    """

    def __init__(self, module: IRModule, name: str = "", adapter: Adapter | None = None) -> None:
        """Start with `module` as step 0.

        Raises:
            CompileError: what the verifier finds.
        """
        super().__init__(module)
        self.key = uuid.uuid4().hex
        self.name = name or module.name
        self.adapter = adapter
        self.engine = Engine()
        self.listeners = Listeners()
        self.comparison: Comparison | None = None
        self._selection = ""
        self._worker = Worker(f"workbench-{self.key[:8]}")
        self._verdicts = Verdicts(self.engine, self.snapshot, self._changed)

    # --- asking ----------------------------------------------------------------------------------

    @override
    def verdict(self, step: int | Step) -> Verdict:
        """The verdict on a step as far as it is known."""
        return self._verdicts.get(self.snapshot(step).index)

    def diff(self, a: int | Step, b: int | Step) -> Diff:
        """What differs between two steps, as values and as text."""
        old, new = self.snapshot(a), self.snapshot(b)
        before, after = self.lineage(old.index), self.lineage(new.index)
        return diff_steps(old.index, new.index, old.module, new.module, before, after)

    def implementations(self, name: str) -> tuple[Implementation, ...]:
        """The ways in which the value `name` of the head could be computed, impossible ones too."""
        head = self.head.index
        value = find_value(self.lineages(head), name)
        return implementations_of(self.snapshot(head).module, value)

    def recipe(self, step: int | Step | None = None) -> str:
        """Python that makes the module of `step` (default: the head) outside the notebook.

        Raises:
            CompileError: `session/recipe-...` for what a script cannot express, by name.
        """
        end = self.head.index if step is None else self.snapshot(step).index
        return write_recipe(self.name, self.path_to(end))

    def run(self, *arrays: Any) -> Any:  # noqa: ANN401
        """The outputs of the head for these arrays (or files, where the model has an adapter)."""
        executable = self.engine.executable(self.module)
        if self.adapter is None or all(hasattr(item, "__dlpack__") for item in arrays):
            return executable(*arrays)
        prepared = self.adapter.prepare(arrays[0] if len(arrays) == 1 else arrays)
        return self.adapter.present(executable(*prepared))

    # --- checking --------------------------------------------------------------------------------

    def inputs(
        self,
        *arrays: Any,  # noqa: ANN401
        ranges: Mapping[str, Interval] | None = None,
        extents: Mapping[str, int] | None = None,
    ) -> None:
        """Check, run and compare on these arrays from now on (none: seeded ones), steps anew.

        `ranges` gives least and greatest value of integer parameters by name, `extents` those of
        symbolic dimensions: `s.inputs(extents={"b": 4, "n": 17})`. Others are distinct and odd
        where the import runs with that, and steps are checked on larger ones too where that is
        cheap. What was taken stands in verdicts and comparisons.

        Raises:
            CompileError: `run/wrong-argument`, `session/unknown-dimension`, `session/bad-extent`,
                `session/bad-range`; the inputs are then those of before.
        """
        if self.adapter is not None and arrays and not hasattr(arrays[0], "__dlpack__"):
            arrays = self.adapter.prepare(arrays[0] if len(arrays) == 1 else arrays)
        imported = self.snapshot(0).module
        if ranges:
            check_ranges(imported.graph_functions[entry_function(imported)].params, ranges)
        if arrays:
            entry = entry_function(imported)
            Parameters(entry, imported.graph_functions[entry].params).check(arrays)
        elif extents:
            seeded_inputs(imported, entry_function(imported), ranges, extents)
        self._verdicts.use(arrays, dict(ranges or {}), dict(extents or {}))
        for step in self.steps[1:]:
            self._verdicts.put(step.index, None if step.changed else UNCHANGED)
            self._schedule_check(step.index)
        self._changed()

    @override
    def _added(self, child: Snapshot, parent: Snapshot) -> None:
        self._verdicts.put(child.index, UNCHANGED if child.digest == parent.digest else None)
        self._schedule_check(child.index)

    def _schedule_check(self, index: int) -> None:
        if self._verdicts.get(index).state != "checking":
            return
        self._worker.submit(
            Job(
                "check",
                lambda job: self._check(index, job),
                lambda job: self._verdicts.abandon(index) if job.state == "cancelled" else None,
                background=True,
            )
        )

    def _check(self, index: int, job: Job) -> None:
        self._verdicts.check(index, job)
        if self._verdicts.is_inside(index):
            step = self.steps[index]
            look = Job("look", lambda job: self._verdicts.look_inside(step, job), background=True)
            self._worker.submit(look)

    def blame(self, *arrays: Any, timeout: float = 60.0) -> Blame | None:  # noqa: ANN401
        """The first wrong step on the way to the head, its rewrite, and the first wrong value.

        Looks into calls and branches: a value is named with the calls that lead to it, and is
        wrong although all that it reads is right. It is selected in the views. `arrays` are the
        inputs of all checks from now on. None where nothing is wrong.

        Raises:
            CompileError: `session/still-checking` after `timeout` seconds, `session/cancelled`,
                `run/wrong-argument`.
        """
        if arrays:
            self.inputs(*arrays)
        self.wait(timeout)
        step = first_wrong(self.path)
        open_ = next((s for s in self.path if s.verdict.state == "checking"), None)
        if open_ is not None and (step is None or open_.index < step.index):
            message = f"step {open_.index} `{open_.title}` is still being checked"
            hint = "give `blame` a longer `timeout`, in seconds"
            raise CompileError(Diagnostic("session/still-checking", message, hint=hint))
        if step is None:
            return None
        found: Blame = self._wait_for(
            self.submit(f"blame step {step.index}", lambda job: self._verdicts.blame(step, job)),
            None,
        )
        self._select_blamed(found)
        return found

    def _select_blamed(self, found: Blame) -> None:
        """Select the value, or the innermost call around it that pictures show."""
        lineage, key = self.lineage(found.step), found.key
        while key and lineage.value(key) is None:
            key = key.rpartition(">")[0]
        if key:
            self.select(key)

    # --- measuring -------------------------------------------------------------------------------

    def compare(
        self,
        steps: tuple[int | Step, ...] | list[int | Step] | None = None,
        progress: Watch | None = None,
    ) -> Comparison:
        """Times of whole steps side by side (default: import and head), and of their operators.

        Measured in a process of its own. `progress(job)` is called while it runs and at its end;
        without it, a notebook shows a progress bar. An interrupt stops it.

        Raises:
            CompileError: `session/cancelled`, `session/measuring-died`,
                `session/measuring-hangs`, or why the import does not run.
        """
        return self._wait_for(self.start_compare(steps), progress)

    def start_compare(self, steps: tuple[int | Step, ...] | list[int | Step] | None = None) -> Job:
        """The same in the background; `Measured` is sent when it is ready."""
        wanted = [self.snapshot(step) for step in steps or (0, self.head.index)]
        indices = tuple(dict.fromkeys(snapshot.index for snapshot in wanted))
        return self.submit(
            f"compare steps {', '.join(map(str, indices))}",
            lambda job: self._measured(compare_steps(self, indices, job), None),
        )

    def measure(self, name: str, progress: Watch | None = None) -> Comparison:
        """Times of all implementations of the value `name` side by side, as `compare` does it.

        Raises:
            CompileError: as `compare`, and `session/no-implementations`.
        """
        return self._wait_for(self.start_measure(name), progress)

    def start_measure(self, name: str, step: int | Step | None = None) -> Job:
        """The same in the background; `Measured` is sent when it is ready."""
        base = self.head.index if step is None else self.snapshot(step).index
        value = find_value(self.lineages(base), name)
        return self.submit(
            f"measure {value.name}",
            lambda job: self._measured(measure_value(self, base, value, job), value.key),
        )

    def _measured(self, comparison: Comparison, node: str | None) -> Comparison:
        self.comparison = comparison
        self.listeners(Measured(comparison, node))
        return comparison

    def submit(self, phase: str, work: Callable[[Job], object]) -> Job:
        """Run `work` in the background after what waits there; listeners hear of its progress."""
        return self._worker.submit(Job(phase, work, lambda job: self.listeners(Progress(job))))

    def _wait_for(self, job: Job, progress: Watch | None) -> Any:  # noqa: ANN401
        watch = progress or _shown_progress()
        try:
            while not job.finished.wait(0.1):
                watch(job)
        finally:
            if not job.finished.is_set():  # an interrupt, or `watch` raised
                job.cancel()
                job.finished.wait(CANCEL_SECONDS)
            watch(job)
        if job.fault is not None:
            raise job.fault
        if job.state == "cancelled":
            raise CompileError(Diagnostic("session/cancelled", f"`{job.phase}` was cancelled"))
        return job.result

    def schedule(
        self, function: str = "", at: int | Step | None = None, seed: int = 0
    ) -> SessionSchedule:
        """A schedule of a tensor function (empty: the only one); each primitive becomes a step.

        Starts at step `at` (default: the head) and goes on from its own last step. `seed` is that
        of the sampling methods.

        Raises:
            CompileError: `schedule/which-function`, `session/unknown-step`.
        """
        base = self.head if at is None else self._step(self.snapshot(at).index)
        return SessionSchedule(base.module, function, base, self.apply, seed)

    def extents(self, step: int) -> dict[str, int]:
        """How large the symbolic dimensions of a step are in the inputs of the checks, by name."""
        module = self.snapshot(step).module
        try:
            left = symbols_of(module.graph_functions[entry_function(module)].params).values()
            imported = self.snapshot(0).module
            params = imported.graph_functions[entry_function(imported)].params
            found = extents_of(params, self._verdicts.inputs().arrays)
        except CompileError:
            return {}
        return {name: extent for name, extent in found.items() if name in left}

    def verdict_side(self, step: int, job: Job) -> Side:
        """Values of a step, as the verdicts use them."""
        return self._verdicts.side(step, job)

    def import_side(self, step: int, job: Job) -> Side | None:
        """Values of the import on the inputs of that step; None where it does not run."""
        return self._verdicts.import_side(step, job)

    def step_data(self, steps: Sequence[int], job: Job) -> tuple[StepData, ...]:
        """What each of these steps runs on, the same for all where one input fits them."""
        return self._verdicts.step_data(steps, job)

    def cancel(self, *, checks: bool = True) -> int:
        """Stop what runs in the background, with or without checks; gives how many jobs ran."""
        return self._worker.cancel(checks=checks)

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until nothing runs in the background; False if that takes over `timeout` seconds."""
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

    def select(self, key: str, *, in_view: bool = False) -> None:
        """Select a value in all views; `in_view` only notes what one view has selected."""
        if key != self._selection:
            self._selection = key
            self.listeners(Selected(key, in_view))

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

    def dot(self) -> Any:  # noqa: ANN401
        """A `graphviz.Source` of the history.

        Raises:
            CompileError: `session/no-view` where the view layer is not loaded.
        """
        draw = upper("dot")
        if draw is None:
            raise CompileError(Diagnostic("session/no-view", "pictures need `workbench.view`"))
        return draw(self)

    @override
    def _changed(self) -> None:
        self.listeners(Changed())

    def __repr__(self) -> str:
        return f"Session {self.name!r}\n" + "\n".join(
            f"{'→' if step.index == self._head else ' '} {step!r}" for step in self.steps
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return display_bundle("session", self)


def module_name(path: Path) -> str:
    """The name to show for a file."""
    return path.stem if path.stem != "model" else f"{path.parent.name}"


def _shown_progress() -> Watch:
    """What the notebook shows of a job that a cell waits for; nothing where there is none."""
    show = upper("progress")
    return (lambda _job: None) if show is None else show()
