"""Packed triangles: quadratic indices whose rows do not overlap, or do."""

from __future__ import annotations

from itertools import product

import pytest

from tests.analysis.dependence.brute import Machine, carried
from workbench.analysis.dependence import AnswerKind, dependences
from workbench.ir import For, TensorFunction, walk
from workbench.script import parse

TEXT = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), S: T.Buffer((200,), "float32")):
    for i in range(FIRST, N):
        for j in range(LOW, HIGH):
            S[PLACE] = A[i] + A[0]
"""
SYMBOLIC = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), S: T.Buffer(("n * n + 9",), "float32")):
    n = T.int64()
    for i in range(FIRST, N):
        for j in range(LOW, HIGH):
            S[PLACE] = A[i] + A[0]
"""


def function(text: str, low: str, high: str, place: str, n: str, first: int = 0) -> TensorFunction:
    text = text.replace("FIRST", str(first)).replace("LOW", low).replace("HIGH", high)
    text = text.replace("PLACE", place).replace("N)", f"{n})")
    made = parse(text.replace("N", n))["f"]
    assert isinstance(made, TensorFunction)
    return made


def outer(made: TensorFunction) -> For:
    return next(node for node in walk(made.body) if isinstance(node, For))


TRIANGLES = [
    ("0", "i + 1", "i * (i + 1) // 2 + j"),
    ("0", "i + 1", "j + i * (i + 1) // 2 + 3"),
    ("0", "i + 1", "i * (i + 1) // 2 + i - j"),
    ("0", "i", "i * (i - 1) // 2 + j"),
    ("i", "N", "i * (2 * N - i + 1) // 2 + j - i"),
    ("i + 1", "N", "i * (2 * N - i - 1) // 2 + j - i - 1"),
    ("0", "2 * i + 1", "i * i + j"),
    ("0", "N", "i * N + j"),
]


@pytest.mark.parametrize(("low", "high", "place"), TRIANGLES)
def test_rows_that_do_not_overlap(low: str, high: str, place: str) -> None:
    for text, n in ((TEXT, "7"), (SYMBOLIC, "n")):
        made = function(text, low, high, place, n)
        assert dependences(made).independent(outer(made).var.id).applies


@pytest.mark.parametrize("first", [-3, 0, 2])
@pytest.mark.parametrize(
    ("begin", "step"),
    list(
        product(
            ["i * (i + 1) // 2", "i * (i - 1) // 2", "i * i", "i * i // 2", "i * (i + 3) // 2 - i"],
            ["i + 1", "i", "i + 2", "2 * i + 1", "2", "3 - i"],
        )
    ),
)
def test_what_is_proved_is_so_instance_by_instance(begin: str, step: str, first: int) -> None:
    made = function(TEXT, "0", step, f"{begin} + j + 20", "5", first)
    answer = dependences(made).independent(outer(made).var.id)
    meet = carried(Machine({}, {}).run(made), outer(made).var.id)
    assert not (answer.applies and meet)
    assert not (answer.kind is AnswerKind.ILLEGAL and not meet)
    if first == 0 and (begin, step) == ("i * (i + 1) // 2", "i + 1"):
        assert answer.applies


def test_rows_that_overlap_are_not_proved_and_the_access_is_named() -> None:
    made = function(SYMBOLIC, "0", "i + 2", "i * (i + 1) // 2 + j", "n")
    answer = dependences(made).independent(outer(made).var.id)
    assert answer.kind is AnswerKind.UNPROVED
    place = "`S[i * (i + 1) // 2 + j]`"
    assert (
        answer.message
        == f"it is not proved that the elements {place} and {place} of different instances differ"
    )


def test_two_nests_over_one_triangle() -> None:
    """A row is read in the iteration that has written it, by another loop over its places."""
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), S: T.Buffer((200,), "float32"), R: T.Buffer((8,), "float32")):
    for i in range(8):
        for j in range(i + 1):
            S[i * (i + 1) // 2 + j] = A[i]
        for k in range(i + 1):
            R[i] = R[i] + S[i * (i + 1) // 2 + WHERE]
"""
    for where, kind in (("k", AnswerKind.APPLIES), ("k + 1", AnswerKind.ILLEGAL)):
        made = parse(text.replace("WHERE", where))["f"]
        assert isinstance(made, TensorFunction)
        assert dependences(made).independent(outer(made).var.id).kind is kind
