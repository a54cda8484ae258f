from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.schedule import scripts
from tests.schedule.checks import answered, applied, arrays_of, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.interpret import run_tensor_function
from workbench.schedule import Primitive, Schedule
from workbench.schedule.primitives.bind import Bind
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.rfactor import Rfactor
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.store_at import StoreAt
from workbench.schedule.primitives.unroll import Unroll
from workbench.schedule.primitives.vectorize import Vectorize
from workbench.script import parse
from workbench.support import CompileError

CONCURRENT = (Parallel(loop="i"), Vectorize(loop="i"), Bind(loop="i", thread_axis="threadIdx.x"))


@pytest.mark.parametrize(
    ("primitive", "words"),
    [
        (Parallel(loop="i"), "for i in T.parallel(6):"),
        (Vectorize(loop="j"), "for j in T.vectorized(8):"),
        (Unroll(loop="k"), "for k in T.unroll(5):"),
        (Bind(loop="i", thread_axis="blockIdx.x"), 'for i in T.thread_binding(6, thread="blockId'),
    ],
)
def test_the_kind_changes_and_nothing_else(primitive: Primitive, words: str) -> None:
    after = applied(parse(scripts.MATMUL), primitive)
    assert words in body(after)
    assert body(after).count("C[vi, vj]") == 3


@pytest.mark.parametrize("primitive", CONCURRENT)
@pytest.mark.parametrize(
    "text", [scripts.STENCIL, scripts.GATHER, scripts.GUARDED, scripts.PAIR, scripts.PADDED]
)
def test_independent_iterations(primitive: Primitive, text: str) -> None:
    applied(parse(text), primitive)


@pytest.mark.parametrize("primitive", CONCURRENT)
def test_symbolic_extents(primitive: Primitive) -> None:
    applied(parse(scripts.SYMBOLIC), primitive, n=5, m=3)


@pytest.mark.parametrize("primitive", CONCURRENT)
def test_a_scan_is_refused_with_a_witness(primitive: Primitive) -> None:
    answer = answered(parse(scripts.SCAN), primitive)
    assert answer.kind is AnswerKind.ILLEGAL
    assert "`i`" in answer.message
    assert any("i=2" in note and "A[1, 0]" in note for note in answer.notes), answer.notes


