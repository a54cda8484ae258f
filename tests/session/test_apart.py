"""Measuring in a process of its own: what it gives, and what happens when it goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import PRODUCT, product, small
from workbench.ir import (
    CallOp,
    GraphBuilder,
    IRModule,
    LibraryFunction,
    TensorType,
    register_library,
)
from workbench.passes import LegalizeOps
from workbench.session import Bar, apart, child, messages
from workbench.session.apart import Measured, measure_apart
from workbench.session.engine import Engine
from workbench.session.experiment import Experiment, Trial
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic

LIBRARY = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            y = R.call_dps_packed(SYMBOL, (x,), out_ty=R.Tensor((4,), "float32"))
            R.output(y)
        return y
"""
WEIGHTED = """
import os, sys
import numpy as np
import workbench as wb
from workbench.session import apart

def main():
    text = sys.argv[1]
    session = wb.open(wb.parse(text))
    session.apply("LegalizeOps")
    session.wait()
    print(apart.process_id(), flush=True)
    session.compare()
    print(apart.process_id(), flush=True)
    if sys.argv[2] == "stay":
        sys.stdin.read()

if __name__ == "__main__":
    main()
"""


def experiment(size: int = 16) -> Experiment:
    x = np.full((size, size), 0.5, "f4")
    return Experiment((Trial("plain", LegalizeOps()(product(size)).module),), (x, x), x @ x)


def run_job(work: Experiment, engine: Engine | None = None) -> Job:
    job = Job("test", lambda job: measure_apart(work, engine or Engine(), job))
    threading.Thread(target=job.run, daemon=True).start()
    return job


def result(job: Job) -> Measured:
    assert job.finished.wait(60)
    assert job.fault is None, job.fault
    assert isinstance(job.result, Measured)
    return job.result


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for counts as gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] not in "ZX"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """A process that a test has stopped is not left to the next."""
    yield
    pid = apart.process_id()
    if pid is not None and alive(pid):
        os.kill(pid, signal.SIGCONT)


def test_another_process_measures_and_stays_for_the_next_measurement() -> None:
    first, second = result(run_job(experiment())), result(run_job(experiment(32)))
    assert first.results.process == second.results.process == apart.process_id()
    assert first.results.process != os.getpid()
    assert first.here == ""
    (outcome,) = first.results.outcomes
    assert len(outcome.samples) >= 3
    assert all(0 < seconds < 1 for seconds in outcome.samples)
    assert outcome.error is not None
    assert outcome.error < 1e-5


def test_a_result_that_is_wrong_is_measured_with_its_error() -> None:
    good = experiment()
    wrong = Experiment(good.trials, good.arrays, good.expected + 0.25)
    (outcome,) = result(run_job(wrong)).results.outcomes
    assert outcome.error == pytest.approx(0.25, abs=1e-5)


def test_bindings_are_profiled_under_their_own_ids() -> None:
    module = LegalizeOps()(small()).module
    arrays = (np.ones((2, 8), "f4"), np.ones((8, 4), "f4"), np.ones(4, "f4"))
    expected = np.full((2, 4), 9, "f4")
    trial = Trial("small", module, profile=True)
    (outcome,) = result(run_job(Experiment((trial,), arrays, expected))).results.outcomes
    assert set(outcome.profile) == {b.var.id for b in module.graph_functions["main"].bindings}
    assert outcome.error == 0


def test_constants_are_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(0).standard_normal((8, 4)).astype("f4")
    session = wb.open(_with_constant(weights))
    session.apply("LegalizeOps")
    sent: list[Any] = []
    encode = messages.encode
    monkeypatch.setattr(child, "encode", lambda message: (sent.append(message), encode(message))[1])
    session.compare()
    session.compare()
    assert _error(session.compare().bars[1]) < 1e-6
    requests = [message for message in sent if isinstance(message, messages.Measure)]
    assert [len(request.constants) for request in requests] == [1, 0, 0]
    assert all(not t.module.pool for request in requests for t in request.experiment.trials)
    monkeypatch.setattr(child, "MOST_CONSTANTS", 16)
    other = wb.open(_with_constant(weights + 1))
    assert _error(other.compare().bars[0]) < 1e-6
    assert sent[-1].forget
    assert _error(session.compare().bars[1]) < 1e-6


def test_constants_that_could_not_be_sent_are_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(1).standard_normal((8, 4)).astype("f4")
    session = wb.open(_with_constant(weights))
    session.apply("LegalizeOps")
    encode = messages.encode

    def too_deep(message: messages.Request) -> list[Any]:
        if isinstance(message, messages.Measure):
            raise RecursionError
        return encode(message)

    process = child.Child(child.current_settings())
    job = Job("test", lambda job: job)
    module = session.head.module
    x = np.ones((2, 8), "f4")
    work = Experiment((Trial("step", module),), (x,), x @ weights)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(child, "encode", too_deep)
            with pytest.raises(RecursionError):
                process.measure(work, job)
        (outcome,) = process.measure(work, job).outcomes
    finally:
        process.end()
    assert outcome.failed == ""
    assert outcome.error is not None
    assert outcome.error < 1e-5


