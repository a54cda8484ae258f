from __future__ import annotations

import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from tests.session.programs import SMALL, product, small
from workbench.ir import IRModule
from workbench.passes import (
    BindParameters,
    BindSymbolicVariables,
    LiftTransformParams,
    Pass,
    PassResult,
)
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


LIFTED = SMALL.replace(
    "        with", '        R.func_attr({"num_input": 1})\n        with'
).replace("h = R.matmul(x, w)", "t = R.exp(w)\n            h = R.matmul(x, t)")
WEIGHTS = (np.arange(32).reshape(8, 4) % 5).astype("float32")


@pytest.mark.parametrize(
    "step",
    [
        BindParameters({"w": WEIGHTS}),
        BindSymbolicVariables({"n": 6}),
        LiftTransformParams(),
    ],
    ids=["parameter", "dimension", "lifted"],
)
def test_steps_that_take_other_parameters_are_compared_on_what_fits_them(step: Pass) -> None:
    text = LIFTED if isinstance(step, LiftTransformParams) else SMALL
    session = wb.open(wb.parse(text))
    session.apply(step)
    session.apply("LegalizeOps")
    bars = session.compare().bars
    assert [bar.failed for bar in bars] == ["", ""]
    assert all(bar.error is not None and bar.error < 1e-4 for bar in bars), bars
    measured = session.measure("h").bars
    assert any(not bar.failed for bar in measured)
    assert all(bar.error is not None and bar.error < 1e-4 for bar in measured if not bar.failed)


def test_inputs_that_fit_all_steps_are_told() -> None:
    session = wb.open(small())
    session.apply(BindSymbolicVariables({"n": 6}))
    session.checkout(0)
    other = session.apply(BindSymbolicVariables({"n": 10})).index
    assert "n = 6" in session.compare([0, 1]).conditions
    found = session.compare([0, 1, other])
    assert [bar.failed for bar in found.bars] == ["", "", ""]
    assert all(bar.error is not None and bar.error < 1e-4 for bar in found.bars)
    assert "n = 6, step 2 on" in found.conditions or "step 1 on" in found.conditions


def test_a_step_that_takes_what_nobody_computes_says_so_in_its_row(session: Session) -> None:
    wanted = "`spare`, which the import does not compute"

    class More(Pass):
        name = "more"

        @override
        def run(self, module: IRModule) -> PassResult:
            main = module.graph_functions["main"]
            spare = replace(main.params[2], id=main.next_id, name="spare")
            main = replace(main, params=(*main.params, spare), next_id=main.next_id + 1)
            return PassResult(module.with_function("main", main))

    session.apply(More())
    imported, more = session.compare().bars
    assert imported.runs > 0
    assert wanted in more.failed
    assert session.wait(60)
    assert session.head.verdict.state == "uncheckable"
    assert wanted in str(session.head.verdict)


def test_a_bound_parameter_that_was_given_too_is_what_it_was_bound_to() -> None:
    session = wb.open(small())
    arrays = [np.ones(shape, "float32") for shape in ((5, 8), (8, 4), (4,))]
    session.inputs(*arrays)
    session.apply(BindParameters({"x": 3 * arrays[0], "w": WEIGHTS}))
    comparison = session.compare()
    assert all(bar.error is not None and bar.error < 1e-4 for bar in comparison.bars)
    assert "given, `x`, `w` as bound" in comparison.conditions
    assert session.wait(60)
    assert session.head.verdict.inputs == "given, `x`, `w` as bound"


def test_extents_of_a_step_are_by_name_where_parameters_went() -> None:
    session = wb.open(wb.parse(SMALL.replace("(8, 4)", '(8, "m")').replace("(4,)", '("m",)')))
    session.inputs(extents={"n": 7, "m": 9})
    step = session.apply(BindParameters({"w": WEIGHTS}))
    assert session.extents(0) == {"n": 7, "m": 9}
    assert session.extents(step.index) == {"n": 7}
