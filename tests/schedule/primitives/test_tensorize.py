"""Tensorize: what matches is replaced and computes the same, what does not is said in words."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import workbench as wb
from tests.schedule.checks import answered, applied, arrays_of, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import IRModule
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.tensorize import Tensorize
from workbench.schedule.scope import Scope
from workbench.script import parse, print_module
from workbench.support import CompileError


def bytes_matmul(m: int, n: int, k: int, a: str = "uint8", b: str = "int8") -> IRModule:
    """A times the transpose of B, both with `k` along memory."""
    return parse(f"""
@T.prim_func
def f(
    A: T.Buffer(({m}, {k}), "{a}"), B: T.Buffer(({n}, {k}), "{b}"),
    C: T.Buffer(({m}, {n}), "int32"),
):
    for i, j, k in T.grid({m}, {n}, {k}):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = 0
            C[vi, vj] = C[vi, vj] + T.Cast("int32", A[vi, vk]) * T.Cast("int32", B[vj, vk])
""")


def float_matmul(m: str = "12", n: int = 32, k: str = "8", value: str = "") -> IRModule:
    value = value or "C[vi, vj] + A[vi, vk] * B[vk, vj]"
    names = [name for name in (m, k) if not name.isdigit()]
    dims = ["".join(f'"{d}"' if not d.isdigit() else d) for d in (m, k)]
    return parse(f"""
@T.prim_func
def f(
    A: T.Buffer(({dims[0]}, {dims[1]}), "float32"),
    B: T.Buffer(({dims[1]}, {n}), "float32"),
    C: T.Buffer(({dims[0]}, {n}), "float32"),
):
    {"; ".join(f"{name} = T.int64()" for name in names) or "T.evaluate(0)"}
    for i, j, k in T.grid({m}, {n}, {k}):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = {value}
""")


def tiled(module: IRModule, rows: int, columns: int, inner: tuple[str, ...] = ()) -> IRModule:
    order = inner or ("i_1", "j_1", "k")
    return applied(
        module,
        Split("f", "i", (None, rows)),
        Split("f", "j", (None, columns)),
        Reorder("f", ("i_0", "j_0", *order)),
        m=6,
        n=6,
    )


def extremes(module: IRModule) -> None:
    """Smallest and largest bytes: the sums are exact in the interpreter and in native code."""
    function = only(module)
    left, right, out = arrays_of(function, {})
    call = wb.build(IRModule((("main", function),)))
    for low, high in ((0, -128), (255, -128), (255, 127)):
        left[...], right[...] = low, high
        call(left, right, out)
        assert (out == low * high * left.shape[1]).all()


# --- what is shipped --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "columns"), [("fma_4x16_f32", 4, 16), ("fma_6x16_f32", 6, 16)]
)
def test_a_register_tile(name: str, rows: int, columns: int) -> None:
    module = tiled(float_matmul(), rows, columns)
    done = applied(module, Tensorize("f", loop="i_1", intrinsic=name))
    text = print_module(done)
    assert "tile = T.alloc_buffer" in text
    assert f'T.sblock_attr({{"tensor_intrinsic": "{name}"}})' in text
    assert "C_1 = T.match_buffer(C[vi_o * " in text
    assert "with T.init():" in text


def test_a_register_tile_of_a_reduction_of_any_length() -> None:
    module = tiled(float_matmul("12", 16, "n"), 6, 16)
    done = applied(module, Tensorize("f", loop="i_1", intrinsic="fma_6x16_f32"), n=5)
    assert "for k_1 in range(n)" in print_module(done)


def test_a_register_tile_of_one_product_that_has_no_loop() -> None:
    module = tiled(float_matmul("12", 16, "1"), 4, 16)
    done = applied(module, Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"))
    assert "A_1 = T.match_buffer(A[vi_o * 4:vi_o * 4 + 4, 0], (4, 1)" in print_module(done)
    plain = parse("""
@T.prim_func
def f(
    A: T.Buffer((4, 3), "float32"), B: T.Buffer((16,), "float32"), C: T.Buffer((4, 16), "float32")
):
    for i, j in T.grid(4, 16):
        C[i, j] = C[i, j] + A[i, 2] * B[j]
