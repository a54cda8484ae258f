from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from workbench.analysis.arith import Facts
from workbench.analysis.index_map import IndexMap
from workbench.ir import IntImm, PrimExpr, ScalarType, Var, as_expr, substitute
from workbench.support import CompileError, NodeId

LAYOUTS = [
    ("lambda i, j: (j, i)", (4, 3)),
    ("lambda i, j: (i // 4, j, i % 4)", (8, 3)),
    ("lambda i, j: (i // 4, j, i % 4)", (6, 3)),
    ("lambda i, j: (i * 3 + j,)", (4, 3)),
    ("lambda i, j: (i * 8 + j,)", (4, 3)),
    ("lambda i, j: ((i * 16 + j) // 4, (i * 16 + j) % 4)", (3, 16)),
    ("lambda i: (i // 4 * 10 + i % 4,)", (11,)),
    ("lambda i: (i // 6, i % 6 // 2, i % 2)", (24,)),
    ("lambda i, j: (i + j, j)", (5, 7)),
    ("lambda i, j: (i * 2 + j, i + j)", (4, 5)),
    ("lambda i: (15 - i,)", (16,)),
    ("lambda i: (i + 3,)", (5,)),
    ("lambda i, j: (i, 0, j)", (2, 3)),
    ("lambda i, j: (j, i // 16)", (1, 3)),
]


def value(expr: PrimExpr) -> int:
    found = Facts().simplify(expr)
    assert isinstance(found, IntImm)
    return found.value


def numbers(point: tuple[int, ...]) -> list[PrimExpr]:
    return [IntImm(x) for x in point]


@pytest.mark.parametrize(("text", "shape"), LAYOUTS)
def test_the_inverse_finds_each_element_and_knows_padding(
    text: str, shape: tuple[int, ...]
) -> None:
    layout = IndexMap.of(text)
    inverse = layout.inverse(shape)
    new_shape = [value(x) if not isinstance(x, int) else x for x in inverse.shape]
    places: dict[tuple[int, ...], tuple[int, ...]] = {}
    for point in itertools.product(*(range(n) for n in shape)):
        place = tuple(value(e) for e in layout.apply(numbers(point)))
        assert all(0 <= x < n for x, n in zip(place, new_shape, strict=True))
        places[place] = point
    assert len(places) == len(list(itertools.product(*(range(n) for n in shape))))
    for place in itertools.product(*(range(n) for n in new_shape)):
        old, inside = inverse.at(numbers(place))
        holds = inside is None or bool(value(inside))
        assert holds == (place in places)
        if holds:
            assert tuple(value(e) for e in old) == places[place]


def test_a_symbolic_extent_is_rounded_up() -> None:
    n = Var(NodeId(3), "n", ScalarType())
    inverse = IndexMap.of("lambda i, j: (i // 16, j, i % 16)").inverse((n, 3))
    assert inverse.shape[0] == (n + 15) // 16
    assert inverse.shape[1:] == (3, 16)
    assert inverse.inside is not None
    swapped = IndexMap.of("lambda i, j: (j, i)").inverse((n, n))
    assert swapped.inside is None
    assert swapped.shape == (n, n)


