from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.decompose_padding import DecomposePadding
from workbench.script import parse

SYMBOLIC = """
@T.prim_func
def f(
    A: T.Buffer(("n", 6), "float32"),
    B: T.Buffer(("n + 2", 8), "float32"),
    C: T.Buffer(("n", 8), "float32"),
):
    n = T.int64()
    for i in range(n + 2):
        for j in range(8):
            with T.sblock("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = T.if_then_else(
                    vi >= 1 and vi < n + 1 and vj >= 1 and vj < 7, A[vi - 1, vj - 1], T.float32(0)
                )
        for j in range(8):
            if i >= 2:
                C[i - 2, j] = B[i - 2, j] + B[i - 1, j] + B[i, j]
"""

EARLY_READER = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((12,), "float32"), C: T.Buffer((12,), "float32")):
    for i in range(12):
        C[i] = B[i] + T.float32(1)
        with T.sblock("B"):
            vi = T.axis.spatial(12, i)
            B[vi] = T.if_then_else(1 <= vi and vi < 11, A[vi - 1], T.float32(0))
"""

REPEATED = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((12,), "float32")):
    for t, i in T.grid(3, 12):
        with T.sblock("B"):
            vt = T.axis.opaque(3, t)
            vi = T.axis.spatial(12, i)
            B[vi] = T.if_then_else(vt < 2 and 1 <= vi and vi < 11, A[vi - 1], T.float32(0))
"""


def test_a_fill_and_the_interior() -> None:
    after = applied(parse(scripts.PADDED), DecomposePadding(block="B", loop="i"))
    assert body(after) == (
        "for i_1 in range(12):\n"
        '    with T.sblock("B_pad_const"):\n'
        "        vi = T.axis.spatial(12, i_1)\n"
        "        B[vi] = T.float32(0.0)\n"
        "for i in range(10):\n"
        '    with T.sblock("B"):\n'
        "        vi = T.axis.spatial(12, i + 1)\n"
        "        B[vi] = A[vi - 1]"
    )


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("loop", ["i", "B.j"])
def test_readers_under_the_loop_find_what_they_found(n: int, loop: str) -> None:
    after = applied(parse(SYMBOLIC), DecomposePadding(block="B", loop=loop), n=n)
    text = body(after)
    assert "for j in range(6):" in text
    assert "T.where(vi >= 1 and vi < n + 1)" in text
    assert "T.if_then_else" not in text


def test_a_reader_of_what_was_there_is_illegal() -> None:
    answer = answered(parse(EARLY_READER), DecomposePadding(block="B", loop="i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert "`B[0]`" in answer.notes[0] or "`B[1]`" in answer.notes[0]


def test_stores_for_different_reasons_are_not_proved() -> None:
    answer = answered(parse(REPEATED), DecomposePadding(block="B", loop="t"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "each iteration of `t` stores the same elements of `B`" in answer.message
    after = applied(parse(REPEATED), DecomposePadding(block="B", loop="i"))
    assert "T.where(vt < 2)" in body(after)
    same = REPEATED.replace("vt < 2 and ", "")
    applied(parse(same), DecomposePadding(block="B", loop="t"))


def test_elements_stored_twice_are_not_proved() -> None:
    text = scripts.PADDED.replace("B[vi] =", "B[vi // 2] =")
    answer = answered(parse(text), DecomposePadding(block="B", loop="i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == "it is not proved that block `B` stores each element once"


def test_what_does_not_pad_is_inapplicable() -> None:
    def message(text: str, block: str, loop: str) -> str:
        answer = answered(parse(text), DecomposePadding(block=block, loop=loop))
        assert answer.kind is AnswerKind.INAPPLICABLE
        return answer.message

    assert "does not store a choice" in message(scripts.MATMUL, "C", "i")
    assert message(scripts.PADDED.replace("T.float32(0)", "A[0]"), "B", "i") == (
        "what block `B` stores outside the bounds is no constant"
    )
    assert message(scripts.PADDED.replace("A[vi - 1]", "B[vi - 1]"), "B", "i") == (
        "block `B` reads `B`, which it pads"
    )
    assert "is not around block `B`" in message(SYMBOLIC, "B", "j#2")


def test_the_method_gives_the_block_that_fills() -> None:
    module = parse(SYMBOLIC)
    schedule = Schedule(module)
    fill = schedule.decompose_padding(schedule.get_block("B"), schedule.get_loops("B")[0])
    assert fill.name == "B_pad_const"
    assert [loop.name for loop in schedule.get_loops(fill)] == ["i_1", "j_1"]
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


def test_a_loop_that_does_not_start_at_zero_is_not_shifted() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), P: T.Buffer((9,), "float32")):
    for i in range(1, 9):
        with T.sblock("P"):
            vi = T.axis.spatial(9, i)
            P[vi] = T.if_then_else(vi >= 2 and vi < 7, A[vi - 2], T.float32(0))
"""
    after = applied(parse(text), DecomposePadding(block="P", loop="i"))
    assert "for i in range(1, 9):" in body(after)
