"""Where the parameters of an intrinsic lie: boxes that may share memory or move are refused."""

from __future__ import annotations

import pytest

from tests.schedule.checks import answered, applied
from workbench.analysis.dependence import AnswerKind
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.tensorize import Tensorize
from workbench.script import parse, print_module

OVERLAPPING = """
@T.prim_func
def f(A: T.Buffer((4, 8), "float32"), B: T.Buffer((64, 16), "float32"), n: T.int64):
    for t in range(2):
        for i, j, k in T.grid(4, 16, 8):
            B[{row}, j] = B[{row}, j] + A[i, k] * B[k{start}, j]
"""


@pytest.mark.parametrize(
    ("row", "start", "kind", "pair"),
    [
        ("i", " + 8", AnswerKind.APPLIES, ""),
        ("i + t * 4", " + 8", AnswerKind.APPLIES, ""),
        ("i + 7", "", AnswerKind.ILLEGAL, "`i=0` writes `B[7, 15]`, which `i=1` reads"),
        (
            "i + t * 4",
            " + 4",
            AnswerKind.ILLEGAL,
            "`i=3`, `k=0` writes `B[7, 15]`, which `i=2`, `k=3` reads",
        ),
        ("i + n", "", AnswerKind.ILLEGAL, "`i=3` writes `B[0, 0]`, which `i=0` reads"),
        ("i + t * t * 4", " + 4", AnswerKind.UNPROVED, ""),
    ],
)
def test_boxes_that_may_overlap(row: str, start: str, kind: AnswerKind, pair: str) -> None:
    module = parse(OVERLAPPING.format(row=row, start=start))
    answer = answered(module, Tensorize("f", loop="i", intrinsic="fma_4x16_f32"))
    assert answer.kind is kind
    if kind is AnswerKind.ILLEGAL:
        assert "parameters `B` and `C` of the intrinsic overlap in `B`" in answer.message
        assert answer.notes[0].partition(", with")[0] == pair
        assert answer.notes[2] == f"parameter `C` begins at `B[{row.partition(' + ')[2]}, 0]`"


@pytest.mark.parametrize(
    ("extent", "row", "message"),
    [
        ("3", "C[0, 0]", "where parameter `B` of the intrinsic begins depends on `C[0, 0]`"),
        ("T.min(T.max(T.Cast('int64', C[0, 0]), 0), 3)", "7", "an extent depends on `C[0, 0]`"),
        ("3", "N[0, 0]", ""),
        ("T.min(T.max(T.Cast('int64', N[0, 0]), 0), 3)", "N[0, 1]", ""),
    ],
)
def test_boxes_and_extents_that_the_code_changes(extent: str, row: str, message: str) -> None:
    module = parse(f"""
@T.prim_func
def f(
    A: T.Buffer((4, 12), "uint8"), B: T.Buffer((4, 3, 16, 4), "int8"),
    N: T.Buffer((1, 2), "int32"), C: T.Buffer((4, 16), "int32"),
):
    for i, j in T.grid(4, 16):
        for k in range({extent}):
            for q in range(4):
                C[i, j] = C[i, j] + T.Cast("int32", A[i, k * 4 + q]) * T.Cast(
                    "int32", B[T.min(T.max(T.Cast("int64", {row}), 0), 3), k, j, q]
                )
""")
    tensorize = Tensorize("f", loop="i", intrinsic="dot_4x16x4_vnni")
    answer = answered(module, tensorize)
    if message:
        assert answer.kind is AnswerKind.UNPROVED
        assert f"{message}, which the code writes" in answer.message
        assert "read it from a copy" in answer.hint
    else:
        applied(module, tensorize)


def test_an_initial_value_that_has_to_stay() -> None:
    module = parse("""
@T.prim_func
def f(X: T.Buffer((2, 8, 8), "float32"), B: T.Buffer((8, 8), "float32")):
    for i, j, k in T.grid(8, 8, 8):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                X[1, vi, vj] = T.float32(0)
            X[1, vi, vj] = X[1, vi, vj] + X[0, vi, vk] * B[vk, vj]
""")
    tensorize = Tensorize("f", loop="i", intrinsic="fma_8x8_f32")
    answer = answered(module, tensorize)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "give it a block with `decompose_reduction`" in answer.hint
    applied(module, DecomposeReduction("f", "C", "i"), tensorize)


@pytest.mark.parametrize(
    ("left", "out", "kind"),
    [
        ("0:8", "8:16", AnswerKind.APPLIES),
        ("0:8", "4:12", AnswerKind.ILLEGAL),
        ("0:8", "t * 8:t * 8 + 8", AnswerKind.ILLEGAL),
    ],
)
def test_names_for_regions_of_one_buffer(left: str, out: str, kind: AnswerKind) -> None:
    module = parse(f"""
@T.prim_func
def f(X: T.Buffer((16, 8), "float32"), B: T.Buffer((8, 8), "float32")):
    for t in range(2):
        with T.sblock("named"):
            vt = T.axis.opaque(2, t)
            A = T.match_buffer(X[{left}, 0:8], (8, 8), "float32")
            C = T.match_buffer(X[{out.replace("t", "vt")}, 0:8], (8, 8), "float32")
            for i, j, k in T.grid(8, 8, 8):
                C[i, j] = C[i, j] + A[i, k] * B[k, j]
""")
    tensorize = Tensorize("f", loop="i", intrinsic="fma_8x8_f32")
    answer = answered(module, tensorize)
    assert answer.kind is kind, answer
    if answer.applies:
        assert f"C_1 = T.match_buffer(X[{out}, 0:8]" in print_module(applied(module, tensorize))
    else:
        assert "overlap in `X`" in answer.message
        assert "writes `X[" in answer.notes[0]
