"""Blockize: where outer axes come from, where initialisations go, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.schedule.checks import answered, applied, only
from tests.schedule.programs import conv2d, matmul
from workbench.analysis.dependence import AnswerKind
from workbench.ir import AxisKind, Block, IRModule
from workbench.schedule.primitives.blockize import Blockize
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.scope import Scope
from workbench.script import parse, print_module
from workbench.support import CompileError

COPY = """
@T.prim_func
def f(A: T.Buffer((32,), "float32"), C: T.Buffer((32,), "float32")):
    for io, ii in T.grid(4, 8):
        with T.sblock("C"):
            vi = T.axis.spatial(32, io * 8 + ii)
            C[vi] = A[vi] + T.float32(1)
"""


def block(module: IRModule, name: str) -> Block:
    return Scope("f", only(module)).block(name)


def matmul_tiles(m: int = 8, n: int = 12, k: int = 8) -> IRModule:
    module = IRModule((("f", matmul(m, n, k)),))
    return applied(
        module,
        Split("f", "i", (None, 4)),
        Split("f", "j", (None, 4)),
        Split("f", "r", (None, 2)),
        Reorder("f", ("i_0", "j_0", "r_0", "i_1", "j_1", "r_1")),
    )


def test_a_loop_becomes_a_block() -> None:
    done = applied(parse(COPY), Blockize("f", "ii"))
    text = print_module(done)
    assert (
        """
        for io in range(4):
            with T.sblock("C_o"):
                vi_o = T.axis.spatial(4, io)
                for ii in range(8):
                    with T.sblock("C"):
                        vi = T.axis.spatial(32, vi_o * 8 + ii)
                        C[vi] = A[vi] + T.float32(1.0)
"""
        in text
    )


def test_ids_stay_and_the_new_block_is_derived_from_the_loop() -> None:
    module = parse(COPY)
    result = Blockize("f", "ii").run(module)
    before, after = Scope("f", only(module)), Scope("f", only(result.module))
    assert before.block("C").id == after.block("C").id
    assert [x.var.id for x in before.loops] == [x.var.id for x in after.loops]
    (derivation,) = result.derivations
    assert [ref.id for ref in derivation.sources] == [before.loop("ii").var.id]
    assert [ref.id for ref in derivation.results] == [after.block("C_o").id]


def test_the_initialisation_moves_where_the_reduction_goes_on_outside() -> None:
    done = applied(matmul_tiles(), Blockize("f", "i_1"))
    outer, inner = block(done, "matmul_o"), block(done, "matmul")
    assert [axis.kind for axis in outer.axes] == [AxisKind.SPATIAL] * 2 + [AxisKind.REDUCE]
    assert outer.init is not None
    assert inner.init is None
    assert block(done, "matmul_init").predicate is None


def test_the_initialisation_stays_where_the_whole_reduction_is_inside() -> None:
    module = IRModule((("f", matmul(8, 12, 8)),))
    done = applied(module, Split("f", "i", (None, 4)), Blockize("f", "i_1"))
    assert block(done, "matmul_o").init is None
    assert block(done, "matmul").init is not None


def test_a_guard_that_mixes_outer_and_inner_loops() -> None:
    module = IRModule((("f", matmul(7, 5, 9)),))
    done = applied(
        module,
        Split("f", "i", (None, 4)),
        Split("f", "r", (None, 4)),
        Reorder("f", ("i_0", "r_0", "i_1", "j", "r_1")),
        Blockize("f", "i_1"),
    )
    text = print_module(done)
    assert "T.where(v_r_o * 4 + r_1 < 9 and v_i_o * 4 + i_1 < 7)" in text
    assert "T.where(v_i_o * 4 + i_1_init < 7)" in text


def test_a_guard_of_whole_instances_is_that_of_the_outer_block() -> None:
    """Five tiles of four rows on six instances of the outer loops."""
    module = IRModule((("f", matmul(20, 5, 9)),))
    done = applied(module, Split("f", "i", (None, 2, 4)), Blockize("f", "i_2"))
    outer = print_module(done).partition('with T.sblock("matmul_o")')[2]
    assert "v_i_o = T.axis.spatial(6, i_0 * 2 + i_1)" in outer
    assert "T.where(v_i_o < 5)" in outer
    assert outer.count("T.where") == 1


def test_two_outer_loops_make_one_axis() -> None:
    module = applied(parse(COPY), Split("f", "io", (2, 2)))
    outer = block(applied(module, Blockize("f", "ii")), "C_o")
    (axis,) = outer.axes
    assert print_module(applied(module, Blockize("f", "ii"))).count("T.axis.spatial(4, ") == 1
    assert axis.kind is AxisKind.SPATIAL


STENCIL = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), B: T.Buffer(("n",), "float32"), C: T.Buffer((10,), "int64")):
    n = T.int64()
    for t, i in T.grid(2, n - 2):
        B[i + 1] = A[i] + A[i + 1] + A[i + 2] + T.Cast("float32", t)
    for k in range(10):
        for j in range(4):
            if k % 2 == 0:
                C[k] = C[k] + C[(k + j) % 10]
"""


