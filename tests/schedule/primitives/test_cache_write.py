from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.cache_write import CacheWrite
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.store_at import StoreAt
from workbench.script import parse
from workbench.support import CompileError

DECOMPOSED = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), C: T.Buffer((6,), "float32")):
    for i in range(6):
        with T.sblock("C_init"):
            vi = T.axis.spatial(6, i)
            C[vi] = T.float32(0)
    for i, k in T.grid(6, 5):
        with T.sblock("C_update"):
            vi, vk = T.axis.remap("SR", [i, k])
            C[vi] = C[vi] + A[vi, vk]
"""

INNER = """
@T.prim_func
def f(A: T.Buffer((6, 8), "float32"), C: T.Buffer((6, 8), "float32")):
    for i in T.parallel(6):
        with T.sblock("outer"):
            vi = T.axis.spatial(6, i)
            for j in range(8):
                with T.sblock("C"):
                    vj = T.axis.spatial(8, j)
                    C[vi, vj] = A[vi, vj] + T.float32(1)
"""


def test_the_copy_out_follows_the_nest() -> None:
    step = CacheWrite(block="C", storage_scope="local")
    after = applied(parse(scripts.MATMUL), step)
    assert body(after) == (
        "for i, j, k in T.grid(6, 8, 5):\n"
        '    with T.sblock("C"):\n'
        '        vi, vj, vk = T.axis.remap("SSR", [i, j, k])\n'
        "        with T.init():\n"
        "            C_local[vi, vj] = T.float32(0.0)\n"
        "        C_local[vi, vj] = C_local[vi, vj] + A[vi, vk] * B[vk, vj]\n"
        "for ax0, ax1 in T.grid(6, 8):\n"
        '    with T.sblock("C_local"):\n'
        '        v0, v1 = T.axis.remap("SS", [ax0, ax1])\n'
        "        C[v0, v1] = C_local[v0, v1]"
    )


@pytest.mark.parametrize(
    ("text", "place", "buffer", "copied_in"),
    [
        (scripts.MATMUL, "C", "C", False),
        (scripts.STENCIL, "i", "B", False),
        (scripts.SCAN, "j", "A", True),
        (scripts.WAVEFRONT, "j", "A", True),
        (scripts.GATHER, "i", "B", False),
        (scripts.SCATTER, "i", "B", True),
        (scripts.GUARDED, "B", "B", False),
        (scripts.PADDED, "B", "B", False),
        (scripts.TRIANGLE, "i", "B", True),
        (scripts.TRIANGLE, "j", "B", True),
        (scripts.ROWS, "j", "B", False),
        (scripts.ROWS, "k", "S", True),
        (scripts.PAIR, "B", "B", True),
        (scripts.PAIR, "C", "C", False),
        (scripts.RAGGED, "j", "B", True),
        (DECOMPOSED, "C_update", "C", True),
        (DECOMPOSED, "C_init", "C", False),
        (INNER, "C", "C", False),
    ],
)
def test_values_stay_and_old_elements_are_copied_in_only_where_needed(
    text: str, place: str, buffer: str, copied_in: bool
) -> None:
    module = parse(text)
    step = CacheWrite(block=place, write_buffer_index=buffer)
    after = applied(module, step)
    assert (f"{buffer}_global_in" in after.script()) == copied_in
    assert any("copied in first" in note for note in answered(module, step).notes) == copied_in


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (5, 2)])
def test_a_sum_that_may_be_empty_writes_all_of_its_elements(n: int, m: int) -> None:
    steps = [
        CacheWrite(block="C", storage_scope="local"),
        Split(loop="C.i", factors=(None, 4)),
        ReverseComputeAt(block="C_local", loop="C.i_0"),
        StoreAt(buffer="C_local", loop="i_0"),
        Parallel(loop="i_0"),
    ]
    after = applied(parse(scripts.SYMBOLIC_MATMUL), *steps, n=n, m=m)
    assert "C_local_in" not in after.script()
    assert "for i_0 in T.parallel((n + 3) // 4)" in body(after)


def test_an_update_alone_may_write_nothing() -> None:
    text = scripts.SYMBOLIC_MATMUL.replace("with T.init():", "if vk == 0:")
    after = applied(parse(text), CacheWrite(block="C"), n=3, m=0)
    assert "C_global_in" in after.script()


@pytest.mark.parametrize("n", [0, 1, 7])
def test_symbolic_extents(n: int) -> None:
    after = applied(parse(scripts.SYMBOLIC), CacheWrite(block="B"), n=n, m=4)
    assert "B_global_in" not in after.script()


@pytest.mark.parametrize("n", [0, 3])
def test_a_reduction_that_may_be_empty_keeps_what_was_there(n: int) -> None:
    text = DECOMPOSED.replace("T.grid(6, 5)", "T.grid(6, n)").replace("(6, 5)", '(6, "n")')
    text = text.replace("    for i in range(6):", "    n = T.int64()\n    for i in range(6):", 1)
    applied(parse(text), CacheWrite(block="C_update"), n=n)


def test_the_box_that_is_written() -> None:
    after = applied(parse(scripts.STENCIL), CacheWrite(block="i"))
    assert "B_global = T.sblock_alloc_buffer((10,)" in after.script()
    assert "B[v0 + 1] = B_global[v0]" in body(after)


def test_inside_a_block_each_instance_has_its_own_copy() -> None:
    after = applied(parse(INNER), CacheWrite(block="C"))
    assert 'C_global = T.sblock_alloc_buffer((1, 8), "float32")' in body(after)
    gap = INNER.replace("in range(8)", "in range(7)")
    applied(parse(gap), CacheWrite(block="C"))


def test_parts_of_a_shared_box_are_not_proved() -> None:
    gap = INNER.replace("C[vi, vj] =", "C[vi // 2 * 2 + vi % 2, vj // 2 * 2] =")
    answer = answered(parse(gap), CacheWrite(block="C"))
    assert answer.kind is AnswerKind.UNPROVED
    assert "other iterations may write the rest" in answer.message


def test_consumers_read_the_copy() -> None:
    text = scripts.PAIR.replace(
        '        with T.sblock("C")', '    for i, j in T.grid(4, 6):\n        with T.sblock("C")'
    )
    step = CacheWrite(block="B", consumer_blocks=("C",))
    after = body(applied(parse(text), step))
    assert "C[wi, wj] = B_global[wi, wj] * T.float32(2.0)" in after
    answer = answered(parse(text), CacheWrite(block="C", consumer_blocks=("B",)))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "`B` does not stand after the nest that writes `C`" in answer.message


def test_what_is_not_written_is_inapplicable() -> None:
    answer = answered(parse(scripts.PAIR), CacheWrite(block="C", write_buffer_index="B"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `C` does not write `B`"


def test_parameters_that_fit_nowhere() -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(scripts.MATMUL), CacheWrite(block="C", write_buffer_index=1))
    assert error.value.diagnostics[0].code == "schedule/no-such-buffer"
    assert error.value.diagnostics[0].hint == "it writes `C`"


def test_the_method_and_its_trace() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    copy = schedule.cache_write("C", 0, "local")
    assert [loop.name for loop in schedule.get_loops(copy)] == ["ax0", "ax1"]
    schedule.cache_write(schedule.get_block("C"), "C_local", "local.tile")
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()


def test_a_buffer_that_lives_inside_of_the_place_is_inapplicable() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4,), "float32"), B: T.Buffer((4,), "float32")):
    for i in range(4):
        s: T.float32 = A[i] + T.float32(2)
        B[i] = s * s
"""
    answer = answered(parse(text), CacheWrite(block="i", write_buffer_index="s"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`s` lives only inside of `i`"


def test_a_view_is_inapplicable() -> None:
    answer = answered(parse(scripts.VIEW), CacheWrite(block="w", write_buffer_index="W"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`W` is another name for a part of `C`"


def test_what_a_view_may_write_is_inapplicable() -> None:
    text = scripts.VIEW.replace("W[1, vb] =", "C[vi * 2, vb] = C[vi * 2 + 1, vb] +")
    answer = answered(parse(text), CacheWrite(block="b", write_buffer_index="C"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `v` has another name for a part of `C`"


@pytest.mark.parametrize("n", [0, 3, 5, 9])
def test_loops_that_run_less_than_no_times(n: int) -> None:
    after = applied(parse(scripts.SHORT), CacheWrite(block="C", write_buffer_index="C"), n=n)
    assert "max(" in after.script()


def test_scalars_of_a_block_are_not_counted_among_its_buffers() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("C"):
            v = T.axis.spatial(8, i)
            x: T.float32 = A[v] * T.float32(2)
            C[v] = x + T.float32(1)
"""
    schedule = Schedule(parse(text))
    schedule.cache_write("C", 0)
    assert [block.name for block in schedule.get_blocks()] == ["C", "C_global"]
    applied(parse(text), CacheWrite(block="C", write_buffer_index=0))
    with pytest.raises(CompileError, match="no write buffer number `1`"):
        Schedule(parse(text)).cache_write("C", 1)