""")
    answer = answered(plain, Tensorize("f", loop="i", intrinsic="fma_4x16_f32"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "expected B[k, j] to be read, found B[j]" in answer.message


def test_a_part_of_the_reduction() -> None:
    module = applied(
        float_matmul(),
        Split("f", "i", (None, 4)),
        Split("f", "j", (None, 16)),
        Split("f", "k", (None, 4)),
        Reorder("f", ("i_0", "j_0", "k_0", "i_1", "j_1", "k_1")),
        Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"),
    )
    assert "vk_o" in print_module(module)


@pytest.mark.parametrize("lanes", [8, 16])
def test_dot_products_of_bytes(lanes: int) -> None:
    done = applied(
        bytes_matmul(3, 32, 12),
        Split("f", "j", (None, lanes)),
        Split("f", "k", (None, 4)),
        Reorder("f", ("i", "j_0", "k_0", "j_1", "k_1")),
        Tensorize("f", loop="j_1", intrinsic=f"dot_{lanes}x4_vnni"),
    )
    assert "= T.dot4(C_1[" in print_module(done)
    extremes(done)


PACKED = """
@T.prim_func
def f(
    A: T.Buffer((8, 24), "{left}"), B: T.Buffer(({fours}, 16, {count}), "{right}"),
    C: T.Buffer((8, 16), "{total}"),
):
    for i0, i, j, k, q in T.grid(2, 4, 16, {fours}, {count}):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i0 * 4 + i)
            vj, vk, vq = T.axis.remap("SRR", [j, k, q])
            with T.init():
                C[vi, vj] = {zero}
            C[vi, vj] = C[vi, vj] + (
                T.Cast("{total}", A[vi, vk * {count} + vq]) * T.Cast("{total}", B[vk, vj, vq])
            )
"""


def packed(count: int, left: str, right: str, total: str) -> IRModule:
    zero = "T.float32(0)" if total == "float32" else "0"
    return parse(
        PACKED.format(
            count=count, fours=24 // count, left=left, right=right, total=total, zero=zero
        )
    )


def test_tiles_of_dot_products_of_bytes() -> None:
    module = packed(4, "uint8", "int8", "int32")
    extremes_of = applied(module, Tensorize("f", loop="i", intrinsic="dot_4x16x4_vnni"))
    assert "T.dot4(tile[" in print_module(extremes_of)


def test_tiles_of_dot_products_of_brain_floats() -> None:
    module = packed(2, "bfloat16", "bfloat16", "float32")
    primitive = Tensorize("f", loop="i", intrinsic="dot_4x16x2_bf16")
    done = applied(module, primitive)
    answer = answered(module, primitive)
    assert answer.reassociates
    assert answer.notes == ("`dot_4x16x2_bf16` rounds otherwise than the loops",)
    assert "T.dot2(tile[" in print_module(done)
    rng = np.random.default_rng(0)
    a = rng.standard_normal((8, 24)).astype(ml_dtypes.bfloat16)
    b = rng.standard_normal((12, 16, 2)).astype(ml_dtypes.bfloat16)
    c = np.zeros((8, 16), np.float32)
    wb.build(IRModule((("main", only(done)),)))(a, b, c)
    exact = np.einsum("ikq,kjq->ij", a.astype("f8").reshape(8, 12, 2), b.astype("f8"))
    assert np.allclose(c, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lanes", [8, 16])
def test_dot_products_of_brain_floats(lanes: int) -> None:
    text = print_module(bytes_matmul(3, 32, 6, "bfloat16", "bfloat16"))
    text = text.replace('"int32"', '"float32"').replace("= T.int32(0)", "= T.float32(0)")
    module = applied(
        parse(text.replace("] = 0\n", "] = T.float32(0)\n")),
        Split("f", "j", (None, lanes)),
        Split("f", "k", (None, 2)),
        Reorder("f", ("i", "j_0", "k_0", "j_1", "k_1")),
        Tensorize("f", loop="j_1", intrinsic=f"dot_{lanes}x2_bf16"),
    )
    assert "= T.dot2(C_1[" in print_module(module)


# --- what is free -----------------------------------------------------------------------------


def test_factors_may_be_swapped_and_buffers_transposed_where_strides_are_free() -> None:
    """A of the tile has free strides: a column of another buffer will do."""
    text = print_module(float_matmul(value="B[vk, vj] * A[vk, vi] + C[vi, vj]"))
    module = tiled(parse(text.replace("A: T.Buffer((12, 8)", "A: T.Buffer((8, 12)")), 4, 16)
    done = applied(module, Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"))
    assert "A_1[k_1, i_2]" in print_module(done)


def test_loops_may_stand_in_another_order() -> None:
    module = tiled(float_matmul(), 4, 16, ("k", "j_1", "i_1"))
    done = applied(module, Tensorize("f", loop="k", intrinsic="fma_4x16_f32"))
    assert not answered(module, Tensorize("f", loop="k", intrinsic="fma_4x16_f32")).reassociates
    assert "tensor_intrinsic" in print_module(done)


CONVOLUTION = """
@T.prim_func
def f(
    A: T.Buffer((1, 6, 5, 18), "float32"), W: T.Buffer((3, 6, 4), "float32"),
    C: T.Buffer((1, 4, 5, 16), "float32"),
):
    for y, o, x, c, r in T.grid(5, 4, 16, 6, 3):
        C[0, o, y, x] = C[0, o, y, x] + A[0, c, y, x + r] * W[r, c, o]
