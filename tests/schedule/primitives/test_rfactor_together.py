"""Reductions that update several elements at once."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives import Parallel, Reorder, Rfactor, Split
from workbench.script import parse

ARGMAX = """
@T.prim_func
def f(idx: T.Buffer((4, 12), "int32"), val: T.Buffer((4, 12), "DTYPE"),
      best: T.Buffer((4,), "DTYPE"), where: T.Buffer((4,), "int32")):
    for i, k in T.grid(4, 12):
        with T.sblock("argmax"):
            vi, vk = T.axis.remap("SR", [i, k])
            T.reads(idx[vi, vk], val[vi, vk])
            T.writes(where[vi], best[vi])
            with T.init():
                where[vi] = T.int32(-1)
                best[vi] = T.min_value("DTYPE")
            v0: T.int32 = T.Select(KEEP, where[vi], idx[vi, vk])
            v1: T.DTYPE = T.Select(KEEP, best[vi], val[vi, vk])
            where[vi] = v0
            best[vi] = v1
"""
FIRST_WINS = "best[vi] >= val[vi, vk]"
LAST_WINS = "best[vi] > val[vi, vk]"
SMALLER_INDEX = "best[vi] > val[vi, vk] or (best[vi] == val[vi, vk] and where[vi] <= idx[vi, vk])"
SPLIT = Split(loop="k", factors=(None, 4))


def argmax(keep: str = FIRST_WINS, dtype: str = "int32") -> str:
    return ARGMAX.replace("KEEP", keep).replace("DTYPE", dtype)


def test_integers_need_no_more_than_pairs() -> None:
    after = applied(parse(argmax()), Rfactor(loop="k", factor_axis=1))
    assert body(after).startswith(
        """\
for i, k in T.grid(4, 12):
    with T.sblock("argmax_rf"):
        v_k, vi = T.axis.remap("SS", [k, i])
        with T.init():
            where_rf[vi, v_k] = T.int32(0)
            best_rf[vi, v_k] = T.int32(-2147483648)
        where_rf_new: T.let[T.int32] = T.Select(best_rf[vi, v_k] >= val[vi, v_k], \
where_rf[vi, v_k], idx[vi, v_k])
"""
    )
    assert (
        body(after)
        .rstrip()
        .endswith(
            """\
        where[vi] = where_new
        best[vi] = best_new"""
        )
    )


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float32", "float16"])
@pytest.mark.parametrize("keep", [FIRST_WINS, LAST_WINS, SMALLER_INDEX])
def test_in_order_it_is_exact(keep: str, dtype: str) -> None:
    answer = answered(applied(parse(argmax(keep, dtype)), SPLIT), Rfactor(loop="k_0"))
    assert answer.applies
    assert not answer.reassociates
    applied(parse(argmax(keep, dtype)), SPLIT, Rfactor(loop="k_0"))


@pytest.mark.parametrize("worse", ["val[vi, vk] > best[vi]", "best[vi] < val[vi, vk]"])
def test_nan_that_is_ignored_needs_no_flag(worse: str) -> None:
    """`x > best` is false for NaN: what is no better is never taken."""
    after = applied(parse(argmax(f"not ({worse})", "float32")), Rfactor(loop="k"))
    assert "_has" not in wb.script.print_module(after)


ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], np.float32)


@pytest.mark.parametrize("keep", [FIRST_WINS, LAST_WINS, SMALLER_INDEX, f"not ({LAST_WINS})"])
@pytest.mark.parametrize("seed", range(6))
def test_nan_infinities_and_zeros(keep: str, seed: int) -> None:
    """To the bit, in native code: wherever NaN stand, and where nothing beats the initial value."""
    module = parse(argmax(keep, "float32"))
    schedule = Schedule(module)
    outer, _ = schedule.split("k", [None, 3])
    schedule.rfactor(outer, 0)
    rng = np.random.default_rng(seed)
    idx = rng.permutation(48).reshape(4, 12).astype(np.int32)
    val = rng.choice(ODD, (4, 12))
    expected = np.zeros(4, np.float32), np.zeros(4, np.int32)
    found = np.zeros(4, np.float32), np.zeros(4, np.int32)
    wb.build(module)(idx, val, *expected, function="f")
    wb.build(schedule.module)(idx, val, *found, function="f")
    assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]


def test_a_nan_after_which_the_search_begins_again_is_noted() -> None:
    answer = answered(parse(argmax(FIRST_WINS, "float32")), Rfactor(loop="k"))
    assert answer.notes == (
        "a NaN makes `where` and `best` begin again: `where_rf_has` says where one was",
    )


def test_ties_that_the_first_wins_keep_their_order() -> None:
    answer = answered(applied(parse(argmax()), SPLIT), Rfactor(loop="k_1"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == (
        "`argmax` takes `where` and `best` by the order of operands where they compare equal, and "
        "parts along `k_1` are not in that order"
    )
    assert answer.hint == (
        "factor `k_0`, the outermost reduction loop: its parts stay in order; "
        "or let indices decide ties"
    )


def test_the_message_on_ties_is_true() -> None:
    """With parts along the inner loop another one of equal values would be found first."""
    module = applied(parse(argmax()), SPLIT)
    text = wb.script.print_module(module)
    turned = text.replace("i, k_0, k_1 in T.grid(4, 3, 4)", "i, k_1, k_0 in T.grid(4, 4, 3)")
    idx = np.arange(48, dtype=np.int32).reshape(4, 12)
    val = np.tile(np.array([0, 1, 0, 1, 1, 1], np.int32), 8).reshape(4, 12)
    found: list[list[int]] = []
    for run in (module, parse(turned)):
        best, where = np.zeros(4, np.int32), np.zeros(4, np.int32)
        wb.build(run)(idx, val, best, where, function="f")
        found.append(where.tolist())
    assert found == [[1, 13, 25, 37], [4, 16, 28, 40]]


def test_ties_that_an_index_decides_may_come_in_any_order() -> None:
    module = parse(argmax(SMALLER_INDEX))
    answer = answered(applied(module, SPLIT), Rfactor(loop="k_1"))
    assert answer.applies
    assert not answer.reassociates
    applied(module, SPLIT, Rfactor(loop="k_1"), Parallel(loop="argmax_rf.k_1"))


def test_another_order_where_values_may_be_nan() -> None:
    answer = answered(applied(parse(argmax(SMALLER_INDEX, "float32")), SPLIT), Rfactor(loop="k_1"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "the operands of `where` and `best` may be NaN, and then their order counts in `argmax`"
    )


def test_sums_beside_a_maximum() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4, 12), "int32"), S: T.Buffer((4,), "int32"), M: T.Buffer((4,), "int32")):
    for i, k in T.grid(4, 12):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.int32(7)
                M[vi] = T.int32(-3)
            S[vi] = S[vi] + A[vi, vk]
            if vk % 3 != 0:
                M[vi] = T.max(M[vi], A[vi, vk] * A[vi, vk])
"""
    after = applied(parse(text), SPLIT, Rfactor(loop="k_1", factor_axis=-1))
    assert "S_rf[vi, v_k_1]" in body(after)
    assert "M_rf[vi, v_k_1]" in body(after)


