"""Quick proofs against all points of small boxes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.dependence.facts import (
    Choice,
    Fact,
    Part,
    contained,
    difference,
    equals,
    impossible,
    less,
    named,
)

NAMES: tuple[str, ...] = ("a", "b", "x", "y")
KEPT = {"a", "b"}
BOX = range(-2, 4)


def facts() -> st.SearchStrategy[Fact]:
    numbers = st.sampled_from([-3, -2, -1, -1, 1, 1, 2, 3])
    terms = st.dictionaries(st.sampled_from(NAMES), numbers, min_size=1, max_size=3)
    return st.builds(Fact, terms, st.integers(-4, 4), st.booleans())


def systems() -> st.SearchStrategy[list[Part]]:
    options = st.lists(st.lists(facts(), max_size=3).map(tuple), max_size=3).map(tuple)
    parts = st.one_of(facts(), facts(), st.builds(Choice, options))
    return st.lists(parts, max_size=5).map(lambda found: [*bounded(), *found])


def bounded() -> list[Part]:
    low = [Fact({name: 1}, -BOX.start, equal=False) for name in NAMES]
    high = [Fact({name: -1}, BOX.stop - 1, equal=False) for name in NAMES]
    return [*low, *high]


def holds(part: Part, values: dict[str, int]) -> bool:
    if isinstance(part, Choice):
        return any(all(holds(p, values) for p in option) for option in part.options)
    total = part.constant + sum(c * values[name] for name, c in part.terms.items())
    return total == 0 if part.equal else total >= 0


def points(parts: Sequence[Part]) -> set[tuple[int, int]]:
    every = (dict(zip(NAMES, v, strict=True)) for v in product(BOX, repeat=len(NAMES)))
    return {(v["a"], v["b"]) for v in every if all(holds(part, v) for part in parts)}


@settings(max_examples=60, deadline=None)
@given(systems())
def test_what_is_impossible_has_no_point(parts: list[Part]) -> None:
    assert impossible(parts) is (not points(parts))


@settings(max_examples=60, deadline=None)
@given(systems(), st.lists(systems(), min_size=1, max_size=2))
def test_what_is_contained_has_all_its_points_there(
    parts: list[Part], others: list[list[Part]]
) -> None:
    if contained(parts, others, KEPT):
        assert points(parts) <= set[tuple[int, int]]().union(*map(points, others))


def test_a_part_of_a_system_is_contained_in_fewer_facts() -> None:
    wide = [*bounded(), less("x", "a"), less("y", "b")]
    narrow = [*wide, equals("a", "b")]
    assert contained(narrow, [wide], KEPT)
    assert not contained(wide, [narrow], KEPT)


def test_names_that_exist_only_are_projected_out() -> None:
    count = named("n")
    loop = [Fact({"x": 1}, 0, equal=False), difference(count, named("x"), 1, equal=False)]
    positive = [Fact({"n": 1}, -1, equal=False)]
    assert contained(positive, [loop], {"n"})
    assert not contained([Fact({"n": 1}, 0, equal=False)], [loop], {"n"})


def test_orders_that_exclude_each_other() -> None:
    ahead = Choice(((less("a", "x"),), (equals("a", "x"), less("b", "y"))))
    behind = Choice(((less("x", "a"),), (equals("a", "x"), less("y", "b"))))
    assert impossible([ahead, behind])
    assert not impossible([ahead])
