"""Traversal, substitution, the pool, dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interpret.programs import Names, load, matmul
from workbench.ir import (
    Binary,
    BinaryOp,
    Block,
    ConstantPool,
    IntImm,
    Load,
    Store,
    Var,
    binary,
    children,
    content_digest,
    fold_int,
    free_vars,
    map_children,
    substitute,
    transform,
    walk,
)
from workbench.ir.dims import same_dim, same_shape


def test_walk_sees_every_node_parents_first() -> None:
    f = matmul(2, 3, 4)
    nodes = list(walk(f))
    assert nodes[0] is f
    assert sum(isinstance(node, Store) for node in nodes) == 2
    assert sum(isinstance(node, Load) for node in nodes) == 3
    assert sum(isinstance(node, Block) for node in nodes) == 1


def test_map_children_gives_the_same_object_when_nothing_changes() -> None:
    f = matmul(2, 3, 4)
    assert map_children(f, lambda child: child) is f
    assert transform(f, lambda node: node) is f


def test_transform_rewrites_bottom_up_and_shares_what_is_untouched() -> None:
    names = Names()
    x, i = names.buffer("x", (4,)), names.scalar("i")
    store = Store(x, (i,), load(x, i) + load(x, i + 1))
    seen: list[object] = []

    def double(node: object) -> object:
        seen.append(node)
        return IntImm(2) if node == IntImm(1) else node

    changed = transform(store, double)
    assert changed.indices is store.indices
    assert isinstance(changed.value, Binary)
    assert changed.value.b == load(x, i + 2)
    assert seen[-1] is not store


def test_substitute_reaches_types_and_indices() -> None:
    names = Names()
    n, i = names.scalar("n"), names.scalar("i")
    x = names.buffer("x", (n, 2))
    got = substitute(load(x, i, n), {n.id: IntImm(5)})
    assert got == load(Var(x.id, "x", substitute(x.type, {n.id: IntImm(5)})), i, 5)
    assert set(free_vars(load(x, i, n))) == {n.id, x.id, i.id}
    assert list(children(load(x, i, n))) == [x, i, n]


def test_the_pool_shares_bytes_and_freezes_them() -> None:
    array = np.arange(4, dtype="float32")
    digest, pool = ConstantPool().with_array(array)
    again, same = pool.with_array(array.copy())
    assert (again, same) == (digest, pool)
    with pytest.raises(ValueError, match="read-only"):
        pool[digest][0] = 1
    array[0] = 99
    assert pool[digest][0] == 0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array(0.0), np.array(-0.0)),
        (np.zeros(4, "int8"), np.zeros(4, "bool")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros((0, 3)), np.zeros((3, 0))),
    ],
)
def test_digests_tell_bits_dtype_and_shape(a: np.ndarray, b: np.ndarray) -> None:
    assert content_digest(a) != content_digest(b)
    assert content_digest(a) == content_digest(np.array(a, order="F"))


def test_pools_keep_scalars_and_strided_arrays() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    digest, pool = ConstantPool().with_array(matrix.T)
    np.testing.assert_array_equal(pool[digest], matrix.T)
    assert pool[digest].flags.c_contiguous
    digest, pool = pool.with_array(np.array(3.0))
    assert pool[digest].shape == ()
    assert len(pool.merged(ConstantPool())) == 2


def test_dimensions_compare_as_polynomials() -> None:
    names = Names()
    n, m = names.scalar("n"), names.scalar("m")
    assert same_dim(n * 4 + n, n * 5) is True
    assert same_dim((n + 1) * (m - 1), n * m + m - n - 1) is True
    assert same_dim(n * m, m * n) is True
    assert same_dim(n, m) is False
    assert same_dim(n, n + 1) is False
    assert same_dim(n // 2, m) is None
    assert same_dim(n // 2 + 1, 1 + n // 2) is True
    assert same_shape((n, 2), (n, 3)) is False
    assert same_shape((n // 2, 2), (m, 2)) is None


def test_constants_fold_like_the_machine() -> None:
    names = Names()
    n = names.scalar("n")
    assert binary(BinaryOp.FLOORDIV, IntImm(-7), 2) == IntImm(-4)
    assert binary(BinaryOp.TRUNCDIV, IntImm(-7), 2) == IntImm(-3)
    assert binary(BinaryOp.LT, IntImm(1), 2) == IntImm(1, "bool")
    assert fold_int(BinaryOp.FLOORMOD, 1, 0) is None
    assert isinstance(binary(BinaryOp.ADD, IntImm(127, "int8"), 1), Binary)
    assert isinstance(binary(BinaryOp.SUB, IntImm(0, "uint8"), 1), Binary)
    assert n * 1 == n
    assert n + 0 == n
    assert isinstance(n * 0, Binary)
