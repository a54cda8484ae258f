"""The calls through which all that is computed from a value goes."""

import pytest

from workbench.analysis.fusion_closing import closings
from workbench.analysis.fusion_facts import fusion_facts
from workbench.ir import CallOp, GraphBuilder, TensorType
from workbench.passes import LegalizeOps

FOUR = TensorType((4,), "float32")


def closing_of(edges: dict[str, str], result: str, farthest: int = 31) -> dict[str, str]:
    """Value -> its closing and how far it is; `edges` has what each value reads, by letters."""
    builder = GraphBuilder()
    values = {"x": builder.param("x", FOUR)}
    for name, read in edges.items():
        op = "exp" if len(read) == 1 else "add"
        call = CallOp(op, tuple(values[letter] for letter in read))
        values[name] = builder.emit(call, type_=FOUR)
    module = builder.module.with_function("main", builder.build(values[result]))
    lowered = LegalizeOps()(module).module
    names = {var.id: name for name, var in values.items()}
    facts = fusion_facts(lowered, lowered.graph_functions["main"])
    found = closings(facts, farthest)
    return {names[v]: f"{names[c]}{found.distance(v)}" for v, c in found.first.items()}


CHAIN = {"a": "x", "b": "a", "c": "b"}
DIAMOND = {"a": "x", "b": "a", "c": "b", "d": "ac"}
NESTED = {"a": "x", "b": "a", "c": "a", "d": "bc", "e": "d", "f": "ae", "g": "f"}
CROSSED = {"a": "x", "b": "a", "c": "b", "d": "ac", "e": "bd"}


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        (CHAIN, {"a": "b1", "b": "c1"}),
        (DIAMOND, {"a": "d3", "b": "c1", "c": "d1"}),
        (NESTED, {"a": "f4", "b": "d1", "c": "d1", "d": "e1", "e": "f1", "f": "g1"}),
        (CROSSED, {"a": "e4", "b": "e3", "c": "d1", "d": "e1"}),
    ],
    ids=["chain", "diamond", "one diamond in another", "ways that cross"],
)
def test_all_ways_go_through_the_closing(edges: dict[str, str], expected: dict[str, str]) -> None:
    assert closing_of(edges, [*edges][-1]) == expected


def test_what_is_a_result_or_read_by_nobody_has_no_closing() -> None:
    assert closing_of(CHAIN, "b") == {"a": "b1"}
    assert closing_of({**CHAIN, "d": "a"}, "c") == {"b": "c1"}, "`d` is read by nobody"


def test_a_closing_too_far_away_is_none() -> None:
    assert closing_of(DIAMOND, "d", farthest=2) == {"b": "c1", "c": "d1"}
    assert closing_of(DIAMOND, "d", farthest=3)["a"] == "d3"
    assert closing_of(CROSSED, "e", farthest=3) == {"b": "e3", "c": "d1", "d": "e1"}
