"""Comparisons: medians of interleaved runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.runtime import Timing
from workbench.session.apart import Measured
from workbench.session.display import display_bundle
from workbench.session.experiment import Outcome


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


def bars_of(names: Sequence[Bar], outcomes: Sequence[Outcome]) -> tuple[Bar, ...]:
    """The bars with what was measured for each, the fastest marked."""
    bars = [_bar(bar, outcome) for bar, outcome in zip(names, outcomes, strict=True)]
    timed = [bar.seconds for bar in bars if not bar.failed]
    best = min(timed, default=None)
    return tuple(replace(bar, best=not bar.failed and bar.seconds == best) for bar in bars)


def _bar(bar: Bar, outcome: Outcome) -> Bar:
    samples = outcome.samples
    if bar.failed or outcome.failed or not samples:
        failed = bar.failed or outcome.failed or "not available"
        return replace(bar, failed=failed, error=outcome.error)
    timing = Timing.of(samples)
    return replace(
        bar,
        seconds=timing.median,
        low=timing.lower,
        high=timing.upper,
        runs=len(samples),
        error=outcome.error,
    )


def conditions(measured: Measured, source: str = "") -> str:
    """How and where it was measured, in words."""
    parts = [source, "median and quartiles of interleaved runs", str(measured.results.use)]
    return ", ".join(part for part in (*parts, measured.here) if part)
