from __future__ import annotations

import numpy as np
import pytest

from tests.schedule import programs
from workbench.analysis.stages import stages
from workbench.interpret import run_tensor_function
from workbench.ir import BufferType, For, LoopKind, TensorFunction, Var, walk
from workbench.schedule.cpu.default import PARALLEL_ELEMENTS, ScheduleOptions, schedule_function
from workbench.script import parse

CASES = {
    "matmul": programs.matmul(13, 21, 9),
    "matmul row": programs.matmul(1, 40, 17),
    "matmul thin": programs.matmul(30, 3, 5),
    "fused": programs.matmul_bias_relu(7, 35, 11),
    "conv": programs.conv2d(3, 10, 9),
    "conv stride": programs.conv2d(2, 5, 12, stride=2, pad=0),
    "row sum": programs.row_sum(5, 37),
    "row sum one": programs.row_sum(1, 30),
    "column max": programs.column_max(6, 19),
    "transpose": programs.transpose(17, 5),
    "chain": programs.chain(3, 33),
}
OPTIONS = {
    "chosen": ScheduleOptions(),
    "wide": ScheduleOptions(lanes=16),
    "4x24": ScheduleOptions(rows=4, vectors=3),
    "serial": ScheduleOptions(parallel=False),
}


def arrays_of(function: TensorFunction, rng: np.random.Generator) -> list[np.ndarray]:
    shapes = [p.type.shape for p in function.params if isinstance(p.type, BufferType)]
    static = [[n for n in shape if isinstance(n, int)] for shape in shapes]
    return [rng.normal(size=shape).astype("float32") for shape in static]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("function", CASES.values(), ids=CASES.keys())
def test_a_schedule_keeps_the_values(
    function: TensorFunction, options: ScheduleOptions, rng: np.random.Generator
) -> None:
    scheduled = schedule_function(function, options)
    assert isinstance(scheduled, TensorFunction)
    arrays = arrays_of(function, rng)
    expected, found = [a.copy() for a in arrays], [a.copy() for a in arrays]
    run_tensor_function(function, expected)
    run_tensor_function(scheduled, found)
    np.testing.assert_allclose(found[-1], expected[-1], rtol=1e-5, atol=1e-5)
    assert any(n.kind is LoopKind.VECTORIZED for n in walk(scheduled.body) if isinstance(n, For))


def test_ids_stay_unique() -> None:
    for function in CASES.values():
        scheduled = schedule_function(function)
        assert isinstance(scheduled, TensorFunction)
        loops = [n.var.id for n in walk(scheduled.body) if isinstance(n, For)]
        assert len(loops) == len(set(loops))
        used = {n.id for n in walk(scheduled) if isinstance(n, Var)}
        assert max(used) < scheduled.next_id


def test_an_epilogue_is_computed_in_the_tile() -> None:
    scheduled = schedule_function(programs.matmul_bias_relu(12, 32, 8))
    assert isinstance(scheduled, TensorFunction)
    assert scheduled.allocations == ()


def test_padding_stays_outside_the_reduction() -> None:
    scheduled = schedule_function(programs.conv2d(3, 8, 8))
    assert isinstance(scheduled, TensorFunction)
    assert [a.name for a in scheduled.allocations] == ["pad"]


def test_small_work_stays_on_one_thread() -> None:
    small, large = programs.matmul(8, 8, 8), programs.matmul(64, 64, 64)
    assert 8 * 8 * 8 < PARALLEL_ELEMENTS <= 64 * 64 * 64
    kinds = [
        {n.kind for n in walk(f.body) if isinstance(n, For)}
        for f in (schedule_function(small), schedule_function(large))
        if isinstance(f, TensorFunction)
    ]
    assert [LoopKind.PARALLEL in found for found in kinds] == [False, True]


def test_a_scheduled_function_is_left_alone() -> None:
    scheduled = schedule_function(programs.chain(4, 8))
    assert isinstance(scheduled, TensorFunction)
    assert schedule_function(scheduled) == "it has a schedule already"


def test_inlining_leaves_one_nest_of_an_elementwise_chain() -> None:
    scheduled = schedule_function(programs.chain(4, 8))
    assert isinstance(scheduled, TensorFunction)
    found = stages(programs.chain(4, 8))
    assert found is not None
    assert len(found) == 3
    assert len([a for a in scheduled.allocations if a.name == "double"]) == 0


WRITTEN_BETWEEN = """
@T.prim_func
def f(A: T.Buffer((8, 8), "float32"), C: T.Buffer((8, 8), "float32")):
    B = T.alloc_buffer((8, 8), "float32")
    for i, j in T.grid(8, 8):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(8, 8):
        with T.sblock("A2"):
            vi, vj = T.axis.remap("SS", [i, j])
            A[vi, vj] = B[7 - vi, vj] + T.float32(1)
    for i, j in T.grid(8, 8):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + A[vj, vi]
"""


def test_a_producer_whose_input_is_overwritten_is_not_inlined(rng: np.random.Generator) -> None:
    function = parse(WRITTEN_BETWEEN).tensor_functions["f"]
    scheduled = schedule_function(function)
    assert isinstance(scheduled, TensorFunction)
    expected = arrays_of(function, rng)
    found = [a.copy() for a in expected]
    run_tensor_function(function, expected)
    run_tensor_function(scheduled, found)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)
