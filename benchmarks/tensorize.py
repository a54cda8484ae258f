"""A matrix product by primitives and the micro-kernel, against the default tile."""

from __future__ import annotations

import numpy as np

import workbench as wb
from benchmarks.timing import conditions, interleaved
from workbench import te
from workbench.ir import IRModule
from workbench.schedule import Schedule, schedule_function

SIZE = 512
ROWS, COLUMNS = 4, 16


def main() -> None:
    """Print one table per thread count: median times, and the ratio to the default tile."""
    module = product(SIZE)
    variants = {"default tile": default(module), "tile": tiled(module), "packed": packed(module)}
    a, b = (np.random.default_rng(n).random((SIZE, SIZE), np.float32) for n in (0, 1))
    out = np.zeros((SIZE, SIZE), np.float32)
    print(f"tensorize, float32 {SIZE} x {SIZE} x {SIZE}, {conditions()}")
    for threads in (1, 2):
        calls = {n: wb.build(m, num_threads=threads) for n, m in variants.items()}
        found = interleaved({n: lambda call=call: call(a, b, out) for n, call in calls.items()})
        print(f"{threads} thread(s)")
        for name, timing in found.items():
            ratio = timing.median / found["default tile"].median
            print(f"  {name:14} {timing}  {ratio:.2f} x the default tile")


def product(size: int) -> IRModule:
    """`C = A @ B` of square float32 matrices."""
    a = te.placeholder((size, size), "float32", "A")
    b = te.placeholder((size, size), "float32", "B")
    k = te.reduce_axis(size, "k")
    c = te.compute((size, size), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), "C")
    return IRModule((("main", te.create_tensor_function([a, b], [c])),))


def default(module: IRModule) -> IRModule:
    """The register tile that the default schedule chooses."""
    done = schedule_function(module.tensor_functions["main"])
    assert not isinstance(done, str)
    return module.with_function("main", done)


def tiled(module: IRModule) -> IRModule:
    """The micro-kernel on boxes of the matrices as they are."""
    sch = Schedule(module, "main")
    i, j, k = sch.get_loops("C")
    i_0, i_1 = sch.split(i, [None, ROWS])
    j_0, j_1 = sch.split(j, [None, COLUMNS])
    sch.reorder(i_0, j_0, i_1, j_1, k)
    sch.tensorize(i_1, f"fma_{ROWS}x{COLUMNS}_f32")
    sch.parallel(i_0)
    return sch.module


def packed(module: IRModule) -> IRModule:
    """The micro-kernel on columns of B that were packed next to each other before."""
    sch = Schedule(module, "main")
    copy = sch.cache_read("C", "B")
    sch.transform_layout("C", ("read", 1), f"lambda k, j: (j // {COLUMNS}, k, j % {COLUMNS})")
    row, column = sch.get_loops(copy)
    sch.parallel(row)
    sch.vectorize(column)
    i, j, k = sch.get_loops("C")
    i_0, i_1 = sch.split(i, [None, ROWS])
    j_0, j_1 = sch.split(j, [None, COLUMNS])
    sch.reorder(j_0, i_0, i_1, j_1, k)
    sch.tensorize(i_1, f"fma_{ROWS}x{COLUMNS}_f32")
    sch.parallel(j_0)
    return sch.module


if __name__ == "__main__":
    main()