"""


def test_a_convolution_without_blocks_on_points_of_inner_dimensions() -> None:
    """`y` is a point between `c` and `x`; the boxes begin at `r`."""
    module = applied(parse(CONVOLUTION), Reorder("f", ("y", "r", "o", "x", "c")))
    done = applied(module, Tensorize("f", loop="o", intrinsic="fma_4x16_f32"))
    text = print_module(done)
    assert "T.match_buffer(A[0, 0:6, vy, vr:vr + 16], (6, 1, 16), " in text
    assert "T.match_buffer(W[vr, 0:6, 0:4], (6, 4), " in text


def test_a_block_that_is_there_already() -> None:
    schedule = wb.Schedule(tiled(float_matmul(), 4, 16), "f")
    made = schedule.tensorize(schedule.blockize("i_1"), "fma_4x16_f32")
    assert made.name == "C_o"
    assert "tensor_intrinsic" in print_module(schedule.module)


# --- what is refused --------------------------------------------------------------------------


def refusal(module: IRModule, loop: str = "i_1", name: str = "fma_4x16_f32") -> str:
    answer = answered(module, Tensorize("f", loop=loop, intrinsic=name))
    assert answer.kind is AnswerKind.INAPPLICABLE
    return answer.message.removeprefix(f"the code is not what `{name}` describes: ")


def test_another_number_of_loops() -> None:
    assert refusal(tiled(float_matmul(), 4, 16), "j_1") == (
        "expected 3 loops around the statement (`i` of 4, `j` of 16, `k` of K), found 2 loops "
        "around the statement (`j_1` of 16, `k` of 8)"
    )


def test_another_extent() -> None:
    assert refusal(tiled(float_matmul(), 6, 16)) == (
        "expected 3 loops around the statement (`i` of 4, `j` of 16, `k` of K), found 3 loops "
        "around the statement (`i_1` of 6, `j_1` of 16, `k` of 8)"
    )


def test_another_operation() -> None:
    module = float_matmul(value="C[vi, vj] - A[vi, vk] * B[vk, vj]")
    assert refusal(tiled(module, 4, 16)).startswith(
        "expected `C[i, j] + A[i, k] * B[k, j]`, found `C["
    )


def test_another_dtype() -> None:
    module = applied(
        bytes_matmul(3, 16, 8, a="int8"),
        Split("f", "k", (None, 4)),
        Reorder("f", ("i", "k_0", "j", "k_1")),
    )
    assert refusal(module, "j", "dot_16x4_vnni") == (
        "expected `A` of uint8 where A[i, k_0 * 4 + k_1] is read, found int8"
    )


def test_another_access() -> None:
    module = float_matmul(value="C[vi, vj] + A[vi, vk] * B[vk, 31 - vj]")
    assert "which moves otherwise with the loops" in refusal(tiled(module, 4, 16))


def test_another_layout() -> None:
    """B of the tile is row-major: its transpose is not what is described."""
    text = print_module(float_matmul(value="C[vi, vj] + A[vi, vk] * B[vj, vk]"))
    module = tiled(parse(text.replace("B: T.Buffer((8, 32)", "B: T.Buffer((32, 8)")), 4, 16)
    assert refusal(module) == (
        "expected `B` row-major with its last dimension contiguous, found it along dimension 0 "
        "of `B`"
    )
    answer = answered(module, Tensorize(loop="i_1", intrinsic="fma_4x16_f32"))
    assert answer.hint == "`transform_layout` makes another layout of `B`"


def test_a_guard() -> None:
    module = applied(
        float_matmul("10"),
        Split("f", "i", (None, 4)),
        Split("f", "j", (None, 16)),
        Reorder("f", ("i_0", "j_0", "i_1", "j_1", "k")),
    )
    assert "found a branch on `i_0 * 4 + i_1 < 10`" in refusal(module)
    answer = answered(module, Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"))
    assert answer.hint == "leave the guard out with `loop_partition` or `pad_einsum`"


def test_a_guard_of_whole_tiles_stays_outside() -> None:
    """Three tiles of four rows on four iterations: the last one is left out as a whole."""
    module = applied(float_matmul("12"), Split("f", "i", (4, 4)), Split("f", "j", (None, 16)))
    module = applied(module, Reorder("f", ("i_0", "j_0", "i_1", "j_1", "k")))
    done = applied(module, Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"))
    assert "T.where(vi_o < 3)" in print_module(done)


def test_a_guard_that_always_holds_is_none() -> None:
    inside = applied(float_matmul("16"), Split("f", "i", (4, 4)), Split("f", "j", (None, 16)))
    inside = applied(inside, Reorder("f", ("i_0", "j_0", "i_1", "j_1", "k")))
    done = applied(inside, Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32"))
    assert "T.where" not in print_module(done)


def test_sums_of_different_lengths() -> None:
    module = parse("""
