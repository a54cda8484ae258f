"""Functions whose parameters have computed dimensions, such as `n * 2`, called from others."""

import numpy as np
import pytest

from workbench.analysis.memory import plan_memory
from workbench.interpret import run
from workbench.ir.verify import verify
from workbench.passes import LegalizeOps, PlanMemory, default_pipeline
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

# ruff: noqa: E501  scripts are as wide as they print

TEXT = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def fold(A: T.Buffer(("n * 2", "k"), "float32"), B: T.Buffer(("n", "k"), "float32")):
        n = T.int64()
        k = T.int64()
        for i, j in T.grid(n, k):
            with T.sblock("fold"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] + A[vi + n, vj]

    @R.function(private=True)
    def halves(
        p: R.Tensor(("a + b", 4), "float32"), q: R.Tensor(("a", 4), "float32"), r: R.Tensor(("b * 2", 4), "float32")
    ) -> R.Tensor(("b", 4), "float32"):
        a = T.int64()
        b = T.int64()
        cls = Module
        s = R.nn.relu(r)
        f = R.call_tir(cls.fold, (s,), out_ty=R.Tensor((b, 4), "float32"))
        g = R.tanh(f)
        return g

    @R.function
    def main(x: R.Tensor(("m * 4", 4), "float32"), y: R.Tensor(("m", 4), "float32")):
        m = T.int64()
        cls = Module
        a = R.negative(x)
        b = R.concat((y, y, y), axis=0)
        c = cls.halves(b, y, a)
        d = R.concat((c, y, c), axis=0)
        return d
"""


@pytest.mark.parametrize("m", [0, 1, 3])
def test_they_are_verified_planned_and_run(m: int) -> None:
    given = parse(TEXT)
    assert verify(given) == ()
    x = np.random.default_rng(m).normal(size=(m * 4, 4)).astype("float32")
    y = np.ones((m, 4), "float32")
    expected = run(given, x, y)
    lowered = LegalizeOps()(given).module
    planned = PlanMemory()(lowered).module
    optimized = given
    for step in default_pipeline():
        optimized = step(optimized).module
    for each in (given, planned, optimized):
        np.testing.assert_allclose(build(each)(x, y), expected, rtol=1e-5)
    plan = plan_memory(lowered)
    assert {value.name for value in plan.values} >= {"s", "f", "g"}
    executable = build(planned)
    assert executable.report.notes == ()
    assert executable.intermediate_bytes((x, y)) >= plan.at(plan.peak, {"m": m})


def test_what_surely_does_not_fit_is_refused() -> None:
    text = TEXT.replace("R.concat((y, y, y), axis=0)", "R.concat((y, y, y, y, y), axis=0)")
    (fault,) = verify(parse(text))
    assert fault.code == "type/shape-mismatch"
    assert "dimension 0 of `p` must be `(m + (m * 2))`, got" in fault.message


def test_what_may_not_fit_is_checked_when_it_runs() -> None:
    text = """
@I.ir_module
class Module:
    @R.function(private=True)
    def even(p: R.Tensor(("n * 2", 4), "float32")) -> R.Tensor(("n * 2", 4), "float32"):
        q = R.negative(p)
        return q

    @R.function
    def main(x: R.Tensor(("m", 4), "float32")):
        cls = Module
        y = cls.even(x)
        return y
"""
    executable = build(parse(text))
    np.testing.assert_array_equal(executable(np.ones((6, 4), "float32")), -np.ones((6, 4)))
    with pytest.raises(CompileError, match=r"dimension 0 of argument `p` must be `4`.*got `5`"):
        executable(np.ones((5, 4), "float32"))
