from __future__ import annotations

import pytest

from workbench.analysis.arith import Facts
from workbench.analysis.ranges import Interval
from workbench.analysis.recombine import recombined
from workbench.ir import BufferType, IntImm, Load, PrimExpr, ScalarType, Var
from workbench.support import NodeId

X = Var(NodeId(0), "x", ScalarType("int64"))
N = Var(NodeId(1), "n", ScalarType("int64"))
A = Var(NodeId(2), "A", BufferType((100,), "float32"))
FACTS = Facts({X.id: Interval(0, 99)})


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (X // 4 * 4 + X % 4, X),
        (X // 4 * 8 + X % 4 * 2 + 3, X * 2 + 3),
        (X // N * N + X % N, X),
        (X // 4 * 4 + X % 8, None),
        (X // 4 * 3 + X % 4, None),
        (Load(A, (X // 4 * 4 + X % 4,)), Load(A, (X,))),
        (X // 4 * 4 + X % 4 < N, X < N),
    ],
)
def test_quotient_and_remainder_meet(expr: PrimExpr, expected: PrimExpr | None) -> None:
    found = recombined(FACTS.simplify(expr), FACTS)
    assert found == (FACTS.simplify(expr) if expected is None else FACTS.simplify(expected))


def test_what_has_no_remainder_is_left_alone() -> None:
    expr = Load(A, (X + IntImm(0),))
    assert recombined(expr, FACTS) is expr
