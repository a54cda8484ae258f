from __future__ import annotations

import signal
import threading
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import product, small
from workbench.session import Measured, Session
from workbench.session.excerpt import needed
from workbench.session.worker import Job
from workbench.support import CompileError


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
    assert [bar.name for bar in comparison.bars] == ["0 imported", "3 FuseTensorFunctions"]
    assert comparison.bars[1].error is not None
    (row,) = comparison.per_operator
    assert row.name.startswith("y · fused_matmul_add_relu")
    assert all(seconds is not None and seconds > 0 for seconds in row.seconds)
    assert heard[-1].comparison is comparison
    step = session.swap("h", "library numpy.matmul", at=1)
    bars = session.compare([0, 1, step.index]).bars
    assert bars[1].step == 1
    assert bars[2].name == f"{step.index} {step.title}" == "4 matmul → library numpy.matmul"


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


def test_progress_is_told_to_the_one_who_waits() -> None:
    heard: list[tuple[str, int, int, bool]] = []

    def watch(job: Job) -> None:
        heard.append((job.doing, job.done, job.total, job.finished.is_set()))

    session = wb.open(product(512))
    session.apply("LegalizeOps")
    session.compare(progress=watch)
    assert any(doing.startswith("timing ") for doing, *_ in heard)
    counts = [done for _, done, _, _ in heard]
    assert counts == sorted(counts)
    assert [ended for *_, ended in heard] == [False] * (len(heard) - 1) + [True]
    assert heard[-1][0] == ""


def test_only_what_a_step_calls_is_measured(session: Session) -> None:
    session.apply("FuseOps")
    module = session.module
    spare = module["matmul"]
    more = replace(module, functions=(("spare", spare), *module.functions))
    assert needed(more, "main").functions == module.functions
    (inner,) = set(module.graph_functions) - {"main"}
    assert set(dict(needed(more, inner).functions)) == {inner, *module.tensor_functions}
    assert needed(more, "main").pool is module.pool


def test_an_interrupt_stops_a_comparison_and_leaves_the_session_usable(session: Session) -> None:
    jobs: list[Job] = []

    def watch(job: Job) -> None:
        jobs.append(job)
        if len(jobs) == 1:
            signal.raise_signal(signal.SIGINT)

    gate = threading.Event()
    session.submit("wait", lambda job: _until_cancelled(job, gate))
    with pytest.raises(KeyboardInterrupt):
        session.compare(progress=watch)
    assert jobs[0].token.is_set()
    gate.set()
    assert session.wait(30)
    assert jobs[0].state == "cancelled"
    assert session.compare().bars[0].runs >= 3


def _until_cancelled(job: Job, gate: threading.Event) -> None:
    while not gate.wait(0.01):
        job.checkpoint()


def test_wrong_inputs_are_refused(session: Session) -> None:
    with pytest.raises(CompileError):
        session.run(
            np.zeros((3, 7), "float32"), np.zeros((8, 4), "float32"), np.zeros(4, "float32")
        )
    with pytest.raises(CompileError):
        session.run(np.zeros((3, 8)), np.zeros((8, 4), "float32"), np.zeros(4, "float32"))
