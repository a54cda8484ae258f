from __future__ import annotations

import pytest

from tests.schedule import scripts, stages
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.script import parse

SYMBOLIC = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), S: T.Buffer(("n",), "float32")):
    n = T.int64()
    m = T.int64()
    for i, k in T.grid(n, m):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
"""


def at(loop: str) -> DecomposeReduction:
    return DecomposeReduction(block="C", loop=loop)


def test_before_the_reduction_loop() -> None:
    after = applied(parse(scripts.MATMUL), at("k"))
    assert body(after).startswith(
        """\
for i, j in T.grid(6, 8):
    with T.sblock("C_init"):
        vi, vj = T.axis.remap("SS", [i, j])
        C[vi, vj] = T.float32(0.0)
    for k in range(5):
"""
    )


def test_before_outer_loops() -> None:
    after = applied(parse(scripts.MATMUL), at("j"))
    assert body(after).startswith("for i in range(6):\n    for j_init in range(8):")
    after = applied(parse(scripts.MATMUL), at("i"))
    assert body(after).startswith("for i_init, j_init in T.grid(6, 8):")


def test_a_reduction_loop_outside_leaves_a_condition() -> None:
    split, order = Split(loop="k", factors=(None, 2)), Reorder(loops=("k_0", "j"))
    after = applied(parse(scripts.MATMUL), split, order, at("k_1"))
    assert "T.where(k_0 == 0)" in body(after)
    applied(parse(scripts.MATMUL), split, order, at("j"))
    applied(parse(scripts.MATMUL), split, order, at("k_0"))


def test_predicates_are_carried_over() -> None:
    split = Split(loop="i", factors=(None, 4))
    after = applied(parse(scripts.MATMUL), split, at("k"))
    assert body(after).count("T.where(i_0 * 4 + i_1 < 6)") == 2


@pytest.mark.parametrize(("n", "m"), [(3, 4), (2, 0), (0, 3)])
def test_an_empty_sum_is_initialised(n: int, m: int) -> None:
    after = applied(parse(SYMBOLIC), DecomposeReduction(block="S", loop="i"), n=n, m=m)
    assert "T.where" not in body(after)


def test_a_sum_that_runs_backwards_would_lose_what_it_has() -> None:
    axes = 'vi, vj = T.axis.remap("SS", [i, j])\n            vk = T.axis.reduce(5, 4 - k)'
    text = scripts.MATMUL.replace('vi, vj, vk = T.axis.remap("SSR", [i, j, k])', axes)
    answer = answered(parse(text), at("k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "not the same elements of `C` would be initialised"
    assert answer.notes == ("would not be initialised at i = 0, j = 0, vi = 0, vj = 0",)


def test_elements_that_are_stored_twice() -> None:
    text = scripts.MATMUL.replace("C[vi, vj]", "C[vi, vj // 2]")
    assert answered(parse(text), at("k")).applies
    answer = answered(parse(text), at("j"))
    assert answer.kind is AnswerKind.ILLEGAL


def test_a_reader_of_what_was_there() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), D: T.Buffer((4,), "float32"), S: T.Buffer((4,), "float32")):
    for i in range(4):
        with T.sblock("D"):
            vi = T.axis.spatial(4, i)
            D[vi] = S[vi]
        for k in range(6):
            with T.sblock("S"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    S[vi] = T.float32(0)
                S[vi] = S[vi] + A[vi, vk]
"""
    applied(parse(text), DecomposeReduction(block="S", loop="k"))
    answer = answered(parse(text), DecomposeReduction(block="S", loop="i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`S (init)` would write `S[vi]` before `D` reads it"


def test_no_init() -> None:
    answer = answered(parse(stages.ELEMENTWISE), DecomposeReduction(block="C", loop="C.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`C` has no init to take apart"


def test_a_loop_elsewhere() -> None:
    answer = answered(parse(stages.MATMUL_RELU), DecomposeReduction(block="C", loop="D.i"))
    assert answer.message == "`C` is not under the loop `i`"


def test_the_method_gives_the_block_of_init() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    block = schedule.decompose_reduction("C", "k")
    assert block.name == "C_init"
    assert len(schedule.get_loops(block)) == 2
