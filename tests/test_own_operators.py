"""A new operator in two steps, three ways: everything downstream treats it like a built-in one.

The same operator (a clipped ramp, then a scaled root mean square) as loops, as a tensor expression,
and as functions of numpy.
"""

# ruff: noqa: ANN202, N805
# pyright: reportInvalidTypeForm=false

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench import te
from workbench.analysis.op_pattern import OpPattern, op_pattern
from workbench.interpret import run
from workbench.ir import (
    CallFunction,
    CallPacked,
    CallTIR,
    IRModule,
    find_operator,
    operators,
)
from workbench.passes import (
    BindParameters,
    ChooseLayouts,
    DispatchToLibrary,
    EliminateDeadCode,
    FoldConstant,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    PartitionForLibrary,
    ScheduleDefault,
)
from workbench.script import I, R
from workbench.session import Session
from workbench.view.views import SessionViews

BEFORE = operators()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 32)).astype("float32")
W = RNG.normal(size=(32, 64)).astype("float32")
EXPECTED = np.tanh(np.clip(X @ W, 0, 6) + np.float32(0.5))

LOOPS = """
@I.ir_module
class Module:
    @T.prim_func
    def ramp(a: T.Buffer((16, 64), "float32"), out: T.Buffer((16, 64), "float32")):
        for i, j in T.grid(16, 64):
            with T.sblock("ramp"):
                vi, vj = T.axis.remap("SS", [i, j])
                out[vi, vj] = T.min(T.max(a[vi, vj], T.float32(0)), T.float32(6))

    @R.function
    def main(x: R.Tensor((16, 32), "float32"), w: R.Tensor((32, 64), "float32")):
        cls = Module
        with R.dataflow():
            h = R.matmul(x, w)
            r = R.call_tir(cls.ramp, (h,), out_ty=R.Tensor((16, 64), "float32"))
            d = R.add(r, R.const(0.5, "float32"))
            y = R.tanh(d)
            R.output(y)
        return y
"""


def ramp(x: te.Tensor) -> te.Tensor:
    return te.compute(x.shape, lambda *i: te.minimum(te.maximum(x[i], 0.0), 6.0), "ramp")


def ramp_of_numpy(a: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    np.clip(a, 0, 6, out=out)


def as_loops() -> IRModule:
    return wb.parse(LOOPS)


def as_expression() -> IRModule:
    @I.ir_module
    class Written:
        @R.function
        def main(x: R.Tensor((16, 32), "float32"), w: R.Tensor((32, 64), "float32")):
            with R.dataflow():
                h = R.matmul(x, w)
                r = R.emit_te(ramp, h)
                d = R.add(r, R.const(0.5, "float32"))
                y = R.tanh(d)
                R.output(y)
            return y

    return Written


def as_library() -> IRModule:
    text = LOOPS.replace("R.call_tir(cls.ramp,", "R.call_dps_packed(ramp_of_numpy,")
    return wb.parse(text, namespace={"ramp_of_numpy": ramp_of_numpy})


WAYS = {"loops": as_loops, "expression": as_expression, "library": as_library}
COMPILED = {name: way for name, way in WAYS.items() if name != "library"}
PIPELINE = (
    LegalizeOps(),
    FuseOps(),
    FuseTensorFunctions(),
    ScheduleDefault(),
    EliminateDeadCode(),
)


@pytest.fixture(params=WAYS)
def module(request: pytest.FixtureRequest) -> IRModule:
    return WAYS[request.param]()


@pytest.fixture(params=COMPILED)
def compiled(request: pytest.FixtureRequest) -> IRModule:
    return COMPILED[request.param]()


def after(module: IRModule, *passes: wb.passes.Pass) -> IRModule:
    for step in passes:
        module = step(module).module
    return module


def test_it_is_right_after_every_pass(module: IRModule) -> None:
    for step in (None, *PIPELINE):
        module = module if step is None else step(module).module
        for result in (wb.build(module)(X, W), run(module, X, W)):
            np.testing.assert_allclose(np.asarray(result), EXPECTED, rtol=1e-4, atol=1e-5)


def test_nothing_was_registered(module: IRModule) -> None:
    wb.build(after(module, *PIPELINE))(X, W)
    assert operators() == BEFORE
    assert find_operator("ramp") is None


def test_its_pattern_is_read_off_its_loops(compiled: IRModule) -> None:
    assert op_pattern(compiled.tensor_functions["ramp"]) is OpPattern.ELEMENTWISE


def test_it_is_fused_into_the_product_before_it(compiled: IRModule) -> None:
    fused = after(compiled, LegalizeOps(), FuseOps())
    (call,) = [b.value for b in fused.graph_functions["main"].bindings if is_call(b.value)]
    assert isinstance(call, CallFunction)
    members = fused.graph_functions[call.callee].bindings
    names = [b.value.callee for b in members if isinstance(b.value, CallTIR)]
    assert names == ["matmul", "ramp", "add", "tanh"]
    merged = after(fused, FuseTensorFunctions(), ScheduleDefault(), EliminateDeadCode())
    assert wb.build(merged).report.compiled == 1


def is_call(value: object) -> bool:
    return isinstance(value, CallFunction | CallTIR | CallPacked)


def test_a_library_function_is_left_alone_and_that_is_said() -> None:
    result = FuseOps()(after(as_library(), LegalizeOps()))
    said = [remark.message for remark in result.remarks]
    assert any("ramp_of_numpy`" in text and "no loops" in text for text in said), said
    kinds = [b.value for b in result.module.graph_functions["main"].bindings]
    assert sum(isinstance(value, CallPacked) for value in kinds) == 1


CONVOLUTIONS = """
@I.ir_module
class Module:
    @T.prim_func
    def ramp(
        a: T.Buffer((1, 32, 14, 14), "float32"), out: T.Buffer((1, 32, 14, 14), "float32")
    ):
        for n, c, i, j in T.grid(1, 32, 14, 14):
            with T.sblock("ramp"):
                vn, vc, vi, vj = T.axis.remap("SSSS", [n, c, i, j])
                out[vn, vc, vi, vj] = T.min(T.max(a[vn, vc, vi, vj], T.float32(0)), T.float32(6))

    @R.function
    def main(
        x: R.Tensor((1, 32, 14, 14), "float32"),
        w: R.Tensor((32, 32, 3, 3), "float32"),
        v: R.Tensor((32, 32, 3, 3), "float32"),
    ):
        cls = Module
        with R.dataflow():
            a = R.nn.conv2d(x, w, padding=(1, 1, 1, 1))
            b = R.call_tir(cls.ramp, (a,), out_ty=R.Tensor((1, 32, 14, 14), "float32"))
            y = R.nn.conv2d(b, v, padding=(1, 1, 1, 1))
            R.output(y)
        return y
"""


def test_it_follows_a_layout() -> None:
    kernels = {k: RNG.normal(size=(32, 32, 3, 3)).astype("float32") / 17 for k in "wv"}
    module = after(wb.parse(CONVOLUTIONS), BindParameters(kernels), LegalizeOps())
    laid_out = after(module, ChooseLayouts(), FoldConstant(), EliminateDeadCode())
    calls = [b.value for b in laid_out.graph_functions["main"].bindings]
    names = [getattr(value, "callee", getattr(value, "op", "")) for value in calls]
    called = [name for name in names if name]
    at = called.index("ramp_layout")
    assert called[at - 1 : at + 2] == ["conv2d_layout", "ramp_layout", "conv2d_layout"]
    x = RNG.normal(size=(1, 32, 14, 14)).astype("float32")
    expected = np.asarray(wb.build(module)(x))
    np.testing.assert_allclose(wb.build(laid_out)(x), expected, rtol=1e-3, atol=1e-4)


def test_schedule_primitives_apply_to_it(compiled: IRModule) -> None:
    session = Session(compiled)
    steps = session.schedule("ramp")
    i, j = steps.get_loops("ramp")
    steps.parallel(i)
    _, inner = steps.split(j, factors=[None, 8])
    steps.vectorize(inner)
    session.wait()
    assert all(step.verdict.good for step in session.steps[1:])
    assert "T.vectorized(8)" in session.head.module.script()


def my_product(a: te.Tensor, b: te.Tensor) -> te.Tensor:
    k = te.reduce_axis(a.shape[1], "k")
    shape = (a.shape[0], b.shape[1])
    return te.compute(shape, lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), "my_product")


