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


SYMBOLIC = """
@T.prim_func
def dense(
    x: T.Buffer((ROWS, 32), "float32"),
    w: T.Buffer((32, 24), "float32"),
    y: T.Buffer((ROWS, 24), "float32"),
):
    b = T.int64()
    n = T.int64()
    for OUTER, j, k in T.grid(ROWS, 24, 32):
        with T.sblock("y"):
            VARS, vj, vk = T.axis.remap("KINDSR", [OUTER, j, k])
            with T.init():
                y[VARS, vj] = T.float32(0)
            y[VARS, vj] = y[VARS, vj] + x[VARS, vk] * w[vk, vj]
"""


def dense(*dims: str) -> TensorFunction:
    """A product with symbolic rows; dimensions are quoted in signatures only."""
    loops = [f"i{k}" for k in range(len(dims))]
    text = SYMBOLIC.replace("T.grid(ROWS", f"T.grid({', '.join(dims)}")
    text = text.replace("ROWS", ", ".join(f'"{d}"' if d.isalpha() else d for d in dims))
    text = text.replace("OUTER", ", ".join(loops)).replace("KINDS", "S" * (len(dims) + 1))
    text = text.replace("VARS", ", ".join(f"v{loop}" for loop in loops))
    for name in {"b", "n"} - set(dims):
        text = text.replace(f"    {name} = T.int64()\n", "")
    (found,) = parse(text).tensor_functions.values()
    return found


@pytest.mark.parametrize("extents", [(1, 1), (2, 5), (3, 6), (1, 13), (0, 4), (2, 0)])
def test_symbolic_rows_get_a_register_tile(
    extents: tuple[int, int], rng: np.random.Generator
) -> None:
    function = dense("b", "n")
    scheduled = schedule_function(function)
    assert isinstance(scheduled, TensorFunction)
    assert "6x16" in str(dict(scheduled.attrs)["scheduled"])
    x = rng.normal(size=(*extents, 32)).astype("float32")
    w = rng.normal(size=(32, 24)).astype("float32")
    y = np.full((*extents, 24), np.nan, "float32")
    run_tensor_function(scheduled, [x, w, y])
    np.testing.assert_allclose(y, x @ w, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("dims", "parallel"),
    [(("n",), "vi0"), (("b", "n"), "vi1"), (("b", "512"), "vi1"), (("b", "8"), "vi0")],
)
def test_behind_symbolic_loops_each_turn_needs_enough_work(
    dims: tuple[str, ...], parallel: str
) -> None:
    scheduled = schedule_function(dense(*dims))
    assert isinstance(scheduled, TensorFunction)
    assert str(dict(scheduled.attrs)["scheduled"]).endswith(f"{parallel} parallel")
