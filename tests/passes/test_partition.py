"""Partitioning for several libraries, interleaved with other passes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import numpy as np
import pytest

from workbench.analysis.patterns import (
    LibraryPattern,
    anything,
    library_patterns,
    offered,
    op,
    register_library_pattern,
)
from workbench.interpret import run
from workbench.ir import (
    CallOp,
    CallPacked,
    CallTIR,
    GraphBuilder,
    IRModule,
    LibraryFunction,
    TensorType,
    register_library,
    walk,
    why_missing,
)
from workbench.passes import (
    AnnotateForLibrary,
    ChooseImplementations,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    Implement,
    LegalizeOps,
    PartitionByAnnotation,
    PartitionForLibrary,
    Pass,
    ScheduleDefault,
)
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

NETWORK = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 3, 12, 12), "float32"), k: R.Tensor((8, 3, 3, 3), "float32"),
             b: R.Tensor((1, 8, 1, 1), "float32"), w: R.Tensor((800, 16), "float32"),
             v: R.Tensor((16, 5), "float32")):
        with R.dataflow():
            c = R.nn.conv2d(x, k)
            cb = R.add(c, b)
            a = R.nn.relu(cb)
            f = R.reshape(a, (1, 800))
            h = R.matmul(f, w)
            t = R.tanh(h)
            s = R.matmul(t, v)
            y = R.nn.softmax(s)
            R.output(y)
        return y
"""


def arrays_for(module: IRModule) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = [
        p.type.shape
        for p in module.graph_functions["main"].params
        if isinstance(p.type, TensorType)
    ]
    return [(rng.normal(size=s) * 0.2).astype("float32") for s in shapes]  # pyright: ignore


def symbols(module: IRModule) -> list[str]:
    nodes = [n for n in walk(module.graph_functions["main"]) if isinstance(n, CallPacked)]
    return [n.symbol for n in nodes]


def after(module: IRModule, *steps: Pass) -> IRModule:
    """The module after the passes; each step builds and gives the same values."""
    arrays = arrays_for(module)
    expected = run(module, *arrays)
    for step in steps:
        module = step(module).module
        np.testing.assert_allclose(build(module)(*arrays), expected, rtol=1e-4, atol=1e-5)
    return module


def need(*libraries: str) -> None:
    for library in libraries:
        if reason := why_missing(f"{library}.matmul"):
            pytest.skip(reason)


def test_several_libraries_interleaved_with_other_passes() -> None:
    need("onednn", "torch")
    done = after(
        parse(NETWORK),
        PartitionForLibrary("onednn", only=("a",)),
        LegalizeOps(),
        PartitionForLibrary("torch", only=("h",)),
        FuseOps(),
        FuseTensorFunctions(),
        PartitionForLibrary("numpy"),
        ScheduleDefault(),
        EliminateDeadCode(),
    )
    assert symbols(done) == ["onednn.conv2d", "torch.matmul", "numpy.matmul"]
    assert any(isinstance(n, CallTIR) for n in walk(done.graph_functions["main"]))


def test_numpy_alone_and_the_rest_is_compiled() -> None:
    done = after(
        parse(NETWORK), LegalizeOps(), PartitionForLibrary(), FuseOps(), FuseTensorFunctions()
    )
    assert sorted(symbols(done)) == ["numpy.conv2d", "numpy.matmul", "numpy.matmul"]
    report = build(done).report
    assert report.reference == 0
    assert report.library == 3


def test_partitioning_twice_changes_nothing_more() -> None:
    once = PartitionForLibrary("onednn")(parse(NETWORK)).module
    assert PartitionForLibrary("onednn")(once).module is once


def test_annotated_values_go_to_their_library_after_other_passes() -> None:
    need("onednn")
    done = after(
        parse(NETWORK),
        AnnotateForLibrary(("c", "cb", "a"), "onednn"),
        AnnotateForLibrary(("s",), "numpy"),
        PartitionByAnnotation(libraries=("numpy",)),
        FuseOps(),
        PartitionByAnnotation(),
        LegalizeOps(),
    )
    assert symbols(done) == ["onednn.conv2d", "numpy.matmul"]


def test_an_annotated_function_may_hold_constants() -> None:
    module = parse("""
@I.ir_module
class Module:
    @R.function(private=True)
    def region(x: R.Tensor((2, 2), "float32")):
        R.func_attr({"Codegen": "numpy"})
        with R.dataflow():
            w = R.const([[1.0, 2.0], [3.0, 4.0]], "float32")
            y = R.matmul(x, w)
            R.output(y)
        return y

    @R.function
    def main(x: R.Tensor((2, 2), "float32")):
        cls = Module
        with R.dataflow():
            y = cls.region(x)
            R.output(y)
        return y
""")
    assert symbols(after(module, PartitionByAnnotation())) == ["numpy.matmul"]


