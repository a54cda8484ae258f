from workbench.analysis.op_pattern import OpPattern, op_pattern
from workbench.analysis.patterns import (
    Match,
    NearMiss,
    Pattern,
    anything,
    constant,
    find,
    item,
    library,
    op,
    several,
    tensor,
)
from workbench.ir import IRModule, TensorType, Var
from workbench.passes import DispatchToLibrary, LegalizeOps
from workbench.script import parse

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 8), "float32"), w: R.Tensor((8, 8), "float32")):
        with R.dataflow():
            a = R.matmul(x, w)
            k = R.const(2.0, "float32")
            b = R.add(k, a)
            c = R.nn.relu(b)
            d = R.matmul(c, w)
            e = R.add(d, c)
            t = R.split(e, indices_or_sections=2, axis=1)
            f = t[0]
            g = R.exp(f)
            R.output(g)
        return g
"""


def module() -> IRModule:
    return parse(TEXT)


def matches(pattern: Pattern, given: IRModule | None = None) -> list[Match]:
    return [m for m in find(pattern, given or module()) if isinstance(m, Match)]


def near(pattern: Pattern) -> list[NearMiss]:
    return [m for m in find(pattern, module()) if isinstance(m, NearMiss)]


def roots(found: list[Match]) -> list[str]:
    return [match.root.var.name for match in found]


def test_a_chain_with_arguments_in_any_order() -> None:
    product = op("matmul", anything("x"), anything("w"))
    pattern = op("nn.relu", op("add", product, constant("k"), any_order=True))
    (found,) = matches(pattern)
    assert [b.var.name for b in found.members] == ["a", "b", "c"]
    assert found.closed
    x = found["x"]
    assert isinstance(x, Var)
    assert x.name == "x"


def test_without_any_order_the_near_miss_says_what_was_found() -> None:
    pattern = op("nn.relu", op("add", op("matmul"), constant()))
    assert matches(pattern) == []
    (miss,) = near(pattern)
    assert miss.root.var.name == "c"
    assert miss.reason == "expected a call of `matmul`, found a constant at `k`"


def test_the_near_miss_says_which_field_was_found_in_place_of_a_call() -> None:
    (miss,) = near(op("exp", op("nn.relu")))
    assert miss.reason == "expected a call of `nn.relu`, found field `0` of a tuple at `f`"


def test_the_same_pattern_object_is_the_same_value() -> None:
    base = op("nn.relu").named("base")
    residual = op("add", op("matmul", base, anything()), base)
    assert roots(matches(residual)) == ["e"]
    other = op("add", op("matmul", op("nn.relu"), anything()), op("exp"))
    assert roots(matches(other)) == []
    shared = anything()
    square = op("matmul", shared, shared)
    assert [m.reason for m in near(square)] == ["expected the same value at both places"] * 2


def test_alternatives_take_the_first_that_fits() -> None:
    assert roots(matches(op("exp") | op("nn.relu"))) == ["c", "g"]


def test_restrictions_on_uses_types_and_shapes() -> None:
    assert roots(matches(op("matmul").used(1))) == ["a", "d"]
    assert roots(matches(op("nn.relu").used(1))) == []
    assert roots(matches(op("matmul").typed(dtype="float32", shape=(4, None)))) == ["a", "d"]
    assert roots(matches(op("matmul").typed(rank=3))) == []

    def wide(type_: object) -> bool:
        return isinstance(type_, TensorType) and type_.shape == (4, 8)

    assert roots(matches(op("add").where("a 4 x 8 tensor", wide))) == ["b", "e"]
    (miss,) = near(op("nn.relu", op("add", op("matmul").typed(dtype="int8"), constant())))[:1]
    assert "should hold `int8`" in miss.reason or "found" in miss.reason


def test_attributes_are_compared() -> None:
    assert roots(matches(op("split", axis=1))) == ["t"]
    assert roots(matches(op("split", axis=0))) == []


def test_fields_of_tuples() -> None:
    assert roots(matches(op("exp", item(op("split"), 0)))) == ["g"]
    (miss,) = near(op("exp", item(op("split"), 1)))
    assert miss.reason == "expected field `1`, found `0`"


def test_values_read_outside_are_outputs() -> None:
    (found,) = matches(op("matmul", op("nn.relu"), anything()))
    assert [var.name for var in found.outputs] == ["c", "d"]
    assert not found.closed


def test_several_outputs_that_share_a_value() -> None:
    shared = op("nn.relu").named("shared")
    both = several(op("matmul", shared, anything()), op("add", anything(), shared))
    (found,) = matches(both)
    assert [b.var.name for b in found.members] == ["c", "d", "e"]


def test_tensor_functions_are_asked_not_named() -> None:
    lowered = LegalizeOps()(module()).module
    contraction = tensor(lambda f: op_pattern(f) is OpPattern.OUT_FUSABLE, wanted="a contraction")
    assert roots(matches(contraction, lowered)) == ["a", "d"]
    dispatched = DispatchToLibrary()(lowered).module
    assert roots(matches(library("numpy.matmul"), dispatched)) == ["a", "d"]


def test_nothing_matches_across_dataflow_blocks() -> None:
    text = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            a = R.exp(x)
            R.output(a)
        b = R.call_packed("log", a, ty_args=R.Object)
        with R.dataflow():
            c = R.nn.relu(a)
            R.output(c)
        return c
"""
    pattern = op("nn.relu", op("exp"))
    found = list(find(pattern, parse(text)))
    assert [m.reason for m in found if isinstance(m, NearMiss)] == [
        "`a` is not in one dataflow block with the others"
    ]
    assert not any(isinstance(m, Match) for m in found)


def test_the_right_operator_with_another_attribute_is_a_near_miss() -> None:
    (miss,) = near(op("split", axis=0))
    assert (miss.root.var.name, miss.depth) == ("t", 1)
    assert miss.reason == "expected `axis=0`, found `axis=1` at `t`"
    (lower,) = near(op("exp", item(op("split", axis=0), 0)))
    assert lower.reason == "expected `axis=0`, found `axis=1` at `t`"


def test_the_right_operator_with_other_uses_or_types_is_a_near_miss() -> None:
    (miss,) = near(op("nn.relu").used(1))
    assert (miss.root.var.name, miss.depth) == ("c", 1)
    assert miss.reason == "`c` is used `2` times, expected `1`"
    either = near((op("nn.relu") | op("sigmoid")).used(1))
    assert [m.reason for m in either] == ["`c` is used `2` times, expected `1`"]
    assert [m.root.var.name for m in near(op("matmul").typed(rank=3))] == ["a", "d"]


def test_another_operator_is_said_before_its_number_of_uses() -> None:
    (miss,) = near(op("matmul", op("exp").used(1), anything()))[1:]
    assert miss.reason == "expected a call of `exp`, found `nn.relu` at `c`"
    (either,) = near(op("matmul", (op("exp") | op("tanh")).used(1), anything()))[1:]
    assert either.reason == "expected a call of `exp`, found `nn.relu` at `c`"
    assert near(op("exp").used(2) | op("tanh").used(1))[0].root.var.name == "g"
    assert near((op("tanh") | op("sigmoid")).used(1)) == []
