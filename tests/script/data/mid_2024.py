from tvm.script import ir as I
from tvm.script import tir as T
from tvm.script import relax as R


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def scale(var_x: T.handle, s: T.float32, var_y: T.handle):
        T.func_attr({"tir.noalias": T.bool(True)})
        n = T.int64()
        x = T.match_buffer(var_x, (n, T.int64(4)))
        y = T.match_buffer(var_y, (n, T.int64(4)))
        # with T.block("root"):
        for i, j in T.grid(n, T.int64(4)):
            with T.block("y"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                T.reads(x[v_i, v_j])
                T.writes(y[v_i, v_j])
                y[v_i, v_j] = x[v_i, v_j] * s

    @R.function
    def main(x: R.Tensor(("n", 4), dtype="float32"), o: R.Object) -> R.Tensor(("n", 4), dtype="float32"):
        n = T.int64()
        R.func_attr({"num_input": 1})
        cls = Module
        with R.dataflow():
            lv = R.call_dps_packed("lib.scale", (x,), out_sinfo=R.Tensor((n, 4), dtype="float32"))
            lv1 = R.call_pure_packed("lib.more", lv, R.prim_value(3), R.str("mode"), sinfo_args=(R.Tensor((n, 4), dtype="float32"),))
            gv: R.Tensor((n, 4), dtype="float32") = lv1
            R.output(gv)
        return gv
