"""Tensor functions as people write them: loops that schedules have to cope with."""

MATMUL = """
@T.prim_func
def f(
    A: T.Buffer((6, 5), "float32"), B: T.Buffer((5, 8), "float32"), C: T.Buffer((6, 8), "float32")
):
    for i, j, k in T.grid(6, 8, 5):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""

SYMBOLIC_MATMUL = """
@T.prim_func
def f(
    A: T.Buffer(("n", "m"), "float32"),
    B: T.Buffer(("m", "n"), "float32"),
    C: T.Buffer(("n", "n"), "float32"),
):
    n = T.int64()
    m = T.int64()
    for i, j, k in T.grid(n, n, m):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""
SYMBOLIC = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), B: T.Buffer(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    for i, j in T.grid(n, m):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
"""

MULTIPLE = """
@T.prim_func
def f(N: T.Buffer(("n",), "float32"), B: T.Buffer(("n * 8",), "float32")):
    n = T.int64()
    for i in range(n * 8):
        B[i] = N[i // 8] + T.float32(1)
"""

STENCIL = """
@T.prim_func
def f(A: T.Buffer((12,), "float32"), B: T.Buffer((12,), "float32")):
    for i in range(1, 11):
        B[i] = A[i - 1] + A[i] + A[i + 1]
"""

SCAN = """
@T.prim_func
def f(A: T.Buffer((9, 7), "float32")):
    for i in range(1, 9):
        for j in range(7):
            A[i, j] = A[i - 1, j] + A[i, j]
"""

WAVEFRONT = """
@T.prim_func
def f(A: T.Buffer((9, 8), "float32")):
    for i in range(1, 9):
        for j in range(7):
            A[i, j] = A[i - 1, j + 1] * T.float32(2)
"""

GATHER = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), I: T.Buffer((6,), "int64"), B: T.Buffer((6,), "float32")):
    for i in range(6):
        B[i] = A[I[i]]
"""

SCATTER = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), I: T.Buffer((6,), "int64"), B: T.Buffer((10,), "float32")):
    for i in range(6):
        B[I[i]] = A[i]
"""

GUARDED = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((10,), "float32")):
    for i in range(12):
        if i < 10:
            with T.sblock("B"):
                vi = T.axis.spatial(10, i)
                B[vi] = A[vi] * T.float32(3)
"""

PADDED = """
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((12,), "float32")):
    for i in range(12):
        with T.sblock("B"):
            vi = T.axis.spatial(12, i)
            B[vi] = T.if_then_else(1 <= vi and vi < 11, A[vi - 1], T.float32(0))
"""

TRIANGLE = """
@T.prim_func
def f(A: T.Buffer((7, 7), "float32"), B: T.Buffer((7, 7), "float32")):
    for i in range(7):
        for j in range(i + 1):
            B[i, j] = A[j, i]
"""

ROWS = """
@T.prim_func
def f(A: T.Buffer((4, 6), "float32"), S: T.Buffer((4,), "float32"), B: T.Buffer((4, 6), "float32")):
    for i in range(4):
        S[i] = T.float32(0)
        for k in range(6):
            S[i] = S[i] + A[i, k]
        for j in range(6):
            B[i, j] = A[i, j] - S[i]
"""

PAIR = """
@T.prim_func
def f(
    A: T.Buffer((4, 6), "float32"), B: T.Buffer((4, 6), "float32"), C: T.Buffer((4, 6), "float32")
):
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] + T.float32(1)
        with T.sblock("C"):
            wi, wj = T.axis.remap("SS", [i, j])
            C[wi, wj] = B[wi, wj] * T.float32(2)
"""

RAGGED = """
@T.prim_func
def f(L: T.Buffer((4,), "int64"), A: T.Buffer((4, 6), "float32"), B: T.Buffer((4, 6), "float32")):
    for i in range(4):
        for j in range(L[i]):
            B[i, j] = A[i, j]
"""

VIEW = """
@T.prim_func
def f(C: T.Buffer((8, 8), "float32")):
    for i in range(4):
        with T.sblock("v"):
            vi = T.axis.spatial(4, i)
            W = T.match_buffer(C[vi * 2:vi * 2 + 2, 0:8], (2, 8), "float32")
            for b in range(8):
                with T.sblock("w"):
                    vb = T.axis.spatial(8, b)
                    W[1, vb] = W[0, vb] * T.float32(0.5)
"""

SHORT = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), C: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i in range(n - 5):
        with T.sblock("C"):
            vi = T.axis.spatial(n, i)
            C[vi] = A[vi] + A[vi + 2]
"""

SHORT_SUM = """
@T.prim_func
def f(A: T.Buffer(("n", "n"), "float32"), C: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i, k in T.grid(n - 3, n - 4):
        with T.sblock("C"):
            vi = T.axis.spatial(n - 3, i)
            vk = T.axis.reduce(n - 4, k)
            with T.init():
                C[vi] = T.float32(0)
            C[vi] = C[vi] + A[vi, vk]
"""

ARGMAX = """
@T.prim_func
def f(A: T.Buffer((4, 10), "float32"), V: T.Buffer((4,), "float32"), I: T.Buffer((4,), "int64")):
    for i, k in T.grid(4, 10):
        with T.sblock("am"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                V[vi] = T.float32(-1e30)
                I[vi] = 0
            I[vi] = T.if_then_else(A[vi, vk] > V[vi], vk, I[vi])
            V[vi] = T.if_then_else(A[vi, vk] > V[vi], A[vi, vk], V[vi])
"""
