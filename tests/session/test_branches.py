"""Values inside branches can be named: their implementations, measured and swapped."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.session import Session
from workbench.session.reductions import graph_length
from workbench.support import CompileError

TEXT = """
@R.function
def main(x: R.Tensor((4, 8), "float32"), w: R.Tensor((8, 8), "float32"), c: R.Tensor((), "bool")):
    if c:
        with R.dataflow():
            h = R.matmul(x, w)
            e = R.exp(h)
            R.output(e)
        r = R.negative(e)
    else:
        with R.dataflow():
            k = R.matmul(w, w)
            s = R.sum(k)
            t = R.add(x, s)
            R.output(t)
        r = R.abs(t)
    return r
"""


@pytest.fixture
def session() -> Session:
    made = wb.open(wb.parse(TEXT))
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=shape).astype("float32") for shape in ((4, 8), (8, 8)))
    made.inputs(x, w, np.array(True))
    return made


@pytest.mark.parametrize("name", ["h", "main.h"])
def test_a_value_of_an_arm_has_its_implementations(session: Session, name: str) -> None:
    names = [found.name for found in session.implementations(name)]
    assert {"reference", "generated", "schedule", "library numpy.matmul"} <= set(names)
    session.apply("LegalizeOps")
    found = session.implementations(name)
    assert [item.name for item in found if item.current] == ["generated"]


def test_an_operator_that_only_an_arm_calls_names_its_value(session: Session) -> None:
    assert session.implementations("exp") == session.implementations("e")
    with pytest.raises(CompileError) as caught:
        session.implementations("matmul")
    assert caught.value.diagnostics[0].code == "session/ambiguous-value"
    assert caught.value.diagnostics[0].notes == ("they are `main.h`, `main.k`",)


def test_a_value_of_an_arm_is_swapped_for_a_library_and_for_a_function(session: Session) -> None:
    session.swap("h", "library numpy.matmul")
    assert 'h = R.call_dps_packed("numpy.matmul"' in session.module.script()
    session.wait()
    assert session.head.verdict.good
    session.swap("k", lambda a, b: np.asarray(a @ b, "float32"))
    assert "k = R.call_pure_packed" in session.module.script()
    session.wait()
    assert session.head.verdict.good


def test_a_value_of_the_arm_that_is_taken_is_measured(session: Session) -> None:
    bars = session.measure("h", lambda _: None).bars
    assert all(bar.seconds for bar in bars if bar.name in {"generated", "library numpy.matmul"})
    errors = [bar.error for bar in bars if bar.error is not None]
    assert errors
    assert max(errors) < 1e-5


def test_a_value_of_the_arm_that_is_not_taken_cannot_be_measured(session: Session) -> None:
    with pytest.raises(CompileError) as caught:
        session.measure("k", lambda _: None)
    (fault,) = caught.value.diagnostics
    assert fault.code == "session/not-computed"
    assert fault.message == "`k` is in a branch that the inputs of the check do not take"


def test_what_is_gone_or_mistyped_is_near_what_arms_have(session: Session) -> None:
    with pytest.raises(CompileError) as caught:
        session.implementations("main.hh")
    assert "`main.h`" in caught.value.diagnostics[0].hint


def test_sums_in_arms_are_terms_of_the_function() -> None:
    module = wb.parse(TEXT)
    products, others = 8 + 8 + 64, 5  # one each
    assert graph_length(module, module.graph_functions["main"]) == products + others
