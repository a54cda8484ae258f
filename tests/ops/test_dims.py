from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.cases import symbol
from workbench.interpret import Symbols, evaluate
from workbench.ir import Binary, BinaryOp, Dim, as_dim, as_expr
from workbench.ops.dims import product, quotient, same, total

N, M = symbol("n", 0), symbol("m", 1)
leaves = st.one_of(st.integers(-3, 5).map(as_expr), st.sampled_from([N, M]))
extents = st.recursive(
    leaves,
    lambda inner: st.builds(
        Binary, st.sampled_from([BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL]), inner, inner
    ),
    max_leaves=6,
).map(as_dim)
values = st.integers(1, 9)


@given(extents, extents, values, values)
def test_same_never_lies(a: Dim, b: Dim, n: int, m: int) -> None:
    at = Symbols({N.id: n, M.id: m})
    verdict = same(a, b)
    if verdict is not None:
        assert (evaluate(a, at) == evaluate(b, at)) is verdict


@given(extents, extents, values, values)
def test_quotients_multiply_back(a: Dim, b: Dim, n: int, m: int) -> None:
    at = Symbols({N.id: n, M.id: m})
    if evaluate(b, at) == 0 or same(b, 0):
        return
    found = quotient(as_dim(as_expr(a) * as_expr(b)), b)
    if found is not None:
        assert evaluate(found, at) * evaluate(b, at) == evaluate(a, at) * evaluate(b, at)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        (N + N, N * 2, True),
        ((N + 1) * (N - 1), N * N - 1, True),
        (N, N + 1, False),
        (N, M, None),
        (N, 4, None),
        (N // 2, N // 2, True),
        (3, 4, False),
    ],
)
def test_same(a: Dim, b: Dim, wanted: bool | None) -> None:
    assert same(a, b) is wanted


def test_products_and_sums() -> None:
    assert product((2, 3, 4)) == int(np.prod((2, 3, 4)))
    assert same(product((N, 2, M)), 2 * (M * N))
    assert total([N, 2, N, 3]) == N * 2 + 5
    assert quotient(N * 6, 4) is None
    assert quotient(N * 6, N * 3) == 2
