from __future__ import annotations

import threading

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import small
from workbench.session import Measured, Session
from workbench.session.comparison import Candidate, time_interleaved
from workbench.support import CompileError, Diagnostic


@pytest.fixture
def session() -> Session:
    opened = wb.open(small())
    opened.apply("LegalizeOps")
    return opened


def test_measure_times_every_implementation_on_the_real_arrays(session: Session) -> None:
    comparison = session.measure("h")
    names = {bar.implementation for bar in comparison.bars}
    assert names == {item.name for item in session.implementations("h")}
    timed = [bar for bar in comparison.bars if not bar.failed]
    assert len(timed) >= 3
    for bar in timed:
        assert 0 < bar.low <= bar.seconds <= bar.high
        assert bar.error is not None
        assert bar.error < 1e-5
    assert sum(bar.best for bar in comparison.bars) == 1
    assert [bar.name for bar in comparison.bars if bar.current] == ["generated"]
    assert len(session.steps) == 2


def test_measuring_works_inside_a_fused_function(session: Session) -> None:
    session.apply("FuseOps")
    comparison = session.measure("h")
    assert any(bar.implementation == "library numpy.matmul" and not bar.failed
               for bar in comparison.bars)  # fmt: skip


def test_compare_has_bars_by_step_and_rows_by_operator(session: Session) -> None:
    heard: list[Measured] = []
    session.subscribe(lambda event: heard.append(event) if isinstance(event, Measured) else None)
    session.apply("FuseOps")
    session.apply("FuseTensorFunctions")
    comparison = session.compare()
    assert [bar.step for bar in comparison.bars] == [0, 3]
    assert comparison.bars[1].error is not None
    (row,) = comparison.per_operator
    assert row.name.startswith("y · fused_matmul_add_relu")
    assert all(seconds is not None and seconds > 0 for seconds in row.seconds)
    assert heard[-1].comparison is comparison
    assert session.compare([0, 1, 3]).bars[1].step == 1


def test_a_cancelled_measurement_ends_and_says_so(session: Session) -> None:
    gate = threading.Event()
    session.submit("wait", lambda _job: gate.wait(10))
    job = session.start_measure("h")
    session.cancel()
    gate.set()
    session.wait()
    assert job.state == "cancelled"
    assert job.result is None


def test_what_cannot_be_measured_says_why(session: Session) -> None:
    with pytest.raises(CompileError) as caught:
        session.measure("x")
    assert caught.value.diagnostics[0].code == "session/no-implementations"


def test_runs_are_interleaved_and_failures_kept() -> None:
    order: list[str] = []

    def fails() -> None:
        raise CompileError(Diagnostic("test/failed", "the library is not there"))

    candidates = [
        Candidate("a", lambda: order.append("a")),
        Candidate("b", lambda: order.append("b")),
        Candidate("c", fails),
    ]
    for candidate in candidates:
        candidate.repeats = 1
    bars = time_interleaved(candidates, lambda _done, _total: None, rounds=6)
    assert [bar.runs for bar in bars[:2]] == [6, 6]
    assert bars[2].failed == "the library is not there"
    after = "".join(order[4:])
    assert "a" * candidates[0].repeats + "b" in after


def test_wrong_inputs_are_refused(session: Session) -> None:
    with pytest.raises(CompileError):
        session.run(
            np.zeros((3, 7), "float32"), np.zeros((8, 4), "float32"), np.zeros(4, "float32")
        )
    with pytest.raises(CompileError):
        session.run(np.zeros((3, 8)), np.zeros((8, 4), "float32"), np.zeros(4, "float32"))
