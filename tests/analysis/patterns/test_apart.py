"""Matches of several patterns share no value; what one took is not looked at again."""

from collections.abc import Callable

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench.analysis.patterns import (
    Match,
    NearMiss,
    Objection,
    Pattern,
    anything,
    find_apart,
    op,
)
from workbench.ir import IRModule
from workbench.script import parse

PRODUCT = op("matmul", anything("a"), anything("b"))
SUM = op("add", op("matmul", anything("a"), anything("b")), anything("bias"), any_order=True)
ACTIVE = op("nn.relu", op("add", op("matmul"), anything("bias")))


def module(body: str) -> IRModule:
    lines = "\n".join(f"            {line}" for line in body.strip().splitlines())
    return parse(f"""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        with R.dataflow():
{lines}
            R.output(y)
        return y
""")


def found_in(text: str, *patterns: Pattern) -> list[tuple[int, str, type[object]]]:
    return [
        (position, found.root.var.name, type(found))
        for position, found in find_apart(patterns, module(text))
    ]


TWICE = """
a = R.matmul(x, w)
b = R.add(a, x)
c = R.nn.relu(b)
d = R.matmul(c, w)
y = R.add(w, d)
"""


def test_earlier_patterns_take_their_values_first() -> None:
    assert found_in(TWICE, ACTIVE, SUM, PRODUCT) == [(0, "c", Match), (1, "y", Match)]
    assert found_in(TWICE, PRODUCT, SUM) == [(0, "a", Match), (0, "d", Match)]
    assert found_in(TWICE, SUM, ACTIVE, PRODUCT) == [(0, "b", Match), (0, "y", Match)]


def counted(calls: list[str]) -> Callable[[Match], Objection | None]:
    def judge(found: Match) -> None:
        calls.append(found.root.var.name)

    return judge


def test_what_a_match_took_is_not_looked_at_again() -> None:
    first, second = list[str](), list[str]()
    patterns, judges = (ACTIVE, SUM), (counted(first), counted(second))
    list(find_apart(patterns, module(TWICE), judges=judges))
    assert first == ["c"]
    assert second == ["y"]


OTHERS = """
a = R.exp(x)
b = R.add(a, x)
c = R.nn.relu(b)
d = R.exp(c)
y = R.nn.relu(d)
"""


def test_only_what_comes_near_is_a_near_miss() -> None:
    patterns = (ACTIVE, SUM, PRODUCT)
    (missed,) = [found for _, found in find_apart(patterns, module(OTHERS))]
    assert isinstance(missed, NearMiss)
    assert missed.root.var.name == "c"
    assert missed.reason == "expected a call of `matmul`, found `exp` at `a`"


def test_near_misses_come_last_in_program_order() -> None:
    text = OTHERS.replace("y = R.nn.relu(d)", "e = R.matmul(d, w)\ny = R.add(e, x)")
    refused = (None, lambda _: Objection("pattern/unfit", "no"), lambda _: None)
    judges = tuple(judge or (lambda _: None) for judge in refused)
    found = list(find_apart((ACTIVE, SUM, PRODUCT), module(text), judges=judges))
    assert [(p, f.root.var.name, type(f)) for p, f in found] == [
        (2, "e", Match),
        (0, "c", NearMiss),
        (1, "y", NearMiss),
    ]
