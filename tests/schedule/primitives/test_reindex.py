from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.rewrite import Relation
from workbench.schedule import Schedule
from workbench.schedule.primitives.reindex import Reindex
from workbench.script import parse

CONVOLUTION = """
@T.prim_func
def f(
    A: T.Buffer((10, "n"), "float32"),
    W: T.Buffer((3, "n"), "float32"),
    B: T.Buffer((8,), "float32"),
):
    n = T.int64()
    for y, r, c in T.grid(8, 3, n):
        with T.sblock("B"):
            vy, vr, vc = T.axis.remap("SRR", [y, r, c])
            with T.init():
                B[vy] = T.float32(0)
            B[vy] = B[vy] + A[vy + vr, vc] * W[vr, vc]
"""

FLAT = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), B: T.Buffer((24,), "float32")):
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi * 6 + vj] = A[vi, vj] * T.float32(2)
"""

PADDED_READ = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((12,), "float32")):
    for i in range(12):
        with T.sblock("B"):
            vi = T.axis.spatial(12, i)
            B[vi] = T.if_then_else(1 <= vi and vi < 11, A[vi - 1], T.float32(0))
"""


def test_a_read_by_the_axes() -> None:
    after = applied(parse(scripts.MATMUL), Reindex(block="C", buffer="B"))
    assert body(after).startswith(
        "for ax0, ax1 in T.grid(8, 5):\n"
        '    with T.sblock("B_reindex"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0, ax1])\n'
        "        B_reindex[v0, v1] = B[v1, v0]\n"
    )
    assert "A[vi, vk] * B_reindex[vj, vk]" in body(after)


def test_a_write_by_the_axes() -> None:
    after = applied(parse(FLAT), Reindex(block="B", buffer=("write", 0)))
    assert "B_reindex[vi, vj] = A[vi, vj] * T.float32(2.0)" in body(after)
    assert body(after).endswith("B[v0 * 6 + v1] = B_reindex[v0, v1]")
    assert "B_reindex_in" not in body(after)


@pytest.mark.parametrize(
    ("text", "buffer"),
    [
        (scripts.MATMUL, ("read", 0)),
        (scripts.MATMUL, "C"),
        (scripts.PAIR, "B"),
        (scripts.GUARDED, "B"),
        (scripts.GUARDED, "A"),
        (PADDED_READ, "A"),
        (PADDED_READ, "B"),
        (FLAT, "A"),
    ],
)
def test_values_stay(text: str, buffer: str | tuple[str, int]) -> None:
    block = "C" if text in {scripts.MATMUL, scripts.PAIR} else "B"
    applied(parse(text), Reindex(block=block, buffer=buffer))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_symbolic_extents(n: int) -> None:
    module = parse(CONVOLUTION)
    after = applied(module, Reindex(block="B", buffer="A"), Reindex(block="B", buffer="B"), n=n)
    assert "A_reindex = T.sblock_alloc_buffer((8, 3, n)" in after.script()


def test_reads_beyond_the_buffer_are_left_out() -> None:
    after = applied(parse(PADDED_READ), Reindex(block="B", buffer="A"))
    assert "T.where(v0 - 1 >= 0 and v0 - 1 < 10)" in body(after)


def test_instances_that_write_one_element_are_not_proved() -> None:
    module = parse(FLAT.replace("B[vi * 6 + vj]", "B[vi * 3 + vj]"))
    answer = answered(module, Reindex(block="B", buffer="B"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "write different elements of `B`" in answer.message


def test_what_has_no_one_place_is_inapplicable() -> None:
    two = scripts.PADDED.replace("A[vi - 1]", "A[vi - 1] + A[vi // 2]")
    answer = answered(parse(two), Reindex(block="B", buffer="A"))
    assert answer.message == "block `B` accesses `A` at `2` places"
    loop = scripts.GUARDED.replace("A[vi]", "A[i]")
    answer = answered(parse(loop), Reindex(block="B", buffer="A"))
    assert answer.message == "`i` in the index of `A` is no axis of the block"
    pair = answered(parse(scripts.PAIR), Reindex(block="B", buffer=("write", 0)))
    assert pair.message == "`B` is accessed next to block `B` in its nest"


def test_a_read_of_what_another_instance_wrote_is_illegal() -> None:
    text = FLAT.replace("A[vi, vj] *", "B[vi * 6 + vj] *").replace(
        "B[vi * 6 + vj] = ", "A[vi, vj] = "
    )
    applied(parse(text), Reindex(block="B", buffer=("read", 0)))
    scan = """
@T.prim_func
def f(A: T.Buffer((9,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi]
        A[i + 1] = B[i] * T.float32(2)
"""
    answer = answered(parse(scan), Reindex(block="B", buffer="A"))
    assert answer.kind is AnswerKind.APPLIES
    assert 'for i in range(8):\n    A_reindex = T.alloc_buffer((8,), "float32")' in body(
        applied(parse(scan), Reindex(block="B", buffer="A"))
    )


def test_the_check_leaves_the_scope_as_it_is_and_the_copy_is_derived() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    copy = schedule.reindex("C", ("read", 1))
    assert copy.name == "B_reindex"
    (derived,) = Reindex(block="C", buffer="B").run(module).derivations
    assert derived.relation is Relation.LAYOUT
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


def test_a_copy_of_what_other_iterations_write_would_race() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4,), "float32"), B: T.Buffer((4,), "float32"), C: T.Buffer((4,), "float32")):
    for i in T.parallel(4):
        B[i] = A[i] * T.float32(2)
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            C[vi] = B[vi] + T.float32(1)
"""
    answer = answered(parse(text), Reindex(block="C", buffer="B"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message.startswith("the copy would race under `i`: an iteration of `i` reads")
    applied(parse(text.replace("parallel", "serial")), Reindex(block="C", buffer="B"))


@pytest.mark.parametrize("buffer", ["A", "C"])
@pytest.mark.parametrize("n", [0, 3, 9])
def test_axes_of_less_than_no_elements(buffer: str, n: int) -> None:
    applied(parse(scripts.SHORT_SUM), Reindex(block="C", buffer=buffer), n=n)
