"""Programs and schedules that were wrong once: inits of elements that others share or update."""

WRONG_INITS_ONCE = {
    "split of loops that wrap round and share elements": (
        """\
@T.prim_func
def f(A: T.Buffer((12,), "int32"), C: T.Buffer((12,), "int32")):
    for j, i in T.grid(2, 3):
        for k in range(2 - i):
            with T.sblock("C"):
                vi = T.axis.spatial(12, j * 3 + (i + 2) % 4)
                vk = T.axis.reduce(3, k)
                with T.init():
                    C[vi] = 0
                C[vi] = C[vi] + A[vk]
""",
        """\
sch.split(loop='j', factors=[None, 1])
""",
    ),
    "compute_at of stores by a reduction axis and another one": (
        """\
@T.prim_func
def f(A: T.Buffer((8, 8), "int32"), C: T.Buffer((15,), "int32")):
    s = T.alloc_buffer((15,), "int32")
    for j, i in T.grid(8, 8):
        with T.sblock("s"):
            vi, vj = T.axis.remap("SR", [i, j])
            s[vi + vj] = A[vi, vj]
    for k in range(15):
        with T.sblock("C"):
            vk = T.axis.spatial(15, k)
            C[vk] = s[vk]
""",
        """\
sch.compute_at(block='s', loop='k')
""",
    ),
    "compute_at of stores by a reduction axis, read twice": (
        """\
@T.prim_func
def f(A: T.Buffer((8, 8), "int32"), C: T.Buffer((15,), "int32")):
    s = T.alloc_buffer((15,), "int32")
    for j, i in T.grid(8, 8):
        with T.sblock("s"):
            vi, vj = T.axis.remap("RS", [i, j])
            s[vi + vj] = A[vi, vj]
    for k in range(8):
        with T.sblock("C"):
            vk = T.axis.spatial(8, k)
            C[vk] = s[vk] + s[vk*2]
""",
        """\
sch.compute_at(block='s', loop='k')
""",
    ),
    "compute_at of an update that the init leaves out": (
        """\
@T.prim_func
def f(A: T.Buffer((6,), "int32"), D: T.Buffer((6,), "int32")):
    s = T.alloc_buffer((12,), "int32")
    for i in range(12):
        s[i] = T.int32(3)
    for i in range(6):
        with T.sblock("s"):
            vi = T.axis.spatial(6, i)
            with T.init():
                s[vi] = T.int32(0)
            s[vi] = s[vi] + A[vi]
            s[vi + 6] = s[vi + 6] + A[vi]
    for k in range(6):
        for l in range(2):
            with T.sblock("C"):
                vk = T.axis.spatial(6, k)
                D[vk] = s[vk] + s[vk + 6]
""",
        """\
sch.compute_at(block='s', loop='l')
""",
    ),
    "compute_at of an init of fewer elements than the update": (
        """\
@T.prim_func
def f(A: T.Buffer((6,3), "int32"), D: T.Buffer((3, 14,), "int32")):
    s = T.alloc_buffer((14,), "int32")
    for i in range(14):
        s[i] = T.int32(3)
    for i, j in T.grid(6, 3):
        with T.sblock("s"):
            vi, vj = T.axis.remap("SR", [i, j])
            with T.init():
                for q in range(2):
                    s[vi * 2 + q] = T.int32(0)
            for q in range(4):
                s[vi * 2 + q] = s[vi * 2 + q] + A[vi, vj]
    for t in range(3):
        for k in range(14):
            with T.sblock("C"):
                vt, vk = T.axis.remap("SS", [t, k])
                D[vt, vk] = s[vk]
""",
        """\
sch.compute_at(block='s', loop='t')
""",
    ),
    "compute_at of updates that a reduction axis moves": (
        """\
@T.prim_func
def f(A: T.Buffer((8, 8), "int32"), C: T.Buffer((15,), "int32")):
    s = T.alloc_buffer((15,), "int32")
    for i, j in T.grid(8, 8):
        with T.sblock("s"):
            vi, vj = T.axis.remap("SR", [i, j])
            with T.init():
                s[vi + vj] = 0
            s[vi + vj] = s[vi + vj] + A[vi, vj]
    for k in range(15):
        with T.sblock("C"):
            vk = T.axis.spatial(15, k)
            C[vk] = s[vk]
""",
        """\
sch.compute_at(block='s', loop='k')
""",
    ),
    "fuse of a reduction that a predicate shortens": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 4), "int32"), D: T.Buffer((4,), "int32")):
    for i in range(4):
        for k in range(4):
            with T.sblock("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                T.where(k + i < 2)
                with T.init():
                    D[vi] = 0
                D[vi] = D[vi] + A[vi, vk]
""",
        """\
sch.fuse('i', 'k')
""",
    ),
    "fuse of a reduction that a predicate begins later": (
        """\
@T.prim_func
def f(A: T.Buffer((4, 4), "int32"), D: T.Buffer((4,), "int32")):
    for i in range(4):
        for k in range(4):
            with T.sblock("C"):
                vi, vk = T.axis.remap("SR", [i, k])
                T.where(k > i - 1)
                with T.init():
                    D[vi] = 0
                D[vi] = D[vi] + A[vi, vk]
""",
        """\
sch.fuse('i', 'k')
""",
    ),
    "reorder and loop_partition of loops that wrap round": (
        """\
@T.prim_func
def f(A: T.Buffer((12,), "int32"), C: T.Buffer((12,), "int32")):
    for j, i in T.grid(2, 3):
        for k in range(2 - i):
            with T.sblock("C"):
                vi = T.axis.spatial(12, j * 3 + (i + 2) % 4)
                vk = T.axis.reduce(3, k)
                with T.init():
                    C[vi] = 0
                C[vi] = C[vi] + A[vk]
""",
        """\
sch.reorder('k', 'i')
sch.loop_partition(loop='j', factors=[1, None])
""",
    ),
    "init at an element that only a mixed predicate keeps away": (
        """\
@T.prim_func
def f(in1: T.Buffer((3, 5), "int32"), out2: T.Buffer((3,), "int32")):
    for i2, k in T.grid(3, 5):
        with T.sblock("out2"):
            vi, vk = T.axis.remap("SR", [i2, k])
            with T.init():
                out2[vi] = T.int32(3)
            out2[vi] = T.min(out2[vi], in1[vi, vk])
""",
        """\
sch.split(loop='i2', factors=[None, 2])
sch.fuse('i2_1', 'k')
sch.split(loop='i2_1_k_fused', factors=[None, 5])
""",
    ),
    "rfactor under a loop that is parallel for it has one iteration": (
        """\
@T.prim_func
def f(A: T.Buffer((3, 3), "float32"), S: T.Buffer((3,), "float32")):
    for i, k in T.grid(3, 3):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + A[vi, vk]
""",
        """\
sch.split(loop='k', factors=[None, 5, 5])
sch.parallel(loop='k_1')
sch.rfactor(loop='k_2')
""",
    ),
}
