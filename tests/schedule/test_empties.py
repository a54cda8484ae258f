"""Primitives keep what is initialised where there is nothing to reduce."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.native import Native
from tests.schedule.checks import applied
from workbench.analysis.dependence import AnswerKind, dependences
from workbench.interpret import run_tensor_function
from workbench.ir import TensorFunction
from workbench.schedule import PRIMITIVES, Primitive
from workbench.schedule.primitive import answer_of
from workbench.schedule.primitives import (
    Blockize,
    ComputeAt,
    DecomposeReduction,
    Fuse,
    Reorder,
    Rfactor,
    Split,
)
from workbench.schedule.scope import Scope
from workbench.script import parse

SUM = """
@T.prim_func
def f(A: T.Buffer((4, "n"), "float32"), S: T.Buffer((4,), "float32")):
    n = T.int64()
    for i, k in T.grid(4, n):
        with T.block("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
"""
TWICE = """
@T.prim_func
def f(A: T.Buffer((4, "n"), "float32"), D: T.Buffer((4,), "float32")):
    n = T.int64()
    S = T.alloc_buffer((4,), "float32")
    for i, k in T.grid(4, n):
        with T.block("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
    for j in range(4):
        with T.block("D"):
            vj = T.axis.spatial(4, j)
            D[vj] = S[vj] * T.float32(2)
"""
BY_FOUR = Split(loop="k", factors=(None, 4))
SCHEDULES: dict[str, tuple[str | Primitive, ...]] = {
    "split": (SUM, BY_FOUR),
    "outer": (SUM, BY_FOUR, Reorder(loops=("k_0", "i", "k_1"))),
    "padded": (SUM, Split(loop="k", factors=(4, None)), Reorder(loops=("k_0", "i"))),
    "decomposed": (SUM, DecomposeReduction(block="S", loop="k")),
    "decomposed outside": (SUM, BY_FOUR, DecomposeReduction(block="S", loop="i")),
    "factored": (SUM, BY_FOUR, Rfactor(loop="k_1")),
    "factored outside": (SUM, BY_FOUR, Rfactor(loop="k_0")),
    "blockized": (SUM, BY_FOUR, Blockize("f", "k_1")),
    "fused reductions": (SUM, BY_FOUR, Fuse(loops=("k_0", "k_1"))),
    "fused": (SUM, DecomposeReduction(block="S", loop="i"), Fuse(loops=("i", "k"))),
    "moved": (TWICE, ComputeAt(block="S", loop="j")),
    "moved whole": (TWICE, BY_FOUR, ComputeAt(block="S", loop="j")),
}


@pytest.mark.parametrize("n", [0, 1, 6])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_sum_of_nothing_stays_zero(name: str, n: int) -> None:
    text, *steps = SCHEDULES[name]
    assert isinstance(text, str)
    primitives = [step for step in steps if isinstance(step, Primitive)]
    after = applied(parse(text), *primitives, n=n)
    function = after.tensor_functions["f"]
    data = np.ones((4, n), np.float32)
    expected = data.sum(1) * (2 if text is TWICE else 1)
    for found in (interpreted(function, data), native(function, data)):
        np.testing.assert_array_equal(found, expected)


def interpreted(function: TensorFunction, data: np.ndarray) -> np.ndarray:
    result = np.full(4, 7, np.float32)
    run_tensor_function(function, [data, result])
    return result


def native(function: TensorFunction, data: np.ndarray) -> np.ndarray:
    result = np.full(4, 7, np.float32)
    assert Native(function)(data, result) == 0
    return result


def test_a_reduction_fused_with_another_loop_may_lose_its_initial_value() -> None:
    fuse = Fuse(loops=("i", "k"))
    answer = answer_of(fuse, Scope.of(parse(SUM), "f"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "it is not proved that `S` has something to reduce: else `S` would not get its initial "
        "value"
    )
    assert "decompose_reduction" in answer.hint
    applied(parse(SUM.replace('"n"', "6").replace("T.grid(4, n)", "T.grid(4, 6)")), fuse)


def test_an_init_in_instances_alone_stays_one() -> None:
    odd = SUM.replace("for i, k in T.grid(4, n)", "for f in range(4 * n)")
    odd = odd.replace(
        'vi, vk = T.axis.remap("SR", [i, k])',
        "vi = T.axis.spatial(4, f // n)\n            vk = T.axis.reduce(n, f % n)",
    )
    after = applied(parse(odd), Split(loop="f", factors=(None, 4)), n=0)
    untouched = interpreted(after.tensor_functions["f"], np.ones((4, 0), np.float32))
    np.testing.assert_array_equal(untouched, np.full(4, 7, np.float32))


def test_an_init_inside_a_reduction_loop_that_may_be_empty_is_not_decomposed_there() -> None:
    steps = BY_FOUR, Reorder(loops=("k_0", "i", "k_1"))
    module = applied(parse(SUM), *steps, n=3)
    answer = answer_of(DecomposeReduction(block="S", loop="k_1"), Scope.of(module, "f"))
    assert not answer.applies
    answer = answer_of(DecomposeReduction(block="S", loop="k_0"), Scope.of(module, "f"))
    assert answer.applies


def test_a_reader_stays_behind_an_init_of_nothing() -> None:
    """The reader runs with `n == 0` alone, and finds what the init stored."""
    text = TWICE.replace("for j in range(4)", "for j in range(4 * (n == 0))")
    text = text.replace("range(4 * (n == 0))", "range(T.if_then_else(n == 0, 4, 0))")
    found = dependences(parse(text).tensor_functions["f"])
    init, update, reader = found.statements
    assert init.is_init
    assert found.conflict([init.index], [reader.index]).kind is AnswerKind.ILLEGAL
    assert found.conflict([update.index], [reader.index]).kind is not AnswerKind.ILLEGAL


GUARDED = """
@T.prim_func
def f(n: T.int64, A: T.Buffer((4, 8), "float32"), D: T.Buffer((4,), "float32")):
    S = T.alloc_buffer((4,), "float32")
    for x in range(4):
        S[x] = T.float32(5)
    for i, k in T.grid(4, 8):
        with T.block("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            T.where(k < n)
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
    for j in range(4):
        with T.block("D"):
            vj = T.axis.spatial(4, j)
            D[vj] = S[vj] * T.float32(2)
"""
BRANCH = GUARDED.replace("            T.where(k < n)\n", "").replace(
    """        with T.block("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
""",
    """        if k < n:
            with T.block("S"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    S[vi] = T.float32(0)
                S[vi] = S[vi] + A[vi, vk]
""",
)


@pytest.mark.parametrize(("text", "nothing"), [(GUARDED, 0), (BRANCH, 10)])
def test_conditions_on_the_reduction_count_whatever_is_done(text: str, nothing: int) -> None:
    """A condition keeps the init in instances where it is a branch, not as a predicate."""
    module = parse(text)
    scope = Scope.of(module, "f")
    places = (*scope.loops, *scope.blocks)
    offers = [offer for kind in PRIMITIVES for at in places for offer in kind.offers(scope, at)]
    taken = [offer for offer in offers if answer_of(offer, scope).applies]
    assert len(taken) > 20
    results = {offer: offer.rewrite(Scope.of(module, "f")).function for offer in taken}
    for n, expected in ((0, nothing), (1, 2), (5, 10)):
        for offer, function in results.items():
            found = np.full(4, 7, np.float32)
            run_tensor_function(function, [np.ones((4, 8), np.float32), found], [n])
            assert found.tolist() == [expected] * 4, offer
