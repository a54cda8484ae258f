from __future__ import annotations

import numpy as np
import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.interpret import run_tensor_function
from workbench.runtime import build
from workbench.schedule import Schedule
from workbench.schedule.primitives.store_at import StoreAt
from workbench.schedule.scope import Scope
from workbench.script import parse

TILES = """
@T.prim_func
def f(A: T.Buffer((64,), "float32"), C: T.Buffer((64,), "float32")):
    B = T.alloc_buffer((64,), "float32")
    for i in range(8):
        for j in range(8):
            B[i * 8 + j] = A[i * 8 + j] * T.float32(2)
        for k in range(8):
            C[i * 8 + k] = B[i * 8 + 7 - k]
"""

GUARDED = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), C: T.Buffer(("n",), "float32")):
    n = T.int64()
    B = T.sblock_alloc_buffer((n,), "float32")
    for i in range((n + 7) // 8):
        for j in range(8):
            with T.sblock("B"):
                vj = T.axis.spatial(n, i * 8 + j)
                T.where(i * 8 + j < n)
                B[vj] = A[vj] * T.float32(2)
        for k in range(8):
            with T.sblock("C"):
                vk = T.axis.spatial(n, i * 8 + k)
                T.where(i * 8 + k < n)
                C[vk] = B[vk] + T.float32(1)
"""

MATMUL = """
@T.prim_func
def f(
    A: T.Buffer(("n", 6), "float32"),
    B: T.Buffer((6, 8), "float32"),
    C: T.Buffer(("n", 8), "float32"),
):
    n = T.int64()
    for i, j, k in T.grid(n, 8, 6):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""


def test_each_iteration_has_the_box_that_it_needs() -> None:
    after = applied(parse(TILES), StoreAt(buffer="B", loop="i"))
    assert body(after) == (
        "for i in range(8):\n"
        '    B = T.alloc_buffer((8,), "float32")\n'
        "    for j in range(8):\n"
        "        B[j] = A[i * 8 + j] * T.float32(2.0)\n"
        "    for k in range(8):\n"
        "        C[i * 8 + k] = B[7 - k]"
    )
    assert only(after).next_id == only(parse(TILES)).next_id


@pytest.mark.parametrize("n", [0, 1, 8, 13])
def test_a_guarded_tile(n: int) -> None:
    after = applied(parse(GUARDED), StoreAt(buffer="B", loop="i"), n=n)
    assert 'B = T.alloc_buffer((8,), "float32")' in body(after)


def test_a_read_of_another_iteration_is_illegal() -> None:
    text = TILES.replace("B[i * 8 + 7 - k]", "B[i * 8 + k // 2 - i % 2]")
    answer = answered(parse(text), StoreAt(buffer="B", loop="i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert "which the same iteration of `i` has not written" in answer.message
    assert answer.notes == (
        "`the store to C` at i=1, k=0 reads `B[i * 8 + k // 2 - i % 2]`, which "
        "`the store to B` at i=0, j=7 writes as `B[i * 8 + j]`",
    )


def test_a_read_before_the_write_is_illegal() -> None:
    text = (
        TILES.replace(
            "        for j in range(8):\n            B[i * 8 + j] = A[i * 8 + j] * T.float32(2)\n",
            "",
        )
        + "        for j in range(8):\n            B[i * 8 + j] = A[i * 8 + j] * T.float32(2)\n"
    )
    answer = answered(parse(text), StoreAt(buffer="B", loop="i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.notes == (
        "`the store to C` at i=0, k=0 reads `B[i * 8 + 7 - k]`, which "
        "`the store to B` at i=0, j=7 writes after that as `B[i * 8 + j]`",
    )


def test_a_read_of_what_nobody_writes_is_unproved() -> None:
    text = TILES.replace('(64,), "float32")\n    for', '(65,), "float32")\n    for')
    text = text.replace("B[i * 8 + 7 - k]", "B[i * 8 + 8 - k]")
    assert answered(parse(text), StoreAt(buffer="B", loop="i")).kind is AnswerKind.ILLEGAL
    last = text.replace("range(8)", "range(7, 8)", 1)
    answer = answered(parse(last), StoreAt(buffer="B", loop="i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "no instance is known that writes `B[i * 8 + 8 - k]`" in answer.message


def test_what_is_not_affine_is_unproved() -> None:
    text = TILES.replace("C: T.", 'I: T.Buffer((64,), "int64"), C: T.')
    text = text.replace("B[i * 8 + j] =", "B[I[i * 8 + j]] =")
    answer = answered(parse(text), StoreAt(buffer="B", loop="i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "was written in the same iteration of `i`" in answer.message


def test_what_is_accessed_elsewhere_is_inapplicable() -> None:
    def message(text: str, buffer: str, loop: str) -> str:
        answer = answered(parse(text), StoreAt(buffer=buffer, loop=loop))
        assert answer.kind is AnswerKind.INAPPLICABLE
        return answer.message

    assert message(TILES, "A", "i").startswith("`A` is a parameter")
    assert message(TILES, "B", "j") == "`B` is accessed outside of loop `j` as well"
    inside = applied(parse(TILES), StoreAt(buffer="B", loop="i")).script()
    again = answered(parse(inside), StoreAt(buffer="B", loop="i"))
    assert again.message == "loop `i` does not access `B`, or has one of its own"


def test_caches_under_loops_let_these_be_parallel() -> None:
    module = parse(MATMUL)
    schedule = Schedule(module)
    out = schedule.cache_write("C", 0, "local")
    i, _, k = schedule.get_loops("C")
    i_0, i_1 = schedule.split(i, [None, 4])
    k_0, k_1 = schedule.split(k, [None, 4])
    j = schedule.get_loop("C.j")
    schedule.reorder(i_0, k_0, i_1, j, k_1)
    schedule.reverse_compute_at(out, i_0)
    schedule.compute_at(schedule.cache_read("C", "B", "shared"), k_0)
    schedule.store_at("B_shared", k_0)
    schedule.store_at("C_local", i_0)
    schedule.parallel(i_0)
    assert 'B_shared = T.alloc_buffer((4, 8), "float32", scope="shared")' in body(schedule.module)
    rng = np.random.default_rng(3)
    for n in (0, 3, 9):
        a = rng.normal(size=(n, 6)).astype("float32")
        b = rng.normal(size=(6, 8)).astype("float32")
        found = [a, b, np.zeros((n, 8), "float32")]
        expected = [a, b, np.zeros((n, 8), "float32")]
        run_tensor_function(only(module), expected)
        run_tensor_function(only(schedule.module), found)
        np.testing.assert_array_equal(found[2], expected[2])
        native = [a, b, np.zeros((n, 8), "float32")]
        build(schedule.module)(*native, function="f")
        np.testing.assert_allclose(native[2], expected[2], rtol=1e-5, atol=1e-5)
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


def test_a_view_is_inapplicable_and_not_offered() -> None:
    module = parse(scripts.VIEW)
    answer = answered(module, StoreAt(buffer="W", loop="b"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`W` is another name for a part of `C`"
    scope = Scope.of(module, "")
    assert not list(StoreAt.offers(scope, scope.loop("b")))


def test_blocks_around_no_longer_declare_the_buffer() -> None:
    module = parse("""
@T.prim_func
def f(A: T.Buffer((4, 2), "float32"), C: T.Buffer((4, 2), "float32")):
    B = T.alloc_buffer((4, 2), "float32")
    for i in range(4):
        with T.sblock("row"):
            vi = T.axis.spatial(4, i)
            T.reads(A[vi, 0:2])
            T.writes(B[vi, 0:2], C[vi, 0:2])
            for j in range(2):
                B[vi, j] = A[vi, 1 - j]
                C[vi, j] = B[vi, j]
""")
    text = applied(module, StoreAt(buffer="B", loop="j")).script()
    assert "T.reads(A[vi, 0:2])" in text
    assert "T.writes(C[vi, 0:2])" in text
