"""Modules that between them use every construct of the language."""

# ruff: noqa: E501  scripts are as wide as they print

CONTROL = """
@I.ir_module
class Control:
    @T.prim_func
    def flat(A: T.Buffer((16,), "float32"), n: T.int64, B: T.Buffer(("n",), "float32")):
        T.func_attr({"tirx.noalias": True, "note": "a \\"quoted\\" text", "sizes": [1, 2, [3]]})
        for i in range(2, n):
            if i < 8 and not i == 3 or A[i] > T.float32(0.5):
                B[i] = A[i]
            else:
                B[i] = T.Select(A[i] > T.float32(0.0), A[i], T.float32(-0.0)) + T.exp(A[i])
        for i in T.parallel(16):
            B[i] = T.if_then_else(i % 2 == 0, A[i // 2], T.float32(3.4028234663852886e+38))
        acc = T.alloc_buffer((), "float32")
        acc[()] = T.float32(1.0)
        k = T.alloc_buffer((1,), "int32", scope="local")
        k[0] = T.int32(0)
        while k[0] < T.int32(4):
            k[0] = k[0] + T.int32(1)
            acc[()] = acc[()] * T.float32(2.0)
        half: T.let[T.int64] = n // 2
        B[half] = acc[()]
        T.evaluate(T.prefetch(0, dtype="int32"))
"""

SCALARS = """
@I.ir_module
class Scalars:
    @T.prim_func
    def scalars(x: T.Buffer((8,), "float32"), k: T.Buffer((8,), "int32"), h: T.Buffer((8,), "float16"),
                b: T.Buffer((8,), "bool"), u: T.Buffer((8,), "uint8"), d: T.Buffer((8,), "float64"),
                w: T.Buffer((8,), "bfloat16"), i: T.int64, j: T.int64):
        x[0] = (x[1] + x[2]) * x[3] - (x[4] - x[5] - x[6]) / (x[7] / x[0])
        x[i - (j - 1)] = x[i * (j + 1) % 8] * T.Cast("float32", i // (j * 2) + -3)
        k[0] = T.truncdiv(k[1], k[2]) + T.truncmod(k[3], T.int32(3)) - k[4] // k[5] % k[6]
        k[1] = T.bitwise_and(k[0], T.int32(7)) + T.shift_left(k[2], T.int32(1))
        h[0] = T.Cast("float16", x[0]) + T.float16(0.1)
        w[0] = T.bfloat16(1.5)
        b[0] = T.bool(True)
        b[1] = not b[0] and (b[1] or b[2] and i < j) or x[0] != x[1]
        b[2] = (i < j) == (j > i)
        b[3] = T.isnan(x[0])
        u[0] = T.uint8(255)
        d[0] = T.float64("inf") + T.float64("-inf") + T.float64("nan") + T.float64(1e-300)
        d[1] = T.float64("nan", bits=0xfff8000000000000)
        d[2] = T.pow(T.tanh(d[0]), T.sqrt(d[1])) + T.erf(d[2], dtype="float64")
        x[1] = T.min(T.max(x[0], T.float32(0.0)), T.float32(6.0))
        x[2] = T.my_intrinsic(x[0], 3, dtype="float32")
        x[3] = T.Cast("float32", T.int64(1) + 2)
"""

BLOCKS = """
@I.ir_module
class Blocks:
    @T.prim_func(private=True, s_tir=True)
    def blocks(A: T.Buffer((16, 16), "float32"), B: T.Buffer((16, 16), "float32", strides=(32, 1)),
               C: T.Buffer(("n", "n * 2"), "float32", scope="shared")):
        n = T.int64()
        Y = T.sblock_alloc_buffer((16, 16), "float32", scope="local")
        for i_0 in T.thread_binding(4, thread="blockIdx.x", annotations={"a": 1}):
            for i_1 in T.serial(4, annotations={"pragma": "x", "w": [1, 2]}):
                for j in T.vectorized(16):
                    with T.sblock("Y"):
                        vi = T.axis.spatial(16, i_0 * 4 + i_1)
                        vj = T.axis.spatial(16, j)
                        T.where(i_0 * 4 + i_1 < 15)
                        T.reads(A[vi, vj])
                        T.writes(Y[vi, vj])
                        T.sblock_attr({"k": "v"})
                        Y[vi, vj] = A[vi, vj]
        for i, j, k in T.grid(16, 16, 16):
            with T.sblock("B"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.reads(Y[vi, 0:16], Y[0:16, vj])
                T.writes(B[vi, vj])
                with T.init():
                    B[vi, vj] = T.float32(0.0)
                B[vi, vj] = B[vi, vj] + Y[vi, vk] * Y[vk, vj]
        for i_o in range(4):
            with T.sblock("outer"):
                vo = T.axis.opaque(4, i_o)
                T.reads(B[vo * 4:vo * 4 + 4, 0:16])
                T.writes(A[vo * 4:vo * 4 + 4, 2:10])
                tmp = T.sblock_alloc_buffer((4,), "float32")
                part = T.match_buffer(B[vo * 4:vo * 4 + 4, 0:16], (4, 16), "float32", strides=(32, 1))
                for i in T.unroll(1, 4):
                    with T.sblock("inner"):
                        vi = T.axis.scan(4, i)
                        tmp[vi] = part[vi, 0]
                        A[vo * 4 + vi, 2] = tmp[vi]
        for i, j in T.grid(n, n * 2):
            C[i, j] = T.float32(1.0)
        for i in range(n):
            for j in range(i):
                C[i, j] = T.float32(2.0)
"""

