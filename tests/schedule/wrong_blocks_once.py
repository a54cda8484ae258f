"""Programs and schedules that were wrong once: blocks with memory and names, and intrinsics."""

WRONG_BLOCKS_ONCE = {
    "blockize under a loop that changes its own extent": (
        """\
@T.prim_func
def f(
    A: T.Buffer(("n", "m"), "int32"),
    flag: T.Buffer(("n",), "int64"),
    B: T.Buffer(("n", "m"), "int32"),
):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for j in range(T.min(flag[i] + 1, m)):
            with T.sblock("B"):
                vi = T.axis.spatial(n, i)
                vj = T.axis.spatial(m, j)
                B[vi, vj] = A[vi, vj]
            flag[i] = T.int64(1) - flag[i]
""",
        """\
sch.blockize(blocks=['B'])
""",
    ),
    "blockize under a loop of an extent and begin that only memory knows": (
        """\
@T.prim_func
def f(A: T.Buffer((3, 4), "int32"), flag: T.Buffer((3,), "int64"), B: T.Buffer((3, 4), "int32")):
    for i in range(3):
        for j in T.serial(flag[i], flag[i] * 2 + 1):
            for k in range(1):
                B[i, j] = A[i, j] + T.int32(3)
            flag[i] = T.int64(1) - flag[i]
""",
        """\
sch.blockize('k')
""",
    ),
    "tensorize under loops fused by a symbol, beside a scalar": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), B: T.Buffer(("n", "m"), "int32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for j in range(m):
            p: T.let[T.int64] = m - 1 - j
            B[i, j] = T.min(A[i, p], A[i, j])
""",
        """\
sch.fuse('i', 'j')
sch.tensorize('i_j_fused', 'fma_4x16_f32')
""",
    ),
    "inlining the last use of a buffer that lives for part of a suite": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "uint8"), C: T.Buffer(("n", "m"), "uint8")):
    n = T.int64()
    m = T.int64()
    B = T.alloc_buffer((n * m,), "uint8")
    for i in range(n):
        for j in range(m):
            B[i * m + j] = A[i, j] + T.uint8(3)
    for k in range(n * m):
        C[k // m, k % m] = B[k]
""",
        """\
sch.cache_write(block='i', write_buffer_index='B')
sch.cache_write(block='i', write_buffer_index='B_global')
sch.compute_inline(block='B_global')
""",
    ),
    "tensorize with two names for one buffer": (
        """\
@T.prim_func
def f(X: T.Buffer((12, 8), "float32"), B: T.Buffer((8, 8), "float32")):
    for t in range(1):
        with T.sblock("named"):
            vt = T.axis.opaque(1, t)
            A = T.match_buffer(X[0:8, 0:8], (8, 8), "float32")
            C = T.match_buffer(X[4:12, 0:8], (8, 8), "float32")
            for i, j, k in T.grid(8, 8, 8):
                C[i, j] = C[i, j] + A[i, k] * B[k, j]
""",
        """\
sch.tensorize('i', 'fma_8x8_f32')
""",
    ),
    "rfactor with two names for one buffer": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 3), "int32"), X: T.Buffer((6, 4), "int32")):
    for t in range(1):
        with T.sblock("named"):
            vt = T.axis.opaque(1, t)
            B = T.match_buffer(X[0:3, 0:4], (3, 4), "int32")
            C = T.match_buffer(X[2:6, 0:4], (4, 4), "int32")
            for i, j, k in T.grid(4, 4, 3):
                with T.sblock("C"):
                    vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                    with T.init():
                        C[vi, vj] = T.int32(0)
                    C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
""",
        """\
sch.rfactor(loop='k')
""",
    ),
    "decompose_reduction of a block whose init has memory and names of its own": (
        """\
@T.prim_func
def f(A: T.Buffer((3, 4), "int32"), C: T.Buffer((3, 4), "int32")):
    for i in range(3):
        for k in range(4):
            with T.sblock("C"):
                vi = T.axis.spatial(3, i)
                vk = T.axis.reduce(4, k)
                V = T.match_buffer(C[vi, 0:4], (4,), "int32")
                W = T.alloc_buffer((4,), "int32")
                U = T.alloc_buffer((4,), "int32")
                with T.init():
                    for q in range(4):
                        W[q] = T.int32(2)
                    for q in range(4):
                        V[q] = W[3 - q]
                U[0] = A[vi, vk]
                V[0] = V[0] + U[0]
