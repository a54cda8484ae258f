"""Medians of interleaved runs: A B A B, so that a machine that drifts drifts for all."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Median and quartiles in seconds of `runs` runs."""

    median: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        low, median, high = (1e3 * seconds for seconds in (self.low, self.median, self.high))
        return f"{median:9.3f} ms  [{low:.3f} .. {high:.3f}]  n={self.runs}"


def interleaved(
    actions: Mapping[str, Callable[[], object]],
    seconds: float = 4.0,
    least: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time the actions in turn for about `seconds` in all.

    At least `least` rounds after one warm-up. `clock` may be `time.process_time` for what runs in
    one thread, so that other programs on the machine count less.
    """
    for action in actions.values():
        action()
    samples: dict[str, list[float]] = {name: [] for name in actions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(samples.values()))) < least:
        for name, action in actions.items():
            start = clock()
            action()
            samples[name].append(clock() - start)
    return {name: summary(found) for name, found in samples.items()}


def summary(samples: list[float]) -> Timing:
    """Median and quartiles of measured seconds."""
    if len(samples) < 2:
        return Timing(samples[0], samples[0], samples[0], len(samples))
    low, median, high = statistics.quantiles(samples, n=4)
    return Timing(median, low, high, len(samples))


def conditions() -> str:
    """How busy the machine is, for the head of a report."""
    load = os.getloadavg()[0]
    return f"{len(os.sched_getaffinity(0))} cores, load {load:.1f}"
