"""Arguments by name, and calls that need more memory than there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import new_array
from workbench.interpret.tensor import fresh_array
from workbench.ir import CallOp, GraphBuilder, IRModule, TensorType
from workbench.runtime.arrays import aligned_bytes
from workbench.runtime.host_calls import operator_call
from workbench.support import CompileError, Diagnostic

TEXT = """
@I.ir_module
class Module:
    @T.prim_func
    def double(a: T.Buffer((4,), "float32"), n: T.int64, b: T.Buffer((4,), "float32")):
        for i in range(4):
            with T.sblock("b"):
                vi = T.axis.spatial(4, i)
                b[vi] = a[vi] * T.Cast("float32", n)

    @R.function
    def main(x: R.Tensor((4,), "float32"), y: R.Tensor((4,), "float32")):
        with R.dataflow():
            d = R.subtract(x, y)
            R.output(d)
        return d
"""
HUGE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n",), "float32"), y: R.Tensor(("m",), "float32")):
        n = T.int64()
        m = T.int64()
        with R.dataflow():
            a = R.reshape(x, R.shape([n, 1]))
            b = R.broadcast_to(a, R.shape([n, m * 1000000000000]))
            c = R.exp(b)
            d = R.sum(c)
            R.output(d)
        return RESULT
"""
X, Y = np.arange(4, dtype="float32"), np.ones(4, "float32")
EXECUTABLE: Any = wb.build(wb.parse(TEXT))


def test_arguments_are_given_by_position_or_by_name() -> None:
    expected = X - Y
    for result in (EXECUTABLE(y=Y, x=X), EXECUTABLE(X, y=Y), EXECUTABLE(x=X, y=Y)):
        np.testing.assert_array_equal(result, expected)
    out = np.zeros(4, "float32")
    assert EXECUTABLE(X, b=out, n=3, function="double") is None
    np.testing.assert_array_equal(out, 3 * X)


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (lambda e: e(x=X), "run/wrong-argument", "`y` is missing"),
        (lambda e: e(X, Y, z=X), "run/wrong-argument", "no parameter is called `z`"),
        (lambda e: e(X, x=X), "run/wrong-argument", "`x` is given twice"),
        (lambda e: e(X, Y, Y, y=Y), "run/wrong-argument", "got 3 by position"),
        (lambda e: e(X, Y, function=["main"]), "call/wrong-kind", "a text as `function`"),
        (lambda e: e(X, Y, cancel=True), "call/wrong-kind", "a `CancelToken` or `None`"),
        (lambda e: e(X, Y, function="man"), "module/unknown-function", "no function `man`"),
        (lambda e: e.intermediate_bytes(None), "call/wrong-kind", "as `arrays`, got `None`"),
        (lambda e: e.values(3), "call/wrong-kind", "as `arrays`, got `3`"),
        (lambda e: e.profile([X, Y], repeats="2"), "call/wrong-kind", "as `repeats`"),
        (lambda e: e.llvm(None), "call/wrong-kind", "as `name`"),
    ],
)
def test_calls_that_do_not_fit(call: Any, code: str, words: str) -> None:  # noqa: ANN401
    with pytest.raises(CompileError) as caught:
        call(EXECUTABLE)
    assert caught.value.diagnostics[0].code == code
    assert words in str(caught.value)


def test_names_that_several_parameters_have_are_positions() -> None:
    builder = GraphBuilder()
    first_x, other_x = (builder.param("x", TensorType((4,))) for _ in range(2))
    result = builder.emit(CallOp("subtract", (first_x, other_x)))
    twice: Any = wb.build(builder.module.with_function("main", builder.build(result)))
    np.testing.assert_array_equal(twice(X, Y), X - Y)
    with pytest.raises(CompileError) as caught:
        twice(x=X)
    assert "several parameters are called `x`" in str(caught.value)


def test_an_executable_in_one_line() -> None:
    assert repr(EXECUTABLE).startswith("Executable 'Module': main; 1 calls compiled")
    assert "\n" not in repr(EXECUTABLE)


def huge(result: str) -> IRModule:
    return wb.parse(HUGE.replace("RESULT", result).replace("R.output(d)", f"R.output({result})"))


def first(error: pytest.ExceptionInfo[CompileError]) -> Diagnostic:
    return error.value.diagnostics[0]


@pytest.mark.parametrize("result", ["d", "c"])
@pytest.mark.parametrize("optimized", [False, True])
def test_a_call_that_needs_too_much_says_how_much(result: str, optimized: bool) -> None:
    module = huge(result)
    executable = wb.build(wb.optimize(module) if optimized else module)
    arrays = [np.ones(1000, "float32"), np.ones(1000, "float32")]
    for call in (lambda: executable(*arrays), lambda: executable.values(arrays)):
        with pytest.raises(CompileError) as caught:
            call()
        assert first(caught).code == "run/out-of-memory"
        assert "EiB" in first(caught).message or "more memory than there is" in str(caught.value)
    small = executable(np.ones(0, "float32"), np.ones(1, "float32"))
    assert small is not None, "the next call runs"


def test_bytes_are_counted_without_taking_them() -> None:
    executable = wb.build(huge("d"))
    arrays = [np.ones(1000, "float32"), np.ones(1000, "float32")]
    assert executable.intermediate_bytes(arrays) >= 4 * 10**18


def test_every_place_that_allocates_says_it() -> None:
    shape = (1 << 40, 1 << 40)
    for make in (
        lambda: new_array(shape, "float32"),
        lambda: fresh_array(shape, "float32"),
        lambda: fresh_array((1 << 58,), "int8"),
        lambda: aligned_bytes(1 << 62),
    ):
        with pytest.raises(CompileError) as caught:
            make()
        assert first(caught).code == "run/out-of-memory"


def test_numpy_without_memory_is_the_same_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def reference(*_: object) -> object:
        raise MemoryError("Unable to allocate 7 PiB")

    monkeypatch.setattr(
        "workbench.runtime.host_calls.operator", lambda _: type("O", (), {"reference": reference})
    )
    call: Any = type("Call", (), {"op": "exp"})()
    with pytest.raises(CompileError) as caught:
        operator_call(call)(X)
    assert first(caught).code == "run/out-of-memory"
    assert "7 PiB" in str(caught.value)
