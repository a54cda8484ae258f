import tvm
from tvm.script import tir as T, relax as R
from tvm.script import ir_module


@tvm.script.ir_module
class MyModule:
    @T.prim_func
    def relu0(x: T.handle, y: T.handle) -> None:
        T.func_attr({"global_symbol": "relu0", "tir.noalias": True})
        n = T.var("int64")
        m = T.var("int64")
        X = T.match_buffer(x, (n, m), "float32")
        Y = T.match_buffer(y, (n, m), dtype="float32")
        for i, j in T.grid(n, m):
            with T.block("Y"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = T.max(X[vi, vj], T.float32(0))

    @T.prim_func
    def linear0(
        X: T.Buffer[(1, 784), "float32"],
        W: T.Buffer[(128, 784), "float32"],
        B: T.Buffer[128, "float32"],
        Z: T.Buffer[(1, 128), "float32"],
    ) -> None:
        T.func_attr({"global_symbol": "linear0", "tir.noalias": T.bool(True)})
        with T.block("root"):
            T.reads()
            T.writes()
            Y = T.alloc_buffer([1, 128], dtype="float32")
            for i in T.serial(1):
                for j, k in T.grid(128, 784):
                    with T.block("Y"):
                        vi = T.axis.S(1, i)
                        vj, vk = T.axis.remap("SR", [j, k])
                        T.block_attr({"pragma": "keep"})
                        with T.init():
                            Y[vi, vj] = T.float32(0)
                        Y[vi, vj] += X[vi, vk] * W[vj, vk]
            for i, j in T.grid(1, 128):
                with T.block("Z"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    Z[vi, vj] = Y[vi, vj] + B[vj]

    @R.function
    def main(
        x: R.Tensor((1, 784), "float32"),
        w0: R.Tensor((128, 784), "float32"),
        b0: R.Tensor((128,), "float32"),
    ):
        with R.dataflow():
            lv0 = R.call_tir(linear0, (x, w0, b0), (1, 128), dtype="float32")
            lv1 = R.call_tir(relu0, (lv0,), (1, 128), dtype="float32")
            R.output(lv1)
        return lv1
