from __future__ import annotations

import pytest

from tests.schedule import in_place, stages
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import Block
from workbench.schedule import Primitive
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.schedule.primitives.split import Split
from workbench.schedule.scope import walk_statements
from workbench.script import parse


def test_a_consumer_joins_each_row() -> None:
    after = applied(parse(stages.MATMUL_RELU), ReverseComputeAt(block="D", loop="C.i"))
    assert body(after).startswith("for i in range(6):\n    for j, k in T.grid(8, 5):")
    assert '    for ax0 in range(8):\n        with T.sblock("D"):' in body(after)


def test_after_the_last_update_of_each_element() -> None:
    after = applied(parse(stages.MATMUL_RELU), ReverseComputeAt(block="D", loop="C.j"))
    assert body(after).startswith("for i, j in T.grid(6, 8):\n    for k in range(5):")


def test_a_stencil_runs_once_its_last_input_is_there() -> None:
    after = applied(parse(stages.BLUR), ReverseComputeAt(block="by", loop="bx.i"))
    assert "vi = T.axis.spatial(18, i - 2)" in body(after)
    assert "T.where(i - 2 >= 0)" in body(after)


def test_tiles_that_do_not_divide_get_a_predicate() -> None:
    after = applied(
        parse(stages.ELEMENTWISE),
        Split(loop="B.i", factors=(None, 5)),
        ReverseComputeAt(block="C", loop="i_0"),
    )
    assert "T.where(i_0 * 5 + ax0 < 16)" in body(after)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (9, 4), (0, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    split = Split(loop="bx.i", factors=(None, 4))
    applied(parse(stages.SYMBOLIC_BLUR), split, ReverseComputeAt(block="by", loop="i_0"), n=n, m=m)


def test_a_reduction_of_what_is_produced_step_by_step() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), S: T.Buffer((6,), "float32")):
    B = T.sblock_alloc_buffer((6, 5), "float32")
    for i, j in T.grid(6, 5):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, k in T.grid(6, 5):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + B[vi, vk]
"""
    whole = applied(parse(text), ReverseComputeAt(block="S", loop="B.i"))
    assert '    for k in range(5):\n        with T.sblock("S"):' in body(whole)
    steps = applied(parse(text), ReverseComputeAt(block="S", loop="B.j"))
    assert 'vi, vk = T.axis.remap("SR", [i, j])' in body(steps)
    backwards = text.replace("B[vi, vk]", "B[vi, 4 - vk]")
    answer = answered(parse(backwards), ReverseComputeAt(block="S", loop="B.j"))
    assert answer.kind is AnswerKind.ILLEGAL
    applied(parse(backwards), ReverseComputeAt(block="S", loop="B.i"))


def test_before_the_reduction_is_complete() -> None:
    answer = answered(parse(stages.MATMUL_RELU), ReverseComputeAt(block="D", loop="k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`D` would read `C[vi, vj]` before `C` writes it"
    assert answer.notes == ("the read at i=0, j=0 would come before the write at i=0, j=0, k=1",)


def test_two_producers() -> None:
    after = applied(
        parse(stages.TWO_READERS),
        ReverseComputeAt(block="C", loop="B.i"),
        ReverseComputeAt(block="D", loop="B.i"),
    )
    assert body(after).count("for i in range(8):") == 1


def test_all_instances_once_the_last_row_is_there_that_they_read() -> None:
    text = stages.BLUR.replace("by[vi, vj] = bx[vi, vj]", "by[vi, vj] = bx[0, vj]").replace(
        " + bx[vi + 1, vj] + bx[vi + 2, vj]", " * bx[1, vj]"
    )
    after = applied(parse(text), ReverseComputeAt(block="by", loop="bx.i"))
    assert "T.where(1 == i)" in body(after)


PARTS = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), C: T.Buffer((6,), "float32")):
    B = T.alloc_buffer((6,), "float32")
    for i in range(4):
        with T.sblock("low"):
            vi = T.axis.spatial(4, i)
            B[vi] = A[vi]
    for j in range(2):
        with T.sblock("high"):
            vi = T.axis.spatial(2, j)
            B[vi + 4] = A[vi + 4]
    for i in range(6):
        with T.sblock("C"):
            vi = T.axis.spatial(6, i)
            C[vi] = B[vi] * T.float32(2)
"""


@pytest.mark.parametrize(("loop", "missing"), [("low.i", 4), ("high.j", 0)])
def test_instances_that_the_loop_does_not_reach(loop: str, missing: int) -> None:
    answer = answered(parse(PARTS), ReverseComputeAt(block="C", loop=loop))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "not each instance of `C` would run once"
    assert answer.notes == (f"an instance is vi = {missing}",)


