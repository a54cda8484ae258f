from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from tests.codegen.native import PLAIN, Native, function
from workbench.codegen import host_target
from workbench.codegen.kernel import prepare
from workbench.codegen.target import Target
from workbench.interpret import run_tensor_function
from workbench.ir import If, walk

EXTENTS = [0, 1, 2, 7, 8, 13, 64, 100]
KINDS = ["T.serial", "T.vectorized", "T.unroll", "T.parallel"]


@pytest.fixture(params=["host", "plain"])
def target(request: pytest.FixtureRequest) -> Target:
    return host_target() if request.param == "host" else PLAIN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", EXTENTS)
def test_elementwise_of_every_extent(kind: str, n: int, target: Target, rng: Generator) -> None:
    fn = function(
        f'x: T.Buffer(({n},), "float32"), y: T.Buffer(({n},), "float32")',
        f"""
    for i in {kind}({n}):
        with T.sblock("y"):
            vi = T.axis.spatial({n}, i)
            y[vi] = x[vi] * 2.0 + 1.0
""",
    )
    x, y = rng.standard_normal((2, n)).astype(np.float32)
    assert Native(fn, target=target)(x, y) == 0
    np.testing.assert_allclose(y, x * 2 + 1, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", EXTENTS)
def test_elementwise_of_symbolic_extent(kind: str, n: int, rng: Generator) -> None:
    fn = function(
        'x: T.Buffer(("n",), "float32"), y: T.Buffer(("n",), "float32")',
        f"""
    n = T.int64()
    for i in {kind}(n):
        with T.sblock("y"):
            vi = T.axis.spatial(n, i)
            y[vi] = x[vi] + 1.0
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    x, y = rng.standard_normal((2, n)).astype(np.float32)
    assert native(x, y) == 0
    np.testing.assert_array_equal(y, x + 1)


MATMUL = """
    for i, j, k in T.grid(M, N, K):
        with T.sblock("c"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (7, 13, 5), (6, 16, 32), (3, 4, 0), (0, 4, 3)]
)
def test_matmul(m: int, n: int, k: int, target: Target, rng: Generator) -> None:
    fn = function(
        f'A: T.Buffer(({m},{k}), "float32"), B: T.Buffer(({k},{n}), "float32"), '
        f'C: T.Buffer(({m},{n}), "float32")',
        MATMUL.replace("M, N, K", f"{m}, {n}, {k}"),
    )
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    c = np.full((m, n), np.nan, np.float32)
    assert Native(fn, target=target)(a, b, c) == 0
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


def test_symbolic_matmul_needs_no_checks(rng: Generator) -> None:
    fn = function(
        'A: T.Buffer(("m","k"), "float32"), B: T.Buffer(("k","n"), "float32"), '
        'C: T.Buffer(("m","n"), "float32")',
        """
    m = T.int64()
    n = T.int64()
    k = T.int64()
    for i, j, l in T.grid(m, n, k):
        with T.sblock("c"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, l])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    a, b = rng.standard_normal((5, 9), np.float32), rng.standard_normal((9, 3), np.float32)
    c = np.full((5, 3), np.nan, np.float32)
    assert native(a, b, c) == 0
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tiles", ["6, 16, 4", "4, 8, 3", "5, 7, 5"])
def test_tiled_matmul_with_guards(tiles: str, rng: Generator) -> None:
    m, n, k = 17, 29, 11
    mr, nr, kr = (int(t) for t in tiles.split(","))
    fn = function(
        f'A: T.Buffer(({m},{k}), "float32"), B: T.Buffer(({k},{n}), "float32"), '
        f'C: T.Buffer(({m},{n}), "float32")',
        f"""
    for i0, j0, k0 in T.grid({-(-m // mr)}, {-(-n // nr)}, {-(-k // kr)}):
        for k1 in T.unroll({kr}):
            for i1 in T.unroll({mr}):
                for j1 in T.vectorized({nr}):
                    with T.sblock("c"):
                        vi = T.axis.spatial({m}, i0 * {mr} + i1)
                        vj = T.axis.spatial({n}, j0 * {nr} + j1)
                        vk = T.axis.reduce({k}, k0 * {kr} + k1)
                        T.where(
                            i0 * {mr} + i1 < {m} and j0 * {nr} + j1 < {n}
                            and k0 * {kr} + k1 < {k}
                        )
                        with T.init():
                            C[vi, vj] = T.float32(0)
                        C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    c = np.full((m, n), np.nan, np.float32)
    assert native(a, b, c) == 0
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["T.serial", "T.vectorized", "T.unroll"])
@pytest.mark.parametrize("n", [1, 5, 8, 30])
def test_padding_is_proved_and_right(kind: str, n: int, rng: Generator) -> None:
    fn = function(
        f'x: T.Buffer(({n},), "float32"), y: T.Buffer(({n + 3},), "float32")',
        f"""
    for i in {kind}({n + 3}):
        with T.sblock("y"):
            v = T.axis.spatial({n + 3}, i)
            y[v] = T.if_then_else(1 <= v and v < {n + 1}, x[v - 1], T.float32(7))
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    x, y = rng.standard_normal(n).astype(np.float32), np.zeros(n + 3, np.float32)
    assert native(x, y) == 0
    np.testing.assert_array_equal(y, np.pad(x, (1, 2), constant_values=7))


def test_convolution_with_inlined_padding(rng: Generator) -> None:
    fn = function(
        'x: T.Buffer((3,9,9), "float32"), w: T.Buffer((5,3,3,3), "float32"), y: T.Buffer((5,9,9), '
        '"float32")',
        """
    for o, h, v, c, p, q in T.grid(5, 9, 9, 3, 3, 3):
        with T.sblock("y"):
            vo, vh, vw, vc, vp, vq = T.axis.remap("SSSRRR", [o, h, v, c, p, q])
            with T.init():
                y[vo, vh, vw] = T.float32(0)
            y[vo, vh, vw] = y[vo, vh, vw] + w[vo, vc, vp, vq] * T.if_then_else(
                1 <= vh + vp and vh + vp < 10 and 1 <= vw + vq and vw + vq < 10,
                x[vc, vh + vp - 1, vw + vq - 1], T.float32(0))
""",
    )
    native = Native(fn)
    assert native.code.sites == ()
    x = rng.standard_normal((3, 9, 9), np.float32)
    w = rng.standard_normal((5, 3, 3, 3), np.float32)
    y = np.zeros((5, 9, 9), np.float32)
    assert native(x, w, y) == 0
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    np.testing.assert_allclose(y, np.einsum("chwpq,ocpq->ohw", windows, w), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "start"), [("+", 0.0), ("*", 1.0), ("max", -np.inf), ("min", np.inf)]
)
@pytest.mark.parametrize("n", [1, 7, 8, 21])
def test_vectorized_reduction(op: str, start: float, n: int, rng: Generator) -> None:
    update = f"s[()] {op} x[i]" if op in "+*" else f"T.{op}(s[()], x[i])"
    fn = function(
        f'x: T.Buffer(({n},), "float32"), s: T.Buffer((), "float32")',
        f"""
    s[()] = T.float32({float(np.nan_to_num(np.float32(start), posinf=3e38, neginf=-3e38))})
    for i in T.vectorized({n}):
        s[()] = {update}
""",
    )
    x, s = rng.standard_normal(n).astype(np.float32), np.zeros((), np.float32)
    assert Native(fn)(x, s) == 0
    reduce = {"+": np.sum, "*": np.prod, "max": np.max, "min": np.min}[op]
    np.testing.assert_allclose(s, reduce(x), rtol=1e-5, atol=1e-5)


def test_parallel_loop_with_private_memory(rng: Generator) -> None:
    fn = function(
        'x: T.Buffer((40,1000), "float32"), y: T.Buffer((40,1000), "float32"), '
        "a: T.float32, k: T.int64",
        """
    for i in T.parallel(40):
        with T.sblock("row"):
            vi = T.axis.spatial(40, i)
            small = T.sblock_alloc_buffer((1000,), "float32")
            large = T.sblock_alloc_buffer((1000, 10), "float32")
            for j in range(1000):
                small[j] = x[vi, j] * a
            for j, c in T.grid(1000, 10):
                large[j, c] = small[j] + T.Cast("float32", k)
            for j in range(1000):
                y[vi, j] = large[j, 9]
""",
    )
    native = Native(fn)
    x, y = rng.standard_normal((40, 1000), np.float32), np.zeros((40, 1000), np.float32)
    assert native(x, y, 3.0, 5) == 0
    assert native.chunks == [(0, 20), (20, 40)]
    assert native.allocations > 0
    np.testing.assert_allclose(y, x * np.float32(3) + 5, rtol=1e-6)


def test_gather_scatter_strided_and_reversed(rng: Generator) -> None:
    fn = function(
        'x: T.Buffer((40,), "float32"), p: T.Buffer((13,), "int64"), y: T.Buffer((4,13), '
        '"float32"), '
        'z: T.Buffer((26,), "float32")',
        """
    for i in T.vectorized(13):
        y[0, i] = x[p[i]]
        y[1, i] = x[i * 3 + 1]
        y[2, i] = x[12 - i]
        y[3, i] = x[i // 4]
        z[i * 2] = x[i]
        z[p[i] % 13 * 2 + 1] = x[i]
""",
    )
    x, p = rng.standard_normal(40).astype(np.float32), rng.permutation(13).astype(np.int64)
    y, z = np.zeros((4, 13), np.float32), np.zeros(26, np.float32)
    assert Native(fn)(x, p, y, z) == 0
    i = np.arange(13)
    np.testing.assert_array_equal(y, np.stack([x[p], x[i * 3 + 1], x[12 - i], x[i // 4]]))
    expected = np.zeros(26, np.float32)
    expected[i * 2] = x[i]
    expected[p * 2 + 1] = x[i]
    np.testing.assert_array_equal(z, expected)


def test_masked_lanes_neither_load_nor_store(rng: Generator) -> None:
    fn = function(
        'x: T.Buffer((16,), "float32"), t: T.Buffer((4,), "float32"), y: T.Buffer((16,), '
        '"float32")',
        """
    for i in T.vectorized(16):
        if x[i] > T.float32(0):
            y[i] = T.sqrt(x[i])
        else:
            y[i] = t[T.if_then_else(i < 4, i, 0)]
        if i < 4:
            y[i] = t[i] * y[i]
""",
    )
    x, t = rng.standard_normal(16).astype(np.float32), rng.standard_normal(4).astype(np.float32)
    y = np.zeros(16, np.float32)
    assert Native(fn)(x, t, y) == 0
    i = np.arange(16)
    with np.errstate(invalid="ignore"):
        expected = np.where(x > 0, np.sqrt(x), t[np.where(i < 4, i, 0)]).astype(np.float32)
    expected[:4] = t * expected[:4]
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_while_and_scalar_buffers() -> None:
    fn = function(
        'y: T.Buffer((5,), "int64")',
        """
    n = T.alloc_buffer((), "int64")
    n[()] = T.int64(0)
    while n[()] < 5:
        y[n[()]] = n[()] * n[()]
        n[()] = n[()] + T.int64(1)
""",
    )
    y = np.zeros(5, np.int64)
    assert Native(fn)(y) == 0
    assert y.tolist() == [0, 1, 4, 9, 16]


def test_match_buffer_is_a_window(rng: Generator) -> None:
    fn = function(
        'x: T.Buffer((8,8), "float32"), y: T.Buffer((8,8), "float32")',
        """
    for i0, j0 in T.grid(2, 4):
        with T.sblock("tile"):
            vi, vj = T.axis.remap("SS", [i0, j0])
            a = T.match_buffer(x[vi * 4:vi * 4 + 4, vj * 2:vj * 2 + 2], (4, 2), "float32")
            b = T.match_buffer(y[vi * 4:vi * 4 + 4, vj * 2:vj * 2 + 2], (4, 2), "float32")
            for i, j in T.grid(4, 2):
                b[i, j] = a[3 - i, j]
""",
    )
    x, y = rng.standard_normal((8, 8), np.float32), np.zeros((8, 8), np.float32)
    assert Native(fn)(x, y) == 0
    expected: NDArray[np.float32] = x.reshape(2, 4, 8)[:, ::-1].reshape(8, 8)
    np.testing.assert_array_equal(y, expected)


def test_initialisation_stays_with_other_readers(rng: Generator) -> None:
    """A running sum that is read inside the reduction loop keeps its guarded initialisation."""
    fn = function(
        'x: T.Buffer((4,6), "float32"), s: T.Buffer((4,), "float32"), y: T.Buffer((4,6), '
        '"float32")',
        """
    for i, k in T.grid(4, 6):
        with T.sblock("s"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                s[vi] = T.float32(0)
            s[vi] = s[vi] + x[vi, vk]
        with T.sblock("y"):
            vi, vk = T.axis.remap("SS", [i, k])
            y[vi, vk] = s[vi]
""",
    )
    x = rng.standard_normal((4, 6), np.float32)
    s, y = np.zeros(4, np.float32), np.zeros((4, 6), np.float32)
    assert Native(fn)(x, s, y) == 0
    np.testing.assert_allclose(y, np.cumsum(x, axis=1), rtol=1e-5, atol=1e-6)
    s2, y2 = np.zeros(4, np.float32), np.zeros((4, 6), np.float32)
    run_tensor_function(fn, [x, s2, y2])
    np.testing.assert_allclose(y, y2, rtol=1e-6)


@pytest.mark.parametrize(
    ("start", "stop", "axis"), [(0, 3, "k"), (3, 6, "k"), (0, 6, "k % 3"), (0, 6, "k // 2")]
)
def test_initialisation_runs_where_the_axis_is_zero(
    start: int, stop: int, axis: str, rng: Generator
) -> None:
    """A part of a reduction that does not start at its first value leaves the sum as it is."""
    fn = function(
        'x: T.Buffer((4,6), "float32"), s: T.Buffer((4,), "float32")',
        f"""
    for i in range(4):
        for k in range({start}, {stop}):
            with T.sblock("s"):
                vi = T.axis.spatial(4, i)
                vk = T.axis.reduce(6, {axis})
                with T.init():
                    s[vi] = T.float32(0)
                s[vi] = s[vi] + x[vi, vk]
""",
    )
    x, s = rng.standard_normal((4, 6), np.float32), rng.standard_normal(4, np.float32)
    expected = s.copy()
    run_tensor_function(fn, [x, expected])
    assert Native(fn)(x, s) == 0
    np.testing.assert_allclose(s, expected, rtol=1e-5, atol=1e-6)


ROWS = """
    n = T.int64()
    for i_0 in T.parallel((n + 5) // 6):
        for k in range(100):
            for i_1 in T.unroll(6):
                with T.sblock("y"):
                    vi = T.axis.spatial(n, i_0 * 6 + i_1)
                    vk = T.axis.spatial(100, k)
                    T.where(i_0 * 6 + i_1 < n)
                    y[vi, vk] = x[vi, vk] + 1.0
"""


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 3000, 3001])
def test_a_parallel_loop_of_symbolic_extent_asks_for_threads_where_it_is_long(
    rows: int, rng: Generator
) -> None:
    fn = function('x: T.Buffer(("n", 100), "float32"), y: T.Buffer(("n", 100), "float32")', ROWS)
    native = Native(fn)
    assert native.code.sites == ()
    x, y = rng.standard_normal((2, rows, 100)).astype(np.float32)
    assert native(x, y) == 0
    np.testing.assert_array_equal(y, x + 1)
    assert bool(native.chunks) == (rows >= 3000)


def test_whole_tiles_of_a_parallel_loop_ask_for_nothing() -> None:
    fn = function('x: T.Buffer(("n", 100), "float32"), y: T.Buffer(("n", 100), "float32")', ROWS)
    body, _ = prepare(fn, host_target())
    (branch,) = [n for n in walk(body) if isinstance(n, If) and n.otherwise is not None]
    assert not any(isinstance(n, If) for n in walk(branch.then))
    assert any(isinstance(n, If) for n in walk(branch.otherwise))


def test_copies_of_a_loop_bind_the_variables_of_a_parallel_loop_anew() -> None:
    fn = function(
        'm: T.int64, n: T.int64, A: T.Buffer((2, "n"), "float32"), C: T.Buffer((2,), "float32")',
        """
    for k0 in range(m):
        for i1 in T.parallel(2):
            for k1 in range(n):
                if k0 + k1 == 0:
                    C[i1] = T.float32(0)
                C[i1] = C[i1] + A[i1, k1]
""",
    )
    a, c = np.arange(8, dtype=np.float32).reshape(2, 4), np.full(2, np.nan, np.float32)
    assert Native(fn)(3, 4, a, c) == 0
    np.testing.assert_array_equal(c, 3 * a.sum(axis=1))


@pytest.mark.parametrize("active", [0, 1, 3, 4])
def test_a_sum_over_lanes_touches_its_element_only_where_a_lane_is_active(active: int) -> None:
    """With no lane the element need not be there: native code may not read or write it."""
    fn = function(
        'C: T.Buffer((3,), "float32"), A: T.Buffer((4,), "float32"), F: T.Buffer((5,), "int32")',
        f"""
    for j in T.vectorized(4):
        for i in range(5):
            if j < F[i] and j < {active}:
                C[i] = C[i] + A[j]
""",
    )
    a = np.array([1, 2, 4, 8], dtype=np.float32)
    flags = np.array([4, 4, 4, 0, 0], dtype=np.int32)
    found = np.zeros(3, dtype=np.float32)
    assert Native(fn)(found, a, flags) == 0
    np.testing.assert_array_equal(found, np.full(3, a[:active].sum(), np.float32))