GRAPH = """
@I.ir_module
class Graph:
    I.module_attrs({"source": "test"})
    @R.function(private=True)
    def helper(x: R.Tensor(("n", 4), dtype="float32")) -> R.Tensor(("n", 4), dtype="float32"):
        n = T.int64()
        R.func_attr({"Primitive": 1})
        with R.dataflow():
            y: R.Tensor((n, 4), dtype="float32") = R.nn.relu(x)
            R.output(y)
        return y

    @T.prim_func
    def fill(m: T.int64, out: T.Buffer((4,), "float32"), out_1: T.Buffer((4,), "float32")):
        for i in range(4):
            out[i] = T.Cast("float32", m)

    @R.function(pure=False)
    def main(c: R.Tensor((), dtype="bool"), x: R.Tensor(("n", 4), dtype="float32"),
             t: R.Tuple(R.Tensor((4,), dtype="float32"), R.Tensor(dtype="float32", ndim=1)),
             s: R.Shape(["n", 4]), o: R.Any, k: T.int64, v: R.Shape(ndim=2), w: R.Tensor) -> R.Tuple(R.Tensor(("n", 4), dtype="float32"), R.Tensor(dtype="float32", ndim=1)):
        n = T.int64()
        q = T.int64()
        R.func_attr({"num_input": 1})
        cls = Graph
        with R.dataflow():
            h: R.Tensor((n, 4), dtype="float32") = cls.helper(x)
            t0: R.Tensor((4,), dtype="float32") = t[0]
            a: R.Tensor((n, 4), dtype="float32") = R.add(h, t0)
            b: R.Tensor((n, 4), dtype="float32") = R.multiply(a, R.const(2.5, "float32"))
            sm: R.Tensor((n,), dtype="float32") = R.sum(b, axis=[-1], keepdims=False)
            r: R.Tensor((n * 4,), dtype="float32") = R.reshape(b, R.shape([n * 4]))
            R.output(b, r, t0)
        with R.dataflow():
            pair = R.call_tir(cls.fill, (R.prim_value(2),), out_ty=[R.Tensor((4,), dtype="float32"), R.Tensor((4,), dtype="float32")])
            lib = R.call_dps_packed("lib.f", (b, t0), out_ty=R.Tensor((n, 4), dtype="float32"), attrs={"alpha": 0.5})
            R.output(lib)
        R.call_packed("env.print", b, R.str("text"), R.prim_value(n + 1), (b, r), ty_args=(R.Tuple,))
        m: R.Tensor((q,), dtype="float32") = R.match_cast(t[1], R.Tensor((q,), dtype="float32"))
        p: T.int64 = R.prim_value(3)
        e: R.Tuple = R.tuple()
        f: R.Tuple(R.Tensor((n, 4), dtype="float32")) = (b,)
        if c:
            y: R.Tensor((n, 4), dtype="float32") = R.exp(b)
            z: R.Tensor((n, 4), dtype="float32") = y
        else:
            with R.dataflow():
                y: R.Tensor((n, 4), dtype="float32") = R.negative(b)
                R.output(y)
            z: R.Tensor((n, 4), dtype="float32") = y
        res: R.Tuple(R.Tensor((n, 4), dtype="float32"), R.Tensor(dtype="float32", ndim=1)) = (z, t[1])
        return res
"""

NORMALISED = (
    'd[2] = T.pow(T.tanh(d[0]), T.sqrt(d[1])) + T.erf(d[2], dtype="float64")',
    'x[2] = T.my_intrinsic(x[0], 3, dtype="float32")',
    'm: R.Tensor((q,), dtype="float32") = R.match_cast(t[1], R.Tensor((q,), dtype="float32"))',
    'res: R.Tuple(R.Tensor((n, 4), dtype="float32"), R.Tensor(dtype="float32", ndim=1)) = (z, t[1])',
)
"""Lines that print in another form: needless dtypes, nested expressions."""

ALL = {"control": CONTROL, "scalars": SCALARS, "blocks": BLOCKS, "graph": GRAPH}