SUMS = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), C: T.Buffer((6,), "float32")):
    S = T.alloc_buffer((6,), "float32")
    for i, k in T.grid(6, 5):
        with T.sblock("S"):
            vi = T.axis.spatial(6, i)
            vk = T.axis.reduce(5, k)
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
    for i in range(6):
        with T.sblock("C"):
            vi = T.axis.spatial(6, i)
            C[vi] = S[vi] * T.float32(2)
"""


@pytest.mark.parametrize("order", ["5, k", "5, 4 - k"])
def test_a_fused_sum_is_complete_at_its_last_update(order: str) -> None:
    fuse = Fuse(loops=("S.i", "S.k"))
    module = applied(parse(SUMS.replace("5, k", order)), fuse)
    after = applied(module, ReverseComputeAt(block="C", loop="i_k_fused"))
    assert "T.where(i_k_fused // 5 * 5 + 4 == i_k_fused)" in body(after)


@pytest.mark.parametrize("factor", [2, 4, 7])
@pytest.mark.parametrize("loop", ["i_k_fused_0", "i_k_fused_1"])
@pytest.mark.parametrize("order", ["5, k", "5, 4 - k"])
def test_a_fused_sum_that_was_split(factor: int, loop: str, order: str) -> None:
    module = applied(
        parse(SUMS.replace("5, k", order)),
        Fuse(loops=("S.i", "S.k")),
        Split(loop="i_k_fused", factors=(None, factor)),
    )
    applied(module, ReverseComputeAt(block="C", loop=loop))


@pytest.mark.parametrize("order", ["5, k", "5, 4 - k"])
def test_under_a_loop_within_that_of_the_sum(order: str) -> None:
    text = SUMS.replace("i, k in T.grid(6, 5)", "k, i in T.grid(5, 6)").replace("5, k", order)
    after = applied(parse(text), ReverseComputeAt(block="C", loop="S.i"))
    assert "T.where(4 == k)" in body(after)


@pytest.mark.parametrize(
    ("loops", "fuse", "loop", "latest"),
    [
        ("i, k in T.grid(6, 5)", (), "S.i", "ax0, 5 - ax0) == i"),
        (
            "i, k in T.grid(6, 5)",
            ("S.i", "S.k"),
            "i_k_fused",
            "ax0 * 5 + 4, 29 - ax0 * 5) == i_k_fused",
        ),
        ("k, i in T.grid(5, 6)", (), "S.i", "ax0 + 24, 29 - ax0) == k * 6 + i"),
    ],
)
def test_two_elements_are_there_in_the_last_iteration_of_them(
    loops: str, fuse: tuple[str, ...], loop: str, latest: str
) -> None:
    text = SUMS.replace("i, k in T.grid(6, 5)", loops).replace("* T.float32(2)", "* S[5 - vi]")
    module = parse(text)
    if fuse:
        module = applied(module, Fuse(loops=fuse))
    after = applied(module, ReverseComputeAt(block="C", loop=loop))
    assert f"T.where(T.max({latest})" in body(after)


def test_an_element_that_several_blocks_write() -> None:
    """The later of their iterations: rows are filled from the front, and updated from the end."""
    text = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), C: T.Buffer((6,), "float32")):
    B = T.alloc_buffer((6,), "float32")
    for i in range(9):
        with T.sblock("fill"):
            vi = T.axis.spatial(6, i)
            T.where(i < 6)
            B[vi] = A[vi]
        with T.sblock("more"):
            vi = T.axis.spatial(6, 8 - i)
            T.where(i >= 3)
            B[vi] = A[vi] * T.float32(3)
    for i in range(6):
        with T.sblock("C"):
            vi = T.axis.spatial(6, i)
            C[vi] = B[vi] * T.float32(2)
"""
    after = applied(parse(text), ReverseComputeAt(block="C", loop="fill.i"))
    assert "T.max(T.min(i, 8 - i) + ax0_1, 8 - T.min(i, 8 - i) - ax0_1) == i" in body(after)