@pytest.mark.parametrize("loop", ["t", "i", "k", "j"])
def test_code_without_blocks(loop: str) -> None:
    """A stencil that is written again, and a gather under a branch, symbolic extents."""
    module = applied(parse(STENCIL), Blockize("f", loop), n=9)
    assert len(Scope("f", only(module)).blocks) == 1


def test_axes_of_code_without_blocks_promise_only_what_is_proved() -> None:
    inside = applied(parse(STENCIL), Blockize("f", "i"), n=9)
    (axis,) = Scope("f", only(inside)).blocks[0].axes
    assert axis.kind is AxisKind.OPAQUE


def test_a_convolution() -> None:
    module = IRModule((("f", conv2d(3, 4, 5)),))
    done = applied(module, Blockize("f", "conv.rc"))
    assert [axis.kind for axis in block(done, "conv_o").axes] == [AxisKind.SPATIAL] * 4


BESIDE = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("b"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] + T.float32(1)
        with T.sblock("c"):
            vj = T.axis.spatial(8, i)
            C[vj] = B[vj] * T.float32(2)
        with T.sblock("d"):
            vk = T.axis.spatial(8, i)
            A[vk] = C[vk]
"""


def test_blocks_beside_each_other_become_one() -> None:
    done = applied(parse(BESIDE), Blockize("f", blocks=("c", "b")))
    outer = block(done, "c_o")
    assert len(outer.axes) == 1
    assert [b.name for b in Scope("f", only(done)).blocks] == ["c_o", "b", "c", "d"]


def test_blocks_with_another_between_are_no_run() -> None:
    answer = answered(parse(BESIDE), Blockize("f", blocks=("b", "d")))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `c` stands between the blocks"


def test_blocks_in_different_loops_are_no_run() -> None:
    module = IRModule((("f", conv2d(3, 4, 5)),))
    answer = answered(module, Blockize("f", blocks=("pad", "conv")))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "do not stand beside each other" in answer.message


@pytest.mark.parametrize(
    ("primitive", "code"),
    [
        (Blockize("f"), "schedule/not-a-place"),
        (Blockize("f", blocks=("b", "b")), "schedule/not-a-place"),
        (Blockize("f", "i", ("b",)), "schedule/not-a-place"),
        (Blockize("f", "x"), "schedule/no-such-loop"),
        (Blockize("f", blocks=("x", "b")), "schedule/no-such-block"),
    ],
)
def test_places_that_are_none(primitive: Blockize, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        primitive.run(parse(BESIDE))
    assert caught.value.diagnostics[0].code == code


def test_the_method_takes_loops_and_blocks_and_its_trace_replays() -> None:
    schedule = wb.Schedule(parse(BESIDE), "f")
    made = schedule.blockize([schedule.get_block("b"), "c"])
    assert made.name == "c_o"
    schedule.blockize("i")
    replayed = wb.Schedule(parse(BESIDE), "f")
    exec(schedule.trace.python(), {"sch": replayed})
    assert replayed.module == schedule.module
    assert schedule.trace.apply(parse(BESIDE)).module == schedule.module


def test_native_code_computes_the_same() -> None:
    module = applied(matmul_tiles(), Blockize("f", "i_1"))
    rng = np.random.default_rng(0)
    a, b = rng.random((8, 8), np.float32), rng.random((8, 12), np.float32)
    c = np.zeros((8, 12), np.float32)
    wb.build(IRModule((("main", only(module)),)))(a, b, c)
    assert np.allclose(c, a @ b, rtol=1e-5)


OUTER_SUM = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), C: T.Buffer((4,), "float32")):
    for k in range(6):
        for i in range(4):
            with T.sblock("C"):
                vi = T.axis.spatial(4, VALUE)
                vk = T.axis.reduce(6, k)
                with T.init():
                    C[vi] = T.float32(0)
                C[vi] = C[vi] + A[vi, vk]
"""


@pytest.mark.parametrize(
    ("value", "moves"), [("i", True), ("3 - i", True), ("i // 2", False), ("i % 2", False)]
)
def test_the_initialisation_moves_where_elements_are_different(value: str, *, moves: bool) -> None:
    done = applied(parse(OUTER_SUM.replace("VALUE", value)), Blockize("f", "i"))
    assert (block(done, "C_o").init is not None) is moves
    assert (block(done, "C").init is None) is moves


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_reduction_that_may_have_no_iterations_is_initialised(n: int) -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4, 2, "n"), "float32"), C: T.Buffer((4,), "float32")):
    n = T.int64()
    for o, i, k in T.grid(2, 4, n):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            vo = T.axis.reduce(2, o)
            vk = T.axis.reduce(n, k)
            with T.init():
                C[vi] = T.float32(3)
            C[vi] = C[vi] + A[vi, vo, vk]
"""
    done = applied(parse(text), Blockize("f", "i"), n=n)
    assert block(done, "C_o").init is not None
