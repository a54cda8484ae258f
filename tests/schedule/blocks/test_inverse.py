from __future__ import annotations

from itertools import product

import pytest

from workbench.interpret import evaluate
from workbench.ir import Axis, AxisKind, Binary, BinaryOp, IntImm, PrimExpr, ScalarType, Var
from workbench.schedule.blocks.inverse import solutions, solved
from workbench.support import NodeId

ROW, COL, RED = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("ijk"))
E0, E1, E2 = (Var(NodeId(n + 10), f"e{n}", ScalarType()) for n in range(3))


def axes(*extents: int) -> list[Axis]:
    pairs = zip((ROW, COL, RED), extents, strict=False)
    return [Axis(var, AxisKind.SPATIAL, IntImm(extent), var) for var, extent in pairs]


def mod(a: PrimExpr, b: int) -> PrimExpr:
    return Binary(BinaryOp.FLOORMOD, a, IntImm(b))


@pytest.mark.parametrize(
    ("extents", "indices"),
    [
        ((3, 4), (ROW, COL)),
        ((3, 4), (COL, ROW)),
        ((3, 4), (ROW + 2, 5 - COL)),
        ((3, 4), (ROW * 4 + COL,)),
        ((3, 4, 2), (ROW * 8 + COL * 2 + RED,)),
        ((3, 4), (ROW + COL, COL)),
        ((3, 4), (ROW + COL, ROW + COL * 2)),
        ((12,), (ROW // 4, mod(ROW, 4))),
        ((24,), (ROW // 8, mod(ROW // 2, 4), mod(ROW, 2))),
        ((3, 1), (ROW, IntImm(0))),
        ((3, 4), (ROW, COL, ROW + COL)),
    ],
)
def test_axes_from_indices(extents: tuple[int, ...], indices: tuple[PrimExpr, ...]) -> None:
    found = solved(axes(*extents), indices, (E0, E1, E2)[: len(indices)])
    assert found is not None
    for point in product(*(range(extent) for extent in extents)):
        at = {NodeId(n): value for n, value in enumerate(point)}
        values = {NodeId(10 + n): evaluate(index, at) for n, index in enumerate(indices)}
        assert [evaluate(found[NodeId(n)], values) for n in range(len(extents))] == list(point)


@pytest.mark.parametrize(
    ("extents", "indices"),
    [((3, 4), (ROW + COL,)), ((3, 4), (ROW,)), ((3, 4), (ROW * 3 + COL,)), ((3,), (ROW * 2,))],
)
def test_indices_that_do_not_determine_the_axes(
    extents: tuple[int, ...], indices: tuple[PrimExpr, ...]
) -> None:
    assert solved(axes(*extents), indices, (E0, E1)[: len(indices)]) is None


def test_what_is_determined_of_a_part() -> None:
    assert solutions(axes(3, 4), (ROW, COL * COL), (E0, E1)) == {ROW.id: E0}
