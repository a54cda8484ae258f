"""Tensor functions of several blocks: producers and consumers that schedules move."""

ELEMENTWISE = """
@T.prim_func
def f(A: T.Buffer((16, 12), "float32"), C: T.Buffer((16, 12), "float32")):
    B = T.sblock_alloc_buffer((16, 12), "float32")
    for i, j in T.grid(16, 12):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(16, 12):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + T.float32(1)
"""

BLUR = """
@T.prim_func
def f(A: T.Buffer((20, 12), "float32"), by: T.Buffer((18, 10), "float32")):
    bx = T.sblock_alloc_buffer((20, 10), "float32")
    for i, j in T.grid(20, 10):
        with T.sblock("bx"):
            vi, vj = T.axis.remap("SS", [i, j])
            bx[vi, vj] = A[vi, vj] + A[vi, vj + 1] + A[vi, vj + 2]
    for i, j in T.grid(18, 10):
        with T.sblock("by"):
            vi, vj = T.axis.remap("SS", [i, j])
            by[vi, vj] = bx[vi, vj] + bx[vi + 1, vj] + bx[vi + 2, vj]
"""

SYMBOLIC_BLUR = """
@T.prim_func
def f(A: T.Buffer(("n + 2", "m"), "float32"), by: T.Buffer(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    bx = T.sblock_alloc_buffer((n + 2, m), "float32")
    for i, j in T.grid(n + 2, m):
        with T.sblock("bx"):
            vi, vj = T.axis.remap("SS", [i, j])
            bx[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(n, m):
        with T.sblock("by"):
            vi, vj = T.axis.remap("SS", [i, j])
            by[vi, vj] = bx[vi, vj] + bx[vi + 1, vj] + bx[vi + 2, vj]
"""

MATMUL_RELU = """
@T.prim_func
def f(
    A: T.Buffer((6, 5), "float32"),
    B: T.Buffer((5, 8), "float32"),
    D: T.Buffer((6, 8), "float32"),
):
    C = T.sblock_alloc_buffer((6, 8), "float32")
    for i, j, k in T.grid(6, 8, 5):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
    for i, j in T.grid(6, 8):
        with T.sblock("D"):
            vi, vj = T.axis.remap("SS", [i, j])
            D[vi, vj] = T.max(C[vi, vj], T.float32(0))
"""

TWO_READERS = """
@T.prim_func
def f(
    A: T.Buffer((8, 6), "float32"),
    C: T.Buffer((8, 6), "float32"),
    D: T.Buffer((8, 6), "float32"),
):
    B = T.sblock_alloc_buffer((8, 6), "float32")
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, j in T.grid(8, 6):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + T.float32(1)
    for i, j in T.grid(8, 6):
        with T.sblock("D"):
            vi, vj = T.axis.remap("SS", [i, j])
            D[vi, vj] = B[vi, 5 - vj] + C[vi, vj]
"""

TWO_WRITERS = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(4):
        with T.sblock("B_low"):
            vi = T.axis.spatial(4, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(4):
        with T.sblock("B_high"):
            vi = T.axis.spatial(4, i)
            B[vi + 4] = A[vi + 4] * T.float32(3)
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] + T.float32(1)
"""

OVERWRITTEN = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(8):
        with T.sblock("A_next"):
            vi = T.axis.spatial(8, i)
            A[vi] = T.float32(0)
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi] + T.float32(1)
"""

GATHERED = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), I: T.Buffer((6,), "int64"), C: T.Buffer((6,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(6):
        with T.sblock("C"):
            vi = T.axis.spatial(6, i)
            C[vi] = B[I[vi]] + T.float32(1)
"""

PADDED_CONSUMER = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((10,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            B[vi] = A[vi] * T.float32(2)
    for i in range(10):
        with T.sblock("C"):
            vi = T.axis.spatial(10, i)
            C[vi] = T.if_then_else(1 <= vi and vi < 9, B[vi - 1], T.float32(0))
"""

SCANNED = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((9,), "float32")
    B[0] = T.float32(0)
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.scan(8, i)
            B[vi + 1] = B[vi] + A[vi]
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi + 1] * T.float32(2)
"""

ROW_SUMS = """
@T.prim_func
def f(A: T.Buffer((4, 20), "DTYPE"), S: T.Buffer((4,), "DTYPE")):
    for i, k in T.grid(4, 20):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.DTYPE(0)
            S[vi] = S[vi] + A[vi, vk]
"""
