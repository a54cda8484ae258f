from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import For
from workbench.schedule import Schedule
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.scope import walk_statements
from workbench.script import parse


def test_loops_in_another_order() -> None:
    after = applied(parse(scripts.MATMUL), Reorder(loops=("k", "j", "i")))
    assert body(after).startswith("for k, j, i in T.grid(5, 8, 6):")


def test_loops_that_are_not_named_stay() -> None:
    after = applied(parse(scripts.MATMUL), Reorder(loops=("k", "i")))
    assert body(after).startswith("for k, j, i in T.grid(5, 8, 6):")


def test_several_blocks_in_the_innermost_loop() -> None:
    after = applied(parse(scripts.PAIR), Reorder(loops=("j", "i")))
    assert body(after).startswith("for j, i in T.grid(6, 4):")


def test_a_scan_whose_rows_are_independent() -> None:
    applied(parse(scripts.SCAN), Reorder(loops=("j", "i")))


@pytest.mark.parametrize(("n", "m"), [(0, 4), (3, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    applied(parse(scripts.SYMBOLIC), Reorder(loops=("j", "i")), n=n, m=m)


def test_a_sum_over_two_axes_reassociates() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "DTYPE"), B: T.Buffer((1,), "DTYPE")):
    B[0] = T.DTYPE(0)
    for i, j in T.grid(6, 5):
        B[0] = B[0] + A[i, j]
"""
    for dtype, marked in (("float32", True), ("int32", False)):
        module = parse(text.replace("DTYPE", dtype))
        assert answered(module, Reorder(loops=("j", "i"))).reassociates is marked
        applied(module, Reorder(loops=("j", "i")))


def test_a_dependence_that_would_run_backwards() -> None:
    answer = answered(parse(scripts.WAVEFRONT), Reorder(loops=("j", "i")))
    assert answer.kind is AnswerKind.ILLEGAL
    assert "`A`" in answer.message
    assert any("i=" in note and "j=" in note for note in answer.notes)


def test_an_access_that_is_not_affine() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), I: T.Buffer((6,), "int64"), B: T.Buffer((9, 9), "float32")):
    for i, j in T.grid(6, 5):
        B[I[i], j] = A[i, j]
    for i, j in T.grid(6, 5):
        B[I[i], I[j]] = B[I[i] + 1, I[j]] * A[i, j]
"""
    applied(parse(text), Reorder(loops=("j#1", "i#1")))
    answer = answered(parse(text), Reorder(loops=("j#2", "i#2")))
    assert answer.kind is AnswerKind.UNPROVED
    assert "B[I[" in answer.message


@pytest.mark.parametrize(
    ("text", "loops", "words"),
    [
        (scripts.ROWS, ("k", "i"), "stands next to loop `k` under `i`"),
        (scripts.ROWS, ("k", "j"), "not inside each other"),
        (scripts.RAGGED, ("j", "i"), "the extent of `j` depends on `i`"),
    ],
)
def test_what_is_missing(text: str, loops: tuple[str, ...], words: str) -> None:
    answer = answered(parse(text), Reorder(loops=loops))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert words in answer.message
    assert answer.hint


def test_a_branch_with_an_else_stays_between() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32")):
    for i in range(6):
        if i < 4:
            for j in range(5):
                A[i, j] = T.float32(1)
        else:
            A[i, 0] = T.float32(2)
"""
    answer = answered(parse(text), Reorder(loops=("j", "i")))
    assert "a branch stands between loop `j` and `i`" in answer.message


def test_parallel_loops_are_proved_again_in_their_new_place() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), B: T.Buffer((5,), "float32")):
    for i in range(6):
        for j in T.parallel(5):
            B[j] = A[i, j]
    for k in range(6):
        for l in T.parallel(5):
            B[T.max(k - l, 0)] = B[T.max(k - l, 0)] + A[k, l]
"""
    good = text[: text.index("    for k in")]
    after = applied(parse(good), Reorder(loops=("j", "i")))
    assert "for j in T.parallel(5):" in body(after)


def test_loops_keep_their_ids() -> None:
    module = parse(scripts.MATMUL)
    before = {s.var.id for s in walk_statements(only(module).body) if isinstance(s, For)}
    after = applied(module, Reorder(loops=("j", "i")))
    assert {s.var.id for s in walk_statements(only(after).body) if isinstance(s, For)} == before


def test_the_same_order_changes_nothing() -> None:
    schedule = Schedule(parse(scripts.TRIANGLE))
    before = schedule.tensor_function
    schedule.reorder("i", "j")
    schedule.reorder()
    assert schedule.tensor_function is before


def test_the_ranges_of_a_triangle_are_exchanged() -> None:
    after = applied(parse(scripts.TRIANGLE), Reorder(loops=("j", "i")))
    assert body(after).startswith("for j in range(7):\n    for i in range(j, 7):\n")
    back = applied(after, Reorder(loops=("i", "j")))
    assert body(back).startswith("for i in range(7):\n    for j in range(i + 1):\n")


ELIMINATION = """
@T.prim_func
def f(A: T.Buffer(("n", "n"), "float32")):
    n = T.int64()
    for i in range(n):
        for j in range(i):
            for k in range(j, n):
                A[i, k] = A[i, k] + A[j, k] * T.float32(0.5)
"""


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (("j", "i"), "for j in range(n - 1):\n    for i in range(j + 1, n):"),
        (("k", "j"), "for i, k in T.grid(n, n):\n    for j in range(T.min(i, k + 1)):"),
        (("k", "j", "i"), "        for i in range(j + 1, n):"),
    ],
)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_symbolic_triangles(order: tuple[str, ...], words: str, n: int) -> None:
    after = applied(parse(ELIMINATION), Reorder(loops=order), n=n)
    assert words in body(after)


