"""Experiments: what is measured together, and doing it in the process that is at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.ir import IRModule
from workbench.runtime import Cancelled as NativeCancelled
from workbench.runtime import CancelToken, Executable
from workbench.session.timing import Candidate, MachineUse, UseMeter, time_interleaved
from workbench.support import CompileError, NodeId

PROFILE_REPEATS = 5
PROFILE_BUDGET = 1.0
"""Seconds for the profiled runs of one trial, which are of two calls; one is always done."""

Report = Callable[[str, int, int], None]
"""`report(what, done, total)` hears of progress and may raise to stop."""


@dataclass(frozen=True, slots=True)
class Data:
    """Arguments of a function, and what it should give for them."""

    arrays: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, slots=True)
class Trial:
    """A module whose `function` is timed; with `profile`, its bindings one by one as well.

    `data` is for one that takes other arguments than the other trials.
    """

    name: str
    module: IRModule
    function: str = "main"
    profile: bool = False
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Trials to time side by side on the same `arrays`; `expected` is what they should give."""

    trials: tuple[Trial, ...]
    arrays: tuple[Any, ...]
    expected: Any

    def data(self, trial: Trial) -> Data:
        """What a trial runs on."""
        return trial.data or Data(self.arrays, self.expected)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial gave: seconds of each sample, the largest error, seconds by binding.

    `failed` says why there are no samples; `report` is the report of the build.
    """

    samples: tuple[float, ...] = ()
    error: float | None = None
    failed: str = ""
    report: str = ""
    profile: Mapping[NodeId, float] = field(default_factory=dict[NodeId, float])


@dataclass(frozen=True, slots=True)
class Results:
    """An outcome for each trial, and how busy the machine was. `process` ran them."""

    outcomes: tuple[Outcome, ...]
    use: MachineUse
    process: int


@dataclass
class _Run:
    """A trial under way."""

    timed: Candidate
    error: float | None = None
    report: str = ""
    profile: Mapping[NodeId, float] = field(default_factory=dict[NodeId, float])


def run_experiment(
    experiment: Experiment,
    build: Callable[[IRModule], Executable],
    report: Report,
    cancel: CancelToken,
    process: int,
) -> Results:
    """Build every trial, compare its result with what is expected, then time all in turn.

    A trial that fails has an outcome that says why. `cancel` stops native code.

    Raises:
        Cancelled: of the token; whatever `report` raises.
    """
    trials = experiment.trials
    steps = len(trials)
    runs: list[_Run] = []
    for trial in trials:

        def preparing(doing: str, note: str = "", name: str = trial.name) -> None:
            report(f"{doing} {name}{note}", len(runs), steps)

        runs.append(_prepare(trial, experiment, build, preparing, cancel))

    def timing(name: str, done: int, total: int) -> None:
        report(f"timing {name}" if name else "", steps + done, steps + total)

    meter = UseMeter()
    time_interleaved([run.timed for run in runs], timing)
    outcomes = tuple(
        Outcome(
            tuple(run.timed.samples), run.error, run.timed.failed, run.report, dict(run.profile)
        )
        for run in runs
    )
    return Results(outcomes, meter.read(), process)


def _prepare(
    trial: Trial,
    experiment: Experiment,
    build: Callable[[IRModule], Executable],
    report: Callable[..., None],
    cancel: CancelToken,
) -> _Run:
    found = _Run(Candidate(trial.name, None))
    data = experiment.data(trial)
    arrays = data.arrays

    def call() -> object:
        return executable(*arrays, function=trial.function, cancel=cancel)

    try:
        report("building")
        executable = build(trial.module)
        report("running")
        started = time.perf_counter()
        result = call()
        found.timed.first = time.perf_counter() - started
        if trial.profile:
            report("profiling", f" ({found.timed.first * 1e3:.4g} ms at first)")
            found.profile = _profile(trial, executable, arrays, found.timed, cancel)
    except NativeCancelled:
        raise
    except CompileError as error:
        found.timed.failed = error.diagnostics[0].message
        return found
    found.error = largest_error(data.expected, result)
    found.report = str(executable.report)
    found.timed.call = call
    return found


def _profile(
    trial: Trial,
    executable: Executable,
    arrays: tuple[Any, ...],
    timed: Candidate,
    cancel: CancelToken,
) -> dict[NodeId, float]:
    """Seconds by binding: medians, but of a slow trial those of one run."""
    if timed.slow:
        return executable.binding_seconds(arrays, trial.function, cancel)
    repeats = max(1, min(PROFILE_REPEATS, int(PROFILE_BUDGET / max(timed.first, 1e-9))))
    profile = executable.profile(arrays, repeats, trial.function, cancel)
    return {node: timing.median for node, timing in profile.bindings.items()}


def largest_error(expected: Any, found: Any) -> float:  # noqa: ANN401
    """Largest absolute difference of two values; infinite where shapes differ.

    Infinite too where only one of two elements is NaN; equal infinities, or two NaN, differ by 0.
    """
    left, right = _arrays(expected), _arrays(found)
    if len(left) != len(right):
        return float("inf")
    return max((_array_error(a, b) for a, b in zip(left, right, strict=True)), default=0.0)


def _arrays(value: Any) -> list[np.ndarray]:  # noqa: ANN401
    """The arrays of a value, tuples flattened."""
    if isinstance(value, tuple | list):
        return [array for item in value for array in _arrays(item)]  # pyright: ignore[reportUnknownVariableType]
    return [np.asarray(value)]


def _array_error(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    if a.size == 0:
        return 0.0
    left, right = a.astype(np.float64), b.astype(np.float64)
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    differences = np.abs(np.subtract(left, right, out=np.zeros_like(left), where=~equal))
    return float(np.max(np.nan_to_num(differences, nan=np.inf, posinf=np.inf)))
