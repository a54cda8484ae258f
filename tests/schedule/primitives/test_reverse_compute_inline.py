from __future__ import annotations

import pytest

from tests.schedule import in_place, stages
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.script import parse

INLINE = ReverseComputeInline(block="C")


def test_an_elementwise_block() -> None:
    after = applied(parse(stages.ELEMENTWISE), INLINE)
    assert body(after).startswith('for i, j in T.grid(16, 12):\n    with T.sblock("B"):')
    assert "C[vi, vj] = A[vi, vj] * T.float32(2.0) + T.float32(1.0)" in body(after)


def test_a_value_that_is_used_twice_is_computed_once() -> None:
    text = stages.ELEMENTWISE.replace("B[vi, vj] + T.float32(1)", "B[vi, vj] * B[vi, vj]")
    after = applied(parse(text), INLINE)
    assert body(after).count("A[vi, vj]") == 1


@pytest.mark.parametrize(
    ("store", "load"),
    [("vj, vi", "vj, vi"), ("vi, vj", "15 - vi, vj"), ("vi * 12 + vj", "vi, vj")],
)
def test_other_index_maps(store: str, load: str) -> None:
    text = stages.ELEMENTWISE.replace("C[vi, vj] = B[vi, vj]", f"C[{store}] = B[{load}]")
    if "vi * 12" in store:
        text = text.replace("C: T.Buffer((16, 12)", "C: T.Buffer((192,)")
    if store == "vj, vi":
        text = text.replace("C: T.Buffer((16, 12)", "C: T.Buffer((12, 16)")
        text = text.replace("B[vj, vi]", "B[vi, vj]")
    applied(parse(text), INLINE)


