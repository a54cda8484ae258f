"""Tensor functions whose blocks update buffers in place."""

RELU = """
@T.prim_func
def f(A: T.Buffer((6, 5), "float32"), Y: T.Buffer((6, 5), "float32")):
    X = T.sblock_alloc_buffer((6, 5), "float32")
    for i, c in T.grid(6, 5):
        with T.sblock("p"):
            vi, vc = T.axis.remap("SS", [i, c])
            X[vi, vc] = A[vi, vc] + T.float32(1)
    for i, c in T.grid(6, 5):
        with T.sblock("relu"):
            vi, vc = T.axis.remap("SS", [i, c])
            X[vi, vc] = T.max(X[vi, vc], T.float32(0))
    for i, c in T.grid(6, 5):
        with T.sblock("out"):
            vi, vc = T.axis.remap("SS", [i, c])
            Y[vi, vc] = X[vi, vc] * T.float32(2)
"""

SYMBOLIC_RELU = (
    RELU.replace("(6, 5)", '("n", "m")')
    .replace('alloc_buffer(("n", "m")', "alloc_buffer((n, m)")
    .replace('T.grid("n", "m")', "T.grid(n, m)")
    .replace("    X = ", "    n = T.int64()\n    m = T.int64()\n    X = ")
)

STEPS = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), Y: T.Buffer((6,), "float32")):
    X = T.sblock_alloc_buffer((6,), "float32")
    for i in range(6):
        with T.sblock("p"):
            vi = T.axis.spatial(6, i)
            X[vi] = A[vi] + T.float32(1)
    for t, i in T.grid(3, 6):
        with T.sblock("step"):
            vi = T.axis.spatial(6, i)
            X[vi] = X[vi] * X[vi]
    for i in range(6):
        with T.sblock("out"):
            vi = T.axis.spatial(6, i)
            Y[vi] = X[vi] * T.float32(2)
"""
"""Each element is updated three times: what an instance reads another one wrote."""

SHIFT = """
@T.prim_func
def f(A: T.Buffer((7,), "float32"), Y: T.Buffer((6,), "float32")):
    X = T.sblock_alloc_buffer((7,), "float32")
    for i in range(7):
        with T.sblock("p"):
            vi = T.axis.spatial(7, i)
            X[vi] = A[vi] + T.float32(1)
    for i in range(6):
        with T.sblock("shift"):
            vi = T.axis.spatial(6, i)
            X[vi] = X[vi + 1] * T.float32(3)
    for i in range(6):
        with T.sblock("out"):
            vi = T.axis.spatial(6, i)
            Y[vi] = X[vi] * T.float32(2)
"""
"""Reads elements that the block writes later; `X[5 - vi] = X[6 - vi]` what it wrote before."""
