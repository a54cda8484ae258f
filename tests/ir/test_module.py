import numpy as np

from workbench import te
from workbench.ir import CallOp, CallTIR, GraphBuilder, IRModule, TensorType


def test_repr_lists_functions_with_kind_and_size() -> None:
    x = te.placeholder((4, 6), "float32", "x")
    twice = te.create_tensor_function([x], [te.compute((4, 6), lambda i, j: x[i, j] * 2, "y")])
    builder = GraphBuilder(IRModule((("twice", twice),)))
    a = builder.param("a", TensorType((4, 6)))
    w = builder.constant(np.ones((4, 6), "float32"), "w")
    b = builder.emit(CallTIR("twice", (a,), (TensorType((4, 6)),)), "b")
    c = builder.emit(CallOp("add", (b, w)), "c")
    module = builder.module.with_function("main", builder.build(c))
    assert repr(module) == (
        "IRModule 'Module': 2 functions, 1 constant (96 B)\n"
        "  twice  tensor function (x, y), 1 block, 2 loops\n"
        "  main   graph function (a), 3 bindings"
    )


def test_repr_of_many_functions_is_short() -> None:
    builder = GraphBuilder()
    function = builder.build(builder.param("x", TensorType((4,))))
    text = repr(IRModule(tuple((f"f{i}", function) for i in range(1000))))
    assert text.splitlines()[-1] == "  and 980 more"
    assert repr(IRModule()) == "IRModule 'Module': 0 functions"
