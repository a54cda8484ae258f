from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import For
from workbench.rewrite import Site
from workbench.schedule import Schedule
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.split import Split
from workbench.schedule.scope import walk_statements
from workbench.script import parse
from workbench.support import CompileError


def test_a_loop_becomes_nested_ones_with_a_predicate() -> None:
    after = applied(parse(scripts.MATMUL), Split(loop="i", factors=(None, 4)))
    assert body(after) == (
        "for i_0, i_1, j, k in T.grid(2, 4, 8, 5):\n"
        '    with T.sblock("C"):\n'
        "        vi = T.axis.spatial(6, i_0 * 4 + i_1)\n"
        '        vj, vk = T.axis.remap("SR", [j, k])\n'
        "        T.where(i_0 * 4 + i_1 < 6)\n"
        "        with T.init():\n"
        "            C[vi, vj] = T.float32(0.0)\n"
        "        C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]"
    )


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        (scripts.MATMUL, "i"),
        (scripts.MATMUL, "k"),
        (scripts.STENCIL, "i"),
        (scripts.SCAN, "i"),
        (scripts.GATHER, "i"),
        (scripts.GUARDED, "i"),
        (scripts.PADDED, "i"),
        (scripts.TRIANGLE, "i"),
        (scripts.TRIANGLE, "j"),
        (scripts.ROWS, "k"),
        (scripts.RAGGED, "j"),
    ],
)
@pytest.mark.parametrize("factors", [(None, 4), (2, None), (None, 2, 3), (3, None, 2), (20, 1)])
def test_values_stay(text: str, loop: str, factors: tuple[int | None, ...]) -> None:
    if None not in factors and text in {scripts.RAGGED}:
        pytest.skip("nothing is known about the extent")
    applied(parse(text), Split(loop=loop, factors=factors))


@pytest.mark.parametrize("n", [0, 1, 7, 8])
def test_a_symbolic_extent_keeps_its_values(n: int) -> None:
    module = parse(scripts.SYMBOLIC)
    first = Split(loop="i", factors=(None, 4))
    applied(module, first, Split(loop="j", factors=(3, None)), n=n, m=5)


def test_no_guard_where_the_factor_divides() -> None:
    for text, symbols in ((scripts.MULTIPLE, {"n": 3}), (scripts.PADDED, {})):
        after = applied(parse(text), Split(loop="i", factors=(None, 4)), **symbols)
        assert "if i_0" not in body(after)
        assert "T.where" not in body(after)


def test_no_second_guard_for_what_a_branch_says() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32")):
    n = T.int64()
    if n <= 8:
        for i in range(n):
            A[i] = T.float32(0)
"""
    after = applied(parse(text), Split(loop="i", factors=(2, 4)), n=7)
    assert "T.grid(2, 4)" in body(after)
    with pytest.raises(CompileError) as error:
        answered(parse(text.replace("<= 8", "<= 9")), Split(loop="i", factors=(2, 4)))
    assert "do not cover the extent of `i`" in error.value.diagnostics[0].message


def test_a_predicate_says_only_what_is_not_known() -> None:
    module = parse(scripts.GUARDED)
    after = applied(
        module, Split(loop="i", factors=(None, 5)), Split(loop="i_1", factors=(None, 2))
    )
    assert "if i_0 * 5 + i_1_0 * 2 + i_1_1 < 10:" in body(after)
    assert "T.where(i_1_0 * 2 + i_1_1 < 5)" in body(after)


def test_predicates_of_several_splits_meet() -> None:
    module = parse(scripts.MATMUL)
    after = applied(module, Split(loop="i", factors=(None, 4)), Split(loop="j", factors=(None, 3)))
    assert "T.where(j_0 * 3 + j_1 < 8 and i_0 * 4 + i_1 < 6)" in body(after)


def test_what_is_read_on_the_way_to_a_block_is_guarded_too() -> None:
    text = """
