"""Timing: interleaved runs of several candidates, and how busy the machine was meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.runtime import Cancelled as NativeCancelled
from workbench.support import CompileError

ROUNDS = 15
BUDGET = 2.0
"""Seconds after which no further round starts."""
SHORTEST_SAMPLE = 0.001
"""Seconds; shorter runs are repeated within one sample."""
MIN_ROUNDS = 3
SLOW = 0.25
"""Seconds of a run from which on the first one, before the rounds, is a sample too."""
BUSY_CORES = 0.3
"""Cores that others may use before the machine counts as busy."""
TICK = 0.01
"""Seconds; how exactly the system counts its time."""


@dataclass
class Candidate:
    """Something to time: `call` runs it once, and has run before. `failed` says why it cannot."""

    name: str
    call: Callable[[], object] | None
    failed: str = ""
    samples: list[float] = field(default_factory=list[float])
    """Seconds of each run."""
    repeats: int = 1
    first: float = 0.0
    """Seconds of the run before."""

    @property
    def slow(self) -> bool:
        """Whether a run takes so long that none is to be wasted."""
        return self.first >= SLOW


def time_interleaved(
    candidates: Sequence[Candidate],
    checkpoint: Callable[[str, int, int], None],
    rounds: int = ROUNDS,
    budget: float = BUDGET,
) -> None:
    """One sample of each candidate per round (A B A B): drift of the machine hits all alike.

    `checkpoint(name, done, total)` is called between samples and may raise to stop.
    """
    total = rounds * len(candidates)
    for candidate in candidates:
        checkpoint(candidate.name, 0, total)
        _set_repeats(candidate)
    started, done = time.perf_counter(), 0
    for _ in range(rounds):
        if time.perf_counter() - started > budget and all(map(_enough, candidates)):
            break
        for candidate in candidates:
            if candidate.slow and _enough(candidate) and time.perf_counter() - started > budget:
                continue
            checkpoint(candidate.name, done, total)
            done += 1
            _sample(candidate)
    checkpoint("", total, total)


def _enough(candidate: Candidate) -> bool:
    return bool(candidate.failed) or len(candidate.samples) >= MIN_ROUNDS


def _set_repeats(candidate: Candidate) -> None:
    """How often a sample runs; a slow one has run once, which is its first sample."""
    if candidate.slow and not candidate.failed and candidate.call is not None:
        candidate.samples.append(candidate.first)
        return
    elapsed = _timed(candidate)
    if elapsed < SHORTEST_SAMPLE:
        elapsed = _timed(candidate)
    candidate.repeats = max(1, int(SHORTEST_SAMPLE / max(elapsed, 1e-9)))


def _sample(candidate: Candidate) -> None:
    seconds = _timed(candidate)
    if not candidate.failed:
        candidate.samples.append(seconds)


def _timed(candidate: Candidate) -> float:
    """Seconds of a run, the mean of `repeats` runs."""
    if candidate.failed or candidate.call is None:
        candidate.failed = candidate.failed or "not available"
        return 1.0
    started = time.perf_counter()
    try:
        for _ in range(candidate.repeats):
            candidate.call()
    except NativeCancelled:
        raise
    except CompileError as error:
        candidate.failed = error.diagnostics[0].message
    return (time.perf_counter() - started) / candidate.repeats


@dataclass(frozen=True, slots=True)
class MachineUse:
    """How busy the machine was: its load, and the cores that other processes used meanwhile.

    `others` is None where the system does not tell.
    """

    cores: int
    load: float
    others: float | None

    @property
    def busy(self) -> bool:
        """Whether others disturbed what was measured."""
        return self.load > self.cores if self.others is None else self.others > BUSY_CORES

    def __str__(self) -> str:
        text = f"{self.cores} cores, load {self.load:.1f}"
        if not self.busy:
            return text
        if self.others is None:
            return f"{text}, machine busy"
        return f"{text}, machine busy: other processes used {self.others:.1f} cores"


class UseMeter:
    """Watches the machine from its creation until it is read."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._own = time.process_time()
        self._all = _busy_seconds()

    def read(self) -> MachineUse:
        """The use so far."""
        cores, load = os.cpu_count() or 1, _load()
        wall = time.perf_counter() - self._wall
        now = _busy_seconds()
        if self._all is None or now is None or wall <= 0:
            return MachineUse(cores, load, None)
        slack = cores * TICK
        others = (now - self._all) - (time.process_time() - self._own) - slack
        return MachineUse(cores, load, max(0.0, others / wall))


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _busy_seconds() -> float | None:
    """Seconds that all processors together have worked, None where the system does not tell."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, first[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