def annotated_twice(first: str, second: str) -> IRModule:
    region = """
    @R.function(private=True)
    def NAME(x: R.Tensor((2, 2), "float32"), w: R.Tensor((2, 2), "float32")):
        R.func_attr({"Codegen": "numpy"})
        with R.dataflow():
            y = CALL
            R.output(y)
        return y
"""
    regions = [
        region.replace("NAME", n).replace("CALL", c)
        for n, c in zip("fg", (first, second), strict=True)
    ]
    return parse(f"""
@I.ir_module
class Module:
{"".join(regions)}
    @R.function
    def main(x: R.Tensor((2, 2), "float32"), w: R.Tensor((2, 2), "float32")):
        cls = Module
        with R.dataflow():
            a = cls.f(x, w)
            y = cls.g(w, a)
            R.output(y)
        return y
""")


@pytest.mark.parametrize("second", ["R.matmul(x, w)", "R.matmul(w, x)"])
def test_equal_annotated_functions_go_with_their_own_arguments(second: str) -> None:
    module = annotated_twice("R.matmul(x, w)", second)
    done = after(module, PartitionByAnnotation())
    assert symbols(done) == ["numpy.matmul", "numpy.matmul"]
    x, w = (np.arange(n, n + 4, dtype="float32").reshape(2, 2) for n in (1, 5))
    np.testing.assert_array_equal(run(done, x, w), run(module, x, w))


NORMALISED = """
    @R.function(private=True)
    def NAME(x: R.Tensor((2, 2), "float32"), w: R.Tensor((2,), "float32")):
        R.func_attr({"Codegen": "onednn"})
        with R.dataflow():
            y = R.nn.layer_norm(x, w, w, axes=[1], epsilon=EPSILON)
            R.output(y)
        return y
"""


@pytest.mark.parametrize(("first", "second"), [("0.0", "-0.0"), ("1", "True"), ("1", "1.0")])
def test_constants_that_compare_equal_make_no_equal_functions(first: str, second: str) -> None:
    regions = [
        NORMALISED.replace("NAME", name).replace("EPSILON", epsilon)
        for name, epsilon in zip("fg", (first, second), strict=True)
    ]
    module = parse(f"""
@I.ir_module
class Module:
{"".join(regions)}
    @R.function
    def main(x: R.Tensor((2, 2), "float32"), w: R.Tensor((2,), "float32")):
        cls = Module
        with R.dataflow():
            a = cls.f(x, w)
            y = cls.g(a, w)
            R.output(y)
        return y
""")
    assert module["f"] == module["g"]
    done = PartitionByAnnotation()(module).module
    calls = [node for node in walk(done["main"]) if isinstance(node, CallPacked)]
    assert [repr(dict(call.attrs)["epsilon"]) for call in calls] == [first, second]
    assert len({dict(call.attrs)["algorithm"] for call in calls}) == 2
    if not why_missing("onednn.matmul"):
        after(module, PartitionByAnnotation())


