"""Outputs that are left unwritten: what is proved is told, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import workbench as wb
from tests.generate import modules
from tests.generate.graphs import Generated
from workbench.analysis.coverage import unwritten_element, unwritten_outputs
from workbench.interpret import run
from workbench.ir import IRModule
from workbench.passes import LegalizeOps, ScheduleDefault
from workbench.script import parse
from workbench.support import Severity

FULL = "for i, j in T.grid(8, 6):\n    Y[i, j] = X[i, j]"


def function(body: str, shape: str = "(8, 6)") -> IRModule:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    buffer = f'T.Buffer({shape}, "float32")'
    return parse(f"@T.prim_func\ndef f(X: {buffer}, Y: {buffer}):\n{lines}")


def element(body: str, shape: str = "(8, 6)") -> str:
    return unwritten_element(function(body, shape).tensor_functions["f"], 1)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("for i, j in T.grid(8, 5):\n    Y[i, j] = X[i, j]", "`Y[7, 5]`"),
        ("for i, j in T.grid(7, 6):\n    Y[i + 1, j] = X[i, j]", "`Y[0, 0]`"),
        ("for i, j in T.grid(4, 6):\n    Y[2 * i, j] = X[i, j]", "`Y[7, 5]`"),
        ("for i, j in T.grid(8, 6):\n    if i != 4:\n        Y[i, j] = X[i, j]", "`Y[4, 0]`"),
        (
            "for a, b in T.grid(2, 3):\n    for j in range(6):\n        Y[a * 4 + b, j] = X[a, j]",
            "`Y[7, 5]`",
        ),
        ("T.evaluate(0)", "any element of `Y`"),
        ("for i, j in T.grid(8, 6):\n    X[i, j] = T.float32(0)", "any element of `Y`"),
    ],
)
def test_an_element_that_nothing_writes_is_named(body: str, missing: str) -> None:
    assert element(body) == missing


def test_symbolic_extents_are_told_where_it_holds_for_all() -> None:
    one = '("n",)'
    head = "n = T.int64()\n"
    assert element(head + "for i in range(n - 1):\n    Y[i] = X[i]", one) == "`Y[n - 1]`"
    assert element(head + "for i in range(n):\n    Y[i] = X[i]", one) == ""
    assert element(head + "for i in range(n // 4 * 4):\n    Y[i] = X[i]", one) == ""


@pytest.mark.parametrize(
    "body",
    [
        FULL,
        "for i, j in T.grid(8, 6):\n    Y[7 - i, 5 - j] = X[i, j]",
        "for i in range(48):\n    Y[i // 6, i % 6] = X[i // 6, i % 6]",
        "for i, j in T.grid(8, 6):\n    if X[i, j] > T.float32(0):\n        Y[i, j] = X[i, j]",
        'for i, j in T.grid(8, 6):\n    Y[T.cast(X[i, j], "int32"), j] = X[i, j]',
        "for i, j in T.grid(8, 6):\n    if i < 3:\n        Y[i, j] = X[i, j]\n"
        "    else:\n        Y[i, j] = X[i, j] + X[i, j]",
        "for i, j in T.grid(4, 6):\n    Y[2 * i, j] = X[i, j]\n"
        "for i, j in T.grid(4, 6):\n    Y[2 * i + 1, j] = X[i, j]",
    ],
)
def test_what_is_written_or_may_be_is_not_told(body: str) -> None:
    assert element(body) == ""


CALLED = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def f(X: T.Buffer((8, 6), "float32"), Y: T.Buffer((8, 6), "float32")):
        for i, j in T.grid(8, COLUMNS):
            with T.sblock("f"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = X[vi, vj] * T.float32(2)

    @R.function
    def main(x: R.Tensor((8, 6), "float32")):
        cls = Module
        y = R.call_tir(cls.f, (x,), out_ty=R.Tensor((8, 6), "float32"))
        return y
"""


def test_the_call_is_named() -> None:
    (one,) = unwritten_outputs(parse(CALLED.replace("COLUMNS", "5")))
    assert one.severity is Severity.WARNING
    assert one.code == "tensor/unwritten-output"
    assert one.message == "`f` never writes `Y[7, 5]`, the output for `y`"
    assert unwritten_outputs(parse(CALLED.replace("COLUMNS", "6"))) == ()


def test_a_call_in_place_leaves_what_it_does_not_write() -> None:
    text = CALLED.replace("COLUMNS", "5").replace('X: T.Buffer((8, 6), "float32"), ', "")
    text = text.replace("X[vi, vj]", "Y[vi, vj]").replace("call_tir(", "call_tir_inplace(")
    text = text.replace("(x,), out", "(x,), inplace_indices=[0], out")
    assert unwritten_outputs(parse(text)) == ()


@settings(max_examples=25, deadline=None)
@given(modules())
def test_operators_and_schedules_write_all_of_their_outputs(generated: Generated) -> None:
    module = ScheduleDefault()(LegalizeOps()(generated.module).module).module
    result = run(module, *generated.inputs())
    for one in unwritten_outputs(module):
        pytest.fail(f"{one.message}: {result}")


def test_the_verdict_tells_it() -> None:
    session = wb.open(parse(CALLED.replace("COLUMNS", "5")))
    step = session.apply("ScheduleDefault")
    assert session.wait()
    assert "; `f_scheduled` never writes `Y[7, 5]`, the output for `y`" in step.verdict.text
    assert [one.code for one in step.verdict.unwritten] == ["tensor/unwritten-output"]
    whole = wb.open(parse(CALLED.replace("COLUMNS", "6")))
    step = whole.apply("ScheduleDefault")
    assert whole.wait()
    assert step.verdict.unwritten == ()
    assert "never" not in step.verdict.text


def test_a_build_tells_outputs_that_are_never_written() -> None:
    text = CALLED.replace("COLUMNS", "6").replace(
        "Y[vi, vj] = X[vi, vj] * T.float32(2)", "T.evaluate(0)"
    )
    executable = wb.build(parse(text))
    assert executable.report.notes == ("`f` never writes `Y`, the output for `y`",)
    assert executable(np.zeros((8, 6), "float32")).shape == (8, 6)
    assert wb.build(parse(CALLED.replace("COLUMNS", "6"))).report.notes == ()
