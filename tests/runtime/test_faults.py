import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench import te
from workbench.ir import (
    CallTIR,
    For,
    GraphBuilder,
    IRModule,
    LoopKind,
    TensorFunction,
    TensorType,
)
from workbench.runtime import Cancelled, CancelToken, Executable, build
from workbench.support import CompileError, Diagnostic

SLOW = 2500
"""Extent of a product that takes much longer than a test may."""
SOON = 4.0
"""Seconds, on a machine with other work to do."""


def gather() -> TensorFunction:
    """`out[i] = x[index[i]]` for `x (n,) float32`, `index (m,) int64`."""
    n, m = te.var("n"), te.var("m")
    x = te.placeholder((n,), "float32", "x")
    index = te.placeholder((m,), "int64", "index")
    out = te.compute((m,), lambda i: x[index[i]], "out")
    return te.create_tensor_function([x, index], [out])


def divide() -> TensorFunction:
    """`out[i] = a[i] // b[i]` on `int64`."""
    n = te.var("n")
    a, b = te.placeholder((n,), "int64", "a"), te.placeholder((n,), "int64", "b")
    out = te.compute((n,), lambda i: a[i] // b[i], "out")
    return te.create_tensor_function([a, b], [out])


def product() -> TensorFunction:
    """`out = a @ b` on `(n, n) int64`, slowly."""
    n = te.var("n")
    a, b = te.placeholder((n, n), "int64", "a"), te.placeholder((n, n), "int64", "b")
    k = te.reduce_axis(n, "k")
    out = te.compute((n, n), lambda i, j: te.sum(a[i, k] * b[k, j], k), "out")
    return te.create_tensor_function([a, b], [out])


def in_parallel(function: TensorFunction) -> TensorFunction:
    """The function with its outermost loop parallel."""
    assert isinstance(function.body, For)
    return replace(function, body=replace(function.body, kind=LoopKind.PARALLEL))


def called(name: str, function: TensorFunction, *types: TensorType) -> IRModule:
    """A module whose `main` calls a function of two inputs; the last type is that of the output."""
    module = IRModule(((name, function),))
    builder = GraphBuilder(module)
    params = tuple(builder.param("pq"[i], type_) for i, type_ in enumerate(types[:-1]))
    result = builder.emit(CallTIR(name, params, types[-1:]), "result")
    return module.with_function("main", builder.build(result))


def fault_of(executable: Executable, *arrays: np.ndarray, function: str = "main") -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        executable(*arrays, function=function)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("index", [5, -1, 1 << 40])
def test_reading_out_of_bounds_is_reported(index: int) -> None:
    module = called(
        "gather",
        gather(),
        TensorType((5,), "float32"),
        TensorType((3,), "int64"),
        TensorType((3,), "float32"),
    )
    executable = build(module)
    x = np.arange(5, dtype=np.float32)
    fault = fault_of(executable, x, np.array([0, index, 1]))
    assert fault.code == "run/out-of-bounds"
    assert fault.function == "gather"
    assert fault.node == module.tensor_functions["gather"].params[0].id
    assert f"the index is `{index}`, the extent `5`" in str(fault)
    assert "`result` in `main`" in str(fault)
    assert executable(x, np.array([4, 0, 2])).tolist() == [4, 0, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_parallel_loops_report_and_go_on(threads: int) -> None:
    executable = build(IRModule((("gather", in_parallel(gather())),)), num_threads=threads)
    x = np.arange(100, dtype=np.float32)
    good = np.arange(99, -1, -1)
    bad = good.copy()
    bad[37] = 100
    out = np.zeros(100, np.float32)
    for _ in range(20):
        fault = fault_of(executable, x, bad, out, function="gather")
        assert fault.code == "run/out-of-bounds"
        assert "the index is `100`, the extent `100`" in str(fault)
        executable(x, good, out, function="gather")
        np.testing.assert_array_equal(out, good)


@pytest.mark.parametrize("threads", [1, 2])
def test_cancelling_stops_parallel_loops(threads: int) -> None:
    module = IRModule((("product", in_parallel(product())),))
    executable = build(module, num_threads=threads)
    a = np.ones((SLOW, SLOW), np.int64)
    timer = threading.Timer(0.1, executable.cancel)
    start = time.monotonic()
    timer.start()
    with pytest.raises(Cancelled):
        executable(a, a, np.empty_like(a), function="product")
    assert time.monotonic() - start < SOON
    small = np.eye(20, dtype=np.int64)
    out = np.zeros_like(small)
    executable(small, small, out, function="product")
    np.testing.assert_array_equal(out, small)


def test_a_fault_in_a_direct_call_is_reported() -> None:
    executable = build(IRModule((("divide", divide()),)))
    out = np.zeros(3, np.int64)
    a = np.array([7, -7, 7])
    fault = fault_of(executable, a, np.array([2, 0, 1]), out, function="divide")
    assert (fault.code, fault.function) == ("run/division-by-zero", "divide")
    executable(a, np.array([2, 2, -2]), out, function="divide")
    assert out.tolist() == [3, -4, -4]


def test_a_fault_names_the_function_that_it_happened_in() -> None:
    """Two functions that share a kernel differ in their names."""
    first = gather()
    x = te.placeholder((te.var("size"),), "float32", "table")
    rows = te.placeholder((te.var("rows"),), "int64", "rows")
    out = te.compute(rows.shape, lambda i: x[rows[i]], "taken")
    second = te.create_tensor_function([x, rows], [out])
    executable = build(IRModule((("first", first), ("second", second))))
    assert executable.report.kernels_compiled + executable.report.cache_hits == 1
    arrays = np.zeros(2, np.float32), np.array([9]), np.zeros(1, np.float32)
    assert "`x[" in str(fault_of(executable, *arrays, function="first"))
    assert "`table[" in str(fault_of(executable, *arrays, function="second"))


def slow_run() -> tuple[Executable, list[np.ndarray]]:
    type_ = TensorType((SLOW, SLOW), "int64")
    executable = build(called("product", product(), type_, type_, type_))
    return executable, [np.ones((SLOW, SLOW), np.int64)] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_an_interrupt_stops_long_loops() -> None:
    executable, arrays = slow_run()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        executable(*arrays)
    assert time.monotonic() - start < SOON
    small = np.eye(2, dtype=np.int64)
    out = np.zeros((2, 2), np.int64)
    executable(small, small, out, function="product")
    assert out.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("way", ["token", "executable", "values"])
def test_cancelling_stops_long_loops(way: str) -> None:
    executable, arrays = slow_run()
    token = CancelToken()
    timer = threading.Timer(0.1, executable.cancel if way == "executable" else token.cancel)
    start = time.monotonic()
    timer.start()
    with pytest.raises(Cancelled, match="run/cancelled"):
        _ = (
            executable.values(arrays, cancel=token)
            if way == "values"
            else executable(*arrays, cancel=token)
        )
    assert time.monotonic() - start < SOON


SCRIPT = """
import sys
from tests.runtime import modules
from workbench.runtime import build
executable = build(modules.symbolic_chain())
print(executable.report.kernels_compiled, executable.report.cache_hits)
import numpy as np
x = np.ones((3, 4), np.float32)
assert (executable(x, x) == 5).all()
"""


def built(repository: Path, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=repository,
        env={**os.environ, "WORKBENCH_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_next_process_compiles_nothing(repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert built(repository, cache) == "2 0"
    assert built(repository, cache) == "0 2"
    for path in (cache / "kernels").glob("*/*"):
        path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    assert built(repository, cache) == "2 0"
    assert built(repository, cache) == "0 2"
