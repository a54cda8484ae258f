from __future__ import annotations

import pytest

from workbench.analysis.stages import stages
from workbench.script import parse

SUM = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), C: T.Buffer((64,), "float32")):
    for k, i in T.grid(6, 4):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            vk = T.axis.reduce(6, k)
            with T.init():
                C[INDEX] = T.float32(0)
            C[INDEX] = C[INDEX] + A[vi, vk]
"""
IN_PLACE = """
@T.prim_func
def f(C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = C[INDEX] * T.float32(2)
"""
GRID = """
@T.prim_func
def f(A: T.Buffer((4, 3, 6), "float32"), C: T.Buffer((SHAPE), "float32")):
    for k, i, j in T.grid(6, 4, 3):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[INDEX] = T.float32(0)
            C[INDEX] = C[INDEX] + A[vi, vj, vk]
"""


def has_stages(text: str, index: str, shape: str = "") -> bool:
    module = parse(text.replace("INDEX", index).replace("SHAPE", shape))
    return stages(module.tensor_functions["f"]) is not None


@pytest.mark.parametrize(
    ("index", "expected"),
    [("vi", True), ("vi * 2 + 1", True), ("3 - vi", True), ("vi // 2", False), ("0", False)],
)
def test_a_reduction_is_a_stage_where_its_elements_are_apart(index: str, expected: bool) -> None:
    assert has_stages(SUM, index) is expected


@pytest.mark.parametrize(
    ("index", "shape", "expected"),
    [
        ("vj, vi", "4, 4", True),
        ("vi, 0, vj", "4, 1, 4", True),
        ("vi * 3 + vj", "16,", True),
        ("vi, vi + vj", "8, 8", True),
        ("vi * 2 + vj", "16,", False),
        ("vi + vj", "16,", False),
        ("vi, vi", "4, 4", False),
    ],
)
def test_two_axes_are_apart_where_the_indices_tell_both(
    index: str, shape: str, expected: bool
) -> None:
    assert has_stages(GRID, index, shape) is expected


@pytest.mark.parametrize(("index", "expected"), [("vi", True), ("7 - vi", False), ("0", False)])
def test_a_stage_reads_only_its_own_element_of_its_buffer(index: str, expected: bool) -> None:
    assert has_stages(IN_PLACE, index) is expected