""",
        """\
sch.decompose_reduction('C', 'k')
""",
    ),
    "blockize of a reduction that reads its elements by another name": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 4), "int32"), X: T.Buffer((6, 4), "int32")):
    for t in range(1):
        with T.sblock("named"):
            vt = T.axis.opaque(1, t)
            B = T.match_buffer(X[0:4, 0:4], (4, 4), "int32")
            C = T.match_buffer(X[2:6, 0:4], (4, 4), "int32")
            for k0, i, j, k1 in T.grid(2, 4, 4, 2):
                with T.sblock("C"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    vk = T.axis.reduce(4, k0 * 2 + k1)
                    with T.init():
                        C[vi, vj] = T.int32(0)
                    C[vi, vj] = C[vi, vj] + A[vi, vk] * B[3 - vk, vj]
""",
        """\
sch.blockize('i')
""",
    ),
    "tensorize of a box whose place the code changes": (
        """\
@T.prim_func
def f(
    A: T.Buffer((4, 4, 12), "uint8"),
    B: T.Buffer((4, 3, 16, 4), "int8"),
    C: T.Buffer((4, 16), "int32"),
):
    for i, j, k in T.grid(4, 16, 3):
        for q in range(4):
            C[i, j] = C[i, j] + T.Cast("int32", A[0, i, k * 4 + q]) * T.Cast(
                "int32", B[T.min(T.max(T.Cast("int64", C[0, 0]), 0), 3), k, j, q]
            )
""",
        """\
sch.tensorize('i', 'dot_4x16x4_vnni')
""",
    ),
    "blockize of what reads partial results as many as a loop says": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 4), "int32"), C: T.Buffer((4,), "int32")):
    for i in range(4):
        C[i] = T.int32(3)
        for j in range(i + 1):
            C[i] = C[i] + A[i, j]
""",
        """\
sch.rfactor('j')
sch.blockize('j_1')
""",
    ),
    "blockize in a loop that says how much memory it has": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", 4), "int32"), C: T.Buffer(("n", 4), "int32")):
    n = T.int64()
    for i in range(n):
        t = T.alloc_buffer((i + 4,), "int32")
        for j in range(i + 4):
            t[j] = T.int32(2)
        for j in range(4):
            for k in range(1):
                u = T.alloc_buffer((i + j + 1,), "int32")
                u[i] = t[i + j] + A[i, j]
                C[i, j] = u[i]
""",
        """\
sch.blockize('k')
sch.blockize('j#2')
""",
    ),
    "decompose_reduction of a block whose init has memory of its own": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 3), "int32"), C: T.Buffer((4,), "int32")):
    for i, k in T.grid(4, 3):
        with T.sblock("C"):
            vi, vk = T.axis.remap("SR", [i, k])
            t = T.sblock_alloc_buffer((vi + vk + 1,), "int32")
            with T.init():
                t[vi + vk] = T.int32(1)
                C[vi] = t[vi + vk]
            C[vi] = C[vi] + A[vi, vk]
""",
        """\
