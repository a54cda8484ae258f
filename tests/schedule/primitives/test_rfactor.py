from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.schedule import scripts, stages
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.rfactor import Rfactor
from workbench.schedule.primitives.split import Split
from workbench.script import parse
from workbench.support import CompileError

FLOATS = stages.ROW_SUMS.replace("DTYPE", "float32")
SPLIT = Split(loop="k", factors=(None, 8))


def test_partial_sums_by_the_whole_loop() -> None:
    after = applied(parse(FLOATS), Rfactor(loop="k", factor_axis=0))
    assert body(after).startswith(
        """\
for i, k in T.grid(4, 20):
    with T.sblock("S_rf"):
        v_k, vi = T.axis.remap("SS", [k, i])
        with T.init():
            S_rf[v_k, vi] = T.float32(0.0)
        S_rf[v_k, vi] = S_rf[v_k, vi] + A[vi, v_k]
"""
    )


@pytest.mark.parametrize("loop", ["k_0", "k_1"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_of_two_loops_that_do_not_divide(loop: str, axis: int) -> None:
    applied(parse(FLOATS), SPLIT, Rfactor(loop=loop, factor_axis=axis))


def test_integers_are_exact_and_sums_of_floats_are_marked() -> None:
    for dtype, marked in (("float32", True), ("int32", False)):
        module = parse(stages.ROW_SUMS.replace("DTYPE", dtype))
        assert answered(module, Rfactor(loop="k")).reassociates is marked
        applied(module, Rfactor(loop="k"))


@pytest.mark.parametrize(
    ("dtype", "update", "reassociates"),
    [
        ("float32", "T.max(S[vi], A[vi, vk])", True),
        ("float32", "T.min(A[vi, vk], S[vi])", True),
        ("float32", "S[vi] * A[vi, vk]", True),
        ("int8", "T.max(S[vi], A[vi, vk])", False),
        ("uint8", "T.min(S[vi], A[vi, vk])", False),
        ("int64", "T.min(S[vi], A[vi, vk])", False),
        ("bool", "S[vi] and A[vi, vk]", False),
        ("bool", "A[vi, vk] or S[vi]", False),
    ],
)
def test_operations(dtype: str, update: str, *, reassociates: bool) -> None:
    text = stages.ROW_SUMS.replace("T.DTYPE(0)", "A[vi, 3]").replace("DTYPE", dtype)
    module = parse(text.replace("S[vi] + A[vi, vk]", update))
    assert answered(module, Rfactor(loop="k")).reassociates is reassociates
    applied(module, SPLIT, Rfactor(loop="k_1"))


def test_the_initial_value_counts_once() -> None:
    text = FLOATS.replace("T.float32(0)", "T.float32(100)")
    applied(parse(text), SPLIT, Rfactor(loop="k_0"))


def test_a_matmul() -> None:
    after = applied(parse(scripts.MATMUL), Rfactor(loop="k", factor_axis=2))
    assert 'C_rf = T.sblock_alloc_buffer((6, 8, 5), "float32")' in wb.script.print_module(after)


def test_the_factored_loop_may_run_at_once() -> None:
    module = applied(parse(FLOATS), SPLIT)
    refused = answered(module, Parallel(loop="k_0"))
    assert refused.kind is AnswerKind.ILLEGAL
    factored = applied(module, Rfactor(loop="k_0"))
    applied(factored, Parallel(loop="S_rf.k_0"))
    applied(factored, Reorder(loops=("k_0", "S_rf.i")), Parallel(loop="k_0"))


def test_lanes(rng: np.random.Generator) -> None:
    schedule = Schedule(parse(FLOATS))
    _, inner = schedule.split("k", [None, 4])
    schedule.rfactor(inner, 1)
    schedule.vectorize(inner)
    array = rng.normal(size=(4, 20)).astype(np.float32)
    found = np.zeros(4, np.float32)
    wb.build(schedule.module)(array, found, function="f")
    np.testing.assert_allclose(found, array.sum(1), rtol=1e-5, atol=1e-5)


def test_the_partial_sums_can_move() -> None:
    order = Reorder(loops=("k_1", "k_0"))
    applied(
        parse(FLOATS),
        SPLIT,
        Rfactor(loop="k_1", factor_axis=1),
        order,
        ComputeAt(block="S_rf", loop="i_1"),
    )


@pytest.mark.parametrize(("n", "m"), [(3, 9), (2, 1), (0, 3), (2, 0)])
def test_symbolic_extents(n: int, m: int) -> None:
    text = FLOATS.replace("(4, 20)", '("n", "m")', 1).replace("(4,)", '("n",)')
    text = text.replace("T.grid(4, 20)", "T.grid(n, m)")
    text = text.replace("    for", "    n = T.int64()\n    m = T.int64()\n    for", 1)
    applied(parse(text), Split(loop="k", factors=(None, 4)), Rfactor(loop="k_1"), n=n, m=m)


def test_an_operation_that_is_not_associative() -> None:
    text = FLOATS.replace("S[vi] + A[vi, vk]", "A[vi, vk] - S[vi]")
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "`S` is no reduction of the form `S[...] = S[...] op x` with an associative and "
        "commutative operation"
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize(
    "update",
    ["S[vi] - A[vi, vk]", "S[vi] + A[vi, vk] - A[vi, 0]", "A[vi, vk] - (A[vi, 3] - S[vi])"],
)
def test_several_operands_and_differences(update: str, dtype: str) -> None:
    text = stages.ROW_SUMS.replace("DTYPE", dtype).replace("S[vi] + A[vi, vk]", update)
    applied(parse(text), SPLIT, Rfactor(loop="k_1"))


def test_a_loop_that_reduces_nothing() -> None:
    answer = answered(parse(FLOATS), Rfactor(loop="i"))
    assert answer.message == "the loop `i` is no reduction loop of `S`"


def test_a_loop_without_a_reduction() -> None:
    answer = answered(parse(stages.ELEMENTWISE), Rfactor(loop="C.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "there is no reduction under the loop `i`"


def test_an_operand_that_reads_the_sum() -> None:
    text = FLOATS.replace("+ A[vi, vk]", "+ A[vi, vk] * S[vi]")
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "`S` reads `S` beside its update, expected operands that the reduction does not write"
    )


def test_an_axis_that_is_none() -> None:
    with pytest.raises(CompileError) as raised:
        Schedule(parse(FLOATS)).rfactor("k", 2)
    assert raised.value.diagnostics[0].code == "schedule/bad-axis"
    assert "expected `-2` to `1`" in raised.value.diagnostics[0].message


def test_under_a_parallel_loop_each_iteration_has_partial_results_of_its_own() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4, 20), "int32"), S: T.Buffer((4,), "int32"), R: T.Buffer((4,), "int32")):
    for i in T.parallel(4):
        for k in range(20):
            with T.sblock("S"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    S[vi] = T.int32(0)
                S[vi] = S[vi] + A[vi, vk]
        R[i] = S[i] * T.int32(2)
"""
    after = applied(parse(text), Rfactor(loop="k"))
    begin = 'for i in T.parallel(4):\n    with T.alloc_buffer((20, 4), "int32") as S_rf:\n'
    assert body(after).startswith(begin)


INSTANCES = """
@T.prim_func
def f(A: T.Buffer((4, 12), "float32"), C: T.Buffer((4,), "float32")):
    for i, k, l in T.grid(4, 6, 1):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            vk = T.axis.reduce(12, k)
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""
INNER_SPATIAL = INSTANCES.replace("for i, k, l in T.grid(4, 6, 1)", "for k, i in T.grid(6, 4)")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("5 - k", AnswerKind.INAPPLICABLE, "the axis `vk` of `C` begins at `5`, not at `0`"),
        ("k + 1", AnswerKind.INAPPLICABLE, "the axis `vk` of `C` begins at `1`, not at `0`"),
        ("k // 2 * 2", AnswerKind.ILLEGAL, "the init of `C` runs at `k = 0` and again at `k = 1`"),
        ("k // 2", AnswerKind.ILLEGAL, "the init of `C` runs at `k = 0` and again at `k = 1`"),
        ("k % 3", AnswerKind.ILLEGAL, "the init of `C` runs at `k = 0` and again at `k = 3`"),
    ],
)
def test_an_init_that_does_not_run_once_and_first(
    value: str, kind: AnswerKind, message: str
) -> None:
    answer = answered(parse(INSTANCES.replace("(12, k)", f"(12, {value})")), Rfactor(loop="k"))
    assert answer.kind is kind
    assert answer.message.startswith(message)
    assert bool(answer.notes) == (kind is AnswerKind.ILLEGAL)


