"""Each edge that fusion leaves apart has one reason, those in arms of branches too."""

from __future__ import annotations

import re
from collections import Counter

import workbench as wb
from tests.generate import Seeded, random_module
from tests.passes.test_fusion import (
    IN_A_BRANCH,
    by_hand,
    matmul_gelu,
    remarks,
    twice,
    two_convolutions,
)
from workbench.ir import (
    Alias,
    CallTIR,
    Constant,
    GraphExpr,
    IfThenElse,
    IRModule,
    MatchCast,
    TupleItem,
    Var,
    leaf_vars,
)
from workbench.passes import FuseOps, LegalizeOps, PassResult
from workbench.rewrite import all_bindings, is_fused

Edges = Counter[tuple[str, str, int]]
"""By function, name of the value, and id of the binding that reads it."""


def joinable(value: GraphExpr) -> bool:
    """Whether a right side is what groups are made of, or could be with other loops."""
    return isinstance(value, CallTIR) and len(value.out_types) == 1 and not value.scalars


def read_by(value: GraphExpr) -> set[Var]:
    """What a right side reads itself: of a branch, what it asks and what its arms give."""
    if isinstance(value, IfThenElse):
        leaves = (value.condition, value.then.result, value.otherwise.result)
    elif isinstance(value, Alias | TupleItem | MatchCast):
        leaves = (value.value,)
    else:
        leaves = value.args
    return {var for leaf in leaves for var in leaf_vars(leaf)}


def edges_apart(before: IRModule, after: IRModule) -> tuple[Edges, Edges]:
    """Edges that are in no group, arms included: all, and those with a call of loops at one end.

    What is gone was read inside of its group only, what is still there outside of it only.
    """
    found, of_calls = Edges(), Edges()
    for name, function in before.graph_functions.items():
        if is_fused(function):
            continue
        bound = {b.var.id: b.value for b in all_bindings(function)}
        left = {b.var.id for b in all_bindings(after.graph_functions[name])}
        for reader, value in bound.items():
            for var in read_by(value):
                source = bound.get(var.id)
                constant = isinstance(source, Alias) and isinstance(source.value, Constant)
                if source is None or constant or var.id not in left:
                    continue
                found[name, var.name, reader] += 1
                if joinable(source) or joinable(value):
                    of_calls[name, var.name, reader] += 1
    return found, of_calls


def said(result: PassResult) -> Edges:
    found = Edges()
    for diagnostic in result.remarks:
        arm = r"(?: of the `(?:then|else)` arm)?"
        text = re.fullmatch(rf"`(.+?)`{arm} -> `(.+?)`: (.+)", diagnostic.message)
        assert text is not None, diagnostic
        assert diagnostic.function is not None
        assert diagnostic.node is not None
        found[diagnostic.function, text[1], diagnostic.node] += 1
    return found


def check_reasons(module: IRModule) -> tuple[int, int]:
    """Each edge has one reason; how many there are, and how many cross the border of a branch."""
    before = LegalizeOps()(module).module
    fused = FuseOps()(before)
    found, of_calls = edges_apart(before, fused.module)
    assert of_calls <= said(fused) <= found
    border = sum("no group crosses the border" in text for text in remarks(fused))
    return of_calls.total(), border


def test_each_edge_that_is_in_no_group_has_a_reason() -> None:
    makes = (two_convolutions, by_hand, matmul_gelu, twice, lambda: wb.parse(IN_A_BRANCH))
    assert sum(check_reasons(make())[0] for make in makes) > 3


def test_each_edge_of_random_modules_and_their_arms_has_a_reason() -> None:
    counts = [check_reasons(random_module(Seeded(seed), steps=10).module) for seed in range(120)]
    assert sum(edges for edges, _ in counts) > 300
    assert sum(border for _, border in counts) > 20
