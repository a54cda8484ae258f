from __future__ import annotations

import pytest

from tests.analysis.dependence.test_answers import function
from workbench.analysis.dependence import regions
from workbench.analysis.dependence.spelling import spell
from workbench.ir import Block, TensorFunction, walk

TILE = """
def f(A: T.Buffer((18, 16), "float32"), B: T.Buffer((16, 16), "float32")):
    for i0, j0 in T.grid(4, 4):
        with T.block("tile"):
            vi, vj = T.axis.remap("SS", [i0, j0])
            T.reads(A[vi * 4:vi * 4 + 6, vj * 4:vj * 4 + 4])
            T.writes(B[vi * 4:vi * 4 + 4, vj * 4:vj * 4 + 4])
            for i1, j1 in T.grid(4, 4):
                B[vi * 4 + i1, vj * 4 + j1] = A[vi * 4 + i1, vj * 4 + j1]
                B[vi * 4 + i1, vj * 4 + j1] = A[vi * 4 + i1 + 2, vj * 4 + j1]
"""


def blocks(found: TensorFunction) -> dict[str, Block]:
    return {n.name: n for n in walk(found.body) if isinstance(n, Block)}


def test_regions_of_a_block() -> None:
    found = function(TILE)
    known = regions(found, blocks(found)["tile"])
    (read,), (write,) = known.reads, known.writes
    starts = [spell(r.start) for r in write.region.ranges]
    assert starts == [spell(r.start) for r in read.region.ranges] == ["i0 * 4", "j0 * 4"]
    assert [spell(r.extent) for r in write.region.ranges] == ["4", "4"]
    assert [spell(r.extent) for r in read.region.ranges] == ["6", "4"]
    assert write.exact
    assert read.exact


@pytest.mark.parametrize(("shift", "exact"), [(0, True), (4, True), (5, False), (-4, True)])
def test_boxes_that_meet_make_a_box_that_is_exact(shift: int, exact: bool) -> None:
    there = f"vi * 4 + i1 + {shift}" if shift >= 0 else f"vi * 4 + i1 - {-shift}"
    found = function(
        TILE.replace("vi * 4 + i1 + 2", there).replace(
            "(4, 4):\n        with", "(2, 4):\n        with"
        )
    )
    (read,) = regions(found, blocks(found)["tile"]).reads
    assert read.exact is exact
    apart = function(
        TILE.replace("A[vi * 4 + i1 + 2, vj * 4 + j1]", "A[vi * 4 + i1 + 1, vj * 4 + j1 + 1]")
    )
    (read,) = regions(apart, blocks(apart)["tile"]).reads
    assert not read.exact
