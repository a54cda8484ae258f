"""Comparisons: medians of interleaved runs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.session.display import display_bundle
from workbench.support import CompileError

ROUNDS = 15
BUDGET = 2.0
"""Seconds after which no further round starts."""
SHORTEST_SAMPLE = 0.001
"""Seconds; shorter runs are repeated within one sample."""
MIN_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """Times of one candidate in seconds: median and quartiles of `runs` samples."""

    name: str
    seconds: float = 0.0
    low: float = 0.0
    high: float = 0.0
    runs: int = 0
    error: float | None = None
    current: bool = False
    best: bool = False
    note: str = ""
    failed: str = ""
    implementation: str | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """Seconds of one value in each of the steps compared; None where it is not computed."""

    key: str
    name: str
    seconds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Bars to show side by side, and the slowest operators by step."""

    title: str
    bars: tuple[Bar, ...]
    per_operator: tuple[OperatorRow, ...] = ()
    conditions: str = ""

    def __repr__(self) -> str:
        rows = [f"{self.title}  ({self.conditions})"]
        for bar in self.bars:
            time_ = bar.failed or f"{bar.seconds * 1e3:9.3f} ms"
            spread = "" if bar.failed else f"  [{bar.low * 1e3:.3f}, {bar.high * 1e3:.3f}]"
            error = "" if bar.error is None else f"  error {bar.error:.1e}"
            rows.append(f"  {bar.name:<32} {time_}{spread}{error}{' best' if bar.best else ''}")
        return "\n".join(rows)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return display_bundle("comparison", self)


@dataclass
class Candidate:
    """Something to time: `call` runs it once. `failed` says why it cannot."""

    name: str
    call: Callable[[], object] | None
    error: float | None = None
    current: bool = False
    failed: str = ""
    note: str = ""
    implementation: str | None = None
    step: int | None = None
    samples: list[float] = field(default_factory=list[float])
    repeats: int = 1


def time_interleaved(
    candidates: Sequence[Candidate],
    checkpoint: Callable[[int, int], None],
    rounds: int = ROUNDS,
    budget: float = BUDGET,
) -> tuple[Bar, ...]:
    """One sample of each candidate per round (A B A B): drift of the machine hits all alike.

    `checkpoint(done, total)` is called between samples and may raise to stop.
    """
    total = rounds * len(candidates)
    for candidate in candidates:
        checkpoint(0, total)
        _warm_up(candidate)
    started, done = time.perf_counter(), 0
    for turn in range(rounds):
        if turn >= MIN_ROUNDS and time.perf_counter() - started > budget:
            break
        for candidate in candidates:
            checkpoint(done, total)
            done += 1
            if not candidate.failed:
                _sample(candidate)
    checkpoint(total, total)
    bars = [_bar(candidate) for candidate in candidates]
    timed = [bar.seconds for bar in bars if not bar.failed]
    if not timed:
        return tuple(bars)
    best = min(timed)
    marked = [bar if bar.failed or bar.seconds != best else _best(bar) for bar in bars]
    return tuple(marked)


def conditions(note: str = "") -> str:
    """Threads and load of this machine, in words."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    busy = ", machine busy" if load > cores else ""
    text = f"median and quartiles of interleaved runs, {cores} cores, load {load:.1f}{busy}"
    return f"{note}, {text}" if note else text


def _warm_up(candidate: Candidate) -> None:
    if candidate.call is None:
        candidate.failed = candidate.failed or "not available"
        return
    try:
        candidate.call()
        started = time.perf_counter()
        candidate.call()
    except CompileError as error:
        candidate.failed = error.diagnostics[0].message
        return
    elapsed = max(time.perf_counter() - started, 1e-9)
    candidate.repeats = max(1, int(SHORTEST_SAMPLE / elapsed))


def _sample(candidate: Candidate) -> None:
    assert candidate.call is not None
    started = time.perf_counter()
    for _ in range(candidate.repeats):
        candidate.call()
    candidate.samples.append((time.perf_counter() - started) / candidate.repeats)


def _bar(candidate: Candidate) -> Bar:
    base = Bar(
        candidate.name,
        error=candidate.error,
        current=candidate.current,
        note=candidate.note,
        failed=candidate.failed,
        implementation=candidate.implementation,
        step=candidate.step,
    )
    if candidate.failed or not candidate.samples:
        return base
    samples = candidate.samples
    low, middle, high = (
        statistics.quantiles(samples, n=4, method="inclusive")
        if len(samples) > 1
        else (samples[0],) * 3
    )
    return _with_times(base, middle, low, high, len(samples))


def _with_times(bar: Bar, middle: float, low: float, high: float, runs: int) -> Bar:
    return Bar(
        bar.name,
        middle,
        low,
        high,
        runs,
        bar.error,
        bar.current,
        False,
        bar.note,
        "",
        bar.implementation,
        bar.step,
    )


def _best(bar: Bar) -> Bar:
    return Bar(
        bar.name,
        bar.seconds,
        bar.low,
        bar.high,
        bar.runs,
        bar.error,
        bar.current,
        True,
        bar.note,
        "",
        bar.implementation,
        bar.step,
    )
