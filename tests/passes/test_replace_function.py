"""The text that a user writes is the one that runs, or the edit says why not."""

import numpy as np
import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench.interpret import run
from workbench.ir import IRModule
from workbench.ir.verify import verify
from workbench.passes import (
    DispatchToLibrary,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    Implement,
    LegalizeOps,
    Pass,
    ReplaceFunction,
    ScheduleDefault,
)
from workbench.script import parse, print_function
from workbench.support import CompileError

SQUARE = """
@I.ir_module
class Module:
    @T.prim_func{how}
    def backwards(A: T.Buffer((4, 4), "float32"), B: T.Buffer((4, 4), "float32"),
                  C: T.Buffer((4, 4), "float32")):
        for i, j, k in T.grid(4, 4, 4):
            with T.sblock("product"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0.0)
                C[vi, vj] = C[vi, vj] + B[vi, vk] * A[vk, vj]

    @R.function
    def main(a: R.Tensor((4, 4), "float32"), b: R.Tensor((4, 4), "float32")):
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.backwards, (a, b), out_ty=R.Tensor((4, 4), dtype="float32"))
            R.output(y)
        return y
"""
RELU = """
@I.ir_module
class Module:
    @R.function
    def main(a: R.Tensor((4, 4), "float32"), b: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            p = R.matmul(a, b)
            q = R.add(p, a)
            y = R.nn.relu(q)
            R.output(y)
        return y
"""


def square(how: str = "(private=True)") -> IRModule:
    return parse(SQUARE.format(how=how))


def fused() -> IRModule:
    module = parse(RELU)
    for step in (LegalizeOps(), FuseOps(), FuseTensorFunctions(), EliminateDeadCode()):
        module = step(module).module
    return module


def values(module: IRModule, rng: np.random.Generator) -> np.ndarray:
    assert verify(module) == ()
    return run(module, rng.normal(size=(4, 4)).astype("f4"), rng.normal(size=(4, 4)).astype("f4"))


def edited(module: IRModule, name: str, old: str, new: str) -> ReplaceFunction:
    text = print_function(name, module[name], module)
    assert old in text
    return ReplaceFunction(name, text.replace(old, new))


@pytest.mark.parametrize("how", ["", "(private=True)"])
@pytest.mark.parametrize(
    ("step", "there"),
    [
        (ScheduleDefault(), "backwards_scheduled"),
        (DispatchToLibrary(), "numpy.matmul"),
        (Implement("y", "schedule serial"), "backwards_scheduled"),
    ],
)
def test_edits_run_after(step: Pass, there: str, how: str, rng: np.random.Generator) -> None:
    before = square(how)
    chosen = step(before).module
    edit = edited(chosen, "backwards", "T.float32(0.0)", "T.float32(7.0)")
    state = rng.bit_generator.state
    expected = values(before, rng) + 7
    result = edit(chosen)
    rng.bit_generator.state = state
    np.testing.assert_allclose(values(result.module, rng), expected, rtol=1e-5)
    (remark,) = result.remarks
    assert remark.code == "edit/reset"
    assert "`y`" in remark.message
    assert f"`{there}`" in remark.message
    assert "backwards_scheduled" not in result.module
    again = Implement("y", "library numpy.matmul")
    with pytest.raises(CompileError, match="implement/unavailable"):
        again(result.module)


def test_a_library_call_with_a_rest_is_taken_back_as_a_whole(rng: np.random.Generator) -> None:
    before = fused()
    (name,) = before.tensor_functions
    chosen = DispatchToLibrary()(before).module
    chosen = ScheduleDefault()(chosen).module
    assert len(chosen.graph_functions["main"].bindings) == 2
    edit = edited(before, name, "T.max(", "T.min(")
    result = edit(chosen)
    (binding,) = result.module.graph_functions["main"].bindings
    state = rng.bit_generator.state
    expected = values(edit(before).module, rng)
    rng.bit_generator.state = state
    np.testing.assert_allclose(values(result.module, rng), expected, rtol=1e-5)
    assert [(r.code, r.node) for r in result.remarks] == [("edit/reset", binding.var.id)]


def test_an_edit_that_could_not_run_is_refused() -> None:
    before = fused()
    (name,) = before.tensor_functions
    chosen = DispatchToLibrary()(before).module
    rest = next(found for found in chosen.tensor_functions if found.endswith("_epilogue"))
    changed = edited(chosen, rest, "T.max(", "T.min(")(chosen).module
    with pytest.raises(CompileError, match=r"edit/no-effect(.|\n)*numpy\.matmul"):
        edited(changed, name, "T.max(", "T.min(")(changed)


def test_an_edit_of_what_nothing_calls_says_so() -> None:
    chosen = ScheduleDefault()(square()).module
    scheduled = edited(chosen, "backwards_scheduled", "T.float32(0.0)", "T.float32(1.0)")(chosen)
    assert scheduled.remarks == ()
    result = edited(scheduled.module, "backwards", "T.float32(0.0)", "T.float32(7.0)")
    (remark,) = result(scheduled.module).remarks
    assert remark.code == "edit/not-called"


def test_going_back_from_a_library_keeps_the_order_of_arguments(rng: np.random.Generator) -> None:
    before = square()
    state = rng.bit_generator.state
    expected = values(before, rng)
    chosen = Implement("y", "library numpy.matmul")(before).module
    back = Implement("y", "generated")(chosen).module
    rng.bit_generator.state = state
    np.testing.assert_allclose(values(back, rng), expected, rtol=1e-5)