@pytest.mark.parametrize(
    ("text", "shape", "words"),
    [
        ("lambda i: (i // 2,)", (8,), "digits of `i` overlap or are missing"),
        ("lambda i: (i * 2,)", (8,), "the factor `2` leaves gaps"),
        ("lambda i, j: (i,)", (4, 5), "`j` cannot be told from the new index"),
        ("lambda i, j: (i * 2 + j,)", (4, 3), "not known to stay below it"),
        ("lambda i, j: (i // 4, i % 8, j)", (16, 2), "digits of `i` overlap"),
        ("lambda i, j: (i - j, j)", (4, 5), "it does more than take indices apart"),
        ("lambda i: (i * i,)", (4,), "it does more than take indices apart"),
    ],
)
def test_what_is_no_layout_says_why(text: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(CompileError) as error:
        IndexMap.of(text).inverse(shape)
    assert error.value.diagnostics[0].code == "index-map/not-invertible"
    assert words in error.value.diagnostics[0].message


@pytest.mark.parametrize(
    "function",
    [
        lambda i, j: (i // 16, j, i % 16),
        lambda *at: (at[0] // 16, at[1], at[0] % 16),
        "lambda i, j: [i // 16, j, i % 16]",
    ],
)
def test_functions_and_texts_are_maps(function: Callable[..., object] | str) -> None:
    found = IndexMap.of(function, 2)
    names = [var.name for var in found.initial]
    first, second = names
    expected = f"lambda {first}, {second}: ({first} // 16, {second}, {first} % 16)"
    assert found.text == expected
    assert IndexMap.of(found.text) == found


@pytest.mark.parametrize(
    "text",
    [
        "lambda i: (i - (2 - i) * 3,)",
        "lambda i, j: (i * (j + 1) // 4 % 2, -1)",
        "lambda i: ((i + 1) % 4 - 2,)",
    ],
)
def test_the_text_means_the_same(text: str) -> None:
    found = IndexMap.of(text)
    again = IndexMap.of(found.text)
    assert again.text == found.text
    for point in itertools.product(range(6), repeat=len(found.initial)):
        first = tuple(value(e) for e in found.apply(numbers(point)))
        second = tuple(value(e) for e in again.apply(numbers(point)))
        plain = eval(text)(*point)
        assert first == second == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("i, j", "it is no `lambda`"),
        ("lambda i: (i", "it is no expression"),
        ("lambda i: k", "`k` is none of its arguments"),
        ("lambda i: open('x')", "is no index arithmetic"),
        ("lambda i: i / 2", "is no index arithmetic"),
        ("lambda i: 1.5", "is no index arithmetic"),
        ("lambda *i: i", "its arguments must be plain names"),
    ],
)
def test_what_is_no_map_says_why(text: str, words: str) -> None:
    with pytest.raises(CompileError) as error:
        IndexMap.of(text)
    assert error.value.diagnostics[0].code == "index-map/not-a-map"
    assert words in error.value.diagnostics[0].message


def test_the_number_of_indices_must_fit() -> None:
    with pytest.raises(CompileError) as error:
        IndexMap.of("lambda i, j: (j, i)", 3)
    assert "takes `2` indices, expected `3`" in error.value.diagnostics[0].message
    with pytest.raises(CompileError):
        IndexMap.of(lambda *i: i)
    with pytest.raises(CompileError):
        IndexMap.of(lambda i: (i < 3,), 1)
    with pytest.raises(CompileError):
        IndexMap.of(lambda i: (i, "i"), 1)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("lambda i, j: (i, j - i)", (4, 5), True),
        ("lambda i: (i * 2,)", (4,), True),
        ("lambda i, j: (i + j, i - j, 0)", (4, 5), True),
        ("lambda i: (i % 4, i // 4)", (9,), True),
        ("lambda i, j: (i + j,)", (4, 5), False),
        ("lambda i: (i // 2,)", (4,), False),
    ],
)
def test_places_are_told_apart(text: str, shape: tuple[int, ...], expected: bool) -> None:
    found = IndexMap.of(text)
    assert found.tells_apart(shape) == expected
    points = itertools.product(*(range(n) for n in shape))
    places = {tuple(value(e) for e in found.apply(numbers(p))) for p in points}
    assert (len(places) == math.prod(shape)) == expected


def test_a_skewed_box_that_may_be_empty_has_no_negative_extent() -> None:
    n, m = (Var(NodeId(number), name, ScalarType("int64")) for number, name in ((1, "n"), (2, "m")))
    shape = IndexMap.of("lambda i, j: (i, i + j)").map_shape((n, m))
    for rows, columns, width in ((0, 0, 0), (1, 0, 0), (3, 4, 6)):
        known: dict[NodeId, PrimExpr] = {n.id: IntImm(rows), m.id: IntImm(columns)}
        assert Facts().simplify(substitute(as_expr(shape[1]), known)) == IntImm(width)
