"""Steps after a wrong one: what they put right again is not held against them."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from typing_extensions import override

import workbench as wb
from tests.session.programs import BreakFunction, SwapOperands, small
from workbench.ir import IRModule
from workbench.passes import Pass, PassResult
from workbench.session import Session


@dataclass(frozen=True)
class Becomes(Pass):
    """The module with parts of its text replaced."""

    name: ClassVar[str] = "becomes"
    old: str
    new: str

    @override
    def run(self, module: IRModule) -> PassResult:
        return PassResult(wb.parse(module.script().replace(self.old, self.new), like=module))


@pytest.fixture
def session() -> Session:
    return wb.open(small())


def test_a_step_that_repairs_is_right_and_says_what_it_differs_from(session: Session) -> None:
    session.apply(SwapOperands())
    session.apply("LegalizeOps")
    session.apply(Becomes(" - ", " + "))
    assert session.wait(60)
    states = [step.verdict.state for step in session.steps[1:]]
    assert states[:2] == ["wrong", "amber"]
    assert session.head.verdict.good, session
    assert session.head.verdict.repairs == 2
    text = "differs from step 2, which is wrong; agrees with the import"
    assert session.head.verdict.text == f"✓ {text}"
    blame = session.blame()
    assert blame is not None
    assert blame.index == 1


def test_what_repairs_one_value_and_breaks_another_is_wrong(session: Session) -> None:
    session.apply("LegalizeOps")
    session.apply(BreakFunction("add", "+", "-"))
    session.apply(Becomes(" - ", " * "))
    assert session.wait(60)
    assert [step.verdict.state for step in session.steps[2:]] == ["wrong", "wrong"], session


def test_a_step_after_one_that_does_not_run_is_compared_with_the_last_that_ran(
    session: Session,
) -> None:
    session.apply("LegalizeOps")
    text = """
@T.prim_func
def relu(x: T.Buffer(("n", 4), "float32"), y: T.Buffer(("n", 4), "float32")):
    n = T.int64()
    for i, j in T.grid(n, 4):
        with T.sblock("y"):
            vi, vj = T.axis.remap("SS", [i, j])
            y[vi, vj] = INDEX
"""
    session.edit("y", text.replace("INDEX", "x[vi + 1, vj]"))
    idle = session.apply(Becomes("T_add", "T_sum"))
    right = session.edit("y", text.replace("INDEX", "T.max(x[vi, vj], T.float32(0))"))
    session.checkout(idle.index)
    other = session.edit("y", text.replace("INDEX", "x[vi, vj] + T.float32(1)"))
    assert session.wait(60)
    assert session.verdict(2).fault is not None, session
    assert session.verdict(2).state == "wrong"
    assert (idle.verdict.state, idle.verdict.text) == ("amber", "≈ does not run, as step 2")
    assert right.verdict.good, session
    assert other.verdict.state == "wrong", session
    assert other.verdict.first is not None


@pytest.mark.parametrize("fused", [False, True], ids=["alone", "fused"])
@pytest.mark.parametrize("value", ["a", "y"], ids=["wrong", "after-it"])
def test_a_wrong_step_is_no_measure_of_implementations(
    session: Session, value: str, fused: bool
) -> None:
    session.apply("LegalizeOps")
    if fused:
        session.apply("FuseOps")
    session.apply(BreakFunction("add", "+", "-"))
    comparison = session.measure(value)
    errors = {bar.name: bar.error for bar in comparison.bars if bar.error is not None}
    assert "errors against the import" in comparison.conditions
    if value == "a":  # all of them come from the wrong kernel
        assert min(errors.values()) > 0.1, errors
    else:
        assert max(errors.values()) < 1e-5, errors
