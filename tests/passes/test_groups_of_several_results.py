"""Groups that give several values: merged into one tensor function, or the reason why not."""

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import run
from workbench.ir import CallTIR
from workbench.passes import (
    DispatchToLibrary,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    PartitionForLibrary,
    Pass,
    PlanMemory,
    ScheduleDefault,
)

SEVERAL_RESULTS = """
@I.ir_module
class Module:
    @R.function(private=True)
    def group(a: R.Tensor(("n", 64), "float32"), b: R.Tensor((64, 64), "float32")):
        R.func_attr({"Primitive": 1})
        with R.dataflow():
            h = R.matmul(a, b)
            r = R.nn.relu(h)
            e = R.negative(r)
            k = R.exp(e)
            R.output(r, k)
        return (k, r)

    @R.function
    def main(x: R.Tensor(("n", 64), "float32"), w: R.Tensor((64, 64), "float32")):
        n = T.int64()
        cls = Module
        with R.dataflow():
            both = cls.group(x, w)
            k = both[0]
            r = both[1]
            y = R.add(k, r)
            R.output(both, y)
        return (both, y)
"""


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (ScheduleDefault(), EliminateDeadCode()),
        (ScheduleDefault(), PlanMemory()),
        (DispatchToLibrary(), PartitionForLibrary("numpy")),
    ],
)
def test_a_group_that_gives_several_values_is_merged(steps: tuple[Pass, ...]) -> None:
    original = wb.parse(SEVERAL_RESULTS)
    module = FuseTensorFunctions()(FuseOps()(LegalizeOps()(original).module).module).module
    assert [*module.graph_functions] == ["main"]
    call = module.graph_functions["main"].bindings[0].value
    assert isinstance(call, CallTIR)
    assert len(call.out_types) == 2
    merged = module.tensor_functions[call.callee]
    assert [p.name for p in merged.params] == ["a", "b", "k", "r"]
    assert [buffer.name for buffer in merged.allocations] == ["h"]
    for step in steps:
        module = step(module).module
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype("float32") for s in ((7, 64), (64, 64)))
    got, expected = wb.build(module)(x, w), run(original, x, w)
    for a, b in zip((*got[0], got[1]), (*expected[0], expected[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ("(k, r, k)", "gives one value twice"),
        ("(k, a)", "gives a parameter back"),
        ("(k,)", "gives a tuple of one value"),
    ],
)
def test_a_group_whose_results_are_no_buffers_of_their_own_stays(results: str, reason: str) -> None:
    text = SEVERAL_RESULTS.replace("return (k, r)", f"return {results}").replace(
        "r = both[1]", "r = R.abs(k)"
    )
    original = LegalizeOps()(wb.parse(text)).module
    merged = FuseTensorFunctions()(original)
    assert [r.code for r in merged.remarks] == ["fuse/not-merged"]
    assert reason in merged.remarks[0].message
    assert merged.module is original


NO_BUFFERS = """
from workbench.script import I, R, T
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        cls = Module
        with R.dataflow():
            t = (x, x)
            y = cls.group({given})
            R.output(y)
        return y

    @R.function(private=True)
    def group({params}) -> R.Tensor((4,), "float32"):
        R.func_attr({{"Codegen": "numpy", "Primitive": 1}})
        cls = Module
        with R.dataflow():
            h = R.call_tir(cls.halve, ({arg},), out_ty=R.Tensor((4,), "float32"))
            R.output(h)
        return h

    @T.prim_func(private=True)
    def halve(a: T.Buffer((4,), "float32"), b: T.Buffer((4,), "float32")):
        for i in range(4):
            b[i] = a[i] * T.float32(0.5)
"""


@pytest.mark.parametrize(
    ("given", "params", "arg", "reason"),
    [
        (
            "t, x",
            'p: R.Tuple(R.Tensor((4,), "float32"), R.Tensor((4,), "float32")), '
            'q: R.Tensor((4,), "float32")',
            "q",
            "parameter `p` is no tensor",
        ),
        ("x", 'q: R.Tensor((4,), "float32")', "R.const([1, 2, 3, 4], 'float32')", "a constant"),
    ],
)
def test_a_group_over_something_else_than_buffers_stays(
    given: str, params: str, arg: str, reason: str
) -> None:
    original = wb.parse(NO_BUFFERS.format(given=given, params=params, arg=arg))
    merged = FuseTensorFunctions()(original)
    assert [r.code for r in merged.remarks] == ["fuse/not-merged"]
    assert reason in merged.remarks[0].message
    x = np.arange(4, dtype="float32")
    np.testing.assert_array_equal(wb.build(merged.module)(x), run(original, x))
