"""Intrinsics for CPUs: tiles of a matrix product in vector registers, and short dot products.

All of them run on every processor. Vectors are those that the target has, and `T.dot4` and
`T.dot2` become one instruction where there is one.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.ir.registry import TensorIntrinsic
from workbench.schedule.intrinsics.scripted import intrinsic_of_script

_TILE = """
@T.prim_func
def description(
    A: T.Buffer(({rows}, "K"), "{dtype}", strides=("s0", "s1")),
    B: T.Buffer(("K", {columns}), "{dtype}"),
    C: T.Buffer(({rows}, {columns}), "{dtype}"),
):
    K = T.int64()
    s0 = T.int64()
    s1 = T.int64()
    for i, j, k in T.grid({rows}, {columns}, K):
        C[i, j] = C[i, j] + A[i, k] * B[k, j]


@T.prim_func
def implementation(
    A: T.Buffer(({rows}, "K"), "{dtype}", strides=("s0", "s1")),
    B: T.Buffer(("K", {columns}), "{dtype}"),
    C: T.Buffer(({rows}, {columns}), "{dtype}"),
):
    K = T.int64()
    s0 = T.int64()
    s1 = T.int64()
    tile = T.alloc_buffer(({rows}, {columns}), "{dtype}", scope="local")
    for i in T.unroll({rows}):
        for j in T.vectorized({columns}):
            tile[i, j] = C[i, j]
    for k in range(K):
        for i in T.unroll({rows}):
            for j in T.vectorized({columns}):
                tile[i, j] = tile[i, j] + A[i, k] * B[k, j]
    for i in T.unroll({rows}):
        for j in T.vectorized({columns}):
            C[i, j] = tile[i, j]
"""

_DOT = """
@T.prim_func
def description(
    A: T.Buffer(({count},), "{left}"),
    B: T.Buffer(({lanes}, {count}), "{right}"),
    C: T.Buffer(({lanes},), "{total}"),
):
    for i, k in T.grid({lanes}, {count}):
        C[i] = C[i] + T.Cast("{total}", A[k]) * T.Cast("{total}", B[i, k])


@T.prim_func
def implementation(
    A: T.Buffer(({count},), "{left}"),
    B: T.Buffer(({lanes}, {count}), "{right}"),
    C: T.Buffer(({lanes},), "{total}"),
):
    for i in T.vectorized({lanes}):
        C[i] = T.dot{count}(C[i], {a}, {b})
"""

_DOT_TILE = """
@T.prim_func
def description(
    A: T.Buffer(({rows}, "K * {count}"), "{left}"),
    B: T.Buffer(("K", {lanes}, {count}), "{right}"),
    C: T.Buffer(({rows}, {lanes}), "{total}"),
):
    K = T.int64()
    for i, j, k, q in T.grid({rows}, {lanes}, K, {count}):
        C[i, j] = C[i, j] + T.Cast("{total}", A[i, k * {count} + q]) * T.Cast("{total}", B[k, j, q])


@T.prim_func
def implementation(
    A: T.Buffer(({rows}, "K * {count}"), "{left}"),
    B: T.Buffer(("K", {lanes}, {count}), "{right}"),
    C: T.Buffer(({rows}, {lanes}), "{total}"),
):
    K = T.int64()
    tile = T.alloc_buffer(({rows}, {lanes}), "{total}", scope="local")
    for i in T.unroll({rows}):
        for j in T.vectorized({lanes}):
            tile[i, j] = C[i, j]
    for k in range(K):
        for i in T.unroll({rows}):
            for j in T.vectorized({lanes}):
                tile[i, j] = T.dot{count}(tile[i, j], {a}, {b})
    for i in T.unroll({rows}):
        for j in T.vectorized({lanes}):
            C[i, j] = tile[i, j]
