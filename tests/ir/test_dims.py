import pytest

from workbench.ir import Dim, ScalarType, Var, as_expr
from workbench.ir.dims import unknown_of
from workbench.support import NodeId

N, M = (Var(NodeId(i), name, ScalarType()) for i, name in enumerate("nm"))


@pytest.mark.parametrize(
    ("dim", "found"),
    [
        (7, None),
        (N, (N, 1)),
        (M, None),
        (N * 3 + 2, (N, 3)),
        (M - N, (N, -1)),
        (N + N, (N, 2)),
        (N // 2, None),
        (N * N, None),
        (N * M, None),
        (N * 2 + N // 2, None),
        (as_expr(5) - M, None),
        (N - N, None),
    ],
)
def test_the_one_unknown_of_a_dimension(dim: Dim, found: tuple[Var, int] | None) -> None:
    assert unknown_of(dim, {M.id}) == found


def test_two_unknowns_are_too_many() -> None:
    assert unknown_of(N + M, set()) is None
