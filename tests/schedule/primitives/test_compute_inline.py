from __future__ import annotations

import re

import pytest

from tests.schedule import in_place, scripts, stages
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.script import parse

INLINE = ComputeInline(block="B")

MAPPED = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), C: T.Buffer((24,), "float32")):
    B = T.sblock_alloc_buffer((SHAPE), "float32")
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[STORE] = A[vi, vj] * T.float32(2)
    for k in range(24):
        with T.sblock("C"):
            vk = T.axis.spatial(24, k)
            C[vk] = B[LOAD]
"""


def test_an_elementwise_block() -> None:
    after = applied(parse(stages.ELEMENTWISE), INLINE)
    assert "C[vi, vj] = A[vi, vj] * T.float32(2.0) + T.float32(1.0)" in body(after)
    assert "alloc_buffer" not in body(after)


def test_a_stencil_reads_it_three_times() -> None:
    after = applied(parse(stages.BLUR), ComputeInline(block="bx"))
    assert body(after).count("A[") == 9


def test_all_readers() -> None:
    after = applied(parse(stages.TWO_READERS), INLINE)
    assert "D[vi, vj] = A[vi, 5 - vj] * T.float32(2.0) + C[vi, vj]" in body(after)


@pytest.mark.parametrize(
    ("shape", "store", "load"),
    [
        ("6, 4", "vj, vi", "vk % 6, vk // 6"),
        ("24,", "vi * 6 + vj", "vk"),
        ("4, 1, 6", "vi, 0, vj", "vk // 6, 0, vk % 6"),
        ("4, 6", "3 - vi, vj", "vk // 6, vk % 6"),
        ("9, 6", "vi + vj, vj", "vk // 6 + vk % 6, vk % 6"),
        ("9, 14", "vi + vj, vi + 2 * vj", "vk // 6 + vk % 6, vk // 6 + 2 * (vk % 6)"),
        ("2, 2, 6", "vi // 2, vi % 2, vj", "vk // 12, vk // 6 % 2, vk % 6"),
        ("5, 6", "vi + 1, vj", "vk // 6 + 1, vk % 6"),
    ],
)
def test_index_maps_that_have_an_inverse(shape: str, store: str, load: str) -> None:
    text = MAPPED.replace("SHAPE", shape).replace("STORE", store).replace("LOAD", load)
    applied(parse(text), INLINE)


@pytest.mark.parametrize(("shape", "store"), [("10,", "vi + vj"), ("4,", "vi")])
def test_index_maps_without_an_inverse(shape: str, store: str) -> None:
    text = MAPPED.replace("SHAPE", shape).replace("STORE", store).replace("LOAD", "vk % 4")
    answer = answered(parse(text), INLINE)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "the axes of `B` cannot be computed from the indices with which it stores to `B`"
    )


def test_a_guarded_reader() -> None:
    after = applied(parse(stages.PADDED_CONSUMER), INLINE)
    assert "A[vi - 1]" in body(after)


def test_a_gather_of_a_block_that_is_written_whole() -> None:
    after = applied(parse(stages.GATHERED), INLINE)
    assert re.search(r"A\[I\w*\[vi\]\]", body(after))


def test_a_gather_of_a_block_that_is_written_in_part() -> None:
    text = stages.GATHERED.replace("for i in range(8):", "for i in range(7):")
    answer = answered(parse(text), INLINE)
    assert answer.kind is AnswerKind.UNPROVED
    assert "`B[I[vi]]`" in answer.message


def test_an_element_that_was_never_written() -> None:
    text = stages.ELEMENTWISE.replace("T.grid(16, 12)", "T.grid(16, 11)", 1)
    answer = answered(parse(text), INLINE)
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`C` reads `B[vi, vj]`, which `B` has not written by then"
    assert answer.notes == (
        "`C` at i=0, j=11 reads `B[vi, vj]`, and no instance of `B` before it writes that",
    )


@pytest.mark.parametrize(("n", "m"), [(1, 3), (9, 4), (0, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    applied(parse(stages.SYMBOLIC_BLUR), ComputeInline(block="bx"), n=n, m=m)


def test_into_a_reduction() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), S: T.Buffer((6,), "float32")):
    B = T.sblock_alloc_buffer((6, 5), "float32")
    for i, j in T.grid(6, 5):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = T.exp(A[vi, vj])
    for i, k in T.grid(6, 5):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = B[vi, 0]
            S[vi] = S[vi] + B[vi, vk]
"""
    after = applied(parse(text), INLINE)
    assert "S[vi] = T.exp(A[vi, 0])" in body(after)
    assert "S[vi] = S[vi] + T.exp(A[vi, vk])" in body(after)


