"""Programs and schedules that were wrong once, as random runs found them."""

WRONG_ONCE = {
    "reindex of an init that was lifted": (
        """\
@T.prim_func
def f(in1: T.Buffer((5, 4,), "int32"), out2: T.Buffer((5,), "int32")):
    t3 = T.alloc_buffer((5,), "int32")
    t4 = T.alloc_buffer((5,), "int32")
    for i2 in range(5):
        out2[i2] = T.int32(1)
        for k in range(4):
            out2[i2] = T.min(out2[i2], in1[i2, k])
    for i3 in range(5):
        t3[i3] = T.int32(2)
        for j3 in range(i3 + 1):
            t3[i3] = t3[i3] + out2[j3]
    for k in range(4):
        for i in range(5):
            with T.sblock("t4"):
                vi = T.axis.spatial(5, i)
                vk = T.axis.reduce(4, k)
                with T.init():
                    t4[vi] = T.int32(1)
                t4[vi] = t4[vi] + in1[vi, vk]
""",
        """\
sch.blockize(loop='i')
sch.reorder('i_init')
sch.reindex(block='t4_init', buffer='t4')
sch.set_scope(block='t4_reindex', buffer_index='t4', storage_scope='local')
""",
    ),
    "blockize of a reduction whose loops are turned": (
        """\
@T.prim_func
def f(in1: T.Buffer((4, 5,), "int32"), out5: T.Buffer((4,), "int32")):
    t2 = T.alloc_buffer((4,), "int32")
    t3 = T.alloc_buffer((4,), "int32")
    t4 = T.alloc_buffer((4,), "int32")
    for k2 in range(5):
        for i2 in range(4):
            with T.sblock("t2"):
                vi = T.axis.spatial(4, i2)
                vk = T.axis.reduce(5, k2)
                with T.init():
                    t2[vi] = T.int32(1)
                t2[vi] = T.min(t2[vi], in1[vi, vk])
    t3[0] = t2[0]
    for i in range(1, 4):
        t3[i] = t3[i - 1] + t2[i]
    t4[0] = t3[0]
    for i4 in range(1, 4):
        t4[i4] = t4[i4 - 1] + t3[i4]
    for c0 in range(4):
        out5[c0] = t4[c0]
""",
        """\
sch.bind(loop='c0', thread_axis='blockIdx.z')
sch.blockize(loop='i2')
sch.reorder('k2')
sch.unroll(loop='i')
""",
    ),
    "parallel over a fused loop in a block": (
        """\
@T.prim_func
def f(
    in1: T.Buffer((5, 3,), "int32"),
    out3: T.Buffer((5, 3,), "int32"),
    out4: T.Buffer((5, 3,), "int32"),
):
    t2 = T.alloc_buffer((5, 3,), "int32")
    for i2 in range(5):
        for j in range(3):
            with T.sblock("t2"):
                vi2, vj = T.axis.remap("SS", [i2, j])
                t2[vi2, vj] = ((in1[vi2, vj] * in1[vi2, vj]) + T.int32(2))
    for i3 in range(5):
        for j3 in range(3):
            out3[i3, j3] = T.max((t2[i3, j3] * t2[i3, j3]), T.int32(3))
    for i4 in range(5):
        for j4 in range(3):
            with T.sblock("out4"):
                vi4, vj4 = T.axis.remap("SS", [i4, j4])
                out4[vi4, vj4] = T.max((t2[vi4, vj4] - in1[vi4, vj4]), T.int32(3))
""",
        """\
sch.fuse('i3', 'j3')
sch.blockize(loop='i3_j3_fused')
sch.parallel(loop='i3_j3_fused')
""",
    ),
    "partition of a loop that reads a layout": (
        """\
@T.prim_func
def f(
    in1: T.Buffer((4,), "int32"),
    idx2: T.Buffer((4,), "int64"),
    in4: T.Buffer((4, 3,), "int32"),
    out3: T.Buffer((4,), "int32"),
    out5: T.Buffer((4, 3,), "int32"),
):
    t6 = T.alloc_buffer((4,), "int32")
    for i in range(4):
        out3[i] = (in1[idx2[i]] - T.int32(2))
    for i5 in range(4):
        for j5 in range(3):
            out5[i5, j5] = in4[i5, j5] + T.if_then_else(
                j5 > 0, in4[i5, T.max(j5 - 1, 0)], T.int32(2)
            )
    for i6 in range(4):
        for k6 in range(3):
            with T.sblock("t6"):
                vi = T.axis.spatial(4, i6)
                vk = T.axis.reduce(3, k6)
                with T.init():
                    t6[vi] = T.int32(2)
                t6[vi] = T.max(t6[vi], in4[vi, vk])
""",
        """\
sch.transform_layout(block='j5', buffer='in4', index_map='lambda i0, i1: (i0 // 16, i1, i0 % 16)')
sch.loop_partition(loop='i5', factors=[None, 3])
sch.cache_read(block='t6', read_buffer_index='in4_layout')
sch.cache_write(block='i6', write_buffer_index='t6')
""",
    ),
    "partition of a symbolic reduction": (
        """\
@T.prim_func
def f(in1: T.Buffer(("n", "m",), "int32"), out2: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for i2 in range(n):
        for k2 in range(m):
            with T.sblock("out2"):
                vi = T.axis.spatial(n, i2)
                vk = T.axis.reduce(m, k2)
                with T.init():
                    out2[vi] = T.int32(1)
                out2[vi] = out2[vi] + in1[vi, vk]
""",
        """\
sch.loop_partition(loop='k2', factors=[None, 4, 3])
sch.split(loop='k2_0', factors=[None, 4])
""",
    ),
    "decompose_padding of an einsum": (
        """\
@T.prim_func
def f(in1: T.Buffer((2, 5,), "float32"), out3: T.Buffer((2, 2,), "float32")):
    t2 = T.alloc_buffer((2, 2,), "float32")
    for i2 in range(2):
        for j2 in range(2):
            for k in range(5):
                with T.sblock("t2"):
                    vi, vj, vk = T.axis.remap("SSR", [i2, j2, k])
                    with T.init():
                        t2[vi, vj] = T.float32(3)
                    t2[vi, vj] = t2[vi, vj] + in1[vi, vk] * in1[vj, vk]
    for c0 in range(2):
        for c1 in range(2):
            out3[c0, c1] = t2[c0, c1]
""",
        """\
sch.vectorize(loop='c1')
sch.pad_einsum(block='t2', padding=[5, 2, 5])
sch.split(loop='ax1', factors=[None, 4])
sch.annotate(loop='i2', ann_key='note', ann_val='')
sch.decompose_padding(block='in1_pad', loop='ax0')
""",
    ),
    "split of a reduction that begins again": (
        """\
@T.prim_func
def f(A: T.Buffer((2, 2), "int64"), S: T.Buffer((2,), "int64")):
    for k in range(2 * 2):
        for i in range(2):
            with T.sblock("S"):
                vi = T.axis.spatial(2, i)
                vk = T.axis.reduce(2, k % 2)
                with T.init():
                    S[vi] = T.int64(1)
                S[vi] = S[vi] + A[vi, vk]
""",
        """\
sch.split(loop='k', factors=[None, 5, 4])
""",
    ),
    "partition of a fused reduction of nothing": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int8"), S: T.Buffer((1,), "int8")):
    n = T.int64()
    m = T.int64()
    for k in range(n):
        for q in range(m):
            with T.sblock("S"):
                vk, vq = T.axis.remap("RR", [k, q])
                with T.init():
                    S[0] = T.int8(2)
                S[0] = T.max(S[0], A[vk, vq])
""",
        """\
sch.fuse('k', 'q')
sch.loop_partition(loop='k_q_fused', factors=[1, None])
""",
    ),
    "decompose_reduction under loops that were fused by a symbol": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "float32"), C: T.Buffer(("n", "n"), "float32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for j in range(n):
            for k in range(m):
                with T.sblock("C"):
                    vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                    with T.init():
                        C[vi, vj] = T.float32(2)
                    C[vi, vj] = C[vi, vj] + A[vi, vk] * A[vj, vk]
""",
        """\
sch.fuse('i', 'j')
sch.decompose_reduction(block='C', loop='i_j_fused')
""",
    ),
    "partition of a reduction that begins with two first values": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), S: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for k in range(m):
            with T.sblock("S"):
                vi = T.axis.spatial(n, i)
                vk = T.axis.reduce(m, T.max(k - 1, 0))
                with T.init():
                    S[vi] = T.int32(3)
                S[vi] = T.max(S[vi], A[vi, vk])
