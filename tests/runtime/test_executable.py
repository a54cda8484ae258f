import threading

import ml_dtypes
import numpy as np
import pytest
from numpy.random import Generator

from tests.runtime import modules
from tests.runtime.checks import assert_same, code_of, fixed_shape, normal, text_of
from workbench import te
from workbench.interpret import run
from workbench.interpret import values as reference_values
from workbench.ir import (
    CallPacked,
    CallTIR,
    GraphBuilder,
    IRModule,
    LibraryFunction,
    TensorType,
    register_library,
)
from workbench.runtime import CancelToken, Executable, build
from workbench.script import parse
from workbench.support import CompileError

# --- results ------------------------------------------------------------------------------------


def test_a_chain_of_kernels(rng: Generator) -> None:
    module = modules.chain()
    executable = build(module)
    x, y = normal(rng, 4, 6), normal(rng, 4, 6)
    for _ in range(3):
        assert_same(executable(x, y), run(module, x, y))
    assert (executable.report.compiled, executable.report.reference) == (3, 0)
    assert executable.report.stepwise == ()


def test_symbolic_shapes(rng: Generator) -> None:
    module = modules.symbolic_chain()
    executable = build(module)
    assert executable.report.stepwise == ()
    for _ in range(2):
        for rows, columns in [(4, 6), (1, 1), (7, 0), (33, 65)]:
            x, y = normal(rng, rows, columns), normal(rng, rows, columns)
            assert_same(executable(x, y), run(module, x, y))
    text = text_of(lambda: executable(normal(rng, 4, 6), normal(rng, 4, 7)))
    assert "dimension 1 of `y` must be `6` (`m`), got `7`" in text
    assert "`m` is `6` by dimension 1 of `x`" in text


def test_many_shapes_keep_few_plans(rng: Generator) -> None:
    executable = build(modules.symbolic_chain())
    for rows in range(1, 40):
        x = normal(rng, rows, 3)
        assert_same(executable(x, x), 5 * x)


def test_a_mixture_of_everything(rng: Generator) -> None:
    module = modules.mixture()
    executable = build(module)
    assert executable.report.stepwise == ()
    assert executable.report.library == 2
    for _ in range(3):
        x, y = normal(rng, 4, 6), normal(rng, 4, 6)
        assert_same(executable(x, y), run(module, x, y))


@pytest.mark.parametrize("condition", [True, False])
def test_branches(rng: Generator, condition: bool) -> None:
    module = modules.branching()
    executable = build(module)
    x = normal(rng, 4, 6)
    assert_same(executable(np.bool_(condition), x), run(module, np.bool_(condition), x))
    assert_same(executable(condition, x), x * (3 if condition else 4))


def test_calls_are_inlined_with_their_shapes(rng: Generator) -> None:
    module = modules.calling_with_shapes()
    executable = build(module)
    assert executable.report.stepwise == ()
    for rows, others in [(2, 5), (4, 1), (3, 3)]:
        x, y = normal(rng, rows, 3), normal(rng, others, 3)
        assert_same(executable(x, y), run(module, x, y))
        assert_same(tuple(executable.values([x, y]).values())[-3:], (2 * x, 2 * y, 4 * y))


def test_recursion(rng: Generator) -> None:
    x = normal(rng, 2, 3)
    executable = build(modules.recursive(ends=True))
    assert_same(executable(True, x), 2 * x)
    assert_same(executable(False, x), 4 * x)
    endless = build(modules.recursive(ends=False))
    assert_same(endless(True, x), 2 * x)
    assert code_of(lambda: endless(False, x)) == "run/too-deep"


def test_casts_are_checked(rng: Generator) -> None:
    executable = build(modules.casting())
    x = normal(rng, 4, 6)
    assert_same(executable(x), 2 * x)
    text = text_of(lambda: executable(normal(rng, 5, 6)))
    assert "run/type-mismatch" in text
    assert "dimension 0 of `known` must be `4`, got `5`" in text


def test_shapes_that_depend_on_values(rng: Generator) -> None:
    module = modules.data_dependent()
    executable = build(module)
    assert executable.report.stepwise == ("main",)
    for _ in range(5):
        x = normal(rng, 8)
        assert_same(executable(x), 2 * x[x > 0])


KEPT = np.zeros(4, np.float32)


def kept_by_the_library(x: np.ndarray) -> np.ndarray:
    KEPT[...] = x
    return KEPT


