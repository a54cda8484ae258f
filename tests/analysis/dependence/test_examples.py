"""Values for which conditions hold, or a proof that there are none."""

from __future__ import annotations

import pytest

from workbench.analysis.dependence.examples import example
from workbench.ir import Binary, BinaryOp, IntImm, Not, PrimExpr, ScalarType, Var, binary
from workbench.support import NodeId

M, K = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("mk"))
LEAST = binary(BinaryOp.MIN, M, 1)


def equal(a: PrimExpr, b: int) -> PrimExpr:
    return Binary(BinaryOp.EQ, a, IntImm(b))


@pytest.mark.parametrize(
    "conditions",
    [
        (M > K, K > M),
        (equal(LEAST, 1), M < 1),
        (equal(LEAST, 2),),
        (equal(M * 2, 5),),
        (equal(binary(BinaryOp.FLOORMOD, M, 4), 3), equal(binary(BinaryOp.FLOORMOD, M, 2), 0)),
        (Not(Binary(BinaryOp.AND, M >= 0, K >= 0)),),
    ],
)
def test_nothing_fulfils(conditions: tuple[PrimExpr, ...]) -> None:
    assert example(conditions, [M.id, K.id]) is None


def test_values_that_do() -> None:
    assert example((equal(LEAST - 1, 0), Not(M - LEAST > 0)), [M.id]) == {"m": 1}
    assert example((M < 0, M > -2)) == {"m": -1}


def test_what_is_not_affine_excludes_nothing() -> None:
    assert example((equal(binary(BinaryOp.FLOORMOD, M, K), 3), M < 2), [M.id, K.id]) is not None
