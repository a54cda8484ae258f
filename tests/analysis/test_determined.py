"""Loops that indices determine, against trying all iterations."""

from __future__ import annotations

from itertools import product

import pytest

from workbench.analysis.determined import Span, determined
from workbench.interpret.matching import evaluate
from workbench.ir import IntImm, PrimExpr, ScalarType, Var
from workbench.support import NodeId

A, B, C = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("abc"))
N = Var(NodeId(9), "n", ScalarType())
D, E = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("de", 3))
SPANS = {
    A.id: Span(IntImm(0), IntImm(3)),
    B.id: Span(IntImm(0), IntImm(4)),
    C.id: Span(IntImm(0), IntImm(12)),
    D.id: Span(IntImm(2), IntImm(3)),
    E.id: Span(A * 4, IntImm(4)),
}


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
        ([B * 3 + (A + 2) % 4], ""),
        ([B * 4 + (A + 2) % 4], "ab"),
        ([B * 3 + D % 4], ""),
        ([B * 4 + D % 4], "bd"),
        ([B * 5 + D % 5], "bd"),
        ([B * 3 + D % 5], "bd"),
        ([B * 2 + D // 3], "b"),
        ([B + D // 3], ""),
        ([E % 4], ""),
        ([A * 1, E % 4], "a"),
        ([A * 4 + E % 4], "a"),
        ([E * 1], "e"),
        ([E * 4 + B], "be"),
        ([A * 4 + E], ""),
        ([C % 4, C % 6, C // 4], "c"),
        ([C % 6, C % 4, C // 4], "c"),
        ([C % 4, C % 6, C // 6], "c"),
    ],
)
def test_what_is_told_has_one_iteration_for_each_value(indices: list[PrimExpr], names: str) -> None:
    told = determined(indices, SPANS)
    assert told == {var.id for var in (A, B, C, D, E) if var.name in names}
    seen: dict[tuple[object, ...], tuple[int, ...]] = {}
    for i, j, k, start, m in product(range(3), range(4), range(12), range(2, 5), range(4)):
        at = {A.id: i, B.id: j, C.id: k, D.id: start, E.id: i * 4 + m}
        mine = tuple(at[loop] for loop in sorted(told))
        values = tuple(evaluate(index, at) for index in indices)
        assert seen.setdefault(values, mine) == mine


def test_digits_by_a_symbol_tell_the_loop() -> None:
    spans = {C.id: Span(IntImm(0), N * 4)}
    assert determined([C // N, C % N], spans) == {C.id}
    assert determined([C // N], spans) == set()
    assert determined([C // N, C % 4], spans) == set()
