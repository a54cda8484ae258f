"""Blocks whose place says too little about when they run: guards in memory, `while`."""

from __future__ import annotations

import pytest

from tests.schedule.checks import answered, applied
from workbench.analysis.dependence import AnswerKind
from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives.cache_read import CacheRead
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.schedule.primitives.vectorize import Vectorize
from workbench.script import parse

HEAD = """
@T.prim_func
def f(N: T.Buffer((1,), "int64"), A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    B = T.alloc_buffer((8,), "float32")
"""
WRITTEN_EXTENT = (
    HEAD
    + """\
    for i in range(8):
        with T.sblock("Z"):
            vi = T.axis.spatial(8, i)
            B[vi] = T.float32(0)
    for i in range(N[0] + 2):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] + T.float32(1)
    with T.sblock("N"):
        N[0] = 1 - N[0]
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] * T.float32(2)
"""
)
WRITTEN_CONDITION = (
    HEAD
    + """\
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] + T.float32(1)
    with T.sblock("N"):
        N[0] = 1 - N[0]
    for i in range(8):
        if N[0] > 0:
            with T.sblock("C"):
                vi = T.axis.spatial(8, i)
                C[vi] = B[vi] * T.float32(2)
"""
)
READER_EXTENT = (
    HEAD
    + """\
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] + T.float32(1)
    for i in range(N[0]):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] * T.float32(2)
    with T.sblock("N"):
        N[0] = 3
"""
)
TWO_EXTENTS = (
    HEAD
    + """\
    for i in range(N[0]):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] + T.float32(1)
    with T.sblock("N"):
        N[0] = N[0] + 1
    for i in range(N[0]):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] * T.float32(2)
"""
)


@pytest.mark.parametrize(
    ("text", "primitive", "name"),
    [
        (WRITTEN_EXTENT, ComputeAt(block="B", loop="C.i"), "B"),
        (WRITTEN_EXTENT, ReverseComputeAt(block="C", loop="B.i"), "C"),
        (WRITTEN_CONDITION, ReverseComputeAt(block="C", loop="B.i"), "C"),
        (WRITTEN_CONDITION, ReverseComputeInline(block="C"), "C"),
        (READER_EXTENT, ComputeAt(block="B", loop="C.i"), "B"),
        (TWO_EXTENTS, ComputeAt(block="B", loop="C.i"), "B"),
        (TWO_EXTENTS, ComputeInline(block="B"), "B"),
        (TWO_EXTENTS, ReverseComputeInline(block="C"), "C"),
    ],
)
def test_a_guard_that_reads_memory_is_not_proved(
    text: str, primitive: Primitive, name: str
) -> None:
    answer = answered(parse(text), primitive)
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == f"it is not proved when `{name}` runs: its guard reads `N`"


def test_before_the_guard_of_the_readers_a_producer_moves() -> None:
    applied(parse(WRITTEN_CONDITION), ComputeAt(block="B", loop="C.i"))


WHILE = (
    HEAD
    + """\
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = C[vi] + T.float32(1)
    while N[0] < 5:
        N[0] = N[0] + 1
        for j, k in T.grid(4, 2):
            with T.sblock("C"):
                vj = T.axis.spatial(8, j * 2 + k)
                C[vj] = C[vj] + B[vj]
        for m in range(8):
            with T.sblock("D"):
                vm = T.axis.spatial(8, m)
                A[vm] = C[vm]
"""
)


@pytest.mark.parametrize(
    ("primitive", "message"),
    [
        (ComputeAt(block="B", loop="j"), "the place that `B` would go to lies under a `while`"),
        (
            ReverseComputeAt(block="D", loop="j"),
            "the place that `D` would go to lies under a `while`",
        ),
        (
            ComputeInline(block="B"),
            "`B` is read under a `while` that writes `C`, which `B` reads",
        ),
        (Parallel(loop="m"), "the loop `m` lies under a `while`"),
        (Vectorize(loop="m"), "the loop `m` lies under a `while`"),
        (Reorder(loops=("k", "j")), "the loop `j` lies under a `while`"),
    ],
)
def test_under_a_while_nothing_is_proved(primitive: Primitive, message: str) -> None:
    answer = answered(parse(WHILE), primitive)
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == message


def test_a_copy_under_a_while_that_writes_its_buffer_is_not_proved() -> None:
    answer = answered(parse(WHILE), CacheRead(block="C", read_buffer_index="C"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "`while`" in answer.message


def test_an_axis_whose_extent_is_a_loop_stays() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 6), "float32"), C: T.Buffer((6, 6), "float32")):
    B = T.alloc_buffer((6, 6), "float32")
    for i in range(6):
        for j in range(i + 1):
            with T.sblock("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] + T.float32(1)
    for i in range(6):
        for j in range(i + 1):
            with T.sblock("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, vj] * T.float32(2)
"""
    for primitive, name in (
        (ComputeAt(block="B", loop="C.i"), "B"),
        (ReverseComputeAt(block="C", loop="B.i"), "C"),
        (ReverseComputeInline(block="C"), "C"),
    ):
        answer = answered(parse(text), primitive)
        assert answer.kind is AnswerKind.UNPROVED
        assert answer.message == f"`{name}` uses the loop `i` apart from its axes"


def test_a_parameter_is_said_to_stay() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            A[vi] = T.float32(1)
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = A[vi]
"""
    answer = answered(parse(text), ReverseComputeInline(block="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "`B` computes `A`, which `C` reads, but `A` is a parameter, which has to stay"
    )


def test_an_init_under_a_while_stays() -> None:
    text = """
@T.prim_func
def f(N: T.Buffer((1,), "int64"), A: T.Buffer((8, 8), "float32"), C: T.Buffer((8,), "float32")):
    while N[0] < 5:
        N[0] = N[0] + 1
        for j, k in T.grid(8, 8):
            with T.sblock("R"):
                vj, vk = T.axis.remap("SR", [j, k])
                with T.init():
                    C[vj] = T.float32(0)
                C[vj] = C[vj] + A[vj, vk]
"""
    answer = answered(parse(text), DecomposeReduction(block="R", loop="k"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == "`R` lies under a `while`"
