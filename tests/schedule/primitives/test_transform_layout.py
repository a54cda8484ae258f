from __future__ import annotations

import numpy as np
import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied, body, only
from workbench.analysis.dependence import AnswerKind
from workbench.interpret import run_tensor_function
from workbench.rewrite import Relation
from workbench.schedule import Schedule
from workbench.schedule.primitives.transform_layout import TransformLayout
from workbench.script import parse
from workbench.support import CompileError

CHAIN = """
@T.prim_func
def f(A: T.Buffer((20, "n"), "float32"), C: T.Buffer((20, "n"), "float32")):
    n = T.int64()
    B = T.sblock_alloc_buffer((20, n), "float32")
    for i, j in T.grid(20, n):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(20, n):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + B[19 - vi, vj]
"""

MATCHED = """
@T.prim_func
def f(A: T.Buffer((8, 8), "float32")):
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            T.reads(A[vi, 0:8])
            T.writes(A[vi, 0:8])
            row = T.match_buffer(A[vi, 0:8], (1, 8))
            for j in range(8):
                row[0, j] = T.float32(1)
"""

TILED = "lambda i, j: (i // 16, j, i % 16)"
SWAPPED = "lambda i, j: (j, i)"


def test_all_accesses_go_to_the_new_place() -> None:
    after = applied(parse(CHAIN), TransformLayout(block="B", buffer="B", index_map=TILED), n=3)
    text = after.script()
    assert 'B = T.sblock_alloc_buffer((2, n, 16), "float32")' in text
    assert "B[vi // 16, vj, vi % 16] = A[vi, vj] * T.float32(2.0)" in text
    assert "C[vi, vj] = B[vi // 16, vj, vi % 16] + B[" in text


def test_padding_is_filled() -> None:
    step = TransformLayout(block="B", buffer="B", index_map=TILED, pad_value=7.5)
    after = applied(parse(CHAIN), step, n=3)
    assert body(after).startswith(
        "for ax0, ax1, ax2 in T.grid(2, n, 16):\n"
        '    with T.sblock("B_padding"):\n'
        '        v0, v1, v2 = T.axis.remap("SSS", [ax0, ax1, ax2])\n'
        "        T.where(not v0 * 16 + v2 < 20)\n"
        "        B[v0, v1, v2] = T.float32(7.5)\n"
    )
    whole = TransformLayout(block="B", buffer="B", index_map=SWAPPED, pad_value=7.5)
    assert "B_padding" not in body(applied(parse(CHAIN), whole, n=3))


@pytest.mark.parametrize("index_map", [TILED, SWAPPED, "lambda i, j: (i + j, j)"])
@pytest.mark.parametrize("buffer", ["A", "C"])
@pytest.mark.parametrize("pad_value", [None, 1.0])
def test_a_parameter_keeps_its_layout(index_map: str, buffer: str, pad_value: float | None) -> None:
    block = "B" if buffer == "A" else "C"
    step = TransformLayout(block=block, buffer=buffer, index_map=index_map, pad_value=pad_value)
    for n in (0, 1, 5):
        applied(parse(CHAIN), step, n=n)
    result = step.run(parse(CHAIN))
    assert only(result.module).params == only(parse(CHAIN)).params
    assert result.remarks[0].message.startswith(f"parameter `{buffer}` keeps its layout")
    assert result.derivations[0].relation is Relation.LAYOUT
    assert (f"{buffer}_layout_out" in body(result.module)) == (buffer == "C")


@pytest.mark.parametrize(
    ("text", "place", "buffer", "index_map"),
    [
        (scripts.MATMUL, "C", "C", SWAPPED),
        (scripts.MATMUL, "C", "A", "lambda i, j: (i // 4, j // 4, i % 4, j % 4)"),
        (scripts.STENCIL, "i", "A", "lambda i: (i // 5, i % 5)"),
        (scripts.STENCIL, "i", "B", "lambda i: (i // 5, i % 5)"),
        (scripts.SCAN, "j", "A", SWAPPED),
        (scripts.WAVEFRONT, "i", "A", "lambda i, j: (i + j, j)"),
        (scripts.GATHER, "i", "A", "lambda i: (i % 4, i // 4)"),
        (scripts.SCATTER, "i", "B", "lambda i: (9 - i,)"),
        (scripts.TRIANGLE, "i", "B", "lambda i, j: (i * 7 + j,)"),
        (scripts.ROWS, "k", "S", "lambda i: (i, 0)"),
        (scripts.RAGGED, "i", "L", "lambda i: (3 - i,)"),
        (scripts.PADDED, "B", "B", "lambda i: (i // 8, i % 8)"),
    ],
)
def test_values_stay(text: str, place: str, buffer: str, index_map: str) -> None:
    applied(parse(text), TransformLayout(block=place, buffer=buffer, index_map=index_map))


def test_the_entry_copy_stores_the_padding() -> None:
    step = TransformLayout(block="B", buffer="A", index_map=TILED, pad_value=3)
    after = applied(parse(CHAIN), step, n=2)
    assert "T.if_then_else(v0 * 16 + v2 < 20, A[v0 * 16 + v2, v1], T.float32(3.0))" in body(after)


def test_a_matched_buffer_is_inapplicable() -> None:
    answer = answered(parse(MATCHED), TransformLayout(block="B", buffer="A", index_map=SWAPPED))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "block `B` uses `A` as a whole or by another name"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (TransformLayout(block="B", buffer="B", index_map="lambda i: i"), "index-map/not-a-map"),
        (TransformLayout(block="B", buffer="B", index_map="i, j"), "index-map/not-a-map"),
        (
            TransformLayout(block="B", buffer="B", index_map="lambda i, j: (i, j // 2)"),
            "index-map/not-invertible",
        ),
        (
            TransformLayout(block="B", buffer=("left", 0), index_map=TILED),
            "schedule/no-such-buffer",
        ),
    ],
)
def test_parameters_that_fit_nowhere(step: TransformLayout, code: str) -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(CHAIN), step)
    assert error.value.diagnostics[0].code == code


def test_a_fraction_is_no_padding_of_integers() -> None:
    text = CHAIN.replace("float32", "int32")
    step = TransformLayout(block="B", buffer="B", index_map=TILED, pad_value=0.5)
    with pytest.raises(CompileError) as error:
        answered(parse(text), step)
    assert error.value.diagnostics[0].code == "schedule/bad-pad-value"


def test_the_method_takes_a_function_and_its_trace_replays() -> None:
    module = parse(CHAIN)
    schedule = Schedule(module)
    schedule.transform_layout(
        schedule.get_block("B"), ("write", 0), lambda i, j: (i // 16, j, i % 16), pad_value=0.0
    )
    schedule.transform_layout("C", "C", lambda *at: (at[1], at[0]))
    assert "index_map='lambda i, j: (i // 16, j, i % 16)'" in schedule.trace.python()
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()
    arrays = [
        np.random.default_rng(0).normal(size=(20, 3)).astype("float32"),
        np.zeros((20, 3), "float32"),
    ]
    expected = arrays[0] * 2 + (arrays[0] * 2)[::-1]
    run_tensor_function(only(again.module), arrays)
    np.testing.assert_array_equal(arrays[1], expected)


def test_a_view_is_inapplicable() -> None:
    step = TransformLayout(block="w", buffer="W", index_map=SWAPPED)
    answer = answered(parse(scripts.VIEW), step)
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`W` is another name for a part of `C`"