@pytest.mark.parametrize("step", [DispatchToLibrary(), PartitionForLibrary("numpy")])
def test_a_library_takes_it_by_its_loops(step: wb.passes.Pass) -> None:
    @I.ir_module
    class Product:
        @R.function
        def main(x: R.Tensor((16, 32), "float32"), w: R.Tensor((32, 64), "float32")):
            with R.dataflow():
                y = R.emit_te(my_product, x, w)
                R.output(y)
            return y

    (binding,) = after(Product, step).graph_functions["main"].bindings
    assert isinstance(binding.value, CallPacked)
    assert binding.value.symbol == "numpy.matmul"


def test_each_step_has_a_verdict_and_the_picture_a_box(module: IRModule) -> None:
    session = Session(module)
    views = SessionViews(session)
    for step in PIPELINE:
        session.apply(step)
    session.wait()
    assert all(step.verdict.good for step in session.steps[1:])
    boxes = {node.label: node for node in views.module(0).functions[0].nodes}
    (box,) = [node for label, node in boxes.items() if "ramp" in label]
    assert box.type == "f32[16, 64]"
    assert box.kind == ("library" if "numpy" in box.label else "tensor")


def test_from_the_kernel_back_to_it(compiled: IRModule) -> None:
    """Provenance: the merged kernel comes from all four values."""
    session = Session(compiled)
    for step in PIPELINE:
        session.apply(step)
    last = session.lineage(len(session.steps) - 1)
    keys = {value.key for value in last.values() if isinstance(value.expr, CallTIR)}
    assert len(keys) == 1
    for step in reversed(range(1, len(session.steps))):
        keys = {source for key in keys for source in session.lineage(step).sources[key]}
    first = session.lineage(0)
    found = {value.name for key in keys if (value := first.value(key)) is not None}
    assert {"h", "r", "d", "y"} <= found


def test_the_recipe_has_it(module: IRModule, tmp_path: Path) -> None:
    wb.save(module, tmp_path / "own.wb")
    session = Session(wb.load(tmp_path / "own.wb"))
    for step in PIPELINE:
        session.apply(step)
    script = tmp_path / "recipe.py"
    check = "import numpy as np\nprint(wb.build(wb.allow(module)).report.compiled)\n"
    script.write_text(session.recipe() + "\n" + check, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.strip() == str(wb.build(session.head.module).report.compiled), done.stderr