@pytest.mark.parametrize("value", ["k", "k * 2", "k * 2 + l"])
def test_an_init_that_runs_once_and_first(value: str) -> None:
    text = INSTANCES.replace("(12, k)", f"(12, {value})").replace("6, 1)", "6, 2)")
    text = text if "l" in value else text.replace("6, 2)", "6, 1)")
    applied(parse(text), Rfactor(loop="k"))


def test_a_loop_that_repeats_the_reduction() -> None:
    text = INSTANCES.replace("6, 1)", "6, 3)")
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "it is not proved that the loops around `C` that do not reduce lead to different elements "
        "of `C`"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("C[vi]", "C[vi // 2]"), ("C[vi]", "C[0]"), ("(4, i)", "(4, i // 2)")],
)
def test_elements_that_share_an_init(old: str, new: str) -> None:
    applied(parse(INNER_SPATIAL), Rfactor(loop="k"))
    answer = answered(parse(INNER_SPATIAL.replace(old, new)), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.UNPROVED


def test_a_result_at_a_reduction_axis() -> None:
    text = INNER_SPATIAL.replace("C[vi]", "C[vi + vk]").replace(
        "C: T.Buffer((4,)", "C: T.Buffer((16,)"
    )
    assert answered(parse(text), Rfactor(loop="k")).kind is AnswerKind.UNPROVED


@pytest.mark.parametrize("loops", ["for l in range(3):\n        for k in range(l, l + 4)"])
def test_a_loop_that_starts_where_another_says(loops: str) -> None:
    text = INSTANCES.replace("for i, k, l in T.grid(4, 6, 1)", loops)
    head, _, rest = text.partition("l + 4):\n")
    text = head + "l + 4):\n" + "\n".join(f"    {x}" for x in rest.splitlines())
    text = text.replace("(4, i)", "(4, 0)").replace("(12, k)", "(12, l * 4 + k - l)")
    answer = answered(parse(text), Rfactor(loop="k"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "depends on" in answer.message


@pytest.mark.parametrize("n", [0, 3, 5, 9])
@pytest.mark.parametrize("loop", ["k", "k_0"])
def test_a_loop_whose_extent_may_be_negative(n: int, loop: str) -> None:
    text = FLOATS.replace("(4, 20)", '(4, "n")', 1).replace("T.grid(4, 20)", "T.grid(4, n - 5)")
    text = text.replace("    for", "    n = T.int64()\n    for", 1)
    applied(parse(text), *([SPLIT] if loop == "k_0" else []), Rfactor(loop=loop), n=n)


def test_the_largest_of_zeros_of_both_signs() -> None:
    """Another order may give the other zero: marked, as `applied` would find to the bit."""
    text = FLOATS.replace("S[vi] + A[vi, vk]", "T.max(S[vi], A[vi, vk] * T.float32(0))")
    applied(parse(text), SPLIT, Rfactor(loop="k_1"))
    assert answered(applied(parse(text), SPLIT), Rfactor(loop="k_1")).reassociates
