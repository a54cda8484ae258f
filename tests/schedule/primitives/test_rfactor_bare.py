"""Factoring what is no block with an init: fused loops, decomposed reductions, plain loops."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.schedule import stages
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives import DecomposeReduction, Fuse, Parallel, Rfactor, Split
from workbench.script import parse

FLOATS = stages.ROW_SUMS.replace("DTYPE", "float32")
INTEGERS = stages.ROW_SUMS.replace("DTYPE", "int32")
SPLIT = Split(loop="k", factors=(None, 5))


def test_a_loop_that_was_fused_of_both_kinds() -> None:
    """Its digit that reduces has a dimension; the loop stays one and may be parallel."""
    after = applied(parse(FLOATS), SPLIT, Fuse(loops=("i", "k_0")), Rfactor(loop="i_k_0_fused"))
    assert body(after).startswith(
        """\
for i_k_0_fused, k_1 in T.grid(16, 5):
    with T.sblock("S_rf"):
        v_i_k_0_fused_1 = T.axis.spatial(4, i_k_0_fused % 4)
        vi = T.axis.spatial(4, i_k_0_fused // 4)
        v_k_1 = T.axis.reduce(5, k_1)
"""
    )
    applied(after, Parallel(loop="i_k_0_fused"))


@pytest.mark.parametrize("loops", [("i", "k"), ("k", "i")])
def test_digits_in_either_order(loops: tuple[str, str]) -> None:
    text = INTEGERS.replace("for i, k in T.grid(4, 20)", f"for {loops[0]}, {loops[1]} in T.grid(E)")
    text = text.replace("T.grid(E)", "T.grid(4, 20)" if loops[0] == "i" else "T.grid(20, 4)")
    name = f"{loops[0]}_{loops[1]}_fused"
    applied(parse(text), Fuse(loops=loops), Rfactor(loop=name), Parallel(loop=name))


def test_three_digits() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4, 6, 5), "int32"), S: T.Buffer((4, 5), "int32")):
    for i, k, j in T.grid(4, 6, 5):
        with T.sblock("S"):
            vi, vk, vj = T.axis.remap("SRS", [i, k, j])
            with T.init():
                S[vi, vj] = T.int32(3)
            S[vi, vj] = S[vi, vj] + A[vi, vk, vj]
"""
    fused = applied(parse(text), Fuse(loops=("i", "k", "j")))
    after = applied(fused, Rfactor(loop="i_k_j_fused", factor_axis=1))
    assert 'S_rf = T.sblock_alloc_buffer((4, 6, 5), "int32")' in wb.script.print_module(after)


def test_a_split_across_what_was_fused() -> None:
    module = applied(
        parse(FLOATS), Fuse(loops=("i", "k")), Split(loop="i_k_fused", factors=(None, 7))
    )
    answer = answered(module, Rfactor(loop="i_k_fused_1"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "the loop `i_k_fused_0` carries a reduction axis of `S` and another axis as well: "
        "`vi = (i_k_fused_0 * 7 + i_k_fused_1) // 20` and "
        "`vk = (i_k_fused_0 * 7 + i_k_fused_1) % 20`"
    )
    assert answer.hint == "call `rfactor` before loops are fused, or split across what was fused"


@pytest.mark.parametrize("around", ["i", "k"])
def test_after_the_init_has_a_block_of_its_own(around: str) -> None:
    decomposed = applied(parse(FLOATS), DecomposeReduction(block="S", loop=around))
    module = applied(decomposed, Rfactor(loop="k"))
    assert "S_rf[v_k, vi] = S_rf[v_k, vi] + A[vi, v_k]" in body(module)
    assert body(module).count("T.init()") == 1
    applied(module, Parallel(loop="S_rf.k"))


def test_a_part_of_a_decomposed_reduction() -> None:
    decomposed = applied(
        parse(INTEGERS), SPLIT, DecomposeReduction(block="S", loop="k_0"), Rfactor(loop="k_1")
    )
    applied(decomposed, Parallel(loop="S_rf.k_1"))


PLAIN = """
@T.prim_func
def f(A: T.Buffer((4, 9), "int32"), S: T.Buffer((4,), "int32")):
    for i in range(4):
        for k in range(2, 9):
            S[i] = S[i] + A[i, k]
"""


def test_plain_loops_add_to_what_is_there() -> None:
    after = applied(parse(PLAIN), Rfactor(loop="k"), Parallel(loop="S_update_rf.k"))
    assert (
        body(after)
        .rstrip()
        .endswith(
            """\
for i_1 in range(4):
    for k_1 in range(2, 9):
        with T.sblock("S_update"):
            v_i = T.axis.spatial(4, i_1)
            v_k_2 = T.axis.reduce(7, k_1 - 2)
            S[v_i] = S[v_i] + S_rf[v_k_2, v_i]"""
        )
    )


def test_the_last_of_all() -> None:
    """`S = x` keeps the last one: the parts stay in order, and none of no iterations counts."""
    text = PLAIN.replace("S[i] = S[i] + A[i, k]", "S[i] = A[i, k]")
    split = Split(loop="k", factors=(None, 3))
    applied(parse(text), split, Rfactor(loop="k_0"))
    assert answered(applied(parse(text), split), Rfactor(loop="k_1")).kind is AnswerKind.ILLEGAL


@pytest.mark.parametrize("guard", ["if k % 3 == i:", "if A[i, k] > 4:"])
def test_a_guard(guard: str) -> None:
    text = PLAIN.replace("            S[i] =", f"            {guard}\n                S[i] =")
    applied(parse(text), Split(loop="k", factors=(None, 3)), Rfactor(loop="k_1"))


def test_a_guard_that_keeps_inside_of_the_buffer() -> None:
    """Partial results of rows that are not there have no place."""
    text = PLAIN.replace("range(4)", "range(6)").replace(
        "            S[i] =", "            if i + k // 20 < 4:\n                S[i] ="
    )
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "it is not proved that `S[v_i]` is there where `S_update` does not update it"
    )
    applied(parse(text.replace("i + k // 20 < 4", "i < 4")), Rfactor(loop="k"))


def test_a_guard_of_a_loop_that_runs_once() -> None:
    split = Split(loop="i", factors=(None, 5, 3))
    applied(parse(PLAIN), split, Rfactor(loop="k"))


@pytest.mark.parametrize(("n", "m"), [(3, 7), (0, 4), (4, 0), (2, 1)])
def test_symbolic_extents(n: int, m: int) -> None:
    text = PLAIN.replace("(4, 9)", '("n", "m")').replace("(4,)", '("n",)')
    text = text.replace("range(4)", "range(n)").replace("range(2, 9)", "range(m)")
    text = text.replace("    for i", "    n = T.int64()\n    m = T.int64()\n    for i", 1)
    applied(parse(text), Split(loop="k", factors=(None, 3)), Rfactor(loop="k_0"), n=n, m=m)


def test_under_a_loop_whose_extent_another_one_gives() -> None:
    """Partial results of a triangle: as many as the row has elements, two times over."""
    text = PLAIN.replace("range(2, 9)", "range(i + 1)")
    text = text.replace("        for k", "        S[i] = 3\n        for k")
    applied(parse(text), Rfactor(loop="k"), Rfactor(loop="k_1"))


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ("S[i] + A[i, k]", "S[i] * S[0] + A[i, k]", AnswerKind.INAPPLICABLE, "is no reduction"),
        ("A[i, k]\n", "S[k - 2]\n", AnswerKind.INAPPLICABLE, "reads `S` beside its update"),
        ("S[i] = S[i]", "S[k % 4] = S[k % 4]", AnswerKind.INAPPLICABLE, "no reduction loop"),
    ],
)
def test_what_is_no_update(old: str, new: str, kind: AnswerKind, message: str) -> None:
    answer = answered(parse(PLAIN.replace(old, new)), Rfactor(loop="k"))
    assert answer.kind is kind
    assert message in answer.message


def test_loops_that_come_back_to_an_element() -> None:
    answer = answered(parse(PLAIN.replace("S[i]", "S[i // 2]")), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "`S_update` comes back to an element of `S` in loops that do not reduce, at `i = 0` and "
        "at `i = 1`"
    )


def test_a_loop_over_two_updates() -> None:
    text = PLAIN + "            S[i] = S[i] + A[i, k]\n"
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.applies
    text = text + "        for k in range(9):\n            S[i] = S[i] * A[i, k]\n"
    answer = answered(parse(text), Rfactor(loop="i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "the loop `i` holds no update `C[...] = C[...] op x` alone"
    assert answer.hint == "take the loop around one block that reduces"


def test_in_native_code(rng: np.random.Generator) -> None:
    module = parse(FLOATS)
    schedule = Schedule(module)
    outer, _ = schedule.split("k", [None, 5])
    fused = schedule.fuse("i", outer)
    schedule.rfactor(fused, 0)
    schedule.parallel(fused)
    array = rng.normal(size=(4, 20)).astype(np.float32)
    found = np.zeros(4, np.float32)
    wb.build(schedule.module)(array, found, function="f")
    np.testing.assert_allclose(found, array.sum(1), rtol=1e-5, atol=1e-5)
