"""A function of the user's in the place of a call: swapped in and out, listed, in the recipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.ir.test_externals import in_notebook
from workbench.ir import CallOp, CallPacked, CallTIR, GraphExpr
from workbench.notebook.api import parse
from workbench.session import Session
from workbench.session.catalogue import pass_code
from workbench.support import CompileError

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 6), "float32"), w: R.Tensor((6, 6), "float32")):
        with R.dataflow():
            a = R.matmul(x, w)
            b = R.nn.relu(a)
            y = R.matmul(b, w)
            R.output(y)
        return y
"""
CELL = """
def my_matmul(x, w, out):
    np.matmul(x, w, out=out)

def my_relu(x, slope=0.0):
    return np.maximum(x, slope)
"""


def value(session: Session, name: str) -> GraphExpr:
    main = session.head.module.graph_functions["main"]
    return next(b.value for b in main.bindings if b.var.name == name)


@pytest.fixture
def session() -> Session:
    return Session(parse(TEXT))


def test_a_function_is_swapped_in_and_the_step_is_checked(session: Session) -> None:
    step = session.swap("a", in_notebook(CELL)["my_matmul"])  # pyright: ignore[reportArgumentType]
    call = value(session, "a")
    assert isinstance(call, CallPacked)
    assert call.symbol == "my_matmul"
    session.wait()
    assert step.verdict.good
    assert step.title == "matmul → my_matmul"


def test_one_that_returns_its_value_is_told_by_its_parameters(session: Session) -> None:
    session.swap("b", in_notebook(CELL)["my_relu"])  # pyright: ignore[reportArgumentType]
    call = value(session, "b")
    assert isinstance(call, CallPacked)
    assert call.style.name == "PURE"
    x, w = np.ones((4, 6), np.float32), -np.ones((6, 6), np.float32)
    np.testing.assert_array_equal(session.run(x, w), np.zeros((4, 6)))


def test_it_is_listed_for_other_calls_and_others_for_it(session: Session) -> None:
    session.swap("a", in_notebook(CELL)["my_matmul"])  # pyright: ignore[reportArgumentType]
    there = {item.name: item for item in session.implementations("y")}
    assert there["external my_matmul"].available
    session.swap("y", "external my_matmul")
    call = value(session, "y")
    assert isinstance(call, CallPacked)
    assert call.symbol == "my_matmul"
    here = {item.name: item for item in session.implementations("y")}
    assert here["external my_matmul"].current
    assert "library numpy.matmul" in here
    session.swap("y", "generated")
    assert isinstance(value(session, "y"), CallTIR)


def test_the_recipe_defines_it(session: Session, tmp_path: Path) -> None:
    space = in_notebook(CELL)
    step = session.swap("a", space["my_matmul"])  # pyright: ignore[reportArgumentType]
    session.swap("b", np.abs)
    assert step.applied is not None
    assert pass_code(step.applied) == (
        "wb.passes.ImplementByFunction(value='main.a', function=my_matmul)"
    )
    script = session.recipe()
    assert "def my_matmul(x, w, out):" in script
    (tmp_path / "recipe.py").write_text(f"{script}\nprint(wb.build(module).report.library)\n")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "recipe.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2"


def test_a_changed_function_is_another_step(session: Session) -> None:
    first = session.swap("a", in_notebook(CELL)["my_matmul"])  # pyright: ignore[reportArgumentType]
    changed = CELL.replace("out=out)", "out=out)\n    out *= 2")
    session.checkout(0)
    second = session.swap("a", in_notebook(changed)["my_matmul"])  # pyright: ignore[reportArgumentType]
    assert first.index != second.index
    x, w = np.ones((4, 6), np.float32), np.eye(6, dtype=np.float32)
    np.testing.assert_array_equal(session.run(x, w), 2 * x)
    session.checkout(first)
    np.testing.assert_array_equal(session.run(x, w), x)


def test_a_parameter_is_no_call(session: Session) -> None:
    with pytest.raises(CompileError):
        session.swap("x", np.abs)
    assert isinstance(value(session, "a"), CallOp)


def test_it_is_measured_with_the_others_and_swapped_back(session: Session) -> None:
    session.apply("LegalizeOps")
    session.swap("y", in_notebook(CELL)["my_matmul"])  # pyright: ignore[reportArgumentType]
    bars = {bar.name: bar for bar in session.measure("y").bars}
    assert bars["external my_matmul"].current
    assert not bars["external my_matmul"].failed
    assert bars["external my_matmul"].runs
    session.swap("y", "generated")
    there = {item.name: item for item in session.implementations("y")}
    assert there["external my_matmul"].available
    failed = {bar.name for bar in session.measure("y").bars if bar.failed}
    assert not any(there[name].available for name in failed)
    session.swap("y", "external my_matmul")
    call = value(session, "y")
    assert isinstance(call, CallPacked)
    assert call.symbol == "my_matmul"


def test_one_that_took_the_place_of_another_can_give_it_back(session: Session) -> None:
    session.swap("b", in_notebook(CELL)["my_relu"])  # pyright: ignore[reportArgumentType]
    session.swap("b", np.abs)
    there = {item.name: item for item in session.implementations("b")}
    assert there["external my_relu"].available
    session.swap("b", "external my_relu")
    call = value(session, "b")
    assert isinstance(call, CallPacked)
    assert call.symbol == "my_relu"


def test_it_is_measured_where_dimensions_are_symbolic() -> None:
    text = TEXT.replace("(4, 6)", '("n", 6)').replace(
        '"float32")):', '"float32")):\n        n = T.int64()'
    )
    session = Session(parse(text))
    session.swap("a", in_notebook(CELL)["my_matmul"])  # pyright: ignore[reportArgumentType]
    bars = {bar.name: bar for bar in session.measure("a").bars}
    assert bars["external my_matmul"].runs
