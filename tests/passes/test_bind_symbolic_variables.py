"""Programs specialised for extents: the same values, no symbol left, the rest untouched."""

import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import GraphFunction, IRModule, ScalarType, TensorFunction, Var, walk
from workbench.ir.verify import verify
from workbench.passes import (
    BindSymbolicVariables,
    DispatchToLibrary,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    Pass,
    ScheduleDefault,
)
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

MLP = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32"), w: R.Tensor((4, "m"), "float32")):
        n = T.int64()
        m = T.int64()
        with R.dataflow():
            p = R.matmul(x, w)
            r = R.nn.relu(p)
            t = R.permute_dims(r)
            s = R.reshape(t, R.shape([n * m]))
            R.output(s)
        return s
"""


def symbols(module: IRModule) -> set[str]:
    """Names of symbolic dimensions in the types of parameters."""
    return {
        node.name
        for _, function in module.functions
        for param in function.params
        for node in walk(param.type)
        if isinstance(node, Var) and isinstance(node.type, ScalarType)
    }


LOWERED: list[tuple[Pass, ...]] = [
    (),
    (LegalizeOps(),),
    (LegalizeOps(), FuseOps(), FuseTensorFunctions(), ScheduleDefault(), EliminateDeadCode()),
    (LegalizeOps(), DispatchToLibrary()),
]


@pytest.mark.parametrize("steps", LOWERED, ids=["operators", "legalized", "scheduled", "library"])
@pytest.mark.parametrize("extents", [(1, 1), (3, 5), (0, 2)])
def test_everything_is_specialised(
    steps: tuple[Pass, ...], extents: tuple[int, int], rng: np.random.Generator
) -> None:
    module = parse(MLP)
    for step in steps:
        module = step(module).module
    n, m = extents
    result = BindSymbolicVariables({"n": n, "m": m})(module)
    assert verify(result.module) == ()
    assert symbols(result.module) == set()
    assert [name for name, _ in result.module.functions] == [name for name, _ in module.functions]
    x, w = rng.normal(size=(n, 4)).astype("f4"), rng.normal(size=(4, m)).astype("f4")
    expected = run(module, x, w)
    np.testing.assert_allclose(run(result.module, x, w), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(build(result.module)(x, w), expected, rtol=1e-5, atol=1e-6)


def test_one_dimension_of_two() -> None:
    result = BindSymbolicVariables({"n": 8})(LegalizeOps()(parse(MLP)).module)
    assert verify(result.module) == ()
    assert symbols(result.module) & {"n"} == set()
    main = result.module["main"]
    assert isinstance(main, GraphFunction)
    ids = [b.var.id for b in main.bindings]
    assert [b.var.id for b in parse(MLP).graph_functions["main"].bindings] == ids
    assert {str(d.sources[0]) for d in result.derivations} >= {f"main/{i}" for i in ids}


@pytest.mark.parametrize(
    ("values", "code"),
    [({"q": 1}, "pass/unknown-dimension"), ({"n": -1}, "pass/bad-extent")],
)
def test_what_does_not_fit_is_refused(values: dict[str, int], code: str) -> None:
    with pytest.raises(CompileError, match=code):
        BindSymbolicVariables(values)(parse(MLP))


@pytest.mark.parametrize("extent", [2.0, True, "8", None, 2**63, (8,), np.float32(8)])
def test_what_is_no_extent_is_told_by_name(extent: object) -> None:
    with pytest.raises(CompileError) as caught:
        BindSymbolicVariables({"m": 3, "n": extent})
    (fault,) = caught.value.diagnostics
    assert fault.code == "pass/bad-extent"
    assert fault.message.startswith("`n` must be an extent, an integer from 0 on that fits `int64`")
    assert "tuple" not in fault.message or isinstance(extent, tuple)


def test_integers_of_numpy_are_extents() -> None:
    made = BindSymbolicVariables({"n": np.int64(3), "m": np.uint8(5)})
    assert made == BindSymbolicVariables({"n": 3, "m": 5})
    assert symbols(made(parse(MLP)).module) == set()


def test_a_dimension_has_one_extent() -> None:
    with pytest.raises(CompileError, match="got two for `n`"):
        BindSymbolicVariables((("n", 3), ("n", 4)))


RECURSIVE = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("n",), "float32"), c: R.Tensor((), "bool")
    ) -> R.Tensor(("n",), "float32"):
        n = T.int64()
        cls = Module
        if c:
            f = R.full(R.shape([]), R.const(False, "bool"), dtype="bool")
            a: R.Tensor((n,), "float32") = cls.main(x, f)
            y = a
        else:
            b = R.exp(x)
            y = b
        return y
"""


def test_a_function_that_is_called_is_refused_and_a_private_recursive_one_stays_general(
    rng: np.random.Generator,
) -> None:
    with pytest.raises(CompileError, match="pass/called-function"):
        BindSymbolicVariables({"n": 2})(parse(RECURSIVE))
    text = RECURSIVE.replace("@R.function", "@R.function(private=True)").replace("main", "again")
    module = parse(
        text
        + """
    @R.function
    def main(x: R.Tensor(("k",), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        y = cls.again(x, c)
        return y
"""
    )
    result = BindSymbolicVariables({"k": 3})(module).module
    assert verify(result) == ()
    x = rng.normal(size=3).astype("f4")
    np.testing.assert_allclose(run(result, x, np.array(True)), np.exp(x), rtol=1e-6)


def test_a_tensor_function_alone() -> None:
    text = """
@T.prim_func
def relu(X: T.Buffer(("n",), "float32"), Y: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i in range(n):
        with T.sblock("Y"):
            vi = T.axis.spatial(n, i)
            Y[vi] = T.max(X[vi], T.float32(0.0))
"""
    module = parse(text)
    result = BindSymbolicVariables({"n": 4})(module).module
    (function,) = result.tensor_functions.values()
    assert isinstance(function, TensorFunction)
    assert verify(result) == ()
    assert symbols(result) == set()
