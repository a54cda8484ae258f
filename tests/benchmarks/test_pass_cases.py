"""The benchmark of passes has every pass that works on graph functions, and gives it work."""

import pytest

from benchmarks.passes import Case, cases
from workbench import passes

CASES = cases()
NO_BINDINGS = (passes.Simplify,)
"""Passes on tensor functions that are simple already: their time does not grow with bindings."""
BY_TEXT = (passes.ReplaceFunction,)
"""Passes that look at no binding but at the functions that call another."""


def test_every_pass_that_we_ship_has_a_case() -> None:
    there = {type(case.applied) for case in CASES} | set(BY_TEXT)
    assert [kind.__name__ for kind in passes.BUILTIN_PASSES if kind not in there] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_each_case_gives_its_pass_work(case: Case) -> None:
    module = case.make(30)
    result = case.applied(module)
    assert (result.module is module) == isinstance(case.applied, NO_BINDINGS)
