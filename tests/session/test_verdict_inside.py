"""A verdict names the value inside of calls and branches that is wrong, as blame does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.session.blaming import BRANCHES, CALLS
from tests.session.faulty import Rebind, another_op, swapped
from workbench.passes import FuseOps, LegalizeOps
from workbench.rewrite import Pass
from workbench.view.views import SessionViews

FUSED = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((4,), "float32")):
        with R.dataflow():
            a = R.exp(x)
            b = R.subtract(a, z)
            y = R.exp(b)
            R.output(y)
        return y
"""


X = np.array([0.3, -1.2, 2.0, 0.7], "float32")


@pytest.mark.parametrize(
    ("text", "before", "wrong", "arrays", "path", "node"),
    [
        (CALLS, (), Rebind("f", another_op("add")), (), ("main.a", "layer.f"), "layer/2"),
        (
            FUSED,
            (LegalizeOps(), FuseOps()),
            Rebind("b", swapped),
            (),
            ("main.y", "fused_exp_subtract_exp.b"),
            "main/4>3",
        ),
        (
            BRANCHES,
            (),
            Rebind("low", another_op("abs")),
            (X, np.float32(0.75), np.array(True)),
            ("main.k", "down.r", "down.low"),
            "down/4",
        ),
    ],
    ids=["call", "fused", "recursion"],
)
def test_the_verdict_names_what_blame_names(
    text: str,
    before: tuple[Pass, ...],
    wrong: Pass,
    arrays: tuple[Any, ...],
    path: tuple[str, ...],
    node: str,
) -> None:
    session = wb.open(wb.parse(text))
    if arrays:
        session.inputs(*arrays)
    for step in before:
        session.apply(step)
    step = session.apply(wrong)
    assert session.wait()
    verdict, blame = step.verdict, session.blame()
    assert blame is not None
    assert verdict.path == blame.path == path
    assert verdict.first == blame.difference
    assert verdict.key == blame.key
    assert verdict.text.startswith(f"✗ {' > '.join(path)}: ")
    shown = SessionViews(session).history().steps[-1].verdict
    assert shown.first is not None
    assert shown.first.node == node
    assert node in {
        item.key for f in SessionViews(session).module(step.index).functions for item in f.nodes
    }


def test_a_verdict_on_a_value_that_is_no_call_stays() -> None:
    session = wb.open(wb.parse(FUSED))
    step = session.apply(Rebind("b", swapped))
    assert session.wait()
    assert step.verdict.text.startswith("✗ b: ")
    assert step.verdict.path == ()
