import pytest

from workbench.interpret import evaluate
from workbench.ir import Dim, ScalarType, Var, as_expr
from workbench.ir.dims import bind_dims, same_dim, unknown_of
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


@pytest.mark.parametrize(
    ("dim", "extent", "value"),
    [
        (N, M + 1, M + 1),
        (N * 2, M * 2, M),
        (N * 2, M * 4 + 2, M * 2 + 1),
        (N * 2, 6, 3),
        (N * 3 + 2, M * 6 + 2, M * 2),
        (N * 2, M, M // 2),
        (N + 4, 3, 0),
    ],
)
def test_a_variable_is_what_an_extent_says(dim: Dim, extent: Dim, value: Dim) -> None:
    known: dict[NodeId, Dim] = {}
    assert bind_dims((dim,), (extent,), known) == (set() if dim is N else {N.id})
    assert same_dim(known[N.id], value) is True


@pytest.mark.parametrize("extent", [M * 2 - 6, M - 7, M - M * 3])
@pytest.mark.parametrize("dim", [N * 2, N + 4, N * 3 - 1, as_expr(9) - N])
def test_what_is_solved_for_is_no_less_than_nothing(dim: Dim, extent: Dim) -> None:
    known: dict[NodeId, Dim] = {}
    bind_dims((dim,), (extent,), known)
    for m in range(12):
        wanted = evaluate(extent, {M.id: m})
        n = evaluate(known[N.id], {M.id: m})
        assert n >= 0
        fitting = [i for i in range(40) if evaluate(dim, {N.id: i}) == wanted]
        assert fitting in ([], [n])


def test_variables_that_later_shapes_tell_are_known_the_second_time() -> None:
    known: dict[NodeId, Dim] = {}
    for _ in range(2):
        bind_dims((N + M,), (9,), known)
        bind_dims((N,), (4,), known)
    assert known == {N.id: 4, M.id: 5}
