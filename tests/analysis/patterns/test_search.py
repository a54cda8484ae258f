"""Alternatives, orders and shared values: all ways are tried, in one order, up to a bound."""

import time

import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench.analysis.patterns import (
    Match,
    NearMiss,
    Objection,
    Pattern,
    anything,
    constant,
    find,
    item,
    match_at,
    op,
    several,
)
from workbench.analysis.patterns.matches import AMBIGUOUS
from workbench.analysis.patterns.search import MOST_STEPS
from workbench.ir import CallOp, GraphBuilder, IRModule, TensorType, Var
from workbench.script import parse


def main(body: str, result: str = "y") -> IRModule:
    lines = "\n".join(f"            {line}" for line in body.strip().splitlines())
    return parse(f"""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        with R.dataflow():
{lines}
            R.output({result})
        return {result}
""")


def only_match(pattern: Pattern, module: IRModule) -> Match:
    (found,) = [m for m in find(pattern, module) if isinstance(m, Match)]
    return found


def name_of(match: Match, key: str) -> str:
    leaf = match[key]
    assert isinstance(leaf, Var)
    return leaf.name


CHAIN = """
a = R.exp(x)
b = R.nn.relu(a)
y = R.add(b, a)
"""


def test_a_later_argument_makes_an_earlier_alternative_give_way() -> None:
    inner = anything("inner")
    shallow, deep = op("nn.relu").named("taken"), op("nn.relu", inner).named("taken")
    wrong = op("nn.relu", op("exp", anything("other")).named("other_exp")).named("taken")
    found = only_match(op("add", shallow | deep, op("exp")), main(CHAIN))
    assert [b.var.name for b in found.members] == ["a", "b", "y"]
    assert "inner" not in found.values, "the first alternative fits"
    # the first alternative binds `inner` to nothing, the second to what is added
    found = only_match(op("add", wrong | deep, inner), main(CHAIN))
    assert name_of(found, "other") == "x"
    same = op("exp", anything("leaf")).named("same")
    other = op("exp", anything("leaf2"))
    pattern = op("add", op("nn.relu", other) | op("nn.relu", same), same)
    found = only_match(pattern, main(CHAIN))
    assert name_of(found, "same") == "a"


def test_an_alternative_that_fits_but_binds_a_shared_value_wrongly_is_taken_back() -> None:
    module = main("""
p = R.add(x, w)
q = R.nn.relu(p)
y = R.multiply(q, w)
""")
    shared = anything("shared")
    first = op("add", shared, anything("rest"))  # binds `shared` to x: fails at the product
    second = op("add", anything("left"), shared)
    found = only_match(op("multiply", op("nn.relu", first | second), shared), module)
    assert name_of(found, "shared") == "w"
    assert name_of(found, "left") == "x"
    assert "rest" not in found.values


def test_an_order_of_arguments_that_fits_inside_is_taken_back_for_what_is_outside() -> None:
    module = main("""
p = R.add(x, w)
q = R.nn.relu(p)
y = R.multiply(q, w)
""")
    shared = anything("shared")
    inner = op("add", shared, anything("rest"), any_order=True)
    found = only_match(op("multiply", op("nn.relu", inner), shared), module)
    assert (name_of(found, "shared"), name_of(found, "rest")) == ("w", "x")


def test_alternatives_in_two_arguments_are_tried_together() -> None:
    module = main("""
a = R.exp(x)
b = R.nn.relu(x)
y = R.subtract(a, b)
""")
    one, two = anything("one"), anything("two")
    left = op("exp", one) | op("exp", two)
    right = op("nn.relu", two)
    found = only_match(op("subtract", left, right).where("any", lambda _: True), module)
    assert name_of(found, "one") == "x"
    pattern = op("subtract", op("exp", constant()) | op("exp", two), right)
    assert name_of(only_match(pattern, module), "two") == "x"


def test_one_value_twice_in_any_order() -> None:
    module = main("y = R.add(x, x)")
    shared = anything("shared")
    assert only_match(op("add", shared, shared, any_order=True), module).closed
    module = main("y = R.add(x, w)")
    (miss,) = find(op("add", shared, shared, any_order=True), module)
    assert isinstance(miss, NearMiss)
    assert miss.reason == "expected the same value at both places"