"""


def matmul_tile(name: str, rows: int, columns: int, dtype: str = "float32") -> TensorIntrinsic:
    """`C += A @ B` of `(rows, K)` and `(K, columns)`, accumulated in registers over all of K.

    Each element is the same sum in the same order as in the loops. `rows * columns` elements
    should leave two vector registers and one more for each vector of columns.

    Reference: the micro-kernel of BLIS (Van Zee and van de Geijn, ACM TOMS 2015).
    """
    text = _TILE.format(rows=rows, columns=columns, dtype=dtype)
    doc = f"{rows} x {columns} tile of a {dtype} matrix product in vector registers"
    return intrinsic_of_script(name, text, doc=doc)


def byte_dot(name: str, lanes: int, rows: int = 0) -> TensorIntrinsic:
    """Dot products of four uint8 with four int8, added to `lanes` int32; exact.

    With `rows`, a tile of so many rows of them over any number of fours, B packed as
    `(K, lanes, 4)`. `vpdpbusd` where the processor has it. Reference: `tvm`'s `dot_16x4_vnni`.
    """
    left = "A[i, k * 4 + {n}]" if rows else "A[{n}]"
    right = "B[k, j, {n}]" if rows else "B[i, {n}]"
    text = (_DOT_TILE if rows else _DOT).format(
        rows=rows,
        lanes=lanes,
        count=4,
        left="uint8",
        right="int8",
        total="int32",
        a=", ".join(left.format(n=n) for n in range(4)),
        b=", ".join(right.format(n=n) for n in range(4)),
    )
    shape = f"{rows} x {lanes}" if rows else f"{lanes}"
    doc = f"{shape} dot products of four uint8 with four int8 in int32"
    return intrinsic_of_script(name, text, doc=doc)


def brain_dot(name: str, lanes: int, rows: int = 0) -> TensorIntrinsic:
    """Dot products of two bfloat16 with two bfloat16, added to `lanes` float32.

    The second product of each pair is added first and without rounding the product, as `vdpbf16ps`
    does, so the results differ from the loops' by rounding; `vdpbf16ps` also takes numbers below
    2**-126 as zero. With `rows`, a tile of so many rows over any number of pairs, B packed as
    `(K, lanes, 2)`.
    """
    left = "A[i, k * 2 + {n}]" if rows else "A[{n}]"
    right = "B[k, j, {n}]" if rows else "B[i, {n}]"
    text = (_DOT_TILE if rows else _DOT).format(
        rows=rows,
        lanes=lanes,
        count=2,
        left="bfloat16",
        right="bfloat16",
        total="float32",
        a=", ".join(left.format(n=n) for n in range(2)),
        b=", ".join(right.format(n=n) for n in range(2)),
    )
    shape = f"{rows} x {lanes}" if rows else f"{lanes}"
    doc = f"{shape} dot products of two bfloat16 with two bfloat16 in float32"
    return intrinsic_of_script(name, text, reassociates=True, doc=doc)


SHIPPED: dict[str, Callable[[str], TensorIntrinsic]] = {
    "fma_4x16_f32": lambda name: matmul_tile(name, 4, 16),
    "fma_6x16_f32": lambda name: matmul_tile(name, 6, 16),
    "fma_8x8_f32": lambda name: matmul_tile(name, 8, 8),
    "fma_8x32_f32": lambda name: matmul_tile(name, 8, 32),
    "fma_12x32_f32": lambda name: matmul_tile(name, 12, 32),
    "dot_8x4_vnni": lambda name: byte_dot(name, 8),
    "dot_16x4_vnni": lambda name: byte_dot(name, 16),
    "dot_4x16x4_vnni": lambda name: byte_dot(name, 16, rows=4),
    "dot_8x2_bf16": lambda name: brain_dot(name, 8),
    "dot_16x2_bf16": lambda name: brain_dot(name, 16),
    "dot_4x16x2_bf16": lambda name: brain_dot(name, 16, rows=4),
}
"""What is shipped, by name: tiles for 16 vector registers of 8 floats, then for 32 of 16."""