def test_an_input_that_is_overwritten_in_between() -> None:
    answer = answered(parse(stages.OVERWRITTEN), INLINE)
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`A_next` writes `A[vi]`, which `B` reads, before `C` does"


def test_a_reduction_stays() -> None:
    answer = answered(parse(stages.MATMUL_RELU), ComputeInline(block="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` is a reduction, expected one store per element"


def test_an_output_stays() -> None:
    answer = answered(parse(stages.ELEMENTWISE), ComputeInline(block="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` writes the output `C`, which has to stay"


def test_one_access_finds_what_two_blocks_wrote() -> None:
    answer = answered(parse(stages.TWO_WRITERS), ComputeInline(block="B_low"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "`C` reads `B[vi]` as `B_low` wrote it and as `B_high` did, expected elements of `B_low` "
        "alone"
    )
    assert answer.notes == (
        "`B_high` at i=0 writes `B[vi + 4]`, which `C` reads at i=4 as `B[vi]`",
    )


def test_others_may_write_elements_that_are_read_elsewhere() -> None:
    text = stages.TWO_WRITERS.replace("B[vi] + T.float32(1)", "B[vi % 4] + T.float32(1)")
    after = applied(parse(text), ComputeInline(block="B_low"))
    assert "C[vi] = A[vi % 4] * T.float32(2.0) + T.float32(1.0)" in body(after)
    assert 'T.sblock("B_high")' in body(after)


@pytest.mark.parametrize("text", [in_place.RELU, in_place.SYMBOLIC_RELU])
def test_a_block_whose_buffer_is_updated_in_place(text: str) -> None:
    after = applied(parse(text), ComputeInline(block="p"), n=3, m=4)
    assert "X[vi, vc] = T.max(A[vi, vc] + T.float32(1.0), T.float32(0.0))" in body(after)
    assert "Y[vi, vc] = X[vi, vc] * T.float32(2.0)" in body(after)


@pytest.mark.parametrize("text", [in_place.RELU, in_place.SYMBOLIC_RELU])
def test_an_update_in_place(text: str) -> None:
    after = applied(parse(text), ComputeInline(block="relu"), n=3, m=4)
    assert "Y[vi, vc] = T.max(X[vi, vc], T.float32(0.0)) * T.float32(2.0)" in body(after)
    after = applied(after, ComputeInline(block="p"), n=3, m=4)
    assert "X" not in body(after)


def test_one_store_reads_what_both_wrote_by_different_loads() -> None:
    text = in_place.SHIFT.replace("X[vi] * T.float32(2)", "X[vi] + X[vi + 5] * T.float32(2)")
    text = text.replace("range(6)", "range(2)")
    after = applied(parse(text), ComputeInline(block="shift"))
    assert "Y[vi] = X[vi + 1] * T.float32(3.0) + X[vi + 5] * T.float32(2.0)" in body(after)
    after = applied(parse(text), ComputeInline(block="p"))
    assert "Y[vi] = X[vi] + (A[vi + 5] + T.float32(1.0)) * T.float32(2.0)" in body(after)


def test_an_update_of_elements_that_it_reads_before() -> None:
    after = applied(parse(in_place.SHIFT), ComputeInline(block="shift"))
    assert "Y[vi] = X[vi + 1] * T.float32(3.0) * T.float32(2.0)" in body(after)


@pytest.mark.parametrize(
    ("text", "block", "message", "note"),
    [
        (
            in_place.STEPS,
            "step",
            "`step` reads `X[vi]`, which another instance of it wrote",
            "`step` at t=0, i=0 writes `X[vi]`, which it reads as `X[vi]` at t=1, i=0",
        ),
        (
            in_place.SHIFT.replace("X[vi] = X[vi + 1]", "X[5 - vi] = X[6 - vi]"),
            "shift",
            "`shift` reads `X[6 - vi]`, which another instance of it wrote",
            "`shift` at i=0 writes `X[5 - vi]`, which it reads as `X[6 - vi]` at i=1",
        ),
    ],
)
def test_updates_of_what_other_instances_wrote(
    text: str, block: str, message: str, note: str
) -> None:
    answer = answered(parse(text), ComputeInline(block=block))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == message
    assert answer.notes == (note,)


def test_nobody_finds_what_is_overwritten() -> None:
    text = in_place.RELU.replace("T.max(X[vi, vc], T", "T.max(A[vi, vc], T")
    answer = answered(parse(text), ComputeInline(block="p"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "nothing finds in `X` what `p` writes there"


def test_an_input_that_changes_before_the_block_computes_again() -> None:
    """In each round the input is written, then the block computes anew: the last one counts."""
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((3, 8), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for t in range(3):
        for i in range(8):
            with T.sblock("A_next"):
                vi = T.axis.spatial(8, i)
                A[vi] = A[vi] * T.float32(2)
        for i in range(8):
            with T.sblock("B"):
                vi = T.axis.spatial(8, i)
                B[vi] = A[vi] + T.float32(1)
        for i in range(8):
            with T.sblock("C"):
                vt = T.axis.spatial(3, t)
                vi = T.axis.spatial(8, i)
                C[vt, vi] = B[vi] * T.float32(3)
"""
    applied(parse(text), ComputeInline(block="B"))


def test_a_producer_in_the_same_iteration() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), C: T.Buffer((6,), "float32")):
    B = T.sblock_alloc_buffer((7,), "float32")
    for i in range(6):
        with T.sblock("B"):
            vi = T.axis.spatial(6, i)
            B[vi] = A[vi] * T.float32(2)
        with T.sblock("C"):
            vi = T.axis.spatial(6, i)
            C[vi] = B[vi]
"""
    applied(parse(text), INLINE)
    earlier = text.replace("C[vi] = B[vi]", "C[vi] = T.if_then_else(vi > 0, B[vi - 1], A[vi])")
    applied(parse(earlier), INLINE)
    later = text.replace("C[vi] = B[vi]", "C[vi] = T.if_then_else(vi < 5, B[vi + 1], A[vi])")
    answer = answered(parse(later), INLINE)
    assert answer.kind is AnswerKind.ILLEGAL


ROUNDS = """
@T.prim_func
def f(A: T.Buffer((3, 6), "float32"), C: T.Buffer((6,), "float32")):
    B = T.sblock_alloc_buffer((7,), "float32")
    for c in range(3):
        for i in range(6):
            with T.sblock("B"):
                vi = T.axis.spatial(6, i)
                B[vi] = A[c, vi] * T.float32(2)
        for i in range(6):
            with T.sblock("C"):
                vi = T.axis.spatial(6, i)
                C[vi] = B[vi]
"""


def test_iterations_with_the_same_axes_have_no_value_by_axes() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((5, 4), "int8"), C: T.Buffer((5,), "int8")):
    B = T.alloc_buffer((5,), "int8")
    for i in range(5):
        B[i] = T.int8(2)
    for i, j in T.grid(5, 4):
        with T.sblock("B"):
            vi = T.axis.spatial(5, T.max(i - 1, 0))
            B[vi] = A[i, j]
    for i in range(5):
        C[i] = B[i]
"""
    answer = answered(parse(text), INLINE)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`B` has the same axes at `i=0` and `i=1`, and computes from `i`"


def test_a_value_that_depends_on_a_loop_around() -> None:
    applied(parse(ROUNDS), INLINE)
    last = ROUNDS.replace(
        '        for i in range(6):\n            with T.sblock("C"):',
        '    for i in range(6):\n            with T.sblock("C"):',
    )
    answer = answered(parse(last), INLINE)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`B` uses the loop `c` apart from its axes"
    other = ROUNDS.replace("B[vi] = A[c, vi]", "B[vi] = A[vi % 3, vi]")
    applied(parse(other), INLINE)


def test_a_producer_that_writes_a_window_is_inapplicable() -> None:
    answer = answered(parse(scripts.VIEW), ComputeInline(block="w"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`W` is not only loaded and stored: block `v` gives it another name"


def test_a_reader_outside_of_the_block_that_makes_what_it_would_read() -> None:
    module = parse("""
@T.prim_func
def f(A: T.Buffer((5,), "int32"), C: T.Buffer((5,), "int32")):
    B = T.alloc_buffer((5,), "int32")
    with T.sblock("outer"):
        g = T.alloc_buffer((5,), "int32")
        for i in range(5):
            with T.sblock("g"):
                v = T.axis.spatial(5, i)
                g[v] = A[v]
        for i in range(5):
            with T.sblock("B"):
                v = T.axis.spatial(5, i)
                B[v] = g[v] + 1
    for j in range(5):
        with T.sblock("C"):
            v = T.axis.spatial(5, j)
            C[v] = B[v] * 2
""")
    answer = answered(module, INLINE)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` is outside of what `g` is made for"
