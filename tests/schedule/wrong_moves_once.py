"""Programs and schedules that were wrong once: blocks that moved under loops."""

WRONG_MOVES_ONCE = {
    "store_at under a parallel loop, then rfactor": (
        """\
@T.prim_func
def f(in1: T.Buffer((4, 3,), "int32"), out2: T.Buffer((4, 3,), "int32")):
    t3 = T.alloc_buffer((4, 4,), "int32")
    for i2 in range(4):
        for j2 in range(3):
            with T.sblock("out2"):
                vi2, vj2 = T.axis.remap("SS", [i2, j2])
                out2[vi2, vj2] = in1[vi2, vj2] + T.if_then_else(
                    vj2 > 0, in1[vi2, T.max(vj2 - 1, 0)], T.int32(3)
                )
    for i3 in range(4):
        for j3 in range(4):
            for k in range(3):
                with T.sblock("t3"):
                    vi, vj, vk = T.axis.remap("SSR", [i3, j3, k])
                    with T.init():
                        t3[vi, vj] = T.int32(2)
                    t3[vi, vj] = t3[vi, vj] + out2[vi, vk] * out2[vj, vk]
""",
        """\
sch.parallel(loop='i3')
sch.store_at(buffer='t3', loop='i3')
sch.rfactor(loop='k')
sch.loop_partition(loop='j3_1', factors=[None, 1])
""",
    ),
    "compute_at of a reduction whose init never runs": (
        """\
@T.prim_func
def f(A: T.Buffer((3, 2), "int32"), C: T.Buffer((3,), "int32")):
    B = T.alloc_buffer((3,), "int32")
    for z in range(3):
        B[z] = T.int32(2)
    for i in range(3):
        for k in range(2):
            with T.sblock("B"):
                vi = T.axis.spatial(3, i)
                vk = T.axis.reduce(3, k + 1)
                with T.init():
                    B[vi] = T.int32(2)
                B[vi] = B[vi] + A[vi, T.min(vk, 1)]
    for c in range(3 * 2):
        with T.sblock("C"):
            vi = T.axis.spatial(3, c // 2)
            C[vi] = B[vi] + T.int32(1)
""",
        """\
sch.compute_at(block='B', loop='c', index=0)
""",
    ),
    "compute_at out of a reduction loop that stays for another block": (
        """\
@T.prim_func
def f(A: T.Buffer((7, 4), "int32"), C: T.Buffer((5,), "int32")):
    B = T.sblock_alloc_buffer((7,), "int32")
    for k, i in T.grid(4, 7):
        with T.sblock("B"):
            vi = T.axis.spatial(7, i)
            vk = T.axis.reduce(4, k)
            with T.init():
                B[vi] = 0
            B[vi] = B[vi] + A[vi, vk]
    for i in range(5):
        with T.sblock("C"):
            vi = T.axis.spatial(5, i)
            C[vi] = B[vi] + B[vi + 2]
""",
        """\
sch.rfactor(loop='k')
sch.reverse_compute_at(block='B', loop='B_rf.i')
sch.compute_at(block='B', loop='C.i', index=0)
sch.split(loop='B_rf.i', factors=[None, 2, 5])
""",
    ),
    "reverse_compute_at over a loop that wraps round": (
        """\
@T.prim_func
def f(A: T.Buffer(("n",), "int32"), C: T.Buffer(("n",), "int32")):
    n = T.int64()
    B = T.sblock_alloc_buffer((n,), "int32")
    for z in range(n):
        B[z] = C[z]
    for i in range(T.max(n * 2 - 1, 0), n * 2):
        with T.sblock("B"):
            vi = T.axis.spatial(n, i % n)
            B[vi] = A[vi] - T.int32(1)
    for j in range(n - 1):
        with T.sblock("C"):
            v0 = T.axis.spatial(n, j)
            C[v0] = B[v0] + T.int32(1)
""",
        """\
sch.reverse_compute_at(block='C', loop='i')
""",
    ),
    "compute_at in a block that declares its regions": (
        """\
@T.prim_func
def f(A: T.Buffer((5, 2), "int64"), C: T.Buffer((5, 2), "int64")):
    B = T.alloc_buffer((5, 2), "int64")
    for i in range(5):
        for j in range(2):
            with T.sblock("B"):
                vi, vj = T.axis.remap("SS", [i, j])
                B[vi, vj] = A[vi, vj] + A[vi, T.max(vj - 1, 0)]
    for i1 in range(5):
        with T.sblock("C"):
            vi = T.axis.spatial(5, i1)
            T.reads(B[vi, 0:2])
            T.writes(C[vi, 0:2])
            for j1 in range(2):
                C[vi, j1] = T.min(B[vi, 1 - j1], T.int64(2))
""",
        """\
sch.compute_at(block='B', loop='j1', index=0)
""",
    ),
    "reverse_compute_at in a block that declares its regions": (
        """\
@T.prim_func
def f(A: T.Buffer((2, 3), "int8"), C: T.Buffer((2, 3), "int8")):
    B = T.alloc_buffer((2, 3), "int8")
    for i in range(2):
        with T.sblock("B"):
            vi = T.axis.spatial(2, i)
            T.reads(A[vi, 0:3])
            T.writes(B[vi, 0:3])
            for u in range(1):
                for j in range(3):
                    B[vi, j] = A[vi, 2 - j] + T.int8(2)
    for i1 in range(2):
        for j1 in range(3):
            with T.sblock("C"):
                vi, vj = T.axis.remap("SS", [i1, j1])
                C[vi, vj] = B[vi, vj] + T.int8(3)
""",
        """\
sch.reverse_compute_at(block='C', loop='u')
""",
    ),
    "reverse_compute_at of a block whose instances read each other": (
        """\
@T.prim_func
def f(A_in: T.Buffer((3, 8), "int32"), C: T.Buffer((4, 16), "int32")):
    A = T.alloc_buffer((3, 8), "int32")
    for a0 in range(3):
        for a1 in range(8):
            with T.sblock("A_copy"):
                va0, va1 = T.axis.remap("SS", [a0, a1])
                A[va0, va1] = A_in[va0, va1]
    for k in range(8):
        for i in range(3):
            for j in range(16):
                with T.sblock("C"):
                    vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                    C[vi + 1, vj] = C[vi + 1, vj] + A[vi, vk] + C[vi, vj]
""",
        """\
sch.reverse_compute_at(block='C', loop='a0')
""",
    ),
    "reverse_compute_at of all that a block has, into its init": (
        """\
@T.prim_func
def f(A: T.Buffer((6, 2), "float32"), C: T.Buffer((6, 8), "float32")):
    for i_0, k in T.grid(2, 2):
        with T.sblock("C_o"):
            vi_o = T.axis.spatial(2, i_0)
            vk_o = T.axis.reduce(2, k)
            with T.init():
                for i_1_init, j_1_init in T.grid(3, 8):
                    with T.sblock("C_init"):
                        vi_init = T.axis.spatial(6, vi_o * 3 + i_1_init)
                        vj_init = T.axis.spatial(8, j_1_init)
                        C[vi_init, vj_init] = T.float32(2)
            for i_1, j_1 in T.grid(3, 8):
                with T.sblock("C"):
                    vi = T.axis.spatial(6, vi_o * 3 + i_1)
                    vj = T.axis.spatial(8, j_1)
                    vk = T.axis.reduce(2, vk_o)
                    C[vi, vj] = C[vi, vj] + A[vi, vk]
""",
        """\
sch.reverse_compute_at(block='C', loop='j_1_init', index=-2)
""",
    ),
    "rfactor of a fused loop where a guard leaves elements as they were": (
        """\
@T.prim_func
def f(
    A: T.Buffer((8, 3), "float32"), B: T.Buffer((3, 16), "float32"), C: T.Buffer((8, 16), "float32")
):
    for i_0, j, i_1, k in T.grid(2, 16, 4, 3):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i_0 * 4 + i_1)
            vj, vk = T.axis.remap("SR", [j, k])
            T.where(j < 15)
            with T.init():
                C[vi, vj] = T.float32(1)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
""",
        """\
sch.fuse('i_0', 'j', 'i_1', 'k')
sch.rfactor('i_0_j_i_1_k_fused')
""",
    ),
    "reverse_compute_at under a loop that comes back to elements": (
        """\
@T.prim_func
def f(in1: T.Buffer((2, 4,), "int32"), out4: T.Buffer((2,), "int32")):
    t2 = T.alloc_buffer((2, 4,), "int32")
    for i2 in range(2):
        with T.sblock("t2"):
            vi = T.axis.spatial(2, i2)
            w3 = T.match_buffer(in1[vi, 0:4], (1, 4), "int32")
            for j2 in range(4):
                with T.sblock("t2_e"):
                    vj = T.axis.spatial(4, j2)
                    t2[vi, vj] = (w3[0, 4 - 1 - vj] * T.int32(3))
    for k in range(4):
        for i5 in range(2):
            with T.sblock("out4"):
                vi = T.axis.spatial(2, i5)
                vk = T.axis.reduce(4, k)
                with T.init():
                    out4[vi] = T.int32(1)
                out4[vi] = T.if_then_else(t2[vi, vk] <= out4[vi], t2[vi, vk], out4[vi])
""",
        """\
sch.fuse('k', 'i5')
sch.compute_at(block='t2', loop='k_i5_fused')
sch.reverse_compute_at(block='out4', loop='j2', index=1)
""",
    ),
}
