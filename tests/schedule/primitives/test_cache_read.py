from __future__ import annotations

import pytest

from tests.schedule import programs, scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.ir import IRModule
from workbench.rewrite import Relation
from workbench.schedule import Schedule
from workbench.schedule.primitives.cache_read import CacheRead
from workbench.script import parse
from workbench.support import CompileError

IN_PLACE = """
@T.prim_func
def f(A: T.Buffer((20,), "float32"), B: T.Buffer((20,), "float32")):
    for t in range(3):
        for i in range(1, 19):
            B[i] = A[i - 1] + A[i] + A[i + 1]
        for j in range(1, 19):
            A[j] = B[j] * T.float32(0.5)
"""

SUM = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((), "float32")):
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.reduce(8, i)
            with T.init():
                C[()] = T.float32(0)
            C[()] = C[()] + A[vi]
"""

TWO_READERS = """
@T.prim_func
def f(
    A: T.Buffer((6, 4), "float32"),
    B: T.Buffer((6, 4), "float32"),
    C: T.Buffer((6, 4), "float32"),
):
    for i, j in T.grid(6, 4):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(6, 4):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = A[5 - vi, vj] + B[vi, vj]
"""


def test_the_copy_stands_before_the_nest() -> None:
    step = CacheRead(block="C", read_buffer_index="A", storage_scope="local")
    after = applied(parse(scripts.MATMUL), step)
    assert body(after) == (
        "for ax0, ax1 in T.grid(6, 5):\n"
        '    with T.sblock("A_local"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0, ax1])\n'
        "        A_local[v0, v1] = A[v0, v1]\n"
        "for i, j, k in T.grid(6, 8, 5):\n"
        '    with T.sblock("C"):\n'
        '        vi, vj, vk = T.axis.remap("SSR", [i, j, k])\n'
        "        with T.init():\n"
        "            C[vi, vj] = T.float32(0.0)\n"
        "        C[vi, vj] = C[vi, vj] + A_local[vi, vk] * B[vk, vj]"
    )
    assert 'A_local = T.sblock_alloc_buffer((6, 5), "float32", scope="local")' in after.script()


@pytest.mark.parametrize(
    ("text", "place", "buffer"),
    [
        (scripts.MATMUL, "C", "B"),
        (scripts.STENCIL, "i", "A"),
        (scripts.SCAN, "j", "A"),
        (scripts.WAVEFRONT, "j", "A"),
        (scripts.GATHER, "i", "A"),
        (scripts.GATHER, "i", "I"),
        (scripts.SCATTER, "i", "A"),
        (scripts.GUARDED, "B", "A"),
        (scripts.PADDED, "B", "A"),
        (scripts.TRIANGLE, "i", "A"),
        (scripts.TRIANGLE, "j", "A"),
        (scripts.ROWS, "j", "A"),
        (scripts.ROWS, "j", "S"),
        (scripts.PAIR, "C", "B"),
        (scripts.RAGGED, "j", "A"),
        (scripts.RAGGED, "i", "L"),
        (IN_PLACE, "i", "A"),
        (TWO_READERS, "C", "B"),
    ],
)
def test_values_stay(text: str, place: str, buffer: str) -> None:
    applied(parse(text), CacheRead(block=place, read_buffer_index=buffer, storage_scope="shared"))


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_symbolic_buffer_is_copied_whole(n: int) -> None:
    after = applied(parse(scripts.SYMBOLIC), CacheRead(block="B"), n=n, m=5)
    assert "A_global = T.sblock_alloc_buffer((n, m)" in after.script()


def test_only_the_box_that_is_read() -> None:
    text = scripts.STENCIL.replace("A[i - 1] + A[i] + A[i + 1]", "A[i - 1] + A[i]")
    after = applied(parse(text), CacheRead(block="i", read_buffer_index="A"))
    assert "for ax0 in range(11):" in body(after)
    assert "B[i] = A_global[i - 1] + A_global[i]" in body(after)
    shifted = text.replace("A[i - 1]", "A[i + 1]")
    after = applied(parse(shifted), CacheRead(block="i", read_buffer_index="A"))
    assert "A_global[v0] = A[v0 + 1]" in body(after)
    assert "B[i] = A_global[i] + A_global[i - 1]" in body(after)


def test_the_copy_moves_inward_where_the_buffer_is_written_further_out() -> None:
    step = CacheRead(block="i", read_buffer_index="A")
    module = parse(IN_PLACE)
    assert answered(module, step).notes == (
        "the copy stands inside loop `t`: `A` is written further out",
    )
    after = applied(module, step)
    assert body(after).startswith("for t in range(3):\n    A_global = T.alloc_buffer((20,)")


def test_a_scan_copies_what_one_instance_reads() -> None:
    after = applied(parse(scripts.SCAN), CacheRead(block="j", read_buffer_index="A"))
    assert "for i in range(1, 9):" in body(after)
    assert "A[i + v0 - 1, v1]" in body(after)


def test_a_read_of_what_was_just_written_is_illegal() -> None:
    module = parse(SUM)
    answer = answered(module, CacheRead(block="i", read_buffer_index="C"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message.startswith("`C` reads an element of `C` that `C")
    assert answer.notes == ("`i=1` of `C` reads `C[()]`, which `i=0` of `C (init)` writes",)


def test_what_is_not_read_is_inapplicable() -> None:
    answer = answered(parse(scripts.PAIR), CacheRead(block="C", read_buffer_index="A"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `C` does not read `A`"
    assert answer.notes == ("block `C` reads `B`",)


def test_consumers_that_are_listed_read_the_copy_too() -> None:
    step = CacheRead(block="B", read_buffer_index="A", consumer_blocks=("C",))
    after = body(applied(parse(TWO_READERS), step))
    assert "B[vi, vj] = A_global[vi, vj] * T.float32(2.0)" in after
    assert "C[vi, vj] = A_global[5 - vi, vj] + B[vi, vj]" in after


def test_the_result_is_derived_and_ids_stay() -> None:
    module = parse(scripts.MATMUL)
    result = CacheRead(block="C", read_buffer_index=1).run(module)
    (derived,) = result.derivations
    assert derived.relation is Relation.SAME
    old = module.tensor_functions["f"].params[1]
    assert derived.sources[0].id == old.id
    assert result.module.tensor_functions["f"].allocations[0].id == derived.results[0].id


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (CacheRead(block="C", read_buffer_index=2), "schedule/no-such-buffer"),
        (CacheRead(block="C", read_buffer_index="Z"), "schedule/no-such-buffer"),
        (CacheRead(block="Z"), "schedule/no-such-block"),
        (CacheRead(block="C", storage_scope="my cache"), "schedule/bad-storage-scope"),
    ],
)
def test_parameters_that_fit_nowhere(step: CacheRead, code: str) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), step)
    assert error.value.diagnostics[0].code == code


def test_the_method_takes_references_and_its_trace_replays() -> None:
    module = IRModule((("main", programs.matmul_bias_relu(6, 5, 4)),))
    schedule = Schedule(module)
    relu = schedule.get_block("relu")
    copy = schedule.cache_read(relu, 0, "local")
    assert copy.name == "matmul_local"
    bias = module.tensor_functions["main"].params[2]
    assert schedule.cache_read(relu, bias, "shared").name == "bias_shared"
    schedule.cache_read("matmul", 0, "global", consumer_blocks=["matmul"])
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


NESTED = """
@T.prim_func
def f(A: T.Buffer((6, 8), "float32"), C: T.Buffer((6, 8), "float32")):
    for i in range(6):
        with T.sblock("outer"):
            vi = T.axis.spatial(6, i)
            T.reads(A[vi, 0:8])
            T.writes(C[vi, 0:8])
            for j in range(7):
                with T.sblock("C"):
                    vj = T.axis.spatial(8, j)
                    T.reads(A[vi, vj])
                    T.writes(C[vi, vj])
                    C[vi, vj] = A[vi, vj] + T.float32(1)
