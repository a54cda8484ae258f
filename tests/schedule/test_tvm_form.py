"""Examples of TVM's documentation, with its names and orders of arguments."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.schedule.checks import arrays_of, only
from workbench import te
from workbench.interpret import run_tensor_function
from workbench.schedule import Schedule, TensorIntrinsic, register_intrinsic
from workbench.script import parse
from workbench.support import CompileError

ELEMENTWISE = """
@T.prim_func
def main(a: T.handle, c: T.handle) -> None:
    A = T.match_buffer(a, (16, 16))
    B = T.alloc_buffer((16, 16))
    C = T.match_buffer(c, (16, 16))
    for i, j in T.grid(16, 16):
        with T.block("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * 2.0
    for i, j in T.grid(16, 16):
        with T.block("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + 1.0
"""
MATMUL = """
@T.prim_func
def main(a: T.handle, b: T.handle, c: T.handle) -> None:
    A = T.match_buffer(a, (15, 16))
    B = T.match_buffer(b, (16, 16))
    C = T.match_buffer(c, (15, 16))
    for i, j, k in T.grid(15, 16, 16):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = 0.0
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vj, vk]
"""
UNIT = """
@T.prim_func
def main(A: T.Buffer((), "int32"), B: T.Buffer((), "int32"), C: T.Buffer((), "int32")):
    with T.block("C"):
        vi = T.axis.spatial(1, 0)
        C[()] = A[()] + B[()]
"""
PADDING = """
@T.prim_func
def main(x: T.Buffer(128, "int32"), y: T.Buffer(140, "int32")):
    for i in range(140):
        with T.block("block"):
            vi = T.axis.remap("S", [i])
            y[vi] = T.if_then_else(vi >= 6 and vi < 134, x[vi - 6], 0)
"""
Change = Callable[[Schedule], object]


def tensorized(sch: Schedule) -> None:
    a, b = te.placeholder((5, 16), "float32", "A"), te.placeholder((16, 16), "float32", "B")
    r = te.reduce_axis(16, "k")
    made = te.create_tensor_function(
        [a, b], [te.compute((5, 16), lambda i, j: te.sum(a[i, r] * b[j, r], axis=r), "C")]
    )
    register_intrinsic(TensorIntrinsic("test_mma_intrin", made, made))
    block = sch.get_block("C")
    i, _, _ = sch.get_loops(block)
    _, inner = sch.split(i, factors=[None, 5])
    sch.tensorize(inner, "test_mma_intrin", preserve_unit_iters=True)


CHANGES: list[tuple[str, Change]] = [
    (
        ELEMENTWISE,
        lambda s: s.split(
            loop=s.get_loops(block=s.get_block(name="B", func_name="main"))[0],
            factors=[None, 4],
            preserve_unit_iters=True,
            disable_predication=False,
        ),
    ),
    (ELEMENTWISE, lambda s: s.fuse(*s.get_loops("B"), preserve_unit_iters=True)),
    (ELEMENTWISE, lambda s: s.loop_partition("B.i", factors=[2, 9], preserve_unit_iters=True)),
    (ELEMENTWISE, lambda s: s.bind(s.get_loops("C")[0], "vthread.x")),
    (UNIT, lambda s: s.add_unit_loop(s.get_block("C"))),
    (ELEMENTWISE, lambda s: s.cache_read("C", 0, "local", consumer_blocks=[])),
    (ELEMENTWISE, lambda s: s.cache_write(s.get_block("B"), 0, "local", [s.get_block("C")])),
    (MATMUL, lambda s: s.reindex(s.get_block("C"), ("read", 1))),
    (
        ELEMENTWISE,
        lambda s: s.compute_at("B", s.get_loops("C")[0], preserve_unit_loops=False, index=-1),
    ),
    (ELEMENTWISE, lambda s: s.reverse_compute_at("C", s.get_loops("B")[0], True)),
    (MATMUL, lambda s: s.decompose_reduction(s.get_block("C"), s.get_loops("C")[0])),
    (MATMUL, lambda s: s.rfactor(loop=s.get_loops("C")[2], factor_axis=-1)),
    (
        ELEMENTWISE,
        lambda s: s.set_scope(s.get_block("B"), buffer_index=0, storage_scope="shared"),
    ),
    (ELEMENTWISE, lambda s: s.blockize(s.get_loops("B")[1], preserve_unit_iters=True)),
    (ELEMENTWISE, lambda s: s.annotate(s.get_block("B"), ann_key="k", ann_val=[1, "a"])),
    (
        ELEMENTWISE,
        lambda s: s.transform_layout(
            block=s.get_block("B"),
            buffer=("write", 0),
            index_map=lambda m, n: (m // 4, n // 4, m % 4, n % 4),
            pad_value=None,
            assume_injective_transform=True,
        ),
    ),
    (ELEMENTWISE, lambda s: s.transform_block_layout("B", lambda i, j: (i * 16 + j,))),
    (MATMUL, lambda s: s.pad_einsum(s.get_block("C"), [8, 8, 8])),
    (PADDING, lambda s: s.decompose_padding(s.get_block("block"), s.get_loops("block")[0])),
    (MATMUL, tensorized),
]


@pytest.mark.parametrize(("script", "change"), CHANGES)
def test_examples_of_tvm(script: str, change: Change) -> None:
    before = parse(script)
    sch = Schedule(before)
    change(sch)
    assert sch.mod != before
    wanted = arrays_of(only(before), {})
    found = [array.copy() for array in wanted]
    run_tensor_function(only(before), wanted)
    run_tensor_function(only(sch.mod), found)
    for a, b in zip(wanted, found, strict=True):
        assert sch.reassociates or a.tobytes() == b.tobytes()
        assert abs(a - b).max() < 1e-4
    again = Schedule(before)
    exec(sch.trace.python(), {"sch": again})
    assert again.module == sch.module


def test_blocks_beside_each_other() -> None:
    sch = Schedule(parse(ELEMENTWISE))
    b, c = sch.get_block("B"), sch.get_block("C")
    assert sch.get_producers(c) == (b,)
    assert sch.get_consumers(b) == (c,)
    assert sch.get_producers(b) == sch.get_consumers(c) == ()
    assert sch.get_output_blocks() == (c,)


def test_an_update_consumes_its_initial_value() -> None:
    sch = Schedule(parse(MATMUL))
    init = sch.decompose_reduction("C", "i")
    assert sch.get_producers(init) == ()
    assert [b.name for b in sch.get_output_blocks()] == ["C_init", "C"]
    inner = sch.blockize("C.j")
    assert sch.get_producers(inner) == (init,)


def test_another_function_is_refused() -> None:
    with pytest.raises(CompileError) as refused:
        Schedule(parse(MATMUL)).get_block("C", func_name="other")
    assert refused.value.diagnostics[0].code == "schedule/which-function"
    with pytest.raises(CompileError, match="keeps axes of one value"):
        Schedule(parse(MATMUL)).blockize("k", preserve_unit_iters=False)
