import pickle
from typing import Any

import numpy as np
import pytest

from workbench import te
from workbench.ir import CallOp, CallTIR, GraphBuilder, GraphFunction, IRModule, TensorType
from workbench.rewrite import Pass, PassResult, Relation
from workbench.support import CompileError


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


def test_functions_and_results_of_passes_are_one_line() -> None:
    x = te.placeholder((4, 6), "float32", "x")
    twice = te.create_tensor_function([x], [te.compute((4, 6), lambda i, j: x[i, j] * 2, "y")])
    assert repr(twice) == "TensorFunction(x, y): 1 block, 2 loops"
    builder = GraphBuilder(IRModule((("twice", twice),)))
    params = [builder.param(f"a{n}", TensorType((4, 6))) for n in range(8)]
    value = builder.emit(CallTIR("twice", (params[0],), (TensorType((4, 6)),)), "b")
    main = builder.build(value)
    assert repr(main) == "GraphFunction(a0, a1, a2, a3, a4, a5, …): 1 binding"
    module = builder.module.with_function("main", main)
    assert repr(PassResult(module)) == "PassResult('Module', 2 functions; 0 derivations, 0 remarks)"


def test_what_is_not_well_formed_is_one_line_too() -> None:
    made: Any = GraphFunction
    assert repr(made(3, 4, 5, 6)) == "GraphFunction(): 0 bindings"
    assert repr(made((3,), (), None, None)) == "GraphFunction(?): 0 bindings"
    result: Any = PassResult
    assert repr(result(None)).startswith("PassResult, not well formed: `PassResult.module` is")
    assert "`PassResult.remarks[0]` is `'x'`" in repr(result(IRModule(), remarks=("x",)))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"derivations": (3,)}, "`PassResult.derivations[0]` is `3`"),
        ({"derivations": [3]}, "`PassResult.derivations`"),
        ({"derivations": (("mine", (), (), Relation.SAME),)}, "expected a `Derivation`"),
        ({"remarks": ("x",)}, "`PassResult.remarks[0]` is `'x'`"),
        ({"reassociates": "yes"}, "`PassResult.reassociates` is `'yes'`"),
    ],
)
def test_the_result_of_a_users_pass_is_checked(parts: dict[str, Any], words: str) -> None:
    class Mine(Pass):
        name = "mine"

        def run(self, module: IRModule) -> PassResult:
            return PassResult(module, **parts)

    with pytest.raises(CompileError) as caught:
        Mine()(IRModule())
    assert words in str(caught.value)
    assert "made by the pass `Mine`" in str(caught.value)


def test_functions_by_kind_cannot_be_changed() -> None:
    x = te.placeholder((4, 6), "float32", "x")
    twice = te.create_tensor_function([x], [te.compute((4, 6), lambda i, j: x[i, j] * 2, "y")])
    builder = GraphBuilder(IRModule((("twice", twice),)))
    module = builder.module.with_function(
        "main", builder.build(builder.param("a", TensorType((4, 6))))
    )
    assert dict(module.tensor_functions) == {"twice": twice}
    assert dict(module.graph_functions) == {"main": module["main"]}
    functions: Any = module.graph_functions
    with pytest.raises(TypeError):
        functions["other"] = module["main"]
    assert pickle.loads(pickle.dumps(module)) == module
