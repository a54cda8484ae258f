"""Values of symbols are tried where they say more, and not where memory decides."""

import pytest

from workbench.analysis.dependence import AnswerKind, dependences, questions
from workbench.ir import For, walk
from workbench.script import parse

HELD = """
@T.prim_func
def f(A: T.Buffer(("n", "m"), "int64"), C: T.Buffer(("n",), "int64"), I: T.Buffer(("n",), "int64")):
    n = T.int64()
    m = T.int64()
    for i, k in T.grid(n, m):
        if k != 1 and (C[i] < A[i, k] or C[i] == A[i, k] and I[i] >= m - k):
            C[i] = A[i, k]
            I[i] = m - k
"""
PRODUCTS = """
@T.prim_func
def f(C: T.Buffer(("n", "m"), "int64")):
    n = T.int64()
    m = T.int64()
    for i in range(n * m):
        C[i * 2 // m, i % m] = i
"""


@pytest.mark.parametrize(("text", "tried"), [(HELD, False), (PRODUCTS, True)])
def test_where_values_of_symbols_are_tried(
    text: str, tried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    plain = questions.Solver._sampled  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(
        questions.Solver, "_sampled", lambda *given: (asked.append(given), plain(*given))[1]
    )
    function = parse(text).tensor_functions["f"]
    loop = [node for node in walk(function.body) if isinstance(node, For)][-1]
    answer = dependences(function).independent(loop.var.id)
    assert bool(asked) is tried
    assert answer.kind is AnswerKind.UNPROVED