def test_another_output_is_looked_for_until_all_the_rest_fits() -> None:
    module = main("""
a = R.nn.relu(x)
b = R.exp(a)
c = R.exp(w)
d = R.multiply(a, w)
e = R.multiply(a, c)
s = R.add(b, d)
y = R.add(s, e)
""")
    root, factor = op("nn.relu").named("root"), op("exp", anything()).named("factor")
    pattern = several(op("exp", root), op("multiply", root, anything()) | op("log"))
    found = only_match(pattern, module)
    assert [b.var.name for b in found.members] == ["a", "b", "d"]
    found = only_match(several(op("exp", root), op("multiply", root, factor)), module)
    assert [b.var.name for b in found.members] == ["a", "b", "c", "e"]
    assert [var.name for var in found.outputs] == ["a", "b", "e"]


def test_who_asks_may_object_and_the_next_way_is_tried() -> None:
    module = main("""
a = R.exp(x)
b = R.nn.relu(w)
c = R.add(a, b)
d = R.multiply(a, c)
y = R.add(d, c)
""")
    one = op("exp", anything()) | op("nn.relu", anything())
    pattern = op("add", one.named("inner"), anything("rest"), any_order=True)

    def closed(match: Match) -> Objection | None:
        return None if match.closed else Objection("test/open", "it is read outside")

    (found,) = [m for m in find(pattern, module, judge=closed) if isinstance(m, Match)]
    assert name_of(found, "inner") == "b"

    def never(match: Match) -> Objection:
        return Objection("test/never", f"not `{match.root.var.name}`")

    (miss,) = [m for m in find(pattern, module, judge=never) if m.root.var.name == "c"]
    assert isinstance(miss, NearMiss)
    assert (miss.code, miss.reason) == ("test/never", "not `c`")


def test_the_near_miss_is_where_most_calls_fitted() -> None:
    module = main(CHAIN)
    far = op("add", op("tanh"), anything())
    deep = op("add", op("nn.relu", op("log")), anything())
    (miss,) = find(far | deep, module)
    assert isinstance(miss, NearMiss)
    assert miss.reason == "expected a call of `log`, found `exp` at `a`"
    assert find(far | deep, module) is not find(deep | far, module)
    (other,) = find(deep | far, module)
    assert isinstance(other, NearMiss)
    assert other.reason == miss.reason, "whatever the order of the alternatives"


def test_searching_twice_gives_the_same() -> None:
    module = main(CHAIN)
    pattern = op("add", anything("p"), anything("q"), any_order=True)
    assert list(find(pattern, module)) == list(find(pattern, module))
    assert name_of(only_match(pattern, module), "p") == "b", "the order in which they are written"


def ladder(size: int) -> IRModule:
    """A value that can be read as sums in very many orders."""
    builder = GraphBuilder()
    type_ = TensorType((4,), "float32")
    y = builder.param("x", type_)
    for _ in range(size):
        a = builder.emit(CallOp("exp", (y,)), type_=type_)
        b = builder.emit(CallOp("abs", (y,)), type_=type_)
        y = builder.emit(CallOp("add", (a, b)), type_=type_)
    return builder.module.with_function("main", builder.build(y))


def test_a_pattern_with_too_many_ways_is_said_to_be_ambiguous_in_bounded_time() -> None:
    size = 20
    either = ("exp", "abs")
    pattern: Pattern = op("sqrt")
    for _ in range(size):
        one = op(either, pattern) | op(either, pattern)
        pattern = op("add", one, op(either), any_order=True)
    start = time.process_time()
    found = list(find(pattern, ladder(size)))
    assert time.process_time() - start < 30
    last = found[-1]
    assert isinstance(last, NearMiss)
    assert last.code == AMBIGUOUS
    assert str(MOST_STEPS) in last.reason


def test_long_chains_are_matched_without_recursion() -> None:
    builder = GraphBuilder()
    type_ = TensorType((4,), "float32")
    y = builder.param("x", type_)
    pattern: Pattern = anything("start")
    for _ in range(1500):
        y = builder.emit(CallOp("exp", (y,)), type_=type_)
        pattern = op("exp", pattern)
    module = builder.module.with_function("main", builder.build(y))
    found = match_at(pattern, module, "main", y.id)
    assert isinstance(found, Match)
    assert len(found.members) == 1500


def test_fields_under_alternatives() -> None:
    module = main("""
t = R.split(x, indices_or_sections=2, axis=1)
f = t[0]
g = t[1]
y = R.add(f, g)
""")
    split = op("split").named("split")
    pattern = op("add", item(split, 1) | item(split, 0), item(split, 1))
    assert [b.var.name for b in only_match(pattern, module).members] == ["t", "f", "g", "y"]


def test_no_value_is_named_like_that() -> None:
    found = only_match(op("add", anything("left"), anything("right")), main(CHAIN))
    with pytest.raises(Exception, match="did you mean `left`"):
        found["lef"]