def test_a_range_that_cannot_be_solved_stays_as_a_guard() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((9, 9), "float32")):
    for i in range(9):
        for j in range(i // 2 * 2):
            A[i, j] = A[i, j] + T.float32(1)
"""
    after = applied(parse(text), Reorder(loops=("j", "i")))
    assert "if j < i // 2 * 2:" in body(after)
    product = text.replace("i // 2 * 2", "i * i - 3 * i").replace("(9, 9)", "(9, 99)")
    after = applied(parse(product), Reorder(loops=("j", "i")))
    assert "if j < " in body(after)


def test_a_range_in_memory_stays() -> None:
    text = """
@T.prim_func
def f(L: T.Buffer((4,), "int8"), A: T.Buffer((4, 128), "float32")):
    for i in range(4):
        for j in range(T.Cast("int64", L[i])):
            A[i, j] = T.float32(1)
            L[i] = T.int8(1)
"""
    answer = answered(parse(text), Reorder(loops=("j", "i")))
    assert answer.kind is AnswerKind.INAPPLICABLE


def test_a_triangle_whose_rows_depend_on_each_other() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((9, 9), "float32")):
    for i in range(1, 8):
        for j in range(i):
            A[i, j] = A[i - 1, j + 1] * T.float32(2)
"""
    answer = answered(parse(text), Reorder(loops=("j", "i")))
    assert answer.kind is AnswerKind.ILLEGAL
    assert any("i=" in note for note in answer.notes)


SWEEP = """
@T.prim_func
def sweep(A: T.Buffer((9, 9), "float32")):
    for i in range(1, 8):
        for j in range(1, 8):
            A[i, j] = A[i - 1, j] + A[i, j - 1]
"""


def test_tiles_of_stores_that_do_not_divide_trade_places_with_the_branch_between() -> None:
    after = applied(
        parse(SWEEP),
        Split(loop="j", factors=(None, 4)),
        Split(loop="i", factors=(None, 4)),
        Reorder(loops=("i_0", "j_0", "i_1", "j_1")),
    )
    assert body(after).startswith(
        """\
for i_0, j_0, i_1, j_1 in T.grid(2, 2, 4, 4):
    if i_0 * 4 + i_1 < 7:
        if j_0 * 4 + j_1 < 7:
"""
    )


@pytest.mark.parametrize(
    "branch", ["            if A[i, 0] > T.float32(0):\n", "            if i // (8 - i) < 7:\n"]
)
def test_a_branch_that_reads_memory_or_may_fault_stays(branch: str) -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8, 8), "float32")):
    for i in range(8):
        if i < 7:
            for j in range(8):
                B[i, j] = A[i, j]
"""
    applied(parse(text), Reorder(loops=("j", "i")))
    changed = text.replace("        if i < 7:\n", branch[4:])
    answer = answered(parse(changed), Reorder(loops=("j", "i")))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.hint.startswith("a branch goes inside where it has no `else`")


def test_loops_of_two_nests_are_told_apart() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("A"):
            v = T.axis.spatial(8, i)
            A[v] = T.float32(0)
    for i in range(8):
        with T.sblock("B"):
            v = T.axis.spatial(8, i)
            B[v] = T.float32(0)
"""
    answer = answered(parse(text), Reorder(loops=("A.i", "B.i")))
    assert answer.message == "loops `B.i` and `A.i` are not inside each other"
