from __future__ import annotations

import subprocess
import sys
import time

import pytest

from workbench.session import timing
from workbench.session.timing import Candidate, MachineUse, UseMeter, time_interleaved
from workbench.support import CompileError, Diagnostic

BURN = "while True: pass"


def test_runs_are_interleaved_and_failures_kept() -> None:
    order: list[str] = []

    def fails() -> None:
        raise CompileError(Diagnostic("test/failed", "the library is not there"))

    candidates = [
        Candidate("a", lambda: (order.append("a"), time.sleep(0.002))),
        Candidate("b", lambda: (order.append("b"), time.sleep(0.002))),
        Candidate("c", fails),
        Candidate("d", None),
    ]
    heard: list[tuple[str, int, int]] = []
    time_interleaved(candidates, lambda *progress: heard.append(progress), rounds=6)
    assert [len(candidate.samples) for candidate in candidates] == [6, 6, 0, 0]
    assert "".join(order[2:]) == "ab" * 6
    assert candidates[2].failed == "the library is not there"
    assert candidates[3].failed == "not available"
    assert heard[-1] == ("", 24, 24)
    assert [done for _, done, _ in heard[4:]] == list(range(25))


def test_short_runs_are_repeated_within_a_sample() -> None:
    runs: list[None] = []
    candidate = Candidate("short", lambda: runs.append(None))
    time_interleaved([candidate], lambda *_: None, rounds=3)
    assert candidate.repeats > 100
    assert len(runs) == 2 + 3 * candidate.repeats


def test_no_round_starts_after_the_budget_once_there_are_enough() -> None:
    candidate = Candidate("slow", lambda: time.sleep(0.02))
    time_interleaved([candidate], lambda *_: None, rounds=50, budget=0.03)
    assert len(candidate.samples) == timing.MIN_ROUNDS


def test_no_run_of_a_slow_candidate_is_wasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SLOW", 0.02)
    runs: dict[str, int] = {"slow": 0, "fast": 0}

    def run(name: str, seconds: float) -> None:
        runs[name] += 1
        time.sleep(seconds)

    slow = Candidate("slow", lambda: run("slow", 0.03), first=0.03)
    fast = Candidate("fast", lambda: run("fast", 0.002), first=0.002)
    time_interleaved([slow, fast], lambda *_: None, rounds=50, budget=0.03)
    assert len(slow.samples) == timing.MIN_ROUNDS
    assert slow.samples[0] == 0.03
    assert runs["slow"] == timing.MIN_ROUNDS - 1
    assert len(fast.samples) >= timing.MIN_ROUNDS


def test_other_processes_make_the_machine_busy() -> None:
    with subprocess.Popen([sys.executable, "-c", BURN]) as other:
        meter = UseMeter()
        time.sleep(1.0)
        use = meter.read()
        other.kill()
    assert use.others is not None
    assert use.others > timing.BUSY_CORES
    assert f"machine busy: other processes used {use.others:.1f} cores" in str(use)


def test_what_is_measured_does_not_make_the_machine_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_busy_seconds", time.process_time)
    meter = UseMeter()
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        pass
    use = meter.read()
    assert use.others == pytest.approx(0, abs=0.05)
    assert "busy" not in str(use)


def test_the_load_decides_where_the_system_tells_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_busy_seconds", lambda: None)
    assert UseMeter().read().others is None
    assert str(MachineUse(2, 3.5, None)) == "2 cores, load 3.5, machine busy"
    assert str(MachineUse(2, 1.5, None)) == "2 cores, load 1.5"
