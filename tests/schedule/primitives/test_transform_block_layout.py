from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.transform_block_layout import TransformBlockLayout
from workbench.script import parse
from workbench.support import CompileError

SEIDEL = """
@T.prim_func
def f(A: T.Buffer((12, "n"), "float32")):
    n = T.int64()
    for i, j in T.grid(10, n - 2):
        with T.sblock("B"):
            vi = T.axis.scan(10, i)
            vj = T.axis.scan(n - 2, j)
            A[vi + 1, vj + 1] = A[vi, vj + 2] + A[vi, vj + 1] + A[vi + 1, vj]
"""

WHOLE_SUM = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), B: T.Buffer((), "float32")):
    for i, j in T.grid(6, 5):
        with T.sblock("B"):
            vi, vj = T.axis.remap("RR", [i, j])
            with T.init():
                B[()] = T.float32(0)
            B[()] = B[()] + A[vi, vj]
"""


def test_loops_are_rebuilt_and_the_rest_is_a_predicate() -> None:
    step = TransformBlockLayout(block="C", index_map="lambda i, j, k: (i // 4, j, i % 4, k)")
    after = applied(parse(scripts.MATMUL), step)
    assert body(after) == (
        "for ax0, j, ax2, k in T.grid(2, 8, 4, 5):\n"
        '    with T.sblock("C"):\n'
        '        v0, vj, v2, vk = T.axis.remap("SSSR", [ax0, j, ax2, k])\n'
        "        T.where(v0 * 4 + v2 < 6)\n"
        "        with T.init():\n"
        "            C[v0 * 4 + v2, vj] = T.float32(0.0)\n"
        "        C[v0 * 4 + v2, vj] = C[v0 * 4 + v2, vj] + A[v0 * 4 + v2, vk] * B[vk, vj]"
    )


def test_loops_that_stay_keep_their_ids() -> None:
    module = parse(scripts.MATMUL)
    step = TransformBlockLayout(block="C", index_map="lambda i, j, k: (j, i, k)")
    after = applied(module, step)
    old, new = Schedule(module), Schedule(after)
    ids = {loop.name: loop.id for loop in old.get_loops("C")}
    assert [loop.id for loop in new.get_loops("C")] == [ids["j"], ids["i"], ids["k"]]
    assert only(after).next_id == only(module).next_id


@pytest.mark.parametrize(
    "index_map",
    [
        "lambda i, j, k: (i * 8 + j, k)",
        "lambda i, j, k: (j, i, k)",
        "lambda i, j, k: (k // 2, k % 2, i, j)",
        "lambda i, j, k: (i + j, 7 - j, k)",
        "lambda i, j, k: (k, j // 3, i, j % 3)",
    ],
)
def test_values_stay(index_map: str) -> None:
    applied(parse(scripts.MATMUL), TransformBlockLayout(block="C", index_map=index_map))


@pytest.mark.parametrize("n", [2, 3, 9])
def test_a_skewed_stencil_keeps_its_order(n: int) -> None:
    step = TransformBlockLayout(block="B", index_map="lambda i, j: (i * 2 + j, i)")
    after = applied(parse(SEIDEL), step, n=n)
    assert "T.grid(n + 16, 10)" in body(after)


def test_an_order_that_breaks_a_dependence_is_illegal() -> None:
    step = TransformBlockLayout(block="B", index_map="lambda i, j: (j, i)")
    answer = answered(parse(SEIDEL), step)
    assert answer.kind is AnswerKind.ILLEGAL
    assert "would change their order" in answer.message
    assert "writes `A[1, 2]`" in answer.notes[0] or "reads" in answer.notes[0]


def test_a_sum_in_another_order_reassociates() -> None:
    step = TransformBlockLayout(block="B", index_map="lambda i, j: (j, i)")
    answer = answered(parse(WHOLE_SUM), step)
    assert answer.applies
    assert answer.reassociates
    applied(parse(WHOLE_SUM), step)
    keeps = TransformBlockLayout(block="B", index_map="lambda i, j: (i * 5 + j,)")
    assert not answered(parse(WHOLE_SUM), keeps).reassociates


def test_a_split_loop_is_put_together_again() -> None:
    module = applied(parse(scripts.MATMUL), Split(loop="i", factors=(None, 4)))
    step = TransformBlockLayout(block="C", index_map="lambda i, j, k: (j, i, k)")
    after = applied(module, step)
    assert "in T.grid(8, 6, 5):" in body(after)
    assert "T.where" not in body(after)


def test_what_has_another_structure_is_inapplicable() -> None:
    mixed = TransformBlockLayout(block="C", index_map="lambda i, j, k: (i, j * 5 + k)")
    answer = answered(parse(scripts.MATMUL), mixed)
    assert answer.message == "new axis `1` would mix reduce and spatial axes"
    first = TransformBlockLayout(block="C", index_map="lambda i, j, k: (i, j, 4 - k)")
    answer = answered(parse(scripts.MATMUL), first)
    assert answer.message == "block `C` would store its initial value at another instance"
    axes = 'vi, vk = T.axis.remap("SR", [i, k])\n            vj = T.axis.spatial(8, j)'
    half = scripts.MATMUL.replace("T.grid(6, 8, 5)", "T.grid(6, 4, 5)")
    half = half.replace('vi, vj, vk = T.axis.remap("SSR", [i, j, k])', axes)
    swapped = TransformBlockLayout(block="C", index_map="lambda i, k, j: (j, i, k)")
    answer = answered(parse(half), swapped)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "do not run over all its axes" in answer.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("range(12)", "T.parallel(12)", "loop `i` around block `B` is not serial"),
        ("A[vi - 1]", "A[i - 1]", "block `B` uses loop `i` besides its axes"),
        ("range(12)", "range(11)", "do not run over all its axes"),
    ],
)
def test_loops_that_are_more_than_axes(old: str, new: str, words: str) -> None:
    step = TransformBlockLayout(block="B", index_map="lambda i: (11 - i,)")
    answer = answered(parse(scripts.PADDED.replace(old, new)), step)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert words in answer.message


def test_a_map_that_loses_an_axis() -> None:
    with pytest.raises(CompileError) as error:
        answered(
            parse(scripts.MATMUL),
            TransformBlockLayout(block="C", index_map="lambda i, j, k: (i, k)"),
        )
    assert error.value.diagnostics[0].code == "index-map/not-invertible"


def test_the_method_and_its_trace() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    schedule.transform_block_layout("C", lambda i, j, k: (i // 2, j, i % 2, k))
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()