@pytest.mark.parametrize("kind", [Parallel, Vectorize])
def test_a_reduction_is_refused_with_what_helps(kind: type[Parallel | Vectorize]) -> None:
    answer = answered(parse(scripts.MATMUL), kind(loop="k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.hint == "`rfactor` gives each iteration a part of the reduction"


@pytest.mark.parametrize(
    ("index", "hint"),
    [
        (
            "T.if_then_else(A[vi, vk] > V[vi], vk, I[vi])",
            "`rfactor` gives each iteration a part of the reduction",
        ),
        (
            "I[vi] * 2 + vk",
            "`rfactor` does not help here: `am` is no reduction that updates each of `I` by an "
            "operation or by choosing between it and an operand of its own",
        ),
    ],
)
def test_a_reduction_of_two_elements_is_refused_with_what_helps(index: str, hint: str) -> None:
    text = scripts.ARGMAX.replace("T.if_then_else(A[vi, vk] > V[vi], vk, I[vi])", index)
    answer = answered(parse(text), Parallel(loop="k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.hint == hint
    assert answered(parse(text), Rfactor(loop="k")).applies == ("gives" in hint)


@pytest.mark.parametrize("primitive", CONCURRENT)
def test_a_scatter_is_unproved(primitive: Primitive) -> None:
    answer = answered(parse(scripts.SCATTER), primitive)
    assert answer.kind is AnswerKind.UNPROVED
    assert "B[I[" in answer.message


@pytest.mark.parametrize(
    ("text", "loop", "words"),
    [
        (scripts.TRIANGLE, "i", "the extent of `j` inside depends on it"),
        (
            """
@T.prim_func
def f(A: T.Buffer((6,), "float32")):
    for i in range(6):
        t = T.alloc_buffer((2,), "float32")
        t[0] = A[i]
        A[i] = t[0]
""",
            "i",
            "a buffer `t` of its own",
        ),
        (
            """
@T.prim_func
def f(A: T.Buffer((6,), "float32")):
    for i in range(6):
        while A[i] < T.float32(0):
            A[i] = A[i] + T.float32(1)
""",
            "i",
            "a `while` loop inside",
        ),
    ],
)
def test_lanes_go_the_same_way(text: str, loop: str, words: str) -> None:
    answer = answered(parse(text), Vectorize(loop=loop))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert words in answer.message


def test_lanes_inside_lanes() -> None:
    schedule = Schedule(parse(scripts.PAIR))
    schedule.vectorize("j")
    assert (
        "`j` inside is vectorized already" in answered(schedule.module, Vectorize(loop="i")).message
    )
    other = Schedule(parse(scripts.PAIR))
    other.vectorize("i")
    assert "`i` around it is vectorized" in answered(other.module, Vectorize(loop="j")).message


def test_unrolling_needs_a_constant() -> None:
    answer = answered(parse(scripts.SYMBOLIC), Unroll(loop="j"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "the extent of `j` is not constant" in answer.message
    assert "split" in answer.hint
    applied(
        parse(scripts.SYMBOLIC), Split(loop="j", factors=(None, 2)), Unroll(loop="j_1"), n=3, m=5
    )


def test_one_axis_of_threads_for_one_loop_of_a_nest() -> None:
    schedule = Schedule(parse(scripts.PAIR))
    schedule.bind("i", "threadIdx.x")
    answer = answered(schedule.module, Bind(loop="j", thread_axis="threadIdx.x"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "`i` is bound to `threadIdx.x` already" in answer.message
    assert answered(schedule.module, Bind(loop="j", thread_axis="threadIdx.y")).applies


def test_an_axis_of_threads_that_is_none() -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.PAIR), Bind(loop="i", thread_axis="threadIdx.w"))
    assert error.value.diagnostics[0].code == "schedule/bad-thread"
    assert "threadIdx.x" in error.value.diagnostics[0].hint


def test_a_loop_that_is_not_there() -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.PAIR), Parallel(loop="q"))
    assert error.value.diagnostics[0].code == "schedule/no-such-loop"
    assert "`i`, `j`" in error.value.diagnostics[0].notes[0]


def test_native_code_of_a_schedule_computes_the_same() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    i, j, k = schedule.get_loops("C")
    i_0, i_1 = schedule.split(i, [None, 4])
    j_0, j_1 = schedule.split(j, [None, 4])
    schedule.reorder(i_0, j_0, k, i_1, j_1)
    schedule.loop_partition(k, [1, None])
    schedule.parallel(schedule.fuse(i_0, j_0))
    schedule.unroll("i_1")
    schedule.vectorize("j_1")
    schedule.bind("i_1_1", "threadIdx.x")
    expected = arrays_of(only(module), {})
    found = [array.copy() for array in expected]
    run_tensor_function(only(module), expected)
    wb.build(schedule.module)(*found, function="f")
    np.testing.assert_allclose(found[-1], expected[-1], rtol=1e-5, atol=1e-5)


def test_native_code_of_symbolic_loops() -> None:
    for n, m in ((0, 3), (5, 7), (9, 16)):
        module = parse(scripts.SYMBOLIC)
        schedule = Schedule(module)
        schedule.split("j", [None, 4])
        schedule.vectorize("j_1")
        schedule.loop_partition("i", [2, None, 1])
        schedule.fuse("i_1", "j_0_1")
        expected = arrays_of(only(module), {"n": n, "m": m})
        found = [array.copy() for array in expected]
        run_tensor_function(only(module), expected)
        wb.build(schedule.module)(*found, function="f")
        np.testing.assert_array_equal(found[-1], expected[-1])


@pytest.mark.parametrize("where", ["k == 3", "k > 6", "k % 8 == 5", "k > 6 and i > 1"])
def test_an_init_that_runs_before_the_loop_is_in_no_iteration(where: str) -> None:
    """The first iteration does nothing: elements are initialised before all of them."""
    text = FIRST_LEFT_OUT.replace("WHERE", where)
    applied(parse(text), Parallel(loop="k"))


def test_updates_in_several_iterations_are_named_though_the_first_is_left_out() -> None:
    answer = answered(parse(FIRST_LEFT_OUT.replace("WHERE", "k > 0")), Parallel(loop="k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "the iterations of `k` update the same element of `S`, a sum"
    assert answer.notes == ("`k=2` writes `S[0]`, which `k=1` reads",)


FIRST_LEFT_OUT = """
@T.prim_func
def f(A: T.Buffer((8, 4), "int32"), S: T.Buffer((4,), "int32")):
    for k, i in T.grid(8, 4):
        with T.sblock("S"):
            vi = T.axis.spatial(4, i)
            vk = T.axis.reduce(8, k)
            T.where(WHERE)
            with T.init():
                S[vi] = T.int32(5)
            S[vi] = S[vi] + A[vk, vi]
"""


SCRATCH = """
@T.prim_func
def f(A: T.Buffer((8, 4), "float32"), C: T.Buffer((8, 4), "float32")):
    B = T.alloc_buffer((4,), "float32")
    for i in range(8):
        for j in range(4):
            B[j] = A[i, j] * T.float32(2)
        for j in range(4):
            C[i, j] = B[3 - j]
"""


def test_a_buffer_that_iterations_could_have_for_themselves_is_told() -> None:
    module = parse(SCRATCH)
    answer = answered(module, Parallel(loop="i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.hint == '`store_at("B", "i")` gives each iteration a `B` of its own'
    applied(module, StoreAt(buffer="B", loop="i"), Parallel(loop="i"))
    kept = parse(SCRATCH.replace("    for i in", "    B[0] = A[0, 0]\n    for i in"))
    assert not answered(kept, Parallel(loop="i")).hint
    assert "store_at" not in answered(module, Vectorize(loop="i")).hint


def test_what_lanes_cannot_have_is_told_with_what_helps() -> None:
    text = SCRATCH.replace('    B = T.alloc_buffer((4,), "float32")\n', "").replace(
        "        for j in range(4):\n            B",
        '        B = T.alloc_buffer((4,), "float32")\n        for j in range(4):\n            B',
    )
    answer = answered(parse(text), Vectorize(loop="i"))
    assert answer.message == "`i` cannot run in lanes: each iteration has a buffer `B` of its own"
    assert answer.hint.startswith("a scalar that is set once can be a `T.let`")
