from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import For
from workbench.schedule import Schedule
from workbench.schedule.primitives.reorder import Reorder
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


def test_a_branch_between() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32")):
    for i in range(6):
        if i < 4:
            for j in range(5):
                A[i, j] = T.float32(1)
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
