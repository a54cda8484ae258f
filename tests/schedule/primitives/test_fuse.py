from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.script import parse
from workbench.support import CompileError


def test_one_loop_in_place_of_several() -> None:
    after = applied(parse(scripts.MATMUL), Fuse(loops=("i", "j")))
    assert body(after) == (
        "for i_j_fused, k in T.grid(48, 5):\n"
        '    with T.sblock("C"):\n'
        "        vi = T.axis.spatial(6, i_j_fused // 8)\n"
        "        vj = T.axis.spatial(8, i_j_fused % 8)\n"
        "        vk = T.axis.reduce(5, k)\n"
        "        with T.init():\n"
        "            C[vi, vj] = T.float32(0.0)\n"
        "        C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]"
    )


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        (scripts.MATMUL, ("i", "j", "k")),
        (scripts.MATMUL, ("j", "k")),
        (scripts.SCAN, ("i", "j")),
        (scripts.WAVEFRONT, ("i", "j")),
        (scripts.PAIR, ("i", "j")),
        (scripts.GATHER, ("i",)),
    ],
)
def test_values_stay(text: str, loops: tuple[str, ...]) -> None:
    applied(parse(text), Fuse(loops=loops))


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (4, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    after = applied(parse(scripts.SYMBOLIC), Fuse(loops=("i", "j")), n=n, m=m)
    assert "for i_j_fused in range(n * m):" in body(after)
    assert "T.axis.spatial(n, i_j_fused // m)" in body(after)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (7, 2), (2, 8), (6, 7)])
def test_extents_that_may_both_be_negative(n: int, m: int) -> None:
    text = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), B: T.Buffer(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    for i in range(3, n - 1):
        for j in range(2, m - 2):
            B[i, j] = A[i, j] * T.float32(2)
"""
    after = applied(parse(text), Fuse(loops=("i", "j")), n=n, m=m)
    assert "T.max(m - 4, 0)" in body(after)


def test_a_split_loop_fused_again_is_as_it_was() -> None:
    module = parse(scripts.MATMUL)
    split = Split(loop="i", factors=(None, 2))
    after = applied(module, split, Fuse(loops=("i_0", "i_1")))
    assert "vi = T.axis.spatial(6, i_0_i_1_fused)" in body(after) or "remap" in body(after)
    assert "//" not in body(after)


@pytest.mark.parametrize(
    ("text", "loops", "words"),
    [
        (scripts.TRIANGLE, ("i", "j"), "the extent of `j` depends on `i`"),
        (scripts.RAGGED, ("i", "j"), "the extent of `j` depends on `i`"),
        (scripts.MATMUL, ("j", "i"), "outermost first, which is `i`, `j`"),
        (scripts.MATMUL, ("i", "k"), "loop `j` lies between them"),
        (scripts.ROWS, ("i", "k"), "stands next to loop `k` under `i`"),
        (scripts.ROWS, ("k", "j"), "are not inside each other"),
    ],
)
def test_what_is_missing(text: str, loops: tuple[str, ...], words: str) -> None:
    answer = answered(parse(text), Fuse(loops=loops))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert words in answer.message


def test_an_extent_that_the_body_writes() -> None:
    text = """
@T.prim_func
def f(L: T.Buffer((1,), "int64"), A: T.Buffer((4, 6), "float32")):
    for i in range(4):
        for j in range(L[0]):
            A[i, j] = A[i, j] + T.float32(1)
"""
    applied(parse(text), Fuse(loops=("i", "j")))
    written = text.replace("A[i, j] = A[i, j] + T.float32(1)", "L[0] = T.int64(2)")
    answer = answered(parse(written), Fuse(loops=("i", "j")))
    assert "reads `L`, which the nest may write" in answer.message
    empty = text.replace("range(4)", "range(N)").replace("def f(", "def f(N: T.int64, ")
    answer = answered(parse(empty), Fuse(loops=("i", "j")))
    assert "is not read where the loops do not run" in answer.message


def test_kinds_and_annotations_have_to_agree() -> None:
    schedule = Schedule(parse(scripts.SYMBOLIC))
    schedule.parallel("i")
    answer = answered(schedule.module, Fuse(loops=("i", "j")))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "`i` is parallel, `j` is serial" in answer.message
    schedule.parallel("j")
    schedule.annotate("i", "mark", 1)
    fused = applied(schedule.module, Fuse(loops=("i", "j")), n=3, m=2)
    assert 'T.parallel(n * m, annotations={"mark": 1})' in body(fused)
    schedule.annotate("j", "mark", 2)
    assert "annotation `mark`" in answered(schedule.module, Fuse(loops=("i", "j"))).message


@pytest.mark.parametrize(("loops", "words"), [((), "got none"), (("i", "i"), "named twice")])
@pytest.mark.parametrize("kind", [Fuse, Reorder])
def test_bad_loops(kind: type[Fuse | Reorder], loops: tuple[str, ...], words: str) -> None:
    if kind is Reorder and not loops:
        pytest.skip("nothing to reorder is nothing to do")
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), kind(loops=loops))
    assert error.value.diagnostics[0].code == "schedule/bad-loops"
    assert words in error.value.diagnostics[0].message


def test_where_it_comes_from() -> None:
    result = Fuse(loops=("i", "j")).run(parse(scripts.MATMUL))
    (derivation,) = result.derivations
    assert (len(derivation.sources), len(derivation.results)) == (2, 1)


def test_a_branch_between_loops_goes_inside() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8, 4), "float32"), B: T.Buffer((8, 4), "float32")):
    for i in range(8):
        if i < 7:
            for j in range(4):
                B[i, j] = A[i, j]
"""
    after = applied(parse(text), Fuse(loops=("i", "j")))
    assert body(after).startswith("for i_j_fused in range(32):\n    if i_j_fused // 4 < 7:\n")
