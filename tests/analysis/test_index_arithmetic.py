from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import te
from workbench.analysis import Interval, bounds, proves, simplify
from workbench.support import CompileError


@pytest.mark.parametrize(
    ("text", "ranges", "simple"),
    [
        ("(i * 16 + j) // 16", {"i": 8, "j": 16}, "i"),
        ("(i * 16 + j) // 16", {"i": 8, "j": 17}, "i + j // 16"),
        ("(i * n + j) % n", {"i": 8, "j": "n"}, "j"),
        ("(i * n + j) % n", {"i": 8, "j": "n + 1"}, None),
        ("max(i, j)", {"i": (4, 6), "j": (None, 4)}, "i"),
        ("i - i % 4 - i // 4 * 4", {}, "0"),
        ("i // 4 * 4 + i % 4", {}, "i"),
        ("i - i // 4 * 4", {}, "i % 4"),
        ("i - i % 4", {}, "i // 4 * 4"),
        ("i % 8 // 4 + i // 8 * 2", {}, "i // 4"),
        ("i % 8 // 4 * 4 + i % 4", {}, "i % 8"),
        ("i // 4 % 2 * 4 + i % 4", {}, "i % 8"),
        ("(i % 12 + 3) % 4", {}, "(i + 3) % 4"),
        ("i % 12 % 5", {}, "i % 12 % 5"),
        ("i % 0 + i // 0 * 0", {}, "i % 0"),
        ("j * (i // 12)", {}, "j * (i // 12)"),
        ("i % 3 * j", {}, "j * (i % 3)"),
        ("(i < j) == (j < k)", {}, "(i < j) == (j < k)"),
    ],
)
def test_text_in_text_out(text: str, ranges: dict[str, Any], simple: str | None) -> None:
    done = simplify(text, ranges)
    assert done == simple if simple is not None else "%" in done


@given(st.data())
def test_text_keeps_its_values(data: st.DataObject) -> None:
    numbers = st.integers(-12, 12).map(lambda n: f"({n})")
    text = data.draw(st.recursive(st.sampled_from(["i", "j"]) | numbers, _larger, max_leaves=8))
    low, extent = data.draw(st.integers(-9, 3)), data.draw(st.integers(1, 12))
    ranges = {"i": (low, low + 20), "j": extent}
    simple, ends = simplify(text, ranges), bounds(text, ranges)
    for i, j in itertools.product(range(low, low + 21), range(extent)):
        value = eval(text, {"i": i, "j": j})
        assert eval(simple, {"i": i, "j": j}) == value
        assert ends.lo is None or ends.lo <= value
        assert ends.hi is None or value <= ends.hi


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    divisor = st.sampled_from([2, 3, 4, 6, 8, 12])
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-"), inner),
        st.builds("({} * {})".format, inner, st.integers(-4, 8).map(str) | inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["//", "%"]), divisor),
    )


def test_long_text_is_all_there() -> None:
    text = " + ".join(f"max(i, {k}) * (j // {k})" for k in range(2, 80))
    assert eval(simplify(text, {}), {"i": 7, "j": 1000}) == eval(text, {"i": 7, "j": 1000})


def test_a_node_gives_a_node() -> None:
    i, j = te.var("i"), te.var("j")
    assert simplify((i * 4 + j) // 4, {i: 8, j: 4}) == i
    assert simplify((i * 4 + j) // 4, {i.id: Interval(0, 7), j.id: Interval(0, 3)}) == i
    assert bounds(i * 4 + j, {i: 8, j: 4}) == Interval(0, 31)


def test_a_condition_is_proved_only_where_it_holds_everywhere() -> None:
    for size, limit in itertools.product(range(1, 6), range(8)):
        values = [2 * i + j < limit for i in range(size) for j in range(i + 1)]
        expected = True if all(values) else None if any(values) else False
        asked = proves(f"2 * i + j < {limit}", {"i": size, "j": "i + 1"})
        assert asked in {expected, None}
        assert asked is expected or expected is False or limit > 0
    assert proves("0 <= j <= i", {"i": 5, "j": "i + 1"}) is True
    assert proves("not j > i or j == 7", {"i": 5, "j": "i + 1"}) is True
    assert proves("j > i and j != 7", {"i": 5, "j": "i + 1"}) is False


def test_ends_may_be_open() -> None:
    assert bounds("i - j", {"i": (3, 7), "j": (None, 2)}) == Interval(1, None)
    assert bounds("k", {}) == Interval(None, None)
    assert bounds("k % 5", {}) == Interval(0, 4)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("__import__('os')", {}),
        ("i +", {}),
        ("i.real", {}),
        ("1.5 * i", {}),
        ("min(i)", {}),
        ("i in j", {}),
        ("i and j", {}),
        ("not i", {}),
        ("(" * 300 + "i" + ")" * 300, {}),
        ("i", {"i": 1.5}),
        ("i", {"i": (1, 2, 3)}),
        ("i", {"i": "j +"}),
    ],
)
def test_what_is_no_index_arithmetic_is_refused(text: str, ranges: dict[str, Any]) -> None:
    with pytest.raises(CompileError) as refused:
        simplify(text, ranges)
    assert refused.value.diagnostics[0].code == "analysis/not-an-index"
