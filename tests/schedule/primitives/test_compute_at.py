from __future__ import annotations

import re

import numpy as np
import pytest

import workbench as wb
from tests.schedule import in_place, scripts, stages
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.ir import For
from workbench.schedule import Schedule
from workbench.schedule.primitives.blockize import Blockize
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.scope import walk_statements
from workbench.script import parse
from workbench.support import CompileError

BLUR_AT = ComputeAt(block="bx", loop="by.i")


def test_a_stencil_is_computed_again_for_each_row() -> None:
    after = applied(parse(stages.BLUR), BLUR_AT)
    assert body(after).startswith(
        """\
for i in range(18):
    for ax0, ax1 in T.grid(3, 10):
        with T.sblock("bx"):
            vi = T.axis.spatial(20, i + ax0)
            vj = T.axis.spatial(10, ax1)
"""
    )
    assert body(after).count("for ") == 3


def test_a_tile_that_does_not_divide_is_cut_by_a_predicate() -> None:
    split = Split(loop="by.i", factors=(None, 8))
    after = applied(parse(stages.BLUR), split, ComputeAt(block="bx", loop="i_0"))
    assert "for ax0, ax1 in T.grid(10, 10):" in body(after)
    assert "T.where(i_0 * 8 + ax0 < 20)" in body(after)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (9, 4), (0, 5)])
def test_symbolic_extents(n: int, m: int) -> None:
    split = Split(loop="by.i", factors=(None, 4))
    at = ComputeAt(block="bx", loop="i_0")
    applied(parse(stages.SYMBOLIC_BLUR), split, at, n=n, m=m)


def test_under_the_innermost_loop_no_loop_is_left() -> None:
    after = applied(parse(stages.ELEMENTWISE), ComputeAt(block="B", loop="C.j"))
    assert body(after).count("for ") == 1
    kept = applied(
        parse(stages.ELEMENTWISE), ComputeAt(block="B", loop="C.j", preserve_unit_loops=True)
    )
    assert "for ax0, ax1 in T.grid(1, 1):" in body(kept)


def test_a_reduction_is_computed_whole_and_keeps_its_loop() -> None:
    module = parse(stages.MATMUL_RELU)
    k = next(
        x for x in walk_statements(only(module).body) if isinstance(x, For) and x.var.name == "k"
    )
    after = applied(module, ComputeAt(block="C", loop="D.i"))
    assert "for ax0, k in T.grid(8, 5):" in body(after)
    same = [x for x in walk_statements(only(after).body) if isinstance(x, For)]
    assert k.var in [loop.var for loop in same]


def test_two_readers_under_one_loop() -> None:
    module = applied(
        parse(stages.TWO_READERS),
        Split(loop="C.i", factors=(None, 1)),
    )
    schedule = Schedule(module)
    schedule.reverse_compute_at("D", "i_0")
    after = applied(schedule.module, ComputeAt(block="B", loop="i_0"))
    assert body(after).startswith("for i_0 in range(8):\n    for ax0_1 in range(6):")


def test_a_fused_producer_loop_gives_its_axes_back() -> None:
    fuse = Fuse(loops=("B.i", "B.j"))
    applied(parse(stages.ELEMENTWISE), fuse, ComputeAt(block="B", loop="C.i"))


def test_a_reordered_reduction_keeps_its_order_of_updates() -> None:
    module = parse(stages.MATMUL_RELU)
    order = Reorder(loops=("k", "C.i", "C.j"))
    applied(module, order, ComputeAt(block="C", loop="D.i"))


def test_reads_behind_a_guard() -> None:
    after = applied(parse(stages.PADDED_CONSUMER), ComputeAt(block="B", loop="C.i"))
    assert "T.where(i - 1 >= 0 and i - 1 < 8)" in body(after)


def test_a_gather_needs_all_of_the_buffer() -> None:
    after = applied(parse(stages.GATHERED), ComputeAt(block="B", loop="C.i"))
    assert "for ax0 in range(8):" in body(after)


def test_moving_it_twice_goes_deeper() -> None:
    applied(
        parse(stages.BLUR),
        Split(loop="by.i", factors=(None, 6)),
        ComputeAt(block="bx", loop="i_0"),
        ComputeAt(block="bx", loop="i_1"),
        ComputeAt(block="bx", loop="j"),
    )


