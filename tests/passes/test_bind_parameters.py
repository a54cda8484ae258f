"""Weights bound by name: what fits is the same program, what does not is said."""

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import run
from workbench.ir import IRModule
from workbench.ir.verify import verify
from workbench.passes import BindParameters, Weights, weights
from workbench.runtime import build
from workbench.script import parse
from workbench.session.catalogue import pass_code
from workbench.support import CompileError

LINEAR = """
@I.ir_module
class Module:
    @R.function{how}
    def main(
        x: R.Tensor(("n", "m"), "float32"), w: R.Tensor(("m", 2), "float32"),
        k: R.Tensor((2,), "int32")
    ):
        n = T.int64()
        m = T.int64()
        with R.dataflow():
            p = R.matmul(x, w)
            c = R.astype(k, dtype="float32")
            y = R.add(p, c)
            R.output(y)
        return y
"""


def linear() -> IRModule:
    return parse(LINEAR.format(how=""))


def test_bound_weights_give_the_same_values(rng: np.random.Generator) -> None:
    x, w = rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=(3, 2)).astype("f4")
    k = np.array([1, 2], "int32")
    result = BindParameters({"w": w, "k": k})(linear())
    assert verify(result.module) == ()
    np.testing.assert_array_equal(run(result.module, x), run(linear(), x, w, k))
    np.testing.assert_allclose(build(result.module)(x), run(linear(), x, w, k), rtol=1e-5)
    main, before = (m.graph_functions["main"] for m in (result.module, linear()))
    assert [p.id for p in main.params] == [before.params[0].id]
    kept = {b.var.id for b in main.bindings}
    assert {p.id for p in before.params[1:]} <= kept
    bound = {f"main/{p.id}" for p in before.params[1:]}
    assert {str(d.results[0]) for d in result.derivations} == bound


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"q": 1.0, "z": 2.0}, "pass/unknown-parameter"),
        ({"w": np.zeros((3, 4), "f4")}, "pass/parameter-shape"),
        ({"w": np.zeros(3, "f4")}, "pass/parameter-shape"),
        ({"w": np.zeros((3, 2))}, "pass/parameter-type"),
        ({"k": [1.5, 2.0]}, "pass/parameter-type"),
        ({"k": [1, 2**40]}, "pass/parameter-type"),
        ({"w": Weights("00")}, "pass/unknown-constant"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], code: str) -> None:
    with pytest.raises(CompileError, match=code):
        BindParameters(values)(linear())


def test_all_unknown_names_are_said_at_once() -> None:
    with pytest.raises(CompileError) as caught:
        BindParameters({"q": 1.0, "z": 2.0})(linear())
    assert len(caught.value.diagnostics) == 2
    assert "`x`, `w`, `k`" in str(caught.value)


def test_two_arrays_that_disagree_on_a_dimension_are_refused() -> None:
    with pytest.raises(CompileError, match="pass/parameter-shape"):
        BindParameters({"x": np.zeros((4, 5), "f4"), "w": np.zeros((3, 2), "f4")})(linear())


def test_a_function_that_others_call_keeps_its_parameters() -> None:
    module = parse(
        LINEAR.format(how="").replace("def main", "def inner")
        + """
    @R.function
    def main(x: R.Tensor((2, 2), "float32"), k: R.Tensor((2,), "int32")):
        cls = Module
        y = cls.inner(x, x, k)
        return y
"""
    )
    with pytest.raises(CompileError, match="pass/called-function"):
        BindParameters({"k": [1, 2]}, function="inner")(module)


def test_the_code_of_the_pass_makes_it_again() -> None:
    small = BindParameters({"k": [1, 2], "w": np.array([[0.1, 2.0]] * 3, "f4")})
    assert eval(pass_code(small), {"wb": wb}) == small
    array = np.arange(200, dtype="f4").reshape(100, 2)
    large = BindParameters({"w": array})
    assert len(pass_code(large)) < 200
    again = eval(pass_code(large), {"wb": wb})
    assert again == large
    with pytest.raises(CompileError, match="pass/unknown-constant"):
        again(linear())
    _, pool = linear().pool.with_array(array)
    bound = again(IRModule(linear().functions, pool)).module
    assert verify(bound) == ()
    (digest,) = [d for d in bound.pool if bound.pool[d].shape == (100, 2)]
    np.testing.assert_array_equal(bound.pool[digest], array)


def test_weights_are_equal_where_their_bits_are() -> None:
    assert weights(np.array([0.0], "f4")) == weights(np.array([0.0], "f4"))
    assert weights(np.array([0.0], "f4")) != weights(np.array([-0.0], "f4"))
    assert weights(np.array([np.nan], "f4")) == weights(np.array([np.nan], "f4"))
    assert "nan" not in repr(weights(np.array([np.nan], "f4")))
