"""What the analysis says about programs that one can check by hand."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

import pytest

from tests.schedule.programs import matmul
from workbench.analysis.dependence import (
    Answer,
    AnswerKind,
    Dependences,
    dependences,
)
from workbench.ir import For, TensorFunction, walk
from workbench.script import parse
from workbench.support import NodeId

APPLIES, ILLEGAL, UNPROVED, INAPPLICABLE = AnswerKind


def function(text: str) -> TensorFunction:
    body = indent(text.strip("\n"), "    ")
    module = parse(f"@I.ir_module\nclass Module:\n    @T.prim_func\n{body}\n")
    found = module["f"]
    assert isinstance(found, TensorFunction)
    return found


def loops(function: TensorFunction) -> dict[str, NodeId]:
    return {n.var.name: n.var.id for n in walk(function.body) if isinstance(n, For)}


def asked(text: str) -> dict[str, Answer]:
    found = function(text)
    return {n: dependences(found).independent(loop) for n, loop in loops(found).items()}


def kinds(text: str) -> dict[str, AnswerKind]:
    return {name: answer.kind for name, answer in asked(text).items()}


def reordered(text: str, order: Sequence[str]) -> Answer:
    found = function(text)
    names = loops(found)
    inside = [name for name in names if name in order]
    deps = dependences(found)
    return deps.reorderable([names[n] for n in inside], [names[n] for n in order])


STENCIL = """
def f(A: T.Buffer((18, 18), "float32")):
    for i, j in T.grid(16, 16):
        A[i + 1, j + 1] = A[i, j + 2] + A[i + 1, j + 1]
"""


def test_a_stencil_names_the_instances_in_its_own_words() -> None:
    answers = asked(STENCIL)
    assert answers["j"].applies
    assert answers["i"].kind is ILLEGAL
    note = "`i=0`, `j=1` writes `A[1, 2]`, which `i=1`, `j=0` reads"
    assert answers["i"].notes == (note,)
    assert reordered(STENCIL, "ji").kind is ILLEGAL
    straight = STENCIL.replace("A[i, j + 2]", "A[i, j + 1]")
    assert reordered(straight, "ji").applies


def test_scatter_is_open_and_gather_is_free() -> None:
    answers = asked("""