@T.prim_func
def f(
    A: T.Buffer((4, 8), "float32"), B: T.Buffer((8, 16), "float32"),
    C: T.Buffer((4, 16), "float32"),
):
    for i in range(4):
        for j in range(16):
            for k in range(i + 1):
                C[i, j] = C[i, j] + A[i, k] * B[k, j]
""")
    assert refusal(module, "i") == (
        "expected the same extent of `k` in all iterations, found i + 1"
    )


@pytest.mark.parametrize(
    ("primitive", "code"),
    [
        (Tensorize("f", loop="i_1", intrinsic="no"), "schedule/no-such-intrinsic"),
        (Tensorize("f", intrinsic="fma_4x16_f32"), "schedule/not-a-place"),
        (Tensorize("f", "D", "fma_4x16_f32"), "schedule/no-such-block"),
        (Tensorize("f", loop="x", intrinsic="fma_4x16_f32"), "schedule/no-such-loop"),
        (Tensorize("f", loop="i_0", intrinsic="fma_4x16_f32"), "schedule/inapplicable"),
    ],
)
def test_what_fits_nowhere(primitive: Tensorize, code: str) -> None:
    module = tiled(float_matmul(), 4, 16)
    with pytest.raises(CompileError) as caught:
        primitive.run(module)
    assert caught.value.diagnostics[0].code == code


# --- the rest ---------------------------------------------------------------------------------


def test_ids_and_names_do_not_depend_on_questions() -> None:
    module = tiled(float_matmul(), 4, 16)
    primitive = Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32")
    scope = Scope.of(module, "f")
    primitive.check(scope)
    primitive.check(scope)
    assert primitive.rewrite(scope).function == only(primitive.run(module).module)


def test_loops_and_blocks_that_are_gone_are_sources() -> None:
    module = tiled(float_matmul(), 4, 16)
    result = Tensorize("f", loop="i_1", intrinsic="fma_4x16_f32").run(module)
    (derivation,) = result.derivations
    before = Scope.of(module, "f")
    gone = {before.loop(name).var.id for name in ("i_1", "j_1", "k")} | {before.block("C").id}
    assert gone <= {ref.id for ref in derivation.sources}


def test_the_trace_prints_and_replays() -> None:
    module = float_matmul()
    schedule = wb.Schedule(module, "f")
    i, j, k = schedule.get_loops("C")
    i_0, i_1 = schedule.split(i, [None, 4])
    j_0, j_1 = schedule.split(j, [None, 16])
    schedule.reorder(i_0, j_0, i_1, j_1, k)
    schedule.tensorize(i_1, "fma_4x16_f32")
    assert "sch.tensorize(intrinsic='fma_4x16_f32', loop='i_1')" in schedule.trace.python()
    again = wb.Schedule(module, "f")
    exec(schedule.trace.python(), {"sch": again})
    assert again.module == schedule.module


def test_offers_are_those_of_the_same_extents_and_dtypes() -> None:
    module = tiled(float_matmul(), 4, 16)
    scope = Scope.of(module, "f")
    offered = list(Tensorize.offers(scope, scope.loop("i_1")))
    assert [offer.intrinsic for offer in offered] == ["fma_4x16_f32"]
    assert offered[0].check(scope).applies


def test_where_nothing_is_likely_one_offer_says_why() -> None:
    scope = Scope.of(bytes_matmul(3, 5, 7), "f")
    (offer,) = Tensorize.offers(scope, scope.block("C"))
    assert "expected 3 loops" in offer.check(scope).message
