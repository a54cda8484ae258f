"""All verdicts of a session, with the inputs they use and the values of the last steps checked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from workbench.interpret import values as reference_values
from workbench.runtime import Cancelled as NativeCancelled
from workbench.schedule import Primitive
from workbench.session.blame import Blame, blame_of
from workbench.session.engine import Engine
from workbench.session.frames import Search, locate
from workbench.session.inputs import Inputs, Interval, entry_function, seeded_inputs
from workbench.session.interpreter_cost import interpreter_can_run
from workbench.session.kernel_check import check_kernels
from workbench.session.other_parameters import check_against_import, fitting_inputs, takes_others
from workbench.session.snapshot import Snapshot
from workbench.session.step import Step
from workbench.session.verdict import (
    CANCELLED,
    CHECKING,
    IMPORTED,
    Side,
    Verdict,
    check,
    result_of,
    run_side,
)
from workbench.session.worker import Cancelled, Job
from workbench.support import CompileError

KEPT = 6
"""Steps whose values are kept."""


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
        self._sides: OrderedDict[int, Side] = OrderedDict()
        self._given: tuple[Any, ...] = ()
        self._ranges: dict[str, Interval] = {}
        self._extents: dict[str, int] = {}
        self._inputs: Inputs | None = None
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
            self._given, self._ranges, self._inputs = arrays, ranges, None
            self._extents = extents
            self._sides.clear()
            self._generation += 1

    def inputs(self) -> Inputs:
        """The inputs of the checks.

        Raises:
            CompileError: `session/no-entry`, `session/no-inputs`.
        """
        with self._lock:
            if self._inputs is None:
                self._inputs = self._make_inputs()
            return self._inputs

    def _make_inputs(self) -> Inputs:
        if self._given:
            return Inputs(self._given, "given")
        module = self._snapshot(0).module
        return seeded_inputs(module, entry_function(module), self._ranges, self._extents)

    def side(self, index: int, job: Job) -> Side:
        """All values of a step; those of the import come from the reference interpreter.

        An import whose loops are too long for it runs compiled.

        Raises:
            CompileError: why the step cannot be run.
        """
        with self._lock:
            if index in self._sides:
                self._sides.move_to_end(index)
                return self._sides[index]
        module, inputs = self._snapshot(index).module, self.inputs()
        entry = entry_function(module)
        if index == 0 and interpreter_can_run(module):
            values = reference_values(module, inputs.arrays, entry)
            side = Side(module, values, result_of(module, entry, values))
        else:
            side = run_side(self._engine, module, inputs, entry, job)
        self._keep(index, side, inputs)
        return side

    def _keep(self, index: int, side: Side, inputs: Inputs) -> None:
        """Keep the values of a step, unless other inputs are in use by now."""
        with self._lock:
            if self._inputs is not inputs:
                return
            self._sides[index] = side
            while len(self._sides) > KEPT:
                oldest = next(i for i in self._sides if i != 0)
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
        except Exception as error:  # the edge: a verdict must not stay open
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
        entry, inputs = entry_function(new), self.inputs()
        origin = self._snapshot(0).module
        if takes_others(old, new, entry):
            return blame_of(step, old, None)
        if takes_others(origin, new, entry):
            given, _ = fitting_inputs(self._engine, origin, new, entry, inputs, self._ranges, job)
            if isinstance(given, str):
                return blame_of(step, old, None)
            inputs = given
            values = run_side(self._engine, old, inputs, entry, job).values
        else:
            values = self.side(snapshot.parent, job).values
        search = Search(self._engine, old, new, derivations, job)
        return blame_of(step, old, locate(search, entry, inputs.arrays, values))

    def abandon(self, index: int) -> None:
        """A check that was cancelled before it began leaves no open verdict."""
        with self._lock:
            if self._verdicts.get(index) is CHECKING:
                self._verdicts[index] = CANCELLED
        self._notify()

    def _check(self, index: int, job: Job) -> Verdict:
        snapshot = self._snapshot(index)
        assert snapshot.parent is not None
        old = self._snapshot(snapshot.parent).module
        if old.graph_functions and entry_function(old) not in snapshot.module.graph_functions:
            return Verdict("wrong", f"✗ `{entry_function(old)}` is no more")
        if not snapshot.module.graph_functions:
            return check_kernels(self._engine, old, snapshot.module, self._ranges, job)
        inputs = self.inputs()
        entry = entry_function(snapshot.module)
        origin = self._snapshot(0).module
        if takes_others(origin, snapshot.module, entry):
            return check_against_import(
                self._engine, origin, snapshot.module, entry, inputs, self._ranges, job
            )
        reference = self.side(0, job).outputs
        job.checkpoint()
        before = self.side(snapshot.parent, job)
        job.checkpoint()
        return check(
            self._engine,
            before,
            snapshot.module,
            reference,
            inputs,
            entry,
            job,
            lambda side: self._keep(index, side, inputs),
            in_order=_keeps_order(snapshot),
        )

    def _settle(self, index: int, verdict: Verdict, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._verdicts[index] = verdict
        self._notify()


def _keeps_order(snapshot: Snapshot) -> bool:
    """Whether the step is proved to sum in the order of the step before."""
    if snapshot.result is None or not isinstance(snapshot.applied, Primitive):
        return False
    return not snapshot.result.reassociates