sch.decompose_reduction('C', 'k')
""",
    ),
    "rfactor where a guard reads memory that a loop says the size of": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 4), "int32"), C: T.Buffer((4,), "int32")):
    for i in range(4):
        t = T.alloc_buffer((i + 1,), "int32")
        for k in range(i + 1):
            t[k] = A[i, k]
        for j in range(i + 1):
            with T.sblock("C"):
                vi = T.axis.spatial(4, i)
                vj = T.axis.reduce(4, j)
                T.where(j == 0 or t[j] > 2)
                with T.init():
                    C[vi] = T.int32(0)
                C[vi] = C[vi] + A[vi, vj]
""",
        """\
sch.rfactor('j')
""",
    ),
    "transform_layout of what holds the extent of memory": (
        """\
@T.prim_func
def f(A: T.Buffer((2, 4), "int32"), N: T.Buffer((2,), "int64"), C: T.Buffer((2,), "int32")):
    for i in range(2):
        C[i] = T.int32(3)
        for j in range(T.min(T.max(N[i] + 1, 0), 4)):
            C[i] = T.max(C[i], A[i, j])
""",
        """\
sch.rfactor(loop='j')
sch.transform_layout(block='C_update', buffer='N', index_map='lambda i: (i // 16, i % 16)')
""",
    ),
    "cache_read of what holds the extent of memory": (
        """\
@T.prim_func
def f(A: T.Buffer((2, 4), "int32"), N: T.Buffer((2,), "int64"), C: T.Buffer((2,), "int32")):
    for i in range(2):
        C[i] = T.int32(3)
        for j in range(T.min(T.max(N[i] + 1, 0), 4)):
            C[i] = T.max(C[i], A[i, j])
""",
        """\
sch.rfactor(loop='j')
sch.cache_read(block='C_update', read_buffer_index='N')
""",
    ),
    "decompose_reduction of a block with another reduction of its own inside": (
        """\
@T.prim_func
def f(
    A: T.Buffer((2, 4), "float32"), B: T.Buffer((17, 4), "float32"), C: T.Buffer((2, 17), "float32")
):
    for k_0, i, j, k_1 in T.grid(2, 2, 17, 2):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            vk = T.axis.reduce(4, k_0 * 2 + k_1)
            with T.init():
                C[vi, vj] = T.float32(1)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vj, vk]
""",
        """\
sch.blockize('j')
sch.rfactor('k_1')
sch.decompose_reduction('C_o', 'k_0')
""",
    ),
    "cache_write of what was written by another name": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 2), "uint8"), C: T.Buffer((4, 2), "uint8")):
    B = T.alloc_buffer((4, 2), "uint8")
    for i in range(4):
        with T.sblock("B"):
            vi = T.axis.spatial(4, i)
            row = T.match_buffer(B[vi, 0:2], (1, 2), "uint8")
            for j in range(2):
                with T.sblock("row"):
                    vj = T.axis.spatial(2, j)
                    row[0, vj] = A[vi, vj]
    for i2 in range(4):
        for j2 in range(1):
            B[i2, j2] = B[i2, j2] + B[i2, j2 + 1]
    for c0, c1 in T.grid(4, 2):
        C[c0, c1] = B[c0, c1]
""",
        """\
sch.cache_write('j2', 'B')
""",
    ),
    "compute_inline of what holds the extent of memory": (
        """\
@T.prim_func
def f(N: T.Buffer((1,), "int64"), A: T.Buffer((4,), "int32"), C: T.Buffer((4,), "int32")):
    B = T.alloc_buffer((1,), "int64")
    for b in range(1):
        with T.sblock("B"):
            vb = T.axis.spatial(1, b)
            B[vb] = T.min(T.max(N[vb], 0), 3) + T.int64(4)
    for i in range(4):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            D = T.alloc_buffer((B[0],), "int32")
            for j in range(4):
                D[j] = A[vi]
            C[vi] = D[0] + T.Cast("int32", B[0])
""",
        """\
sch.compute_inline('B')
""",
    ),
    "rfactor of a fused loop whose guard names digits of an axis": (
        """\
@T.prim_func
def f(A: T.Buffer((6, 6), "uint8"), S: T.Buffer((6,), "uint8")):
    for i, k in T.grid(6, 6):
        with T.sblock("S"):
            vi = T.axis.spatial(6, i)
            vk = T.axis.reduce(6, k)
            with T.init():
                S[vi] = T.min_value("uint8")
            S[vi] = T.max(S[vi], A[vi, vk])
""",
        """\
sch.split(loop='i', factors=[None, 4])
sch.fuse('i_0', 'i_1', 'k')
sch.rfactor(loop='i_0_i_1_k_fused')
""",
    ),
    "rfactor where a guard of the factor keeps another axis inside": (
        """\
@T.prim_func
def f(A: T.Buffer((6, 6), "int32"), S: T.Buffer((6,), "int32")):
    for i, k, r in T.grid(6, 6, 8):
        with T.sblock("S"):
            vi = T.axis.spatial(6, i)
            vk = T.axis.reduce(6, k)
            vr = T.axis.reduce(6, r)
            T.where(r + k < 6)
            with T.init():
                S[vi] = 0
            S[vi] = S[vi] + A[vr, vk]
""",
        """\
sch.rfactor('k')
""",
    ),
}