def f(A: T.Buffer((8,), "float32"), I: T.Buffer((8,), "int64"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        B[I[i]] = A[i]
    for j in range(8):
        B[j] = A[I[j]]
""")
    assert answers["i"].kind is UNPROVED
    assert "`B[I[i]]`" in answers["i"].message
    assert "`I[i]` is not an affine expression" in answers["i"].message
    assert answers["j"].applies


def test_equal_names_of_buffers_are_not_equal_buffers() -> None:
    text = """
def f(I: T.Buffer((8,), "int64"), J: T.Buffer((8,), "int64"), B: T.Buffer((8, 8), "float32")):
    for i in range(8):
        B[I[0], 0] = B[J[0], 0]
"""
    found = function(text)
    assert dependences(found).independent(loops(found)["i"]).kind is not APPLIES


def test_scan_triangle_and_guard() -> None:
    assert kinds("""
def f(A: T.Buffer((8,), "float32")):
    for i in range(7):
        A[i + 1] = A[i + 1] + A[i]
""") == {"i": ILLEGAL}
    assert kinds("""
def f(A: T.Buffer((8, 8), "float32")):
    for i in range(8):
        for j in range(i):
            A[j, i] = A[i, j]
""") == {"i": APPLIES, "j": APPLIES}
    assert kinds("""
def f(A: T.Buffer((8,), "float32")):
    for i in range(8):
        if i >= 4:
            A[i] = A[i - 4]
""") == {"i": APPLIES}
    assert kinds("""
def f(A: T.Buffer((8,), "float32")):
    for i in range(8):
        if i >= 3:
            A[i] = A[i - 3]
""") == {"i": ILLEGAL}


def test_the_range_of_an_inner_loop_must_not_move_outside() -> None:
    answer = reordered(
        """
def f(A: T.Buffer((8, 8), "float32")):
    for i in range(8):
        for j in range(i):
            A[i, j] = T.float32(0)
""",
        "ji",
    )
    assert answer.kind is INAPPLICABLE
    assert answer.message == "the range of `j` depends on `i`"


def test_statements_between_loops_are_named() -> None:
    answer = reordered(
        """
def f(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        B[i] = T.float32(0)
        for j in range(8):
            A[i, j] = T.float32(0)
""",
        "ji",
    )
    assert answer.kind is INAPPLICABLE
    assert "stands between `i` and `j`" in answer.message


def test_reduction_with_init() -> None:
    found = matmul(4, 5, 6)
    deps, names = dependences(found), loops(found)
    i, j, k = names.values()
    assert deps.independent(i).applies
    assert deps.independent(j).applies
    answer = deps.independent(k)
    assert answer.kind is ILLEGAL
    for order in ([k, i, j], [j, k, i], [k, j, i]):
        answer = deps.reorderable([i, j, k], order)
        assert answer.applies
        assert not answer.reassociates


def test_the_order_of_a_sum_is_free_and_marked() -> None:
    text = """
def f(A: T.Buffer((4, 5, 6), "DTYPE"), C: T.Buffer((4,), "DTYPE")):
    for i in range(4):
        C[i] = T.cast(0, "DTYPE")
    for n, k, m in T.grid(4, 5, 6):
        C[n] = OP(C[n], A[n, k, m])
"""
    add = text.replace("OP(C[n], A[n, k, m])", "C[n] + A[n, k, m]")
    for dtype, marked in (("float32", True), ("int32", False)):
        answer = reordered(add.replace("DTYPE", dtype), "mkn")
        assert answer.applies
        assert answer.reassociates is marked
    maximum = text.replace("OP", "T.max")
    for dtype, marked in (("float32", True), ("int32", False)):
        found = reordered(maximum.replace("DTYPE", dtype), "mkn")
        assert found == Answer(APPLIES, reassociates=marked)
    answer = asked(add.replace("DTYPE", "float32"))["k"]
    assert answer.kind is ILLEGAL
    assert answer.message == "the iterations of `k` update the same element of `C`, a sum"
    assert "rfactor" in answer.hint


@pytest.mark.parametrize(
    "value", ["A[k] - C[0]", "C[0] / A[k]", "C[0] + A[k] * C[0]", "C[0] + C[0] * A[k]"]
)
def test_what_is_no_reduction_keeps_its_order(value: str) -> None:
    text = """
def f(A: T.Buffer((6,), "float32"), C: T.Buffer((1,), "float32")):
    for l, k in T.grid(2, 6):
        C[0] = VALUE
"""
    assert reordered(text.replace("VALUE", value), "kl").kind is ILLEGAL


def test_symbolic_extents() -> None:
    text = """
def f(a: T.handle, b: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float32")
    B = T.match_buffer(b, (n,), "float32")
    for i0, i1 in T.grid((n + 7) // 8, 8):
        with T.block("B"):
            v = T.axis.spatial(n, i0 * 8 + i1)
            T.where(i0 * 8 + i1 < n)
            B[v] = A[v]
    for i in range(n - 3):
        A[i] = A[i + 3]
"""
    answers = asked(text)
    assert answers["i0"].applies
    assert answers["i1"].applies
    assert answers["i"].kind is ILLEGAL
    assert answers["i"].notes == ("`i=3` writes `A[3]`, which `i=0` reads, with `n=7`",)


def test_non_divisible_split() -> None:
    text = """
def f(A: T.Buffer((10,), "float32")):
    for i0, i1 in T.grid(3, 4):
        if i0 * 4 + i1 < 10:
            A[i0 * 4 + i1] = A[i0 * 4 + i1] * T.float32(2)
"""
    assert kinds(text) == {"i0": APPLIES, "i1": APPLIES}
    assert reordered(text, ["i1", "i0"]).applies
    overlapping = text.replace("i0 * 4 + i1", "i0 * 3 + i1")
    assert kinds(overlapping) == {"i0": ILLEGAL, "i1": APPLIES}


def test_loops_fused_and_split_by_symbols() -> None:
    text = """
def f(a: T.handle, b: T.handle, s: T.int64):
    n = T.int64()
    m = T.int64()
    k = T.int64()
    A = T.match_buffer(a, (n, m, k), "float32")
    B = T.match_buffer(b, (n * m * k,), "float32")
    for f in range(n * m * k):
        A[f // (m * k), f // k % m, f % k] = B[f]
    for g, l in T.grid(n * m, k):
        A[g // m, g % m, l] = B[g * k + l]
    for c in range(n * m * 4):
        A[c // (m * 4), c // 4 % m, c % 4] = T.float32(0)
    for p, q in T.grid((k + s - 1) // s, s):
        if p * s + q < k:
            A[0, 0, p * s + q] = T.float32(0)
    for x, y in T.grid((k + s - 1) // s, s):
        if x * s + y < k - 1:
            A[0, 0, x * s + y] = A[0, 0, x * s + y + 1]
"""
    answers = asked(text)
    found = {name: answer.kind for name, answer in answers.items()}
    free = dict.fromkeys("fglcpq", APPLIES)
    assert found == {**free, "x": ILLEGAL, "y": ILLEGAL}


def test_a_wrong_digit_is_open() -> None:
    found = kinds("""
def f(a: T.handle):
    n = T.int64()
    m = T.int64()
    A = T.match_buffer(a, (n * m, m), "float32")
    for f in range(n * m):
        A[f // m, 0] = T.float32(1)
    for g in range(n * m):
        A[g * g * g, 0] = T.float32(1)
    for h in range(n * m):
        A[h * h, 0] = T.float32(1)
""")
    assert found["f"] is ILLEGAL
    assert found["g"] is UNPROVED
    assert found["h"] is APPLIES  # squares of what is not negative differ


def test_private_buffers_are_no_conflict() -> None:
    text = """
def f(A: T.Buffer((4, 8), "float32"), B: T.Buffer((4, 8), "float32")):
    for i in range(4):
        with T.block("row"):
            T.reads(A[i, 0:8])
            T.writes(B[i, 0:8])
            t = T.alloc_buffer((1,), "float32")
            t[0] = T.float32(0)
            for j in range(8):
                t[0] = t[0] + A[i, j]
                B[i, j] = t[0]
"""
    assert kinds(text) == {"i": APPLIES, "j": ILLEGAL}
    shared = text.replace("            t = T.alloc", "    t = T.alloc").split("\n")
    moved = [shared[0], shared[1], shared.pop(6), *shared[2:]]
    assert kinds("\n".join(moved))["i"] is ILLEGAL
    found = function("\n".join(moved))
    buffer = next(b.id for b in (*found.allocations,) if b.name == "t")
    assert dependences(found).independent(loops(found)["i"], private=[buffer]).applies


def test_views_are_the_buffer_behind_them() -> None:
    text = """
def f(A: T.Buffer((16, 8), "float32")):
    for i in range(4):
        with T.block("tile"):
            v = T.axis.spatial(4, i)
            T.reads(A[v * STEP:v * STEP + 4, 0:8])
            T.writes(A[v * STEP:v * STEP + 4, 0:8])
            a = T.match_buffer(A[v * STEP:v * STEP + 4, 0:8], (4, 8), "float32", offset_factor=1)
            for j, k in T.grid(4, 8):
                a[j, k] = a[j, k] + T.float32(1)
"""
    assert kinds(text.replace("STEP", "4"))["i"] is APPLIES
    assert kinds(text.replace("STEP", "3"))["i"] is ILLEGAL


def test_while_and_data_dependent_loops() -> None:
    answers = asked("""
def f(p: T.Buffer((9,), "int64"), x: T.Buffer((64,), "float32"), y: T.Buffer((8,), "float32")):
    for i in range(8):
        for k in range(p[i], p[i + 1]):
            y[i] = y[i] + x[k]
    for r in range(8):
        while y[r] > T.float32(1):
            y[r] = y[r] * T.float32(0.5)
    for s in range(8):
        while y[s] > T.float32(1):
            y[0] = y[0] * T.float32(0.5)
""")
    assert answers["i"].applies
    assert answers["k"].kind is UNPROVED
    assert "loop `k`" in answers["k"].message
    assert answers["r"].applies
    assert answers["s"].kind is UNPROVED
    assert "`while`" in answers["s"].message


def test_conditions_that_their_body_changes_do_not_move() -> None:
    text = """
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8, 8), "float32")):
    for i in range(8):
        if A[i] > T.float32(0):
            for j in range(8):
                A[i] = T.float32(-1)
"""
    assert kinds(text)["i"] is APPLIES
    assert reordered(text, "ji").kind is UNPROVED


def test_what_is_read_twice_may_have_changed() -> None:
    answers = asked("""
def f(I: T.Buffer((1,), "int64"), A: T.Buffer((8,), "float32")):
    for i in range(8):
        s = I[0]
        I[0] = I[0] + T.int64(1)
        if I[0] != s:
            A[0] = T.float32(1)
""")
    assert answers["i"].kind is not APPLIES
    assert (
        kinds("""
def f(I: T.Buffer((1,), "int64"), A: T.Buffer((8,), "float32")):
    I[0] = T.int64(1)
    for i in range(8):
        s = I[0]
        for j in range(8):
            if I[0] != s:
                A[0] = T.float32(1)
""")["j"]
        is not APPLIES
    )


def test_choices_depend_on_what_their_conditions_do() -> None:
    assert kinds("""
def f(A: T.Buffer((8, 8), "float32")):
    for i, j in T.grid(8, 8):
        A[T.if_then_else(i != 2 and (i != 3 or j != 1), 0, 1), j] = T.float32(1)
""") == {"i": ILLEGAL, "j": APPLIES}
    assert kinds("""
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((2,), "float32")):
    for i in range(2):
        B[T.if_then_else((i != 0 or i > 5) and (i < 9 or i != 1), 0, 1)] = T.float32(1)
""") == {"i": APPLIES}


def test_a_loop_that_is_gone() -> None:
    found = matmul(2, 2, 2)
    deps = dependences(found)
    assert deps.independent(NodeId(999)).kind is INAPPLICABLE
    assert deps.reorderable([NodeId(999)], [NodeId(999)]).kind is INAPPLICABLE


TWO = """
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(7):
        B[i] = A[i]
        C[i] = B[i + 1]
"""


def variable(deps: Dependences, name: str) -> For:
    return next(loop for s in deps.statements for loop in s.loops if loop.var.name == name)


def test_times_of_statements() -> None:
    deps = dependences(function(TWO))
    i = variable(deps, "i").var
    assert deps.order_kept({0: (0, i), 1: (0, i, 1)}).applies
    assert deps.order_kept({0: (1, i), 1: (0, i)}).applies
    fission = deps.order_kept({0: (0, i), 1: (1, i)})
    assert fission.kind is ILLEGAL
    assert "`B`" in fission.message
    note = "`i=0` of `the store to C` reads `B[1]`, which `i=1` of `the store to B` writes"
    assert fission.notes == (note,)
    assert deps.order_kept({0: (i + 0, 0), 1: (i - 2, 1)}).applies
    assert deps.order_kept({0: (i + 0, 0), 1: (i + 2, 1)}).kind is ILLEGAL


def test_conflicts_of_statements() -> None:
    deps = dependences(function(TWO))
    assert deps.conflict([0], [1]).kind is ILLEGAL
    assert deps.conflict([0], [0]).applies
    assert dependences(function(TWO.replace("B[i + 1]", "A[i]"))).conflict([0], [1]).applies


def test_carried_dependences_have_distances() -> None:
    found = function(STENCIL)
    deps, names = dependences(found), loops(found)
    assert [c.text for c in deps.carried(names["i"])] == [
        "flow of A: the store to A -> the store to A, distance (i 1, j -1)"
    ]
    assert deps.carried(names["j"]) == ()
    k = dependences(matmul(2, 3, 4))
    reduction = k.carried(loops(k.function)[list(loops(k.function))[2]])
    assert {c.kind for c in reduction if c.reduction} == {"flow", "anti", "output"}


def test_a_loop_is_explained() -> None:
    found = function(STENCIL)
    deps, names = dependences(found), loops(found)
    assert deps.explain(names["j"]) == ("iterations of `j` are independent",)
    assert deps.explain(names["i"]) == (
        "an iteration of `i` reads an element of `A` that another one writes",
        "`i=0`, `j=1` writes `A[1, 2]`, which `i=1`, `j=0` reads",
        "flow of A: the store to A -> the store to A, distance (i 1, j -1)",
    )


def test_conditions_with_a_name() -> None:
    assert kinds("""
def f(A: T.Buffer((8,), "float32")):
    for i in range(8):
        inside = i >= 4
        if inside:
            A[i] = A[i - 4]
""") == {"i": APPLIES}


def test_opaque_blocks_are_trusted_and_say_so() -> None:
    text = """
def f(A: T.Buffer((8, 4), "float32"), B: T.Buffer((8, 4), "float32")):
    for i in range(8):
        with T.block("fma"):
            v = T.axis.spatial(8, i)
            T.reads(A[v, 0:4])
            T.writes(B[ROW, 0:4])
            T.evaluate(T.sqrt(A[v, 0]))
"""
    answer = asked(text.replace("ROW", "v"))["i"]
    assert answer.applies
    assert answer.notes == ("the declared regions of opaque block `fma` are trusted",)
    assert asked(text.replace("ROW", "v // 2"))["i"].kind is ILLEGAL
