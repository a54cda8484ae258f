from __future__ import annotations

import pytest

from workbench.analysis.arith import Facts
from workbench.analysis.ranges import Interval
from workbench.ir import Binary, BinaryOp, For, IntImm, PrimExpr, ScalarType, Seq, Var
from workbench.schedule.symbolic_box import Box, Span, hull, meet
from workbench.support import NodeId

ROW, COL, RED, SIZE = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("ijkn"))
FACTS = Facts({ROW.id: Interval(0, 9), SIZE.id: Interval(0, None)})


def loop(var: Var, start: PrimExpr, extent: PrimExpr) -> For:
    return For(var, start, extent, Seq(()))


def ends(expr: PrimExpr, *loops: For) -> tuple[PrimExpr | None, PrimExpr | None]:
    span = Box.over(FACTS, loops).of(expr)
    return span.low, span.high


J8 = loop(COL, IntImm(0), IntImm(8))


@pytest.mark.parametrize(
    ("expr", "low", "high"),
    [
        (ROW * 8 + COL, ROW * 8, ROW * 8 + 7),
        (ROW - COL, ROW - 7, ROW),
        (COL * 2 + 1, IntImm(1), IntImm(15)),
        ((ROW * 8 + COL) // 4, ROW * 2, ROW * 2 + 1),
        (Binary(BinaryOp.FLOORMOD, COL, IntImm(4)), IntImm(0), IntImm(3)),
        (Binary(BinaryOp.MIN, COL, IntImm(5)), IntImm(0), IntImm(5)),
        (COL - COL, IntImm(0), IntImm(0)),
    ],
)
def test_spans_over_a_loop(expr: PrimExpr, low: PrimExpr, high: PrimExpr) -> None:
    assert ends(expr, J8) == (low, high)


def test_a_loop_whose_extent_depends_on_another() -> None:
    assert ends(RED, J8, loop(RED, COL, COL + 1)) == (IntImm(0), IntImm(14))


def test_symbolic_ends() -> None:
    assert ends(COL + 2, loop(COL, IntImm(0), SIZE)) == (IntImm(2), SIZE + 1)


def test_what_is_not_bounded() -> None:
    span = Box(FACTS, {COL.id: Span(None, None)}).of(COL * 2)
    assert span.known is None


def test_the_smallest_span_of_both_and_what_lies_in_both() -> None:
    first, second = Span(ROW, ROW + 3), Span(ROW + 1, ROW + 7)
    assert hull(FACTS, first, second) == Span(ROW, ROW + 7)
    assert meet(FACTS, first, second) == Span(ROW + 1, ROW + 3)