def test_results_stay_as_they_are_when_it_runs_again_binding_by_binding(rng: Generator) -> None:
    module = parse(
        """
@R.function
def main(x: R.Tensor((4,), "float32"), y: R.Tensor(("n",), "float32")):
    u = R.match_cast(R.unique(y), R.Tensor(("m",), "float32"))
    t = R.add(u, u)
    v = R.call_pure_packed(kept_by_the_library, x, ty_args=R.Tensor((4,), "float32"))
    return (v, v, t, t)
""",
        namespace={"kept_by_the_library": kept_by_the_library},
    )
    executable = build(module)
    assert executable.report.stepwise == ("main",)
    x = normal(rng, 4)
    first = executable(x, x)
    kept = [array.copy() for array in first]
    second = executable(x + 1, x)
    assert_same(first, tuple(kept))
    arrays = [*first, *second, KEPT]
    for number, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:number])


def test_outputs_are_the_callers_own(rng: Generator) -> None:
    module = modules.returning_what_it_was_given()
    executable = build(module)
    x = normal(rng, 2, 3)
    kept = executable(x)
    for array in kept:
        assert not np.shares_memory(array, x)
        array += 100
    assert_same(executable(x), run(module, x))
    assert_same(kept[0], x + 100)
    assert not any(np.shares_memory(a, b) for i, a in enumerate(kept) for b in kept[:i])


@pytest.mark.parametrize(
    "module", [modules.chain(), modules.mixture(), modules.returning_what_it_was_given()]
)
def test_values_are_those_of_the_interpreter(module: IRModule, rng: Generator) -> None:
    inputs = [
        normal(rng, *fixed_shape(param.type)) for param in module.graph_functions["main"].params
    ]
    found = build(module).values(inputs)
    expected = reference_values(module, inputs)
    assert found.keys() == expected.keys()
    for node, value in expected.items():
        assert_same(found[node], value)


def test_given_values_are_taken(rng: Generator) -> None:
    module = modules.chain()
    x, y = normal(rng, 4, 6), normal(rng, 4, 6)
    bindings = module.graph_functions["main"].bindings
    given = {bindings[0].var.id: np.ones((4, 6), np.float32)}
    found = build(module).values([x, y], given)
    assert_same(found[bindings[0].var.id], np.ones((4, 6), np.float32))
    assert_same(found[bindings[2].var.id], 2 + x)


def test_profile_names_every_binding(rng: Generator) -> None:
    module = modules.mixture()
    executable = build(module)
    profile = executable.profile([normal(rng, 4, 6), normal(rng, 4, 6)], repeats=3)
    names = {b.var.id: b.var.name for b in module.graph_functions["main"].bindings}
    assert {names[node] for node in profile.bindings} == {"s", "d", "t", "c", "q", "h", "e"}
    for timing in profile.bindings.values():
        assert len(timing.samples) == 3
        assert 0 <= timing.lower <= timing.median <= timing.upper < 1
    assert profile.total.median > 0


# --- libraries ----------------------------------------------------------------------------------


def with_library(symbol: str) -> IRModule:
    type_ = modules.matrix(4, 6)
    module = modules.chain()
    builder = GraphBuilder(module)
    x = builder.param("x", type_)
    s = builder.emit(CallTIR("double", (x,), (type_,)), "s")
    r = builder.emit(CallPacked(symbol, (s,), (type_,)), "r")
    return module.with_function("main", builder.build(r))


def test_a_missing_library_is_refused_at_build() -> None:
    text = text_of(lambda: build(with_library("nobody.has_it")))
    assert "library/unavailable" in text
    assert "`nobody.has_it`" in text
    assert "`r` in `main`" in text
    register_library(LibraryFunction("test.gone", print, "tests", "needs a machine of 1954"))
    assert "a machine of 1954" in text_of(lambda: build(with_library("test.gone")))


