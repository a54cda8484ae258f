from __future__ import annotations

import pytest

from tests.schedule.checks import answered, applied, body
from workbench.schedule import Primitive
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.loop_partition import LoopPartition
from workbench.schedule.primitives.split import Split
from workbench.script import parse

CHANGING = """
@T.prim_func
def f(L: T.Buffer((4, 2), "int64"), A: T.Buffer((4, 9), "float32")):
    for i in range(4):
        for j in range(L[i, 0], L[i, 0] + L[i, 1]):
            A[i, j] = A[i, j] + T.float32(1)
            L[i, 0] = T.int64(0)
            L[i, 1] = T.int64(1)
"""
FIXED = CHANGING[: CHANGING.index("            L[i, 0] = ")]


@pytest.mark.parametrize(
    "primitive",
    [
        Split(loop="j", factors=(None, 2)),
        Split(loop="j", factors=(2, None)),
        LoopPartition(loop="j", factors=(1, None)),
        LoopPartition(loop="j", factors=(None, 1)),
    ],
)
def test_bounds_are_computed_before_the_loop_runs(primitive: Primitive) -> None:
    after = applied(parse(CHANGING), primitive)
    assert "j_extent" in body(after)
    assert "j_start" in body(after)
    plain = applied(parse(FIXED), primitive)
    assert "j_extent" not in body(plain)


def test_the_start_of_the_outermost_loop_of_a_fused_nest() -> None:
    text = """
@T.prim_func
def f(L: T.Buffer((1,), "int64"), A: T.Buffer((9, 3), "float32")):
    for i in range(L[0], L[0] + 3):
        for j in range(3):
            A[i, j] = A[i, j] + T.float32(1)
            L[0] = T.int64(7)
"""
    after = applied(parse(text), Fuse(loops=("i", "j")))
    assert "i_start = L[0]" in body(after) or "i_start" in body(after)
    inner = text.replace("range(3)", "range(L[0])")
    assert "reads `L`" in answered(parse(inner), Fuse(loops=("i", "j"))).message


def test_a_bound_that_is_written_under_another_name() -> None:
    text = """
@T.prim_func
def f(L: T.Buffer((4,), "int64"), A: T.Buffer((9,), "float32")):
    with T.sblock("whole"):
        T.reads(L[0:4])
        T.writes(L[0:4], A[0:9])
        M = T.match_buffer(L[0:4], (4,), "int64")
        for i in range(4):
            for j in range(L[0]):
                A[j] = A[j] + T.float32(1)
                M[0] = T.int64(1)
"""
    assert "reads `L`" in answered(parse(text), Fuse(loops=("i", "j"))).message
    assert "j_extent" in body(applied(parse(text), Split(loop="j", factors=(None, 2))))
