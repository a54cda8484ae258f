from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import Block, For, IRModule
from workbench.schedule import Schedule
from workbench.schedule.primitives.loop_partition import LoopPartition
from workbench.schedule.scope import walk_statements
from workbench.script import parse
from workbench.support import CompileError


def test_a_border_is_peeled() -> None:
    after = applied(parse(scripts.PADDED), LoopPartition(loop="i", factors=(1, None, 1)))
    assert body(after) == (
        "for i_0 in range(1):\n"
        '    with T.sblock("B"):\n'
        "        vi = T.axis.spatial(12, 0)\n"
        "        B[vi] = T.float32(0.0)\n"
        "for i_1 in range(1, 11):\n"
        '    with T.sblock("B_1"):\n'
        "        vi = T.axis.spatial(12, i_1)\n"
        "        B[vi] = A[vi - 1]\n"
        "for i_2 in range(11, 12):\n"
        '    with T.sblock("B_2"):\n'
        "        vi = T.axis.spatial(12, 11)\n"
        "        B[vi] = T.float32(0.0)"
    )


def test_a_branch_that_is_decided_is_gone() -> None:
    after = applied(parse(scripts.GUARDED), LoopPartition(loop="i", factors=(None, 2)))
    assert "if" not in body(after)
    assert body(after).count("sblock") == 1


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        (scripts.MATMUL, "i"),
        (scripts.MATMUL, "k"),
        (scripts.STENCIL, "i"),
        (scripts.SCAN, "i"),
        (scripts.GATHER, "i"),
        (scripts.TRIANGLE, "i"),
        (scripts.ROWS, "i"),
        (scripts.PAIR, "j"),
    ],
)
@pytest.mark.parametrize("factors", [(1, None), (None, 1), (1, 1), (1, None, 2), (3,)])
def test_values_stay(text: str, loop: str, factors: tuple[int | None, ...]) -> None:
    after = applied(parse(text), LoopPartition(loop=loop, factors=factors))
    ids = [s.id for s in walk_statements(only(after).body) if isinstance(s, Block)]
    ids += [s.var.id for s in walk_statements(only(after).body) if isinstance(s, For)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("factors", [(2, None), (None, 2), (2, None, 1), (2, 1)])
def test_symbolic_extents(n: int, factors: tuple[int | None, ...]) -> None:
    module = parse(scripts.SYMBOLIC)
    applied(module, LoopPartition(loop="i", factors=factors), n=n, m=2)


def test_only_the_first_part_of_a_reduction_initialises() -> None:
    after = applied(parse(scripts.MATMUL), LoopPartition(loop="k", factors=(2, None)))
    assert body(after).count("T.init") == 1
    assert body(after).count("T.axis.reduce(5, k_1)") == 1


def test_buffers_inside_are_copied() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            t = T.sblock_alloc_buffer((2,), "float32")
            for j in range(2):
                t[j] = A[vi] + T.float32(1)
            B[vi] = t[0] * t[1]
"""
    after = applied(parse(text), LoopPartition(loop="i", factors=(3, None)))
    assert "t_1[j_1] = A[vi] + T.float32(1.0)" in body(after)


def test_a_matched_buffer_inside_is_copied() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8, 4), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            T.reads(A[vi, 0:4])
            T.writes(B[vi])
            row = T.match_buffer(A[vi, 0:4], (4,), "float32")
            B[vi] = row[1] * row[2]
"""
    after = applied(parse(text), LoopPartition(loop="i", factors=(3, None)))
    assert "row_1[1] * row_1[2]" in body(after)


def test_derivations_name_the_copies() -> None:
    module = parse(scripts.PADDED)
    block = next(s for s in walk_statements(only(module).body) if isinstance(s, Block))
    result = LoopPartition(loop="i", factors=(1, None, 1)).run(module)
    found = {d.sources[0].id: [r.id for r in d.results] for d in result.derivations}
    assert found[block.id][0] == block.id
    assert len(set(found[block.id])) == 3


def test_one_part_is_the_whole_loop() -> None:
    after = applied(parse(scripts.MATMUL), LoopPartition(loop="i", factors=(None,)))
    assert body(after).count("for i_0") == 1


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ((), "needs positive factors"),
        ((None, 1, None), "at most one of them None"),
        ((0, None), "positive"),
        ((7,), "take `7` iterations, more than `i` has: `6`"),
        ((6, None), "take at least `7` iterations, more than `i` has: `6`"),
        ((4, 4), "take `8` iterations, more than `i` has: `6`"),
    ],
)
def test_bad_parts(factors: tuple[int | None, ...], words: str) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), LoopPartition(loop="i", factors=factors))
    assert error.value.diagnostics[0].code == "schedule/bad-factor"
    assert words in error.value.diagnostics[0].message


def test_a_bound_loop_stays_whole() -> None:
    schedule = Schedule(parse(scripts.PADDED))
    schedule.bind("i", "blockIdx.x")
    answer = answered(schedule.module, LoopPartition(loop="i", factors=(1, None)))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "bound to `blockIdx.x`" in answer.message


REDUCED = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), S: T.Buffer(("n",), "float32")):
    n = T.int64()
    m = T.int64()
    for i, k in T.grid(n, m):
        with T.sblock("S"):
            vi = T.axis.spatial(n, i)
            vk = T.axis.reduce(m, AXIS)
            WHERE
            with T.init():
                S[vi] = T.float32(2)
            S[vi] = S[vi] + A[vi, vk]
"""


def reduced(axis: str, where: str = "") -> IRModule:
    lines = REDUCED.replace("AXIS", axis).replace("WHERE", f"T.where({where})" if where else "")
    return parse(lines)


@pytest.mark.parametrize("m", [0, 1, 2, 7])
@pytest.mark.parametrize("factors", [(1, None), (None, 1), (2, None, 3)])
def test_parts_of_a_symbolic_reduction(m: int, factors: tuple[int | None, ...]) -> None:
    applied(reduced("k"), LoopPartition(loop="k", factors=factors), n=3, m=m)
    applied(reduced("k", "k < m - 1"), LoopPartition(loop="k", factors=factors), n=3, m=m)


@pytest.mark.parametrize("axis", ["T.max(k - 1, 0)", "k // 2"])
def test_an_empty_part_would_initialise_again(axis: str) -> None:
    answer = answered(reduced(axis), LoopPartition(loop="k", factors=(1, None)))
    assert answer.kind is AnswerKind.UNPROVED
    assert "in each part of the loop: else its init would run again" in answer.message
    assert answer.notes == ("an example is `i = 0`, `n = 1`, `m = 1`",)
    assert "decompose_reduction" in answer.hint


def test_a_part_must_initialise_what_the_loop_did() -> None:
    answer = answered(reduced("k", "k >= 2"), LoopPartition(loop="k", factors=(None, 1)))
    assert answer.kind is AnswerKind.UNPROVED
    assert "it is not proved that a part of the loop initialises what `S` does" in answer.message


@pytest.mark.parametrize("m", [0, 1, 6])
def test_parts_of_the_other_loop_keep_the_init(m: int) -> None:
    applied(reduced("k", "k >= 2"), LoopPartition(loop="i", factors=(1, None)), n=3, m=m)