BRANCH = """
@T.prim_func
def f(A: T.Buffer((4, 12), "int32"), best: T.Buffer((4,), "int32"), where: T.Buffer((4,), "int64")):
    for i, k in T.grid(4, 12):
        with T.sblock("best"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                best[vi] = A[vi, 0]
                where[vi] = T.int64(0)
            if A[vi, vk] < best[vi]:
                best[vi] = A[vi, vk]
                where[vi] = vk
"""


def test_a_branch_that_stores_both() -> None:
    applied(parse(BRANCH), Rfactor(loop="k"), Parallel(loop="best_rf.k"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "where[vi] = vk",
            "where[vi] = where[vi] * 2 + vk",
            "`best` is no reduction that updates each of `best` and `where` by an operation or by "
            "choosing between it and an operand of its own",
        ),
        (
            "A[vi, vk] < best[vi]",
            "A[vi, vk] < best[vi] or where[vi] > vk",
            "`best` combines `best` and `where` in a way that is not associative",
        ),
        (
            "A[vi, vk] < best[vi]",
            "A[vi, vk] + 1 < best[vi]",
            "`best` is no reduction that updates each of `best` and `where` by an operation or by "
            "choosing between it and an operand of its own",
        ),
    ],
)
def test_what_is_no_reduction(old: str, new: str, message: str) -> None:
    answer = answered(parse(BRANCH.replace(old, new)), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == message


@pytest.mark.parametrize(("n", "m"), [(3, 9), (2, 1), (0, 3), (2, 0)])
def test_symbolic_extents(n: int, m: int) -> None:
    text = argmax(FIRST_WINS, "float32").replace("(4, 12)", '("n", "m")', 2)
    text = text.replace("(4,)", '("n",)').replace("T.grid(4, 12)", "T.grid(n, m)")
    text = text.replace("    for", "    n = T.int64()\n    m = T.int64()\n    for", 1)
    applied(parse(text), SPLIT, Rfactor(loop="k_0"), n=n, m=m)


def test_one_element_by_choice() -> None:
    text = BRANCH.replace("                where[vi] = vk\n", "")
    text = text.replace("                where[vi] = T.int64(0)\n", "")
    applied(parse(text), SPLIT, Rfactor(loop="k_1"))


def test_the_loops_of_the_parts_may_change_their_order() -> None:
    """What is bound to names before it is stored decides nothing else."""
    after = applied(parse(argmax()), Rfactor(loop="k"))
    applied(after, Reorder(loops=("k", "argmax_rf.i")), Reorder(loops=("k_1", "i_1")))