@T.prim_func
def f(I: T.Buffer((5,), "int64"), B: T.Buffer((5,), "float32")):
    for i in range(5):
        for j in range(I[i]):
            with T.sblock("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi] = B[vi] + T.float32(1)
"""
    after = applied(parse(text), Split(loop="i", factors=(None, 4)))
    assert "if i_0 * 4 + i_1 < 5:" in body(after)


def test_the_outermost_loop_keeps_kind_and_annotations() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    schedule.parallel("i")
    schedule.annotate("i", "mark", 1)
    schedule.split("i", [None, 2])
    assert 'for i_0 in T.parallel(3, annotations={"mark": 1}):' in body(schedule.module)


def test_new_loops_are_derived_from_the_old_one() -> None:
    module = parse(scripts.MATMUL)
    old = next(s for s in walk_statements(only(module).body) if isinstance(s, For))
    result = Split(loop="i", factors=(None, 2)).run(module)
    (derivation,) = result.derivations
    assert [ref.id for ref in derivation.sources] == [old.var.id]
    new = {s.var.id for s in walk_statements(only(result.module).body) if isinstance(s, For)}
    assert {ref.id for ref in derivation.results} <= new
    assert old.var.id not in new
    names = [s.var.name for s in walk_statements(only(result.module).body) if isinstance(s, For)]
    assert names == ["i_0", "i_1", "j", "k"]


def test_names_are_free() -> None:
    module = parse(
        scripts.MATMUL.replace("i, j, k", "i, i_0, k").replace("[i, j, k]", "[i, i_0, k]")
    )
    after = applied(module, Split(loop="i", factors=(None, 2)))
    assert "i_0_1, i_1, i_0, k" in body(after)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ((), "needs positive factors"),
        ((4,), "do not cover the extent of `i`"),
        ((None, None), "at most one of them None"),
        ((None, 0), "positive"),
        ((None, -2), "positive"),
        ((2, 2), "make `4` iterations, which do not cover the extent of `i`, `6`"),
        ((None, 2.5), "got `[None, 2.5]`"),
        ((None, "4"), "got `[None, '4']`"),
        ((None, True), "positive"),
    ],
)
def test_bad_factors(factors: tuple[Any, ...], words: str) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), Split(loop="i", factors=factors))
    assert error.value.diagnostics[0].code == "schedule/bad-factor"
    assert words in error.value.diagnostics[0].message


@pytest.mark.parametrize("factors", [(None,), (6,), (8,)])
def test_one_factor(factors: tuple[int | None, ...]) -> None:
    after = applied(parse(scripts.MATMUL), Split(loop="i", factors=factors))
    assert ("T.where" in after.script()) is (factors == (8,))


@pytest.mark.parametrize(
    ("script", "factors", "kind"),
    [
        (scripts.MATMUL, (None, 3), AnswerKind.APPLIES),
        (scripts.MATMUL, (2, None), AnswerKind.APPLIES),
        (scripts.MATMUL, (None, 4), AnswerKind.ILLEGAL),
        (scripts.MATMUL, (2, 4), AnswerKind.ILLEGAL),
        (scripts.SYMBOLIC, (None, 1), AnswerKind.APPLIES),
        (scripts.SYMBOLIC, (None, 4), AnswerKind.UNPROVED),
    ],
)
def test_a_split_without_predicate_divides(
    script: str, factors: tuple[int | None, ...], kind: AnswerKind
) -> None:
    wanted = Split(loop="i", factors=factors, disable_predication=True)
    answer = answered(parse(script), wanted)
    assert answer.kind is kind
    if answer.applies:
        after = applied(parse(script), wanted, n=5, m=3)
        assert "T.where" not in after.script()
    elif kind is AnswerKind.ILLEGAL:
        assert answer.notes == ("iteration `6` of the new loops is none of `i`",)
    else:
        assert "`n`" in answer.message


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (5, 2)])
def test_sums_over_loops_that_a_symbol_fused_keep_their_initial_values(n: int, m: int) -> None:
    steps = [Fuse(loops=("i", "j")), Split(loop="i_j_fused", factors=(None, 4))]
    after = applied(parse(scripts.SYMBOLIC_MATMUL), *steps, n=n, m=m)
    assert "if i_j_fused_0 * 4 + i_j_fused_1 < n * n:" in after.script()


def test_whole_numbers_of_numpy() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    schedule.split("i", [None, np.int64(2)])  # pyright: ignore[reportArgumentType]
    assert schedule.trace.python() == "sch.split(loop='i', factors=[None, 2])"


def test_every_loop_is_a_site() -> None:
    sites = list(Split().sites(parse(scripts.MATMUL)))
    assert len(sites) == 3
    assert all(isinstance(site, Site) for site in sites)


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        (scripts.MATMUL, (None, 2**31)),
        (scripts.MATMUL, (2**31, None)),
        (scripts.MATMUL, (2**11, 2**11, None)),
        (scripts.RAGGED, (None, 2**25)),
    ],
)
def test_iterations_that_nobody_can_wait_for_are_refused(
    text: str, factors: tuple[int | None, ...]
) -> None:
    module = parse(text)
    loop = "j" if text == scripts.RAGGED else "i"
    start = time.perf_counter()
    with pytest.raises(CompileError) as caught:
        Split(loop=loop, factors=factors)(module)
    assert time.perf_counter() - start < 1
    assert caught.value.diagnostics[0].code == "schedule/bad-factor"
    assert "iterations, but `" in caught.value.diagnostics[0].message


def test_factors_a_little_beyond_the_extent_are_taken() -> None:
    applied(parse(scripts.MATMUL), Split(loop="i", factors=(None, 64)))
