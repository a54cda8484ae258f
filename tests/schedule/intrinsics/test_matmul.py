"""Whole schedules that end in an intrinsic: packed, partitioned, parallel, run as native code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from benchmarks.tensorize import default, packed, product, tiled
from tests.codegen.test_dots import VNNI
from tests.schedule.checks import assert_same, only
from workbench import te
from workbench.codegen import assembly, emit, host_target
from workbench.ir import IRModule
from workbench.ir.verify import check
from workbench.rewrite import PassResult
from workbench.schedule import Schedule
from workbench.script import parse


@pytest.mark.parametrize("schedule", [tiled, packed, default])
def test_the_schedules_of_the_benchmark_compute_the_product(
    schedule: Callable[[IRModule], IRModule],
) -> None:
    module = product(32)
    done = schedule(module)
    check(done)
    if schedule is not default:
        assert_same(module, PassResult(done), {})
    a, b = (np.random.default_rng(n).random((32, 32), np.float32) for n in (0, 1))
    out = np.zeros((32, 32), np.float32)
    wb.build(done)(a, b, out)
    assert np.allclose(out, a @ b, rtol=1e-5)


def test_native_code_gives_the_bits_of_the_loops() -> None:
    """A register tile adds in the order of the loops, and both fuse where the processor can."""
    module = product(48)
    a, b = (np.random.default_rng(n).random((48, 48), np.float32) - 0.5 for n in (0, 1))
    expected, found = np.zeros((2, 48, 48), np.float32)
    wb.build(module)(a, b, expected)
    wb.build(tiled(module))(a, b, found)
    assert expected.tobytes() == found.tobytes()


def test_rows_that_are_left_over_stay_loops() -> None:
    """20 rows are three tiles of six and two rows more."""
    module = parse("""
@T.prim_func
def main(
    A: T.Buffer((20, 8), "float32"), B: T.Buffer((8, 16), "float32"),
    C: T.Buffer((20, 16), "float32"),
):
    for i, j, k in T.grid(20, 16, 8):
        C[i, j] = C[i, j] + A[i, k] * B[k, j]
""")
    sch = Schedule(module, "main")
    whole, _rest = sch.loop_partition("i", [18, 2])
    _i_0, i_1 = sch.split(whole, [None, 6])
    sch.tensorize(i_1, "fma_6x16_f32")
    assert_same(module, PassResult(sch.module), {})
    assert "fma_6x16_f32" in sch.module.script()


QUANTIZED = """
@T.prim_func
def main(
    A: T.Buffer((8, 32), "uint8"), B: T.Buffer((32, 32), "int8"), C: T.Buffer((8, 32), "int32")
):
    for i, j, k in T.grid(8, 32, 32):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = 0
            C[vi, vj] = C[vi, vj] + T.Cast("int32", A[vi, vk]) * T.Cast("int32", B[vk, vj])
"""


def quantized(module: IRModule) -> Schedule:
    """B packed for the instruction: fours along k next to each other, for 16 columns."""
    sch = Schedule(module, "main")
    sch.cache_read("C", "B")
    sch.transform_layout("C", ("read", 1), "lambda k, j: (j // 16, k // 4, j % 16, k % 4)")
    i, j, k = sch.get_loops("C")
    i_0, i_1 = sch.split(i, [None, 4])
    j_0, j_1 = sch.split(j, [None, 16])
    k_0, k_1 = sch.split(k, [None, 4])
    sch.reorder(i_0, j_0, i_1, j_1, k_0, k_1)
    sch.tensorize(i_1, "dot_4x16x4_vnni")
    return sch


def test_a_quantized_product_packed_for_the_instruction() -> None:
    module = parse(QUANTIZED)
    sch = quantized(module)
    assert_same(module, PassResult(sch.module), {})
    rng = np.random.default_rng(0)
    a = rng.choice(np.array([0, 255], np.uint8), (8, 32))
    b = rng.choice(np.array([-128, 127], np.int8), (32, 32))
    out = np.zeros((8, 32), np.int32)
    wb.build(sch.module)(a, b, out)
    assert np.array_equal(out, a.astype(np.int32) @ b.astype(np.int32))


@pytest.mark.skipif(not host_target().is_x86, reason="needs LLVM's x86 back end")
def test_its_inner_loop_is_four_instructions_on_a_processor_with_vnni() -> None:
    function = only(quantized(parse(QUANTIZED)).module)
    text = assembly(emit(function, "kernel", VNNI).llvm, VNNI)
    assert text.count("vpdpbusd") == 4
    assert "vpmaddwd" not in text


def test_extents_that_do_not_divide_are_padded_first() -> None:
    """21 rows are four tiles of six in a padded copy."""
    a = te.placeholder((21, 8), "float32", "A")
    b = te.placeholder((8, 30), "float32", "B")
    r = te.reduce_axis(8, "r")
    c = te.compute((21, 30), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), "C")
    module = IRModule((("main", te.create_tensor_function([a, b], [c])),))
    sch = Schedule(module, "main")
    sch.pad_einsum("C", [6, 16, 1])
    i, j, k = sch.get_loops("C")
    i_0, i_1 = sch.split(i, [None, 6])
    j_0, j_1 = sch.split(j, [None, 16])
    sch.reorder(i_0, j_0, i_1, j_1, k)
    sch.tensorize(i_1, "fma_6x16_f32")
    assert_same(module, PassResult(sch.module), {})