def _error(bar: Bar) -> float:
    assert bar.error is not None
    return bar.error


def _with_constant(weights: np.ndarray) -> IRModule:
    builder = GraphBuilder()
    x = builder.param("x", TensorType((2, 8), "float32"))
    w = builder.constant(weights, "w")
    main = builder.build(builder.emit(CallOp("matmul", (x, w))))
    return IRModule((("main", main),), builder.module.pool)


@pytest.mark.parametrize("stopped", [False, True], ids=["asked", "forced"])
def test_cancelling_ends_native_code_or_the_process(
    stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "GRACE", 0.1 if stopped else 20.0)
    job = run_job(experiment(2048))
    until(lambda: job.doing == "running plain")
    pid = apart.process_id()
    assert pid is not None
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    job.cancel()
    assert job.finished.wait(20)
    assert job.state == "cancelled"
    assert alive(pid) is not stopped
    assert (result(run_job(experiment())).results.process == pid) is not stopped


def test_a_process_that_dies_is_one_diagnostic_and_the_next_works() -> None:
    job = run_job(experiment(2048))
    until(lambda: job.doing == "running plain")
    pid = apart.process_id()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert job.finished.wait(20)
    assert job.fault is not None
    (fault,) = job.fault.diagnostics
    assert fault.code == "session/measuring-died"
    assert "`SIGKILL` while running plain" in fault.message
    assert result(run_job(experiment())).results.process != pid


def test_a_process_that_does_not_answer_is_one_diagnostic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PING_AFTER", 0.1)
    job = run_job(experiment(2048))
    until(lambda: job.doing == "running plain")
    time.sleep(0.5)
    assert not job.finished.is_set()  # it answers although it is at work
    pid = apart.process_id()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(child, "SILENCE", 0.5)
    assert job.finished.wait(20)
    assert job.fault is not None
    assert job.fault.diagnostics[0].code == "session/measuring-hangs"
    assert not alive(pid)
    monkeypatch.undo()
    assert result(run_job(experiment())).results.process != pid


def test_threads_set_otherwise_start_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = result(run_job(experiment())).results.process
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    second = result(run_job(experiment())).results.process
    assert second != first
    assert not alive(first)
    assert b"OMP_NUM_THREADS=1" in Path(f"/proc/{second}/environ").read_bytes().split(b"\0")


def test_what_is_defined_here_is_measured_here_and_says_so() -> None:
    def doubles(x: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, 2 * x)

    register_library(LibraryFunction("test.apart.twice", doubles, "tests"))
    session = wb.open(wb.parse(LIBRARY.replace("SYMBOL", '"test.apart.twice"')))
    comparison = session.compare()
    assert comparison.conditions.endswith(
        "measured in the kernel's process: `doubles` is registered here"
    )
    assert comparison.bars[0].runs >= 3
    doubles.__module__ = "__main__"
    assert "`doubles` is defined in this notebook" in session.compare().conditions
    assert "kernel's process" not in wb.open(small()).compare().conditions


def test_a_step_that_does_not_run_there_says_why() -> None:
    session = wb.open(wb.parse(LIBRARY.replace("SYMBOL", '"test.apart.gone"')))
    module = session.module
    work = Experiment((Trial("gone", module), *experiment().trials), experiment().arrays, 0)
    outcomes = result(run_job(work)).results.outcomes
    assert "test.apart.gone" in outcomes[0].failed
    assert outcomes[1].samples


def test_faults_there_are_raised_here() -> None:
    finished = messages.Finished(1, faults=(Diagnostic("test/fault", "it failed"),))
    with pytest.raises(CompileError, match="it failed"):
        child._results(finished)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("end", ["exit", "stay"])
def test_the_process_starts_when_needed_and_ends_with_the_kernel(end: str, tmp_path: Path) -> None:
    script = tmp_path / "kernel.py"
    script.write_text(WEIGHTED)
    text = PRODUCT.replace("N", "16")
    kernel = subprocess.Popen(
        [sys.executable, script, text, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert kernel.stdout is not None
    assert kernel.stdout.readline() == b"None\n"
    pid = int(kernel.stdout.readline())
    if end == "stay":
        assert alive(pid)
        kernel.kill()
    kernel.wait(20)
    until(lambda: not alive(pid))


def test_messages_keep_arrays_of_every_kind() -> None:
    arrays = (
        np.arange(6, dtype="i8").reshape(2, 3),
        np.zeros((0, 4), "f4"),
        np.float32(2),
        np.arange(6.0).reshape(2, 3).T,
    )
    message = messages.Measure(3, Experiment((), arrays, (1, 2)), {"a": arrays[0]}, False)
    stream = BytesIO()
    messages.write(stream, messages.encode(message))
    messages.write(stream, messages.encode(messages.Stop(3)))
    stream.seek(0)
    back = messages.read(stream)
    for a, b in zip(arrays, back.experiment.arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert messages.read(stream) == messages.Stop(3)
    with pytest.raises(EOFError):
        messages.read(stream)