"""


def test_inside_a_block_the_copy_belongs_to_it() -> None:
    text = body(applied(parse(NESTED), CacheRead(block="C")))
    assert 'A_global = T.sblock_alloc_buffer((1, 7), "float32")' in text
    assert "A_global[v0, v1] = A[vi + v0, v1]" in text
    assert "C[vi, vj] = A_global[0, vj] + T.float32(1.0)" in text
    assert "T.reads" not in text


def test_a_call_that_cannot_be_seen_into_keeps_its_buffer() -> None:
    text = NESTED.replace(
        "C[vi, vj] = A[vi, vj]",
        'T.evaluate(T.prefetch(0, dtype="int32"))\n                    C[vi, vj] = A[vi, vj]',
    )
    answer = answered(parse(text), CacheRead(block="C", read_buffer_index="A"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `C` uses `A` as a whole or by another name"


def test_what_a_call_is_given_stays() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), B: T.Buffer((6,), "float32")):
    for i in range(6):
        T.evaluate(T.prefetch(A[i], dtype="int32"))
        B[i] = A[i] + T.float32(1)
"""
    answer = answered(parse(text), CacheRead(block="i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "a call is given `A`"


def test_bounds_of_another_dtype() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((20,), "float32"), C: T.Buffer((20,), "float32")):
    for i in T.serial(T.int32(0), T.int32(19)):
        C[i] = A[i + T.int32(1)] * T.float32(2)
"""
    after = applied(parse(text), CacheRead(block="i"))
    assert "for ax0 in range(19):" in body(after)


def test_a_view_is_inapplicable() -> None:
    answer = answered(parse(scripts.VIEW), CacheRead(block="w", read_buffer_index="W"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`W` is another name for a part of `C`"


def test_what_a_view_may_write_is_inapplicable() -> None:
    text = scripts.VIEW.replace("W[1, vb] =", "C[vi * 2, vb] = C[vi * 2 + 1, vb] +")
    answer = answered(parse(text), CacheRead(block="b", read_buffer_index="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `v` has another name for a part of `C`"


@pytest.mark.parametrize("n", [0, 3, 5, 9])
def test_loops_that_run_less_than_no_times(n: int) -> None:
    after = applied(parse(scripts.SHORT), CacheRead(block="C", read_buffer_index="A"), n=n)
    assert "max(" in after.script()


WHILE = """
@T.prim_func
def f(N: T.Buffer((1,), "int64"), A: T.Buffer((8,), "float32"), D: T.Buffer((8,), "float32")):
    while N[0] < 5:
        N[0] = N[0] + 1
        for j in range(8):
            with T.sblock("R"):
                vj = T.axis.spatial(8, j)
                D[vj] = A[vj] + D[vj]
        for j in range(8):
            with T.sblock("W"):
                vj = T.axis.spatial(8, j)
                A[vj] = A[vj] * D[vj]
"""


def test_what_a_while_loop_writes_again_is_not_proved_unchanged() -> None:
    answer = answered(parse(WHILE), CacheRead(block="W", read_buffer_index="A"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "a `while` loop writes it" in answer.message


def test_each_iteration_of_a_while_loop_may_have_its_copy() -> None:
    after = applied(parse(WHILE), CacheRead(block="R", read_buffer_index="A"))
    assert "while" in after.script().split("A_global[v0]")[0]