""",
        """\
sch.loop_partition(loop='k', factors=[1, None])
sch.loop_partition(loop='k', factors=[None, 2])
""",
    ),
    "split and partition of a reduction that a predicate leaves empty": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), S: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for k in range(m):
            with T.sblock("S"):
                vi = T.axis.spatial(n, i)
                vk = T.axis.reduce(m, k)
                T.where(k >= 2)
                with T.init():
                    S[vi] = T.int32(3)
                S[vi] = T.max(S[vi], A[vi, vk])
""",
        """\
sch.loop_partition(loop='k', factors=[None, 1])
sch.loop_partition(loop='i', factors=[1, None])
sch.split(loop='k', factors=[None, 4])
""",
    ),
    "split of a reduction whose predicate never holds": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), S: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for k in range(m):
            with T.sblock("S"):
                vi = T.axis.spatial(n, i)
                vk = T.axis.reduce(m, k)
                T.where(k > m + vi)
                with T.init():
                    S[vi] = T.int32(3)
                S[vi] = T.max(S[vi], A[vi, vk])
""",
        """\
sch.split(loop='k', factors=[None, 4])
sch.fuse('i', 'k_0')
""",
    ),
    "rfactor in a block that declares its regions": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 3), "int32"), S: T.Buffer((4,), "int32")):
    with T.sblock("all"):
        T.reads(A[0:4, 0:3])
        T.writes(S[0:4])
        for i, k in T.grid(4, 3):
            with T.sblock("S"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    S[vi] = 0
                S[vi] = S[vi] + A[vi, vk]
""",
        """\
sch.rfactor(loop='k')
""",
    ),
    "fuse of a reduction of one iteration that a predicate leaves empty": (
        """\
@T.prim_func
def f(A: T.Buffer((3, 1), "int32"), S: T.Buffer((3,), "int32")):
    for k in range(1):
        for i in range(3):
            with T.sblock("S"):
                vi = T.axis.spatial(3, i)
                vk = T.axis.reduce(1, T.max(k - 1, 0))
                T.where(i % 2 == 0 and k < 0)
                with T.init():
                    S[vi] = T.int32(2)
                S[vi] = S[vi] + A[vi, vk]
""",
        """\
sch.fuse('k', 'i')
sch.cache_write(block='S', write_buffer_index=0, storage_scope='local')
""",
    ),
    "fuse of a reduction that runs down": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), S: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for k in range(m):
        for i in range(n):
            with T.sblock("S"):
                vi = T.axis.spatial(n, i)
                vk = T.axis.reduce(m * 2 + 1, T.max(m - 1 - k, 0))
                with T.init():
                    S[vi] = T.int32(3)
                S[vi] = S[vi] + A[vi, vk]
""",
        """\
sch.split(loop='k', factors=[None, 16])
sch.fuse('k_0', 'k_1')
""",
    ),
    "cache_write of a part of a reduction that may be empty": (
        """\
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int32"), S: T.Buffer(("n",), "int32")):
    n = T.int64()
    m = T.int64()
    for i in range(n):
        for k in range(m):
            with T.sblock("S"):
                vi = T.axis.spatial(n, i)
                vk = T.axis.reduce(m, k)
                T.where(k >= 2 and vi < 3)
                with T.init():
                    S[vi] = T.int32(3)
                S[vi] = T.max(S[vi], A[vi, vk])
""",
        """\
sch.cache_write(block='S', write_buffer_index=0, storage_scope='local')
""",
    ),
}
