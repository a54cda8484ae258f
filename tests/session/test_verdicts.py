from __future__ import annotations

import threading

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import BreakFunction, Raises, SwapOperands, small
from workbench.session import Session
from workbench.session.inputs import index_domains, seeded_inputs
from workbench.session.tolerance import tolerance

GATHER = """
@I.ir_module
class Module:
    @R.function
    def main(table: R.Tensor((11, 4), "float32"), index: R.Tensor((6,), "int64")):
        with R.dataflow():
            wide = R.reshape(index, R.shape([2, 3]))
            y = R.take(table, wide, axis=0)
            R.output(y)
        return y
"""


@pytest.fixture
def session() -> Session:
    return wb.open(small())


def test_the_default_pipeline_is_right_at_every_step(session: Session) -> None:
    for step in wb.default_pipeline():
        session.apply(step)
    assert session.wait()
    for step in session.steps[1:]:
        assert step.verdict.good, step
        assert step.verdict.text.startswith("✓")


@pytest.mark.parametrize("to", ["subtract", "maximum"])
def test_a_wrong_operator_is_red_at_its_step_and_names_the_value(session: Session, to: str) -> None:
    session.apply(SwapOperands(to))
    right = session.apply("LegalizeOps")
    assert session.wait()
    wrong, after = session.steps[1].verdict, right.verdict
    assert wrong.state == "wrong"
    assert wrong.first is not None
    assert wrong.first.name == "a"
    assert wrong.text.startswith("✗ a: ")
    assert "expected" in wrong.text
    assert after.local_error is not None
    assert after.local_error < 1e-5
    assert after.state == "amber"
    assert "from the import" in after.text


@pytest.mark.parametrize(
    ("function", "old", "new", "name"), [("matmul", "+", "-", "h"), ("relu", "max", "min", "y")]
)
def test_a_fault_in_a_tensor_function_is_red(
    session: Session, function: str, old: str, new: str, name: str
) -> None:
    session.apply("LegalizeOps")
    step = session.apply(BreakFunction(function, old, new))
    assert session.wait()
    assert step.verdict.state == "wrong"
    assert step.verdict.first is not None
    assert step.verdict.first.name == name


def test_only_the_faulty_value_is_wrong_locally(session: Session) -> None:
    """`y` is recomputed from the right `a` of the step before: the first difference is in `a`."""
    session.apply("LegalizeOps")
    step = session.apply(BreakFunction("add", "+", "-"))
    session.wait()
    assert step.verdict.first is not None
    assert step.verdict.first.name == "a"
    assert step.verdict.checked == 1


def test_after_a_wrong_pass_the_next_still_works(session: Session) -> None:
    session.apply(SwapOperands())
    with pytest.raises(wb.CompileError):
        session.apply(Raises())
    assert session.apply("LegalizeOps").index == 2


def test_given_inputs_are_used_and_named(session: Session) -> None:
    zeros = [np.zeros(s, "float32") for s in ((5, 8), (8, 4), (4,))]
    session.apply(SwapOperands())
    session.wait()
    assert session.steps[1].verdict.state == "wrong"
    session.inputs(*zeros)
    session.wait()
    assert session.steps[1].verdict.state == "exact"
    assert session.steps[1].verdict.inputs == "given"
    session.inputs()
    session.wait()
    assert session.steps[1].verdict.state == "wrong"
    assert session.steps[1].verdict.inputs == "seeded normal float32, n = 3"


def test_inputs_that_do_not_fit_change_nothing(session: Session) -> None:
    session.apply("LegalizeOps")
    session.wait()
    before = session.steps[1].verdict
    for arrays in ([np.zeros((5, 8), "f4")], [np.zeros(s, "f8") for s in ((5, 8), (8, 4), (4,))]):
        with pytest.raises(wb.CompileError, match="run/wrong-argument"):
            session.inputs(*arrays)
    assert session.steps[1].verdict == before
    assert before.good


def test_indices_are_seeded_inside_the_table() -> None:
    module = wb.parse(GATHER)
    index = module.graph_functions["main"].params[1]
    assert index_domains(module, "main") == {index.id: (0, 10)}
    arrays = seeded_inputs(module, "main").arrays
    assert arrays[1].min() >= 0
    assert arrays[1].max() <= 10
    assert seeded_inputs(module, "main", {"index": (3, 3)}).arrays[1].tolist() == [3] * 6


def test_cancelled_checks_say_so_and_a_later_one_runs(session: Session) -> None:
    gate = threading.Event()
    session.submit("wait", lambda _job: gate.wait(10))
    step = session.apply("LegalizeOps")
    assert step.verdict.state == "checking"
    assert session.cancel() == 2
    gate.set()
    assert session.wait()
    assert step.verdict.state == "cancelled"
    after = session.apply("FuseOps")
    session.wait()
    assert after.verdict.good


def test_a_step_that_does_not_run_is_wrong_not_open(session: Session) -> None:
    session.apply("LegalizeOps")
    text = """
@T.prim_func
def relu(x: T.Buffer(("n", 4), "float32"), y: T.Buffer(("n", 4), "float32")):
    n = T.int64()
    for i, j in T.grid(n, 4):
        with T.sblock("y"):
            vi, vj = T.axis.remap("SS", [i, j])
            y[vi, vj] = x[vi + 1, vj]
"""
    step = session.edit("y", text)
    session.wait()
    assert step.verdict.state == "wrong"
    assert "does not run" in step.verdict.text
    session.checkout(1)
    assert session.apply("FuseOps").index == 3


KERNEL = """
@T.prim_func
def double(x: T.Buffer((4, 8), "float32"), y: T.Buffer((4, 8), "float32")):
    for i, j in T.grid(4, 8):
        with T.sblock("y"):
            vi, vj = T.axis.remap("SS", [i, j])
            y[vi, vj] = x[vi, vj] + x[vi, vj]
"""


@pytest.mark.parametrize(("new", "state"), [("-", "wrong"), ("*", "wrong"), ("+", "exact")])
def test_modules_of_tensor_functions_are_checked_too(new: str, state: str) -> None:
    session = wb.open(wb.parse(KERNEL))
    session.apply(BreakFunction("double", "+", new))
    assert session.wait()
    assert session.steps[1].verdict.state == state
    if state == "wrong":
        assert "y: " in session.steps[1].verdict.text


def test_tolerance_grows_with_the_length_of_sums() -> None:
    assert tolerance("int32").within == 0
    assert tolerance("float32", 512).within > tolerance("float32", 1).within
    assert tolerance("float16").within > tolerance("float32").within > tolerance("float64").within
    assert tolerance("bfloat16").within > tolerance("float16").within
