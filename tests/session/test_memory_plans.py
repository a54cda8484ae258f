"""Verdicts on memory plans: what a step returns is computed with shared memory."""

import pytest

import workbench as wb
from workbench.analysis.memory import fitting, planning
from workbench.passes import LegalizeOps, PlanMemory

PROGRAM = """
@R.function
def main(x: R.Tensor((8, 8), "float32"), w: R.Tensor((8, 8), "float32")):
    with R.dataflow():
        a = R.matmul(x, w)
        b = R.permute_dims(a)
        c = R.matmul(b, w)
        z = R.nn.relu(c)
        R.output(z)
    return z
"""


def verdict() -> str:
    """How the step that plans the memory stands."""
    session = wb.Session(wb.parse(PROGRAM))
    session.apply(LegalizeOps())
    step = session.apply(PlanMemory())
    session.wait()
    return session.verdict(step.index).state


def test_a_plan_is_exact() -> None:
    assert verdict() == "exact"


def test_a_stale_buffer_after_reuse_in_place_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An analysis that allows everything lets the transposition read what it wrote."""
    for home in (planning, fitting):
        monkeypatch.setattr(home, "why_not_in_place", lambda *_: "")
    assert verdict() == "wrong"