def test_each_of_equal_annotated_functions_says_why_it_stays() -> None:
    remarks = PartitionByAnnotation()(annotated_twice("R.add(x, w)", "R.add(x, w)")).remarks
    assert [(r.code, r.function) for r in remarks] == [
        ("partition/annotated", "f"),
        ("partition/annotated", "g"),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("c", "cb", "h"), "`cb` is read outside of the values"),
        ((), "no value is named"),
        (("nowhere",), "no value is named `nowhere`"),
    ],
)
def test_values_that_cannot_be_annotated(values: tuple[str, ...], message: str) -> None:
    with pytest.raises(CompileError, match=re.escape(message)):
        AnnotateForLibrary(values, "onednn")(parse(NETWORK))


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(CompileError, match="no library `mkl` has patterns"):
        PartitionForLibrary("mkl")(parse(NETWORK))


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A library of a user: tanh of a product, one call."""
    monkeypatch.setitem(offered._OFFERED, "acme", [])  # pyright: ignore[reportPrivateUsage]
    pattern = op("tanh", op("matmul", anything("x"), anything("w")))
    register_library_pattern(LibraryPattern("acme", "acme.tanh_dense", pattern, ("x", "w")))
    yield "acme"
    assert library_patterns("acme")


def test_a_missing_library_is_said_at_build_with_its_calls(acme: str) -> None:
    module = PartitionForLibrary(acme)(parse(NETWORK)).module
    assert symbols(module) == ["acme.tanh_dense"]
    with pytest.raises(CompileError) as caught:
        build(module)
    (fault,) = caught.value.diagnostics
    assert fault.code == "library/unavailable"
    assert "`acme.tanh_dense`: nobody registered it" in fault.message
    assert fault.notes == ("`t` in `main` calls it",)


def test_a_library_of_a_user(acme: str) -> None:
    def tanh_dense(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
        np.tanh(x @ w, out=out)

    register_library(LibraryFunction("acme.tanh_dense", tanh_dense, "acme"))
    done = after(parse(NETWORK), PartitionForLibrary(acme), PartitionForLibrary("numpy"))
    assert symbols(done) == ["numpy.conv2d", "acme.tanh_dense", "numpy.matmul"]


def test_two_libraries_in_turns_keep_the_values_on_any_machine(acme: str) -> None:
    """As above, with one library of a user and numpy: nothing has to be installed."""
    calls: list[int] = []

    def tanh_dense(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
        calls.append(1)
        np.tanh(x @ w, out=out)

    register_library(LibraryFunction("acme.tanh_dense", tanh_dense, "acme"))
    module = parse(NETWORK)
    done = after(
        module,
        PartitionForLibrary("numpy", only=("s",)),
        PartitionForLibrary(acme),
        LegalizeOps(),
        FuseOps(),
        PartitionForLibrary(acme),
        FuseTensorFunctions(),
        PartitionForLibrary("numpy"),
        ScheduleDefault(),
        EliminateDeadCode(),
    )
    assert symbols(done) == ["numpy.conv2d", "acme.tanh_dense", "numpy.matmul"]
    executable = build(done)
    assert (executable.report.library, executable.report.reference) == (3, 0)
    assert executable.report.compiled > 0, "the rest is compiled"
    calls.clear()
    executable(*arrays_for(module))
    assert calls == [1]


def test_a_library_that_does_not_load_is_said_at_build() -> None:
    register_library(
        LibraryFunction("test.broken.load", print, "test", load=lambda: "it is for another machine")
    )
    module = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2,), "float32")):
        with R.dataflow():
            y = R.call_dps_packed("test.broken.load", (x,), out_ty=R.Tensor((2,), "float32"))
            R.output(y)
        return y
""")
    with pytest.raises(CompileError, match="it is for another machine"):
        build(module)


def chain(length: int) -> IRModule:
    """Products with relu, one after the other."""
    builder = GraphBuilder()
    value = builder.param("x", TensorType((4, 4), "float32"))
    weight = builder.param("w", TensorType((4, 4), "float32"))
    for _ in range(length // 2):
        value = builder.emit(CallOp("matmul", (value, weight)))
        value = builder.emit(CallOp("nn.relu", (value,)))
    return IRModule((("main", builder.build(value)),))


@pytest.mark.parametrize(
    "step",
    [
        PartitionForLibrary("onednn"),
        PartitionForLibrary("numpy"),
        ChooseImplementations(),
        PartitionByAnnotation(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_time_grows_with_the_length_not_its_square(step: Pass) -> None:
    def seconds(length: int) -> float:
        module = chain(length)
        step(module)
        times = []
        for _ in range(2):
            start = time.process_time()
            step(module)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(3200) < 8 * seconds(800) + 0.05


def test_what_a_library_computes_at_once_can_be_operators_again() -> None:
    need("onednn")
    module = parse(NETWORK)
    parted = after(module, PartitionForLibrary("onednn"))
    name = next(n for n in parted.graph_functions if n.startswith("onednn_conv2d"))
    back = after(parted, Implement("a", "operators"))
    assert symbols(back) == ["onednn.matmul", "onednn.matmul", "onednn.softmax"]
    assert [p.name for p in back.graph_functions[name].params] == ["x", "k", "b"]
    done = after(back, LegalizeOps(), FuseOps(), FuseTensorFunctions(), EliminateDeadCode())
    assert any(isinstance(n, CallTIR) for n in walk(done.graph_functions["main"]))


def test_the_operators_of_a_call_hold_for_constants_and_repeated_arguments() -> None:
    need("onednn")
    module = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2, 2), "float32")):
        with R.dataflow():
            h = R.matmul(x, x)
            b = R.add(h, R.const([1.0, -9.0], "float32"))
            y = R.nn.relu(b)
            R.output(y)
        return y
""")
    parted = after(module, PartitionForLibrary("onednn"))
    assert symbols(parted) == ["onednn.matmul"]
    assert symbols(after(parted, Implement("y", "operators"))) == []
