"""A library function that writes into its arguments is found, also where no value is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import run
from workbench.ir import LibraryFunction, register_library
from workbench.support import CompileError

Array = np.ndarray[Any, Any]
TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((4,), "float32")):
        with R.dataflow():
            y = R.call_dps_packed("test.written.call", (z, x), R.Tensor((4,), "float32"))
            R.output(y)
        return y
"""
RETURNS = TEXT.replace(
    'R.call_dps_packed("test.written.call", (z, x), R.Tensor((4,), "float32"))',
    'R.call_pure_packed("test.written.call", z, x, ty_args=(R.Tensor((4,), "float32"),))',
)
EFFECT = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((4,), "float32")):
        y = R.call_packed("test.written.call", z, x, ty_args=(R.Tensor((4,), "float32"),))
        return y
"""
RELU = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            y = R.nn.relu(x)
            R.output(y)
        return y
"""
X = np.array([-1.0, 2.0, -3.0, 4.0], "float32")


def keeps(_: Array, x: Array, out: Array | None = None) -> Array | None:
    result = np.maximum(x, 0, out=out)
    return None if out is not None else result


def scribbles(z: Array, x: Array, out: Array | None = None) -> Array | None:
    """Right in what it gives, and writes into its second argument."""
    result = keeps(z, x, out)
    np.multiply(x, 0.5, out=x)
    return result


def registered(function: Callable[..., Any]) -> None:
    register_library(LibraryFunction("test.written.call", function, "tests"))


@pytest.mark.parametrize("text", [TEXT, RETURNS], ids=["fills", "returns"])
def test_the_interpreter_names_function_and_argument(text: str) -> None:
    registered(scribbles)
    mine = X.copy()
    with pytest.raises(
        CompileError, match=r"`test\.written\.call` writes into its second"
    ) as caught:
        run(wb.parse(text), X, mine)
    np.testing.assert_array_equal(mine, X)
    (fault,) = caught.value.diagnostics
    assert (fault.code, fault.function) == ("library/writes-argument", "main")
    assert fault.node is not None
    registered(keeps)
    np.testing.assert_array_equal(run(wb.parse(text), X, X), np.maximum(X, 0))


@pytest.mark.parametrize("text", [TEXT, RETURNS], ids=["fills", "returns"])
def test_values_of_native_runs_name_it_too(text: str) -> None:
    registered(scribbles)
    given = X.copy()
    with pytest.raises(CompileError, match="library/writes-argument"):
        wb.build(wb.parse(text)).values([given, X])
    np.testing.assert_array_equal(given, X)
    registered(keeps)
    assert len(wb.build(wb.parse(text)).values([X, X])) == 3


def test_a_call_with_effects_may_write() -> None:
    registered(scribbles)
    given = X.copy()
    run(wb.parse(EFFECT), given, X.copy())
    np.testing.assert_array_equal(given, X * np.float32(0.5))


def test_a_step_that_uses_such_a_function_is_red_though_its_values_are_right() -> None:
    def relu(x: Array, out: Array) -> None:
        np.maximum(x, 0, out=out)
        np.maximum(x, 0, out=x)

    session = wb.open(wb.parse(RELU))
    step = session.swap("y", relu)
    assert session.wait()
    assert step.verdict.state == "wrong"
    assert "relu` writes into its first argument" in step.verdict.text
    blame = session.blame()
    assert blame is not None
    assert blame.path == ("main.y",)
    assert "writes into its first argument" in blame.fault