def test_a_consumer_of_a_part_runs_under_a_condition() -> None:
    first, second = stages.ELEMENTWISE.split(
        '    for i, j in T.grid(16, 12):\n        with T.sblock("C")'
    )
    text = f'{first}    for i, j in T.grid(10, 12):\n        with T.sblock("C"){second}'
    after = applied(parse(text.replace("B[vi, vj] + ", "B[vi + 2, vj] + ")), INLINE)
    assert "T.where(" in body(after)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (9, 4), (0, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    text = stages.SYMBOLIC_BLUR.replace(" + bx[vi + 1, vj] + bx[vi + 2, vj]", " + T.float32(1)")
    applied(parse(text), ReverseComputeInline(block="by"), n=n, m=m)


def test_a_reduction_is_not_complete_before_its_last_update() -> None:
    answer = answered(parse(stages.MATMUL_RELU), ReverseComputeInline(block="D"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` is a reduction, expected one store per element"


def test_several_elements() -> None:
    answer = answered(parse(stages.BLUR), ReverseComputeInline(block="by"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`by` reads `3` elements of `bx`, expected one"


def test_another_reader() -> None:
    answer = answered(parse(stages.TWO_READERS), INLINE)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`D` reads `B` as well as `C`"


def test_nothing_computes_what_it_reads() -> None:
    answer = answered(parse(stages.ELEMENTWISE), ReverseComputeInline(block="B"))
    assert answer.message == "no block computes what `B` reads"


def test_what_it_writes_is_read_in_between() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32"), D: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(8):
        with T.sblock("D"):
            vi = T.axis.spatial(8, i)
            D[vi] = C[7 - vi]
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] + T.float32(1)
"""
    answer = answered(parse(text), INLINE)
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`C` would write `C[vi]` before `D` reads it"


def test_a_consumer_that_shares_its_loops() -> None:
    text = """
@T.prim_func
def f(
    A: T.Buffer((4, 6), "float32"),
    C: T.Buffer((4, 6), "float32"),
    D: T.Buffer((6, 6), "float32"),
):
    B = T.sblock_alloc_buffer((4, 6), "float32")
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(6, 6):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i - 1)
            vj = T.axis.spatial(6, j)
            T.where(1 <= i and i < 5)
            C[vi, vj] = B[vi, vj] + T.float32(1)
        with T.sblock("D"):
            vi, vj = T.axis.remap("SS", [i, j])
            D[vi, vj] = T.if_then_else(1 <= vi and vi < 5, C[vi - 1, vj], T.float32(0))
"""
    after = applied(parse(text), INLINE)
    assert "T.where" not in body(after)


def test_a_reader_outside_of_blocks_keeps_the_buffer() -> None:
    module = parse("""
@T.prim_func
def f(A: T.Buffer((8,), "int32"), B: T.Buffer((8,), "int32"), C: T.Buffer((8,), "int32")):
    t = T.alloc_buffer((8,), "int32")
    for i in range(8):
        with T.sblock("t"):
            vi = T.axis.spatial(8, i)
            t[vi] = A[vi] + T.int32(1)
    for i in range(8):
        B[i] = t[i] * T.int32(2)
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = t[vi] * T.int32(3)
""")
    answer = answered(module, ReverseComputeInline(block="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "a statement outside of blocks reads `t` as well as `C`"


@pytest.mark.parametrize("text", [in_place.RELU, in_place.SYMBOLIC_RELU])
def test_an_update_in_place_joins_its_producer(text: str) -> None:
    after = applied(parse(text), ReverseComputeInline(block="relu"), n=3, m=4)
    assert "X[vi, vc] = T.max(A[vi, vc] + T.float32(1.0), T.float32(0.0))" in body(after)
    assert "Y[vi, vc] = X[vi, vc] * T.float32(2.0)" in body(after)


@pytest.mark.parametrize("text", [in_place.RELU, in_place.SYMBOLIC_RELU])
def test_a_consumer_joins_an_update_in_place(text: str) -> None:
    after = applied(parse(text), ReverseComputeInline(block="out"), n=3, m=4)
    assert "Y[vi, vc] = T.max(X[vi, vc], T.float32(0.0)) * T.float32(2.0)" in body(after)
    after = applied(after, ReverseComputeInline(block="relu"), n=3, m=4)
    assert "X" not in body(after)


def test_an_output_that_is_updated_in_place() -> None:
    text = in_place.RELU.replace("Y[vi, vc] = X", "A[vi, vc] = X").replace("X = ", "Z = ")
    text = text.replace("Y: T", "X: T")
    after = applied(parse(text), ReverseComputeInline(block="relu"))
    assert "X[vi, vc] = T.max(A[vi, vc] + T.float32(1.0), T.float32(0.0))" in body(after)


def test_an_update_of_a_part_leaves_the_rest() -> None:
    whole = '(6, 5):\n        with T.sblock("relu")'
    text = in_place.RELU.replace(whole, whole.replace("6", "4"))
    assert text != in_place.RELU
    after = applied(parse(text), ReverseComputeInline(block="relu"))
    assert "if vi < 4:" in body(after)
    assert "else:" in body(after)


def test_what_the_producer_wrote_is_read_elsewhere() -> None:
    text = (
        in_place.RELU
        + """    for i, c in T.grid(6, 5):
        with T.sblock("late"):
            vi, vc = T.axis.remap("SS", [i, c])
            A[vi, vc] = X[vi, vc]
"""
    )
    answer = answered(parse(text), ReverseComputeInline(block="out"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`late` reads `X` as well as `out`"
    assert answer.notes == ("at i=0, c=0 it reads `X[vi, vc]`, which `relu` wrote",)


def test_elements_that_are_updated_again_are_stored() -> None:
    answer = answered(parse(in_place.STEPS), ReverseComputeInline(block="out"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`step` reads `X` as well as `out`"
    assert answer.notes == ("at t=1, i=0 it reads `X[vi]`, which `step` wrote",)


def test_elements_that_are_read_before_they_are_updated() -> None:
    after = applied(parse(in_place.SHIFT), ReverseComputeInline(block="out"))
    assert "Y[vi] = X[vi + 1] * T.float32(3.0) * T.float32(2.0)" in body(after)