def test_a_library_that_raises_is_a_diagnostic(rng: Generator) -> None:
    def broken(x: np.ndarray, out: np.ndarray) -> None:
        out[:] = x
        if x[0, 0] > 0:
            msg = "no luck today"
            raise RuntimeError(msg)

    register_library(LibraryFunction("test.broken", broken, "tests"))
    executable = build(with_library("test.broken"))
    x = np.abs(normal(rng, 4, 6))
    text = text_of(lambda: executable(x))
    for word in ("library/raised", "`test.broken`", "RuntimeError", "no luck", "`main`"):
        assert word in text
    assert_same(executable(-x), -2 * x)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 5), np.float32), np.zeros((4, 6)), "text", (1, 2), None]
)
def test_what_a_library_returns_is_checked(rng: Generator, wrong: object) -> None:
    register_library(LibraryFunction("test.square", lambda _: wrong, "tests"))
    module = modules.mixture()
    register_library(LibraryFunction("test.square", lambda _: wrong, "tests"))
    executable = build(module)
    x = normal(rng, 4, 6)
    assert code_of(lambda: executable(x, x)) == "run/wrong-result"


def test_a_library_may_return_its_argument(rng: Generator) -> None:
    module = modules.mixture()
    register_library(LibraryFunction("test.square", lambda x: x, "tests"))
    x = normal(rng, 4, 6)
    assert_same(build(module)(x, x), run(module, x, x))


# --- threads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_from_several_threads(threads: int) -> None:
    executable = build(modules.symbolic_chain(), num_threads=threads)
    wrong: list[int] = []

    def work(seed: int) -> None:
        generator = np.random.default_rng(seed)
        for rows in generator.integers(1, 30, 100):
            x, y = normal(generator, rows, 8), normal(generator, rows, 8)
            if not np.allclose(executable(x, y), 2 * (x + y) + x):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_a_cancelled_token_stops_the_call(rng: Generator) -> None:
    executable = build(modules.chain())
    token = CancelToken()
    token.cancel()
    x = normal(rng, 4, 6)
    assert code_of(lambda: executable(x, x, cancel=token)) == "run/cancelled"
    assert_same(executable(x, x), 5 * x)


def test_options_are_checked() -> None:
    assert code_of(lambda: build(modules.chain(), num_threads=0)) == "build/bad-option"


def test_llvm_and_assembly() -> None:
    executable = build(modules.chain())
    assert "define" in executable.llvm("add")
    assert "ret" in executable.assembly("add")
    assert code_of(lambda: executable.llvm("nobody")) == "module/unknown-function"
    assert isinstance(executable, Executable)


# --- dtypes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (5, 3)])
def test_arrays_of_any_dtype_pass(rng: Generator, dtype: str, shape: tuple[int, ...]) -> None:
    x = te.placeholder(shape, dtype, "x")
    out = te.compute(shape, lambda *i: x[i], "out")
    module = IRModule((("copy", te.create_tensor_function([x], [out])),))
    builder = GraphBuilder(module)
    type_ = TensorType(shape, dtype)
    y = builder.emit(CallTIR("copy", (builder.param("x", type_),), (type_,)), "y")
    executable = build(module.with_function("main", builder.build(y)))
    array = rng.integers(0, 2, shape).astype(dtype)
    found = executable(array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)
    with pytest.raises(CompileError):
        executable(array.astype("complex64"))


def test_bfloat16() -> None:
    x = te.placeholder((4,), "bfloat16", "x")
    out = te.compute((4,), lambda i: x[i], "out")
    executable = build(IRModule((("copy", te.create_tensor_function([x], [out])),)))
    array = np.array([1, -2.5, 0, 3], ml_dtypes.bfloat16)
    target = np.zeros_like(array)
    executable(array, target, function="copy")
    np.testing.assert_array_equal(target, array)


@pytest.mark.parametrize("condition", [True, False])
def test_branches_know_dimensions_that_a_check_before_them_solved(condition: bool) -> None:
    text = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def twice(x: T.Buffer(("m",), "float32"), y: T.Buffer(("m",), "float32")):
        m = T.int64()
        for i in range(m):
            with T.sblock("y"):
                vi = T.axis.spatial(m, i)
                y[vi] = x[vi] + x[vi]

    @R.function
    def main(x: R.Tensor(("n",), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        n = T.int64()
        k = T.int64()
        h = R.concat((x, x), axis=0)
        s = R.match_cast(h, R.Tensor((k,), "float32"))
        if c:
            y = R.call_tir(cls.twice, (s,), out_ty=R.Tensor((k,), "float32"))
        else:
            y = R.negative(s)
        return y
"""
    module = parse(text)
    arguments = np.arange(3, dtype="float32"), np.array(condition)
    assert_same(build(module)(*arguments), run(module, *arguments))
