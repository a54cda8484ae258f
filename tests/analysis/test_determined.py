"""Loops that indices determine, against trying all iterations."""

from __future__ import annotations

from itertools import product

import pytest

from workbench.analysis.determined import determined
from workbench.interpret.matching import evaluate
from workbench.ir import IntImm, PrimExpr, ScalarType, Var
from workbench.support import NodeId

A, B, C = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("abc"))
N = Var(NodeId(9), "n", ScalarType())
EXTENTS = {A.id: IntImm(3), B.id: IntImm(4), C.id: IntImm(12)}


@pytest.mark.parametrize(
    ("indices", "names"),
    [
        ([A * 1, B * 1], "ab"),
        ([A * 4 + B], "ab"),
        ([B * 3 + A + 5], "ab"),
        ([A * 3 + B], ""),
        ([A + B], ""),
        ([A + B, B * 1], "ab"),
        ([C // 4, C % 4], "c"),
        ([C // 4], ""),
        ([C % 4], ""),
        ([C % 4, C // 4 % 3], "c"),
        ([C % 4, C // 4 % 2], ""),
        ([C % 2, C // 2 % 2, C // 4], "c"),
        ([C % 2, C // 4], ""),
        ([C // 6 * 2 + C % 2, C % 6 // 2], ""),
        ([C // 2 * 4 + B, C % 2], "bc"),
        ([(C + 2) // 4, (C + 2) % 4], "c"),
        ([C // 4 + C % 4], ""),
        ([A * C], ""),
    ],
)
def test_what_is_told_has_one_iteration_for_each_value(indices: list[PrimExpr], names: str) -> None:
    told = determined(indices, EXTENTS)
    assert told == {var.id for var in (A, B, C) if var.name in names}
    seen: dict[tuple[object, ...], tuple[int, ...]] = {}
    for i, j, k in product(range(3), range(4), range(12)):
        at = {A.id: i, B.id: j, C.id: k}
        mine = tuple(at[loop] for loop in sorted(told))
        values = tuple(evaluate(index, at) for index in indices)
        assert seen.setdefault(values, mine) == mine


def test_digits_by_a_symbol_tell_the_loop() -> None:
    extents = {C.id: N * 4}
    assert determined([C // N, C % N], extents) == {C.id}
    assert determined([C // N], extents) == set()
    assert determined([C // N, C % 4], extents) == set()
