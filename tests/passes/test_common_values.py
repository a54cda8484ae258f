"""Values that are computed twice, and those that only look so."""

import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import CallPacked, GraphFunction, IRModule, LibraryFunction, register_library
from workbench.ir.verify import verify
from workbench.passes import (
    CanonicalizeBindings,
    EliminateCommonSubexpressions,
    EliminateDeadCode,
)
from workbench.rewrite import Relation
from workbench.runtime import build
from workbench.script import parse

SEEN: list[float] = []


def record(x: np.ndarray) -> np.ndarray:
    SEEN.append(float(x.sum()))
    return x


register_library(LibraryFunction("test.common.record", record, "test"))

EFFECTS = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32")):
        a = R.exp(x)
        u = R.call_packed("test.common.record", a, sinfo_args=[R.Tensor((4,), "float32")])
        b = R.exp(x)
        v = R.call_packed("test.common.record", b, sinfo_args=[R.Tensor((4,), "float32")])
        w = R.call_packed("test.common.record", b, sinfo_args=[R.Tensor((4,), "float32")])
        c = R.negative(x)
        d = R.negative(x)
        y = R.add(c, d)
        return y
"""


def names(module: IRModule) -> list[str]:
    function = module["main"]
    assert isinstance(function, GraphFunction)
    return [binding.var.name for binding in function.bindings]


def test_effects_stay_in_order_and_what_they_are_given_is_theirs(rng: np.random.Generator) -> None:
    module = parse(EFFECTS)
    shared = EliminateCommonSubexpressions()(module).module
    assert names(shared) == ["a", "u", "b", "v", "w", "c", "y"]
    swept = EliminateDeadCode()(CanonicalizeBindings()(shared).module).module
    assert names(swept) == names(shared)
    x = rng.normal(size=4).astype("f4")
    for program in (module, swept):
        SEEN.clear()
        run(program, x)
        assert [pytest.approx(float(np.exp(x).sum()), rel=1e-6)] * 3 == SEEN
        SEEN.clear()
        build(program)(x)
        assert len(SEEN) == 3


TWO_BLOCKS = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        with R.dataflow():
            a = R.exp(x)
            s = R.sum(a)
            R.output(s)
        u = R.call_packed("test.common.record", s, sinfo_args=[R.Tensor((), "float32")])
        with R.dataflow():
            b = R.exp(x)
            t = R.negative(b)
            R.output(b, t)
        if c:
            d = R.exp(x)
            e = R.negative(d)
            f = R.abs(e)
            g = R.abs(e)
            y = R.add(f, g)
            r = y
        else:
            h = R.abs(t)
            r = h
        z = R.add(r, b)
        k = R.abs(t)
        return (z, k)
"""


def test_values_are_shared_over_blocks_and_into_branches_never_out_of_them(
    rng: np.random.Generator,
) -> None:
    module = parse(TWO_BLOCKS)
    result = EliminateCommonSubexpressions()(module)
    assert verify(result.module) == ()
    gone = {d.sources[0].id for d in result.derivations}
    main = module.graph_functions["main"]
    by_name = {b.var.name: b.var.id for b in main.bindings}
    assert by_name["b"] in gone
    assert by_name["k"] not in gone
    assert len(gone) == 4  # b in a later block; d, e and g in the branch
    assert all(d.relation is Relation.SAME for d in result.derivations)
    x = rng.normal(size=4).astype("f4")
    for c in (True, False):
        expected = run(module, x, np.array(c))
        for got in (run(result.module, x, np.array(c)), build(result.module)(x, np.array(c))):
            for a, b in zip(expected, got, strict=True):
                np.testing.assert_allclose(b, a, rtol=1e-6)


def test_one_value_can_be_chosen() -> None:
    text = TWO_BLOCKS.replace('"test.common.record", s', '"test.common.record", x').replace(
        'R.Tensor((), "float32")])', 'R.Tensor((4,), "float32")])'
    )
    chosen = EliminateCommonSubexpressions(only=("g",))(parse(text))
    assert len(chosen.derivations) == 1
    assert verify(chosen.module) == ()


def test_what_reads_a_value_that_an_effect_was_given_is_computed_again() -> None:
    text = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32")):
        a = R.exp(x)
        u = R.call_packed("test.common.record", x, sinfo_args=[R.Tensor((4,), "float32")])
        b = R.exp(x)
        c = R.exp(x)
        y = R.add(a, b)
        z = R.add(y, c)
        return z
"""
    shared = EliminateCommonSubexpressions()(parse(text)).module
    assert names(shared) == ["a", "u", "b", "y", "z"]


def test_library_calls_with_effects_are_never_dead() -> None:
    text = """
@I.ir_module
class Module:
    @R.function(private=True, pure=False)
    def acts(x: R.Tensor((4,), "float32")):
        u = R.call_packed("test.common.record", x, sinfo_args=[R.Tensor((4,), "float32")])
        return x

    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        a = cls.acts(x)
        if c:
            b = cls.acts(x)
            r = b
        else:
            r = x
        return x
"""
    module = EliminateDeadCode()(parse(text)).module
    assert names(module) == ["a", "r"]
    SEEN.clear()
    run(module, np.ones(4, "f4"), np.array(True))
    assert SEEN == [4.0, 4.0]
    acts = module.graph_functions["acts"].bindings
    assert [type(b.value) for b in acts] == [CallPacked]


ALIASES = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 4), "float32"), c: R.Tensor((), "bool")):
        n = T.int64()
        with R.dataflow():
            e = R.exp(x)
            pair = (e, x)
            k = T.int64()
            m = R.match_cast(e, R.Tensor((k, 4), "float32"))
            R.output(pair, m)
        p = pair[0]
        if c:
            q = p
            s = R.add(q, m)
            r = s
        else:
            t = R.reshape(m, R.shape([k, 4]))
            r = t
        return r
"""


def test_names_are_looked_through_blocks_branches_and_dimensions(rng: np.random.Generator) -> None:
    module = parse(ALIASES)
    result = CanonicalizeBindings()(module)
    assert verify(result.module) == ()
    text = result.module.script()
    assert "match_cast" not in text
    assert "k = T.int64()" not in text
    assert "reshape" not in text
    assert names(result.module) == ["e", "pair", "r"]
    x = rng.normal(size=(3, 4)).astype("f4")
    for c in (True, False):
        expected = run(module, x, np.array(c))
        np.testing.assert_array_equal(run(result.module, x, np.array(c)), expected)
        np.testing.assert_allclose(build(result.module)(x, np.array(c)), expected, rtol=1e-6)


def test_a_check_that_may_fail_stays() -> None:
    text = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", "m"), "float32")):
        with R.dataflow():
            k = T.int64()
            a = R.match_cast(x, R.Tensor((k, k), "float32"))
            b = R.match_cast(x, R.Tensor((2, k), "float32"))
            y = R.add(a, b)
            R.output(y)
        return y
"""
    module = parse(text)
    assert CanonicalizeBindings()(module).module is module


@pytest.mark.parametrize(("a", "b"), [("0.0", "-0.0"), ("1", "1.0"), ("1", "True")])
def test_attributes_that_only_compare_equal_are_two(a: str, b: str) -> None:
    text = f"""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            a = R.nn.leakyrelu(x, alpha={a})
            b = R.nn.leakyrelu(x, alpha={b})
            y = R.add(a, b)
            R.output(y)
        return y
"""
    module = parse(text)
    assert EliminateCommonSubexpressions()(module).module is module
    same = parse(text.replace(f"alpha={b}", f"alpha={a}"))
    assert EliminateCommonSubexpressions()(same).module is not same
