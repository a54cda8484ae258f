from __future__ import annotations

from workbench.analysis.arith import Facts
from workbench.analysis.simplification import simplify_statement
from workbench.ir import If, walk
from workbench.script import parse

BRANCH = """
@T.prim_func
def f(N: T.Buffer((4,), "int64"), C: T.Buffer((4,), "int64")):
    if N[0] + 0 < 2:
        C[0 + 1] = 5
    else:
        C[0] = 6
"""


def test_a_branch_keeps_its_span() -> None:
    function = parse(BRANCH).tensor_functions["f"]
    (before,) = (node for node in walk(function.body) if isinstance(node, If))
    found = simplify_statement(function.body, Facts())
    assert isinstance(found, If)
    assert found != before
    assert before.span is not None
    assert found.span == before.span