def test_the_place_among_the_statements_of_the_loop() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32"), D: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(8):
        with T.sblock("D"):
            vi = T.axis.spatial(8, i)
            D[vi] = T.float32(1)
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] + D[vi]
"""
    for index, order in ((-1, "DBC"), (-2, "BDC"), (0, "BDC"), (1, "DBC")):
        after = applied(parse(text), ComputeAt(block="B", loop="D.i", index=index))
        assert "".join(re.findall(r'T.sblock\("(\w)"\)', body(after))) == order
    answer = answered(parse(text), ComputeAt(block="B", loop="D.i", index=2))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert "expected `0` to `1`" in answer.message


def test_a_reader_outside_of_the_loop_that_finds_everything() -> None:
    after = applied(parse(stages.TWO_READERS), ComputeAt(block="B", loop="C.i"))
    assert body(after).startswith("for i in range(8):\n    for ax0 in range(6):")


def test_a_reader_before_the_loop() -> None:
    answer = answered(parse(stages.TWO_READERS), ComputeAt(block="B", loop="D.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`C` reads `B[vi, vj]`, which `B` would not have written by then"
    assert answer.notes == (
        "`C` at i=0, j=0 reads `B[vi, vj]` of `B`, and no instance of `B` that writes it would "
        "come before",
    )


def test_an_output_that_would_not_be_whole() -> None:
    text = stages.BLUR.replace(
        'by: T.Buffer((18, 10), "float32")',
        'by: T.Buffer((18, 10), "float32"), bx: T.Buffer((20, 10), "float32")',
    ).replace('    bx = T.sblock_alloc_buffer((20, 10), "float32")\n', "")
    applied(parse(text), BLUR_AT)
    short = text.replace("T.grid(18, 10)", "T.grid(17, 10)")
    answer = answered(parse(short), BLUR_AT)
    assert answer.kind is AnswerKind.ILLEGAL
    assert "`bx` is an output" in answer.message
    assert answer.notes == ("`bx[19, 0]` would not be computed",)


def test_an_input_that_is_overwritten_in_between() -> None:
    answer = answered(parse(stages.OVERWRITTEN), ComputeAt(block="B", loop="C.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`B` would read `A[vi]` after `A_next` writes it"
    assert answer.notes == ("the read at i=0 would come after the write at i=0",)


def test_another_writer_of_other_elements() -> None:
    after = applied(parse(stages.TWO_WRITERS), ComputeAt(block="B_low", loop="C.i"))
    assert body(after).count('T.sblock("B_low")') == 1
    applied(after, ComputeAt(block="B_high", loop="C.i"))


def test_another_writer_of_the_same_elements() -> None:
    text = stages.TWO_WRITERS.replace("B[vi + 4]", "B[vi + 2]")
    answer = answered(parse(text), ComputeAt(block="B_low", loop="C.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`B_low` would write `B[vi]` after `B_high` does"
    assert answer.notes == ("the write at i=2 would come after the write at i=0",)


def test_a_reader_of_what_the_caller_gave() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] + T.float32(1)
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
"""
    answer = answered(parse(text), ComputeAt(block="B", loop="C.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`C` reads `B[vi]`, which `B` would have written by then"


def test_a_scan_reads_what_it_wrote() -> None:
    text = stages.SCANNED.replace("    B[0] = T.float32(0)\n", "")
    answer = answered(parse(text), ComputeAt(block="B", loop="C.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`B` would write `B[vi + 1]` after `C` reads it"
    assert answer.notes == ("the write at i=0 would come after the read at i=0",)


def test_nothing_there_reads_it() -> None:
    answer = answered(parse(stages.BLUR), ComputeAt(block="by", loop="bx.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "nothing under the loop `i` reads `by`"


def test_it_is_there_already() -> None:
    answer = answered(parse(stages.BLUR), ComputeAt(block="by", loop="by.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`by` is under the loop `i` already"


def test_a_loop_that_carries_a_reduction_and_more_is_made_anew() -> None:
    fuse = Fuse(loops=("C.j", "k"))
    module = applied(parse(stages.MATMUL_RELU), fuse)
    assert not answered(module, ComputeAt(block="C", loop="D.i")).reassociates
    after = applied(module, ComputeAt(block="C", loop="D.i"))
    assert "for ax0, ax1 in T.grid(8, 5):" in body(after)


def test_a_buffer_under_a_parallel_loop_is_private_to_it() -> None:
    after = applied(parse(stages.BLUR), Parallel(loop="by.i"), BLUR_AT)
    assert body(after).startswith(
        'for i in T.parallel(18):\n    bx = T.alloc_buffer((20, 10), "float32")'
    )


def test_overlapping_boxes_of_an_output_in_a_parallel_loop_race() -> None:
    text = stages.BLUR.replace(
        'by: T.Buffer((18, 10), "float32")',
        'by: T.Buffer((18, 10), "float32"), bx: T.Buffer((20, 10), "float32")',
    ).replace('    bx = T.sblock_alloc_buffer((20, 10), "float32")\n', "")
    module = Parallel(loop="by.i").run(parse(text)).module
    answer = answered(module, BLUR_AT)
    assert answer.kind is AnswerKind.ILLEGAL
    assert "`bx`" in answer.message


def test_names_that_are_gone_and_the_module_stays() -> None:
    schedule = Schedule(parse(stages.BLUR))
    before = schedule.module
    with pytest.raises(CompileError) as raised:
        schedule.compute_at("nobody", "by.i")
    assert raised.value.diagnostics[0].code == "schedule/no-such-block"
    assert schedule.module is before


def test_ids_and_derivations() -> None:
    module = parse(stages.BLUR)
    result = BLUR_AT.run(module)
    old = {x.var.id for x in walk_statements(only(module).body) if isinstance(x, For)}
    new = {x.var.id for x in walk_statements(only(result.module).body) if isinstance(x, For)}
    (derived,) = result.derivations
    assert {ref.id for ref in derived.sources} == old - new
    assert {ref.id for ref in derived.results} == new - old


def test_built_code_computes_the_same(rng: np.random.Generator) -> None:
    module = parse(stages.BLUR)
    schedule = Schedule(module)
    tile, _ = schedule.split("by.i", [None, 8])
    schedule.parallel(tile)
    schedule.compute_at("bx", tile)
    array = rng.normal(size=(20, 12)).astype(np.float32)
    found = np.zeros((18, 10), np.float32)
    wb.build(schedule.module)(array, found, function="f")
    rows = array[:, :10] + array[:, 1:11] + array[:, 2:12]
    np.testing.assert_allclose(found, rows[:18] + rows[1:19] + rows[2:20], rtol=1e-5)


def test_offers_the_loops_of_a_reader() -> None:
    schedule = Schedule(parse(stages.BLUR))
    block = schedule.scope.block("bx")
    offered = [offer.loop for offer in ComputeAt.offers(schedule.scope, block)]
    assert offered == ["by.j", "by.i"]


def test_a_decomposed_reduction_updates_what_its_init_wrote() -> None:
    decompose = DecomposeReduction(block="C", loop="k")
    after = applied(parse(stages.MATMUL_RELU), decompose, ComputeAt(block="C", loop="D.i"))
    assert "    for ax0, k in T.grid(8, 5):" in body(after)


@pytest.mark.parametrize("loop", ["out.i", "out.c"])
def test_a_producer_that_updates_its_buffer_in_place(loop: str) -> None:
    after = applied(parse(in_place.RELU), ComputeAt(block="relu", loop=loop))
    assert body(after).count("T.grid(6, 5)") == (1 if loop == "out.i" else 2)


def test_updates_in_place_run_once() -> None:
    text = in_place.RELU.replace("X[vi, vc] * T", "X[vi, vc] + X[5 - vi, vc] * T")
    answer = answered(parse(text), ComputeAt(block="relu", loop="out.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`relu` would write `X[vi, vc]` after `out` reads it"
    assert answer.notes == ("the write at i=0, c=0 would come after the read at i=0, c=0",)


def test_loops_without_blocks_offer_nothing_to_move() -> None:
    scope = Schedule(parse(scripts.STENCIL)).scope
    assert not list(ComputeAt.offers(scope, scope.loops[0]))


def test_a_block_does_not_move_into_itself() -> None:
    module = parse(stages.ROW_SUMS.replace("DTYPE", "int32"))
    outer = applied(module, Blockize(loop="k"))
    answer = answered(outer, ComputeAt(block="S_o", loop="k"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "the loop `k` is inside of `S_o`"


LATE = """
@T.prim_func
def f(
    A: T.Buffer(("n", "m"), "float32"),
    S: T.Buffer(("n",), "float32"),
    C: T.Buffer(("n", "m"), "float32"),
):
    n = T.int64()
    m = T.int64()
    for i, k in T.grid(n, m):
        with T.sblock("S"):
            vi = T.axis.spatial(n, i)
            vk = T.axis.reduce(m, k)
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
    for i, j in T.grid(n, m):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = A[vi, vj] * S[vi]
"""


def test_an_output_of_nothing_to_reduce_keeps_its_initial_value() -> None:
    module = parse(LATE)
    answer = answered(module, ComputeAt(block="S", loop="j"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == (
        "it is not proved that `j` has iterations: else the output `S` would not get its "
        "initial value"
    )
    applied(module, ComputeAt(block="S", loop="C.i"), n=3, m=0)
    inside = module.script().replace('S: T.Buffer(("n",), "float32"), ', "")
    begin = '        m = T.int64()\n        S = T.sblock_alloc_buffer((n,), "float32")\n'
    local = parse(inside.replace("        m = T.int64()\n", begin))
    applied(local, ComputeAt(block="S", loop="j"), n=3, m=2)


def test_a_reduction_that_does_not_begin_with_its_init_is_not_repeated() -> None:
    module = parse(LATE.replace("T.axis.reduce(m, k)", "T.axis.reduce(m, m - 1 - k)"))
    answer = answered(module, ComputeAt(block="S", loop="C.i"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == "it is not proved that `S` runs its init before all its updates"


def test_a_reduction_that_initialises_other_elements_than_its_own_is_not_repeated() -> None:
    module = parse(
        """
@T.prim_func
def f(A: T.Buffer((4, 3), "float32"), D: T.Buffer((4,), "float32")):
    C = T.alloc_buffer((4,), "float32")
    for k, i in T.grid(3, 4):
        with T.block("C"):
            vi = T.axis.spatial(4, i)
            vk = T.axis.reduce(3, k)
            with T.init():
                C[3 - vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
    for j in range(4):
        with T.block("D"):
            vj = T.axis.spatial(4, j)
            D[vj] = C[vj]
"""
    )
    answer = answered(module, ComputeAt(block="C", loop="j"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message == "it is not proved that `C` runs its init before all its updates"


NORM = """
@T.prim_func
def norm(X: T.Buffer((6, 8), "float32"), Y: T.Buffer((6, 8), "float32")):
    s = T.alloc_buffer((6,), "float32")
    q = T.alloc_buffer((6,), "float32")
    for i, k in T.grid(6, 8):
        with T.sblock("sums"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                s[vi] = T.float32(0)
                q[vi] = T.float32(0)
            s[vi] = s[vi] + X[vi, vk]
            q[vi] = q[vi] + X[vi, vk] * X[vi, vk]
    for i, k in T.grid(6, 8):
        with T.sblock("Y"):
            vi, vk = T.axis.remap("SS", [i, k])
            Y[vi, vk] = (X[vi, vk] - s[vi]) * q[vi]
"""


@pytest.mark.parametrize("factors", [(None, 3), (None, 4)])
def test_a_block_that_writes_two_buffers_goes_where_both_are_read(
    factors: tuple[int | None, ...],
) -> None:
    after = applied(
        parse(NORM),
        Split(loop="Y.i", factors=factors),
        Parallel(loop="i_0"),
        ComputeAt(block="sums", loop="i_0"),
    )
    assert body(after).startswith("for i_0 in T.parallel(2):\n    for ax0, k in T.grid(")


def test_what_is_read_of_one_of_two_buffers_alone_is_not_enough() -> None:
    other = """    for i in range(6):
        with T.sblock("Z"):
            vi = T.axis.spatial(6, i)
            Y[vi, 0] = q[vi]
"""
    text = NORM.replace(" * q[vi]\n", "\n") + other
    answer = answered(parse(text), ComputeAt(block="sums", loop="Y.i"))
    assert answer.applies
    answer = answered(parse(text), ComputeAt(block="sums", loop="Z.i"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message.startswith("`Y` reads `s[vi]`, which `sums` would not have written")


def test_a_buffer_that_init_alone_writes_is_not_followed() -> None:
    text = NORM.replace("            q[vi] = q[vi] + X[vi, vk] * X[vi, vk]\n", "")
    answer = answered(parse(text), ComputeAt(block="sums", loop="Y.i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "the init of `sums` writes `q`, and its body does not"


def test_scalars_of_a_block_are_its_own() -> None:
    text = NORM.replace(
        "            s[vi] = s[vi] + X[vi, vk]\n",
        "            x: T.float32 = X[vi, vk]\n            s[vi] = s[vi] + x\n",
    )
    applied(parse(text), ComputeAt(block="sums", loop="Y.i"))


DIAGONALS = """
@T.prim_func
def f(A: T.Buffer((8, 8), "int32"), C: T.Buffer((15,), "int32"), D: T.Buffer((15,), "int32")):
    s = T.alloc_buffer((15,), "int32")
    for j, i in T.grid(8, 8):
        with T.sblock("s"):
            vi, vj = T.axis.remap("SS", [i, j])
            s[vi + vj] = A[vi, vj]
    for k in range(15):
        with T.sblock("C"):
            vk = T.axis.spatial(15, k)
            C[vk] = s[vk]
"""


def test_of_instances_that_write_one_element_the_same_one_stays_last() -> None:
    answer = answered(parse(DIAGONALS), ComputeAt(block="s", loop="k"))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.message == "`s` would write `s[vi + vj]` after another instance of `s` does"
    applied(parse(DIAGONALS.replace("j, i in", "i, j in")), ComputeAt(block="s", loop="k"))


def test_which_instance_is_last_for_reads_elsewhere_is_not_proved() -> None:
    text = (
        DIAGONALS.replace("j, i in", "i, j in")
        + """    for k in range(15):
        with T.sblock("D"):
            vk = T.axis.spatial(15, k)
            D[vk] = s[vk]
"""
    )
    answer = answered(parse(text), ComputeAt(block="s", loop="C.k"))
    assert answer.kind is AnswerKind.UNPROVED
    assert answer.message.startswith("it is not proved which instance of `s` is the last")
