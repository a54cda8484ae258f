from __future__ import annotations

import pytest

import workbench as wb
from workbench.view.costs import bytes_text, cost_facts, operations_text
from workbench.view.loops import loop_rows


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 op"), (7, "7 op"), (999, "999 op"), (1000, "1 kop"), (2_100_000, "2.1 Mop"),
        (999_999, "1 Mop"), (268_435_456, "268 Mop"), (10**13, "10 Top"), (10**20, "100000 Pop"),
    ],
)  # fmt: skip
def test_operations_have_three_digits(count: int, text: str) -> None:
    assert operations_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 B"), (1023, "1023 B"), (1024, "1 KiB"), (49_152, "48 KiB"), (34_900, "34.1 KiB"),
     (1_048_575, "1 MiB"), (3 * 2**30, "3 GiB")],
)  # fmt: skip
def test_bytes_have_binary_units(count: int, text: str) -> None:
    assert bytes_text(count) == text


def test_symbolic_counts_stay_short() -> None:
    function = wb.parse(
        """
@T.prim_func
def scale(a: T.handle, b: T.handle):
    n = T.int64()
    m = T.int64()
    A = T.match_buffer(a, (n, m), "float32")
    B = T.match_buffer(b, (n, m), "float32")
    for i, j in T.grid(n, m):
        with T.block("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
"""
    ).tensor_functions["scale"]
    outer, inner, block = [row for row in loop_rows("scale", function) if row.name]
    assert outer.cost == "n * m op · n * m * 8 B"
    assert inner.cost == "m op · m * 8 B"
    assert block.cost == "1 op · 8 B"
    assert "n * m * 4 B read" in outer.cost_detail
    assert cost_facts(function) == "n * m op, n * m * 8 B"