TRANSPOSED = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), C: T.Buffer((6, 4), "float32")):
    B = T.alloc_buffer((4, 6), "float32")
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(4, 6):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vj, vi] = B[vi, vj] + T.float32(1)
"""


@pytest.mark.parametrize("factor", [2, 4, 5, 7, 24])
@pytest.mark.parametrize("read", ["B[vi, vj]", "B[3 - vi, vj]", "B[3 - vi, 5 - vj]"])
def test_under_a_fused_loop_split_where_no_row_ends(factor: int, read: str) -> None:
    """What one iteration writes is no box: the instances of the box that read it are selected."""
    module = applied(
        parse(TRANSPOSED.replace("B[vi, vj] + T", f"{read} + T")),
        Fuse(loops=("B.i", "B.j")),
        Split(loop="i_j_fused", factors=(None, factor)),
    )
    after = applied(module, ReverseComputeAt(block="C", loop="i_j_fused_0"))
    applied(after, Parallel(loop="i_j_fused_0"))


@pytest.mark.parametrize("factor", [5, 7])
def test_two_elements_of_different_iterations_of_a_fused_loop(factor: int) -> None:
    module = applied(
        parse(TRANSPOSED.replace("B[vi, vj] + T", "B[vi, vj] * B[3 - vi, vj] + T")),
        Fuse(loops=("B.i", "B.j")),
        Split(loop="i_j_fused", factors=(None, factor)),
    )
    after = applied(module, ReverseComputeAt(block="C", loop="i_j_fused_0"))
    assert "T.max(" in body(after)


MIRRORED = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), C: T.Buffer(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    B = T.alloc_buffer((n, m), "float32")
    for i, j in T.grid(n, m):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(n, m):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] * B[n - 1 - vi, m - 1 - vj]
"""


@pytest.mark.parametrize(("n", "m"), [(3, 4), (4, 3), (1, 5), (0, 2), (2, 1)])
def test_two_elements_of_different_iterations_of_symbolic_loops(n: int, m: int) -> None:
    after = applied(parse(MIRRORED), ReverseComputeAt(block="C", loop="B.j"), n=n, m=m)
    assert "(ax0 < i or ax0 == i and ax1 <= j)" in body(after)


