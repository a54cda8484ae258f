"""All verdicts of a session, with the inputs they use and the values of the last steps checked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from workbench.ir import CallFunction, IfThenElse
from workbench.rewrite import NodeRef
from workbench.runtime import Cancelled as NativeCancelled
from workbench.schedule import Primitive
from workbench.session.blame import Blame, blame_of
from workbench.session.engine import Engine
from workbench.session.extents import Extents, largest, runs, told
from workbench.session.frames import Search, bound, locate
from workbench.session.inputs import (
    Inputs,
    Interval,
    entry_function,
    extents_of,
    seeded_inputs,
)
from workbench.session.interpreter_cost import work_of
from workbench.session.kernel_check import check_kernels
from workbench.session.other_parameters import (
    Fit,
    StepData,
    check_against_import,
    data_of_step,
    given_to,
    import_arguments,
    run_import,
    same_arrays,
    takes_others,
)
from workbench.session.snapshot import Snapshot
from workbench.session.step import Step
from workbench.session.verdict import (
    CANCELLED,
    CHECKING,
    IMPORTED,
    Side,
    Verdict,
    all_as,
    both,
    check,
    named_inside,
    other_signature,
    repaired,
    run_side,
    still_not_running,
    with_unwritten,
)
from workbench.session.worker import Cancelled, Job
from workbench.support import FOREIGN_FAULTS, CompileError

KEPT = 12
"""Runs whose values are kept: those of a step on one of the inputs."""
KEPT_FITS = 4
"""Runs of the import that are kept, on arguments that fit steps with other parameters."""


class Verdicts:
    """Verdicts by step number. `check` runs in the worker; the rest returns at once."""

    def __init__(
        self, engine: Engine, snapshot: Callable[[int], Snapshot], notify: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._notify = notify
        self._lock = threading.RLock()
        self._verdicts: dict[int, Verdict] = {0: IMPORTED}
        self._sides: OrderedDict[tuple[int, int], Side] = OrderedDict()
        """By number of the step and of the inputs."""
        self._fits: OrderedDict[tuple[int, int], Fit] = OrderedDict()
        """By number of the step that changed the parameters, and of the inputs."""
        self._given: tuple[Any, ...] = ()
        self._ranges: dict[str, Interval] = {}
        self._extents: dict[str, int] = {}
        self._inputs: tuple[Inputs, ...] = ()
        """What checks run on; empty before the first."""
        self._shown_on: dict[int, int] = {}
        """For steps that are right on the first inputs: the number of those that show a fault."""
        self._generation = 0

    def get(self, index: int) -> Verdict:
        """The verdict as it is now."""
        with self._lock:
            return self._verdicts.get(index, CHECKING)

    def put(self, index: int, verdict: Verdict | None) -> None:
        """Set a verdict; None means that it is being checked."""
        with self._lock:
            self._verdicts[index] = verdict or CHECKING

    def use(
        self, arrays: tuple[Any, ...], ranges: dict[str, Interval], extents: dict[str, int]
    ) -> None:
        """Other inputs from now on; what was computed on the old ones is forgotten."""
        with self._lock:
            self._given, self._ranges, self._inputs = arrays, ranges, ()
            self._extents = extents
            self._sides.clear()
            self._fits.clear()
            self._shown_on.clear()
            self._generation += 1

    def inputs(self) -> Inputs:
        """The inputs of the checks; before the first check those that it tries first.

        Raises:
            CompileError: `session/no-entry`, `session/no-inputs`.
        """
        with self._lock:
            return self._inputs[0] if self._inputs else self._make_inputs(self._extents)

    def _make_inputs(self, extents: Extents) -> Inputs:
        if self._given:
            return Inputs(self._given, "given")
        module = self._snapshot(0).module
        return seeded_inputs(module, entry_function(module), self._ranges, extents)

    def chosen(self, job: Job) -> tuple[Inputs, ...]:
        """What checks run on: inputs on which the import runs, and others where that is cheap.

        Raises:
            CompileError: `session/no-entry`, `session/no-inputs`.
        """
        with self._lock:
            if self._inputs:
                return self._inputs
            generation = self._generation
        runs = self._choose(job)
        inputs = tuple(inputs for inputs, _ in runs)
        with self._lock:
            if generation == self._generation:
                self._inputs = inputs
                for number, (_, side) in enumerate(runs):
                    if side is not None:
                        self._sides[0, number] = side
        return inputs

    def _nth(self, number: int, job: Job) -> Inputs:
        """One of the inputs; other ones may have been given since they were counted."""
        chosen = self.chosen(job)
        return chosen[min(number, len(chosen) - 1)]

    def _choose(self, job: Job) -> list[tuple[Inputs, Side | None]]:
        usual = self._make_inputs(self._extents)
        if not usual.extents.keys() - self._extents.keys():
            return [(usual, None)]
        module = self._snapshot(0).module
        params = module.graph_functions[entry_function(module)].params

        def run(extents: Extents) -> tuple[Inputs, Side]:
            job.checkpoint()
            inputs = self._make_inputs(extents)
            return inputs, self._run_import(inputs, job)

        work = work_of(module)
        tried = runs(params, self._extents, run, lambda extents: work(largest(extents)))
        found = [result for _, result in tried]
        if not found:
            return [(usual, None)]
        inputs, side = found[0]
        if inputs.extents != usual.extents:
            why = f"{told(usual.extents)} does not fit"
            inputs = replace(inputs, source=f"{inputs.source} ({why})")
        return [(inputs, side), *found[1:]]

    def side(self, index: int, job: Job, number: int = 0) -> Side:
        """All values of a step; those of the import come from the reference interpreter.

        An import whose loops are too long for it runs compiled. `number` is that of the inputs;
        a step that takes other parameters than the import gets what stands for them.

        Raises:
            CompileError: why the step cannot be run.
        """
        inputs = self._nth(number, job)
        with self._lock:
            if (index, number) in self._sides:
                self._sides.move_to_end((index, number))
                return self._sides[index, number]
        module = self._snapshot(index).module
        if index == 0:
            side = self._run_import(inputs, job)
        else:
            entry, given = entry_function(module), inputs
            if takes_others(self._snapshot(0).module, module, entry):
                given = given_to(module, entry, self._fit(index, number, job))
            side = run_side(self._engine, module, given, entry, job)
        self._keep(index, number, side, inputs)
        return side

    def _run_import(self, inputs: Inputs, job: Job) -> Side:
        module = self._snapshot(0).module
        return run_import(self._engine, module, inputs, entry_function(module), job)

    def _fit(self, index: int, number: int, job: Job) -> Fit:
        """Arguments of the import that fit a step, and its values on them.

        Raises:
            CompileError: why the import cannot be run on them.
        """
        inputs = self._nth(number, job)
        origin, module = self._snapshot(0).module, self._snapshot(index).module
        entry = entry_function(module)
        if not takes_others(origin, module, entry):
            return Fit(inputs, self.side(0, job, number))
        key = (self._changed_parameters(index, entry), number)
        with self._lock:
            if key in self._fits:
                self._fits.move_to_end(key)
                return self._fits[key]
        arguments = self._arguments(key[0], inputs)
        fit = Fit(arguments, run_import(self._engine, origin, arguments, entry, job))
        with self._lock:
            if number < len(self._inputs) and self._inputs[number] is inputs:
                self._fits[key] = fit
                while len(self._fits) > KEPT_FITS:
                    self._fits.popitem(last=False)
        return fit

    def step_data(self, steps: Sequence[int], job: Job) -> tuple[StepData, ...]:
        """What each of these steps runs on, the same for all where one input fits them.

        Raises:
            CompileError: why the import cannot be run.
        """
        usual = common = self._nth(0, job)
        for step in steps:
            common = self._arguments(step, common)
        side = self.side(0, job) if same_arrays(usual, common) else self._run_import(common, job)
        found: list[StepData] = []
        for step in steps:
            job.checkpoint()
            module, own = self._snapshot(step).module, self._arguments(step, common)
            shared = same_arrays(own, common)
            fit = Fit(common, side) if shared else Fit(own, self._run_import(own, job))
            found.append(data_of_step(module, entry_function(module), fit, common=shared))
        return tuple(found)

    def import_side(self, index: int, job: Job) -> Side | None:
        """Values of the import where a step has those of `side`; None where it does not run."""
        try:
            return self._fit(index, 0, job).side
        except NativeCancelled:
            raise
        except CompileError:
            return None

    def _arguments(self, index: int, inputs: Inputs) -> Inputs:
        """`inputs`, or what fits a step too where they do not."""
        path = [self._snapshot(index)]
        while path[-1].parent is not None:
            path.append(self._snapshot(path[-1].parent))
        modules = [snapshot.module for snapshot in reversed(path)]
        return import_arguments(modules, entry_function(modules[-1]), inputs, self._ranges)

    def _changed_parameters(self, index: int, entry: str) -> int:
        """The last step on the way to `index` that changed the parameters of the entry function."""
        snapshot = self._snapshot(index)
        while snapshot.parent is not None:
            parent = self._snapshot(snapshot.parent)
            if takes_others(parent.module, snapshot.module, entry):
                break
            snapshot = parent
        return snapshot.index

    def _keep(self, index: int, number: int, side: Side, inputs: Inputs) -> None:
        """Keep the values of a step, unless other inputs are in use by now."""
        with self._lock:
            if number >= len(self._inputs) or self._inputs[number] is not inputs:
                return
            self._sides[index, number] = side
            while len(self._sides) > KEPT:
                oldest = next(key for key in self._sides if key[0] != 0)
                del self._sides[oldest]

    def check(self, index: int, job: Job) -> None:
        """Check one step; whatever happens, it gets a verdict and the listeners are told."""
        with self._lock:
            generation = self._generation
        try:
            verdict = self._check(index, job)
        except (Cancelled, NativeCancelled):
            self._settle(index, CANCELLED, generation)
            raise
        except CompileError as error:
            verdict = Verdict("uncheckable", f"not checkable: {error.diagnostics[0].message}")
        except FOREIGN_FAULTS as error:  # the edge: a verdict must not stay open
            self._settle(index, Verdict("uncheckable", f"not checkable: {error}"), generation)
            raise
        self._settle(index, verdict, generation)

    def blame(self, step: Step, job: Job) -> Blame:
        """What is wrong in a step whose verdict says that something is."""
        snapshot = step.snapshot
        assert snapshot.parent is not None
        assert snapshot.result is not None
        old, new = self._snapshot(snapshot.parent).module, snapshot.module
        derivations = snapshot.result.derivations
        if not new.graph_functions or step.verdict.fault is not None:
            return blame_of(step, old, None)
        number = self._shown_on.get(step.index, 0)
        entry = entry_function(new)
        if takes_others(old, new, entry):
            return blame_of(step, old, None)
        inputs = given_to(new, entry, self._fit(step.index, number, job))
        index, before = self._last_that_runs(snapshot.parent, number, job)
        if index != snapshot.parent:
            return blame_of(step, old, None)
        values = before.values
        search = Search(self._engine, old, new, derivations, job)
        return blame_of(step, old, locate(search, entry, inputs.arrays, values))

    def is_inside(self, index: int) -> bool:
        """Whether what is wrong in a step may be inside of the call that its verdict names."""
        verdict, snapshot = self.get(index), self._snapshot(index)
        first = verdict.first
        if first is None or verdict.good or verdict.inherited or verdict.path:
            return False
        binding = bound(snapshot.module, NodeRef(first.function, first.id))
        return binding is not None and isinstance(binding.value, CallFunction | IfThenElse)

    def look_inside(self, step: Step, job: Job) -> None:
        """Let the verdict on a step name the value that blame names."""
        with self._lock:
            generation = self._generation
        found = self.blame(step, job)
        with self._lock:
            verdict = self._verdicts.get(step.index)
            if generation == self._generation and verdict is not None and _is_other(found, verdict):
                assert found.difference is not None
                inside = named_inside(verdict, found.path, found.key, found.difference)
                self._verdicts[step.index] = inside
        self._notify()

    def abandon(self, index: int) -> None:
        """A check that was cancelled before it began leaves no open verdict."""
        with self._lock:
            if self._verdicts.get(index) is CHECKING:
                self._verdicts[index] = CANCELLED
        self._notify()

    def _check(self, index: int, job: Job) -> Verdict:
        verdict = self._values_checked(index, job)
        job.checkpoint()
        return with_unwritten(verdict, self._snapshot(index).module)

    def _values_checked(self, index: int, job: Job) -> Verdict:
        snapshot = self._snapshot(index)
        assert snapshot.parent is not None
        old = self._snapshot(snapshot.parent).module
        if old.graph_functions and entry_function(old) not in snapshot.module.graph_functions:
            return Verdict("wrong", f"✗ `{entry_function(old)}` is no more")
        if not snapshot.module.graph_functions:
            return check_kernels(self._engine, old, snapshot.module, self._ranges, job)
        chosen = self.chosen(job)
        verdict = self._check_on(snapshot, 0, job)
        self._shown_on.pop(index, None)
        for number in range(1, len(chosen)):
            if not verdict.good:
                break
            job.checkpoint()
            verdict, first = both(verdict, self._check_on(snapshot, number, job)), verdict
            if not verdict.good and first.good:
                self._shown_on[index] = number
        return verdict

    def _check_on(self, snapshot: Snapshot, number: int, job: Job) -> Verdict:
        """The verdict on a step for one of the inputs."""
        fit = self._fit(snapshot.index, number, job)
        job.checkpoint()
        verdict = self._check_fit(snapshot, fit, number, job)
        params = fit.side.module.graph_functions[entry_function(fit.side.module)].params
        shown = told(extents_of(params, fit.inputs.arrays))
        return replace(verdict, extents=(shown,) if shown else ())

    def _check_fit(self, snapshot: Snapshot, fit: Fit, number: int, job: Job) -> Verdict:
        """The verdict on a step for one of the inputs, which `fit` has as the import takes them."""
        assert snapshot.parent is not None
        inputs = self._nth(number, job)
        module, old = snapshot.module, self._snapshot(snapshot.parent).module
        entry = entry_function(module)
        if takes_others(old, module, entry) or other_signature(fit.side.module, old, entry):
            return check_against_import(self._engine, fit, module, entry, job)
        given = given_to(module, entry, fit)
        index, before = self._last_that_runs(snapshot.parent, number, job)
        if takes_others(before.module, module, entry):
            return check_against_import(self._engine, fit, module, entry, job)
        job.checkpoint()
        verdict = check(
            self._engine,
            before,
            module,
            fit.side.outputs,
            given,
            entry,
            job,
            lambda side: self._keep(snapshot.index, number, side, inputs),
            in_order=index == snapshot.parent and _keeps_order(snapshot),
        )
        return self._beside_parent(verdict, snapshot, fit, number, job)

    def _last_that_runs(self, index: int, number: int, job: Job) -> tuple[int, Side]:
        """A step with its values, or the last one before it that runs.

        Raises:
            CompileError: why not even the import runs.
        """
        while True:
            try:
                return index, self.side(index, job, number)
            except NativeCancelled:
                raise
            except CompileError:
                parent = self._snapshot(index).parent
                if parent is None:
                    raise
                index = parent

    def _beside_parent(
        self, verdict: Verdict, snapshot: Snapshot, fit: Fit, number: int, job: Job
    ) -> Verdict:
        """The verdict on a step, which is not its own fault where the step before is wrong."""
        parent = snapshot.parent
        assert parent is not None
        before = self.get(parent)
        if verdict.good or verdict.inherited or before.state not in {"wrong", "amber"}:
            return verdict
        if verdict.fault is not None:
            same = before.fault is not None and before.fault.message == verdict.fault.message
            return still_not_running(verdict, parent) if same else verdict
        if not verdict.agrees:
            return verdict
        found = self.side(snapshot.index, job, number)
        entry = entry_function(snapshot.module)
        return repaired(verdict, parent) if all_as(fit.side, found, entry) else verdict

    def _settle(self, index: int, verdict: Verdict, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._verdicts[index] = verdict
        self._notify()


def _is_other(found: Blame, verdict: Verdict) -> bool:
    """Whether blame names another value than the verdict."""
    inner, first = found.difference, verdict.first
    if inner is None or first is None:
        return False
    return (inner.function, inner.id) != (first.function, first.id)


def _keeps_order(snapshot: Snapshot) -> bool:
    """Whether the step is proved to sum in the order of the step before."""
    if snapshot.result is None or not isinstance(snapshot.applied, Primitive):
        return False
    return not snapshot.result.reassociates