def test_an_iteration_that_is_not_found_is_no_conflict() -> None:
    """In some iteration both elements are there: that none was found is not illegal."""
    text = PARTS.replace("B[vi] = A", "B[vi * 3 % 4] = A").replace("B[vi] *", "B[3 - vi] * B[vi] *")
    module = parse(text.replace("range(6)", "range(4)").replace("spatial(6", "spatial(4"))
    answer = answered(module, ReverseComputeAt(block="C", loop="low.i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "it is not proved in which iteration of `i` everything is there that `C` reads of `B`"
    )


def test_nothing_there_writes_what_it_reads() -> None:
    answer = answered(parse(stages.BLUR), ReverseComputeAt(block="bx", loop="by.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "nothing under the loop `i` writes what `bx` reads"


def test_a_gather_may_read_what_is_not_there_yet() -> None:
    answer = answered(parse(stages.GATHERED), ReverseComputeAt(block="C", loop="B.i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert any("I[" in note for note in answer.notes)


def test_the_block_keeps_its_id() -> None:
    module = parse(stages.ELEMENTWISE)
    after = applied(module, ReverseComputeAt(block="C", loop="B.i"))
    ids = [
        {x.id for x in walk_statements(only(m).body) if isinstance(x, Block)}
        for m in (module, after)
    ]
    assert ids[0] == ids[1]


WRAPPED = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), C: T.Buffer(("n",), "float32")):
    n = T.int64()
    B = T.sblock_alloc_buffer((n,), "float32")
    for i in range(T.max(n * 2 - 1, 0), n * 2):
        with T.sblock("B"):
            vi = T.axis.spatial(n, i % n)
            B[vi] = A[vi] * T.float32(2)
    for j in range(n - 1):
        with T.sblock("C"):
            vj = T.axis.spatial(n, j)
            C[vj] = B[vj] + T.float32(1)
"""


def test_instances_of_a_loop_that_wraps_round_are_not_known() -> None:
    answer = answered(parse(WRAPPED), ReverseComputeAt(block="C", loop="B.i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "it is not proved that each instance of `C` would run once" in answer.message


@pytest.mark.parametrize("n", [1, 4])
def test_a_predicate_that_is_not_affine_moves_along(n: int) -> None:
    after = applied(
        parse(
            """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), C: T.Buffer(("n",), "float32")):
    n = T.int64()
    B = T.sblock_alloc_buffer((n,), "float32")
    for i in range(n):
        with T.sblock("B"):
            vi = T.axis.spatial(n, i)
            B[vi] = A[vi] * T.float32(2)
    for j in range(n):
        with T.sblock("C"):
            vj = T.axis.spatial(n, j)
            T.where(j * j % n < 3)
            C[vj] = B[vj] + T.float32(1)
"""
        ),
        ReverseComputeAt(block="C", loop="B.i"),
        n=n,
    )
    assert "T.where(i * i % n - 3 < 0)" in body(after)


FLAT = """
@T.prim_func
def f(A: T.Buffer((6, 4), "float32"), C: T.Buffer((24,), "float32")):
    B = T.alloc_buffer((4, 6), "float32")
    for i, j in T.grid(6, 4):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vj, vi] = A[vi, vj] * T.float32(2)
    for k in range(24):
        with T.sblock("C"):
            vk = T.axis.spatial(24, k)
            C[vk] = B[vk // 6, vk % 6] + T.float32(1)
"""
PAIRS = """
@T.prim_func
def f(A: T.Buffer((24,), "float32"), C: T.Buffer((12, 2), "float32")):
    B = T.alloc_buffer((24,), "float32")
    for i in range(24):
        with T.sblock("B"):
            vi = T.axis.spatial(24, i)
            B[vi] = A[vi] * T.float32(2)
    for k, h in T.grid(12, 2):
        with T.sblock("C"):
            vk, vh = T.axis.remap("SS", [k, h])
            C[vk, vh] = B[vk * 2 + vh] + T.float32(1)
"""


@pytest.mark.parametrize(
    ("text", "loop", "loops", "predicate"),
    [
        (FLAT, "B.i", "for ax0 in range(24)", "ax0 % 6 == i"),
        (FLAT, "B.j", "for ax0 in range(6)", "ax0 == i"),
        (PAIRS, "B.i", "for ax0 in range(2)", "i // 2 * 2 + ax0 == i"),
        (PAIRS.replace("B[vi]", "B[23 - vi]"), "B.i", "for ax0 in range(2)", "== 23 - i"),
    ],
)
def test_axes_that_share_an_index(text: str, loop: str, loops: str, predicate: str) -> None:
    after = applied(parse(text), ReverseComputeAt(block="C", loop=loop)).script()
    assert loops in after
    assert predicate in after


@pytest.mark.parametrize(("loop", "loops"), [("p.i", "for ax0 in range(5):"), ("p.c", "relu")])
def test_a_block_that_updates_its_input_in_place(loop: str, loops: str) -> None:
    after = applied(parse(in_place.RELU), ReverseComputeAt(block="relu", loop=loop))
    assert loops in body(after).split("for i, c in T.grid(6, 5):")[0 if loop == "p.i" else 1]
    assert body(after).count("T.grid(6, 5)") == (1 if loop == "p.i" else 2)


def test_in_place_with_symbolic_extents() -> None:
    for n, m in ((1, 3), (4, 5), (0, 2)):
        move = ReverseComputeAt(block="relu", loop="p.i")
        applied(parse(in_place.SYMBOLIC_RELU), move, n=n, m=m)


def test_updates_follow_the_initial_value_of_their_row() -> None:
    move = ReverseComputeAt(block="C", loop="C_init.i_init")
    after = applied(parse(stages.MATMUL_RELU), DecomposeReduction(block="C", loop="C.i"), move)
    first = body(after).split('with T.sblock("D")')[0]
    assert first.startswith("for i_init in range(6):\n    for j_init in range(8):")
    assert "    for ax0, k in T.grid(8, 5):" in first


def test_elements_that_are_updated_again_wait_for_all_of_their_inputs() -> None:
    after = applied(parse(in_place.SHIFT), ReverseComputeAt(block="shift", loop="p.i"))
    assert "T.where(i - 1 >= 0)" in body(after)


def test_what_the_loop_writes_is_not_what_the_block_reads() -> None:
    text = in_place.RELU.replace("T.max(X[vi, vc], T", "T.max(A[vi, vc], T")
    answer = answered(parse(text), ReverseComputeAt(block="relu", loop="p.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "nothing under the loop `i` writes what `relu` reads"


@pytest.mark.parametrize("value", ["X[vi] * X[vi]", "X[vi] * T.float32(3)"])
@pytest.mark.parametrize(
    "move", [ReverseComputeAt(block="step", loop="p.i"), ReverseComputeInline(block="step")]
)
def test_updates_in_place_keep_their_number(move: Primitive, value: str) -> None:
    answer = answered(parse(in_place.STEPS.replace("X[vi] * X[vi]", value)), move)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == (
        "instances of `step`, which reads what it writes, run again in a loop that would not "
        "move with it"
    )
    assert answer.notes[0].startswith("an instance is ")
