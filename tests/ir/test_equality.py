"""Structural equality, exact digests and fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.interpret.programs import Names, matmul
from workbench.ir import (
    Alias,
    Block,
    CallOp,
    FloatImm,
    For,
    GraphBuilder,
    GraphFunction,
    IntImm,
    IRModule,
    LoopKind,
    Store,
    TensorFunction,
    TensorType,
    Var,
    as_expr,
    fingerprint,
    function_digest,
    module_digest,
    structurally_equal,
    transform,
)
from workbench.support import NodeId, Span


def renamed(function: TensorFunction, shift: int = 10) -> TensorFunction:
    """The same function with other ids and names."""

    def change(node: object) -> object:
        if isinstance(node, Var):
            return replace(node, id=NodeId(node.id + shift), name=node.name + "_")
        if isinstance(node, Block):
            return replace(node, id=NodeId(node.id + shift), name="other")
        return node

    return replace(transform(function, change), next_id=function.next_id + shift)


def graph(*, names: str = "xy", last: str = "b", shift: int = 0) -> IRModule:
    builder = GraphBuilder()
    builder.ids.next = shift
    n = builder.symbol("n")
    x = builder.param(names[0], TensorType((n, 2)))
    w = builder.constant(np.ones(2, "float32"), names[1])
    y = builder.emit(CallOp("a", (x, w)), type_=x.type)
    z = builder.emit(CallOp(last, (y,)), type_=x.type)
    return builder.module.with_function("main", builder.build(z))


def test_renaming_keeps_structure_and_fingerprint_but_not_the_digest() -> None:
    f = matmul(2, 3, 4)
    g = renamed(f)
    assert f != g
    assert structurally_equal(f, g)
    assert fingerprint(f) == fingerprint(g)
    assert function_digest(f) != function_digest(g)
    assert structurally_equal(graph(), graph(names="pq", shift=7))
    assert module_digest(graph()) != module_digest(graph(names="pq", shift=7))


def test_symbolic_functions_have_one_fingerprint() -> None:
    def build() -> TensorFunction:
        names = Names()
        n = names.scalar("n")
        return matmul(n, n + 1, 4, names=names)

    assert fingerprint(build()) == fingerprint(renamed(build()))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: replace(s, value=as_expr(1.0)) if s.value == as_expr(0.0) else s,
        lambda s: replace(s, value=FloatImm(-0.0)) if s.value == as_expr(0.0) else s,
        lambda s: replace(s, indices=tuple(reversed(s.indices))),
    ],
)
def test_other_programs_differ(change: Callable[[Store], Store]) -> None:
    f = matmul(3, 3, 3)
    g = transform(f, lambda node: change(node) if isinstance(node, Store) else node)
    assert not structurally_equal(f, g)
    assert fingerprint(f) != fingerprint(g)
    assert function_digest(f) != function_digest(g)


def test_the_kind_of_a_loop_counts() -> None:
    f = matmul(3, 3, 3)
    assert isinstance(f.body, For)
    g = replace(f, body=replace(f.body, kind=LoopKind.PARALLEL))
    assert not structurally_equal(f, g)
    assert fingerprint(f) != fingerprint(g)


def test_variables_must_correspond_one_to_one() -> None:
    def difference(first: int, second: int) -> GraphFunction:
        builder = GraphBuilder()
        params = [builder.param(name, TensorType((2,))) for name in "ab"]
        call = CallOp("subtract", (params[first], params[second]))
        return builder.build(builder.emit(call, type_=params[0].type))

    assert structurally_equal(difference(0, 1), difference(0, 1))
    assert not structurally_equal(difference(0, 1), difference(1, 0))
    assert not structurally_equal(difference(0, 1), difference(0, 0))


def test_operators_constants_and_attributes_count() -> None:
    assert not structurally_equal(graph(), graph(last="c"))
    calls = [CallOp("a", (), (("axis", value),)) for value in (1, True, 1.0, -0.0, 0.0)]
    assert not any(structurally_equal(a, b) for i, a in enumerate(calls) for b in calls[:i])
    builder = GraphBuilder()
    one, two = builder.constant(np.ones(2), "a"), builder.constant(np.full(2, -0.0), "b")
    del one, two
    first, second = (binding.value for binding in builder.bindings)
    assert not structurally_equal(first, second)


def test_dataflow_outputs_count() -> None:
    module = graph()
    main = module["main"]
    assert isinstance(main, GraphFunction)
    (block,) = main.blocks
    ids = tuple(binding.var.id for binding in block.bindings)
    more = replace(main, blocks=(replace(block, outputs=ids),))
    assert not structurally_equal(main, more)


def test_order_of_functions_and_spans_do_not_count() -> None:
    f, g = matmul(1, 1, 1), matmul(2, 2, 2)
    assert structurally_equal(IRModule((("f", f), ("g", g))), IRModule((("g", g), ("f", f))))
    assert not structurally_equal(IRModule((("f", f),)), IRModule((("g", f),)))
    placed = replace(f, span=Span("cell", 3))
    assert placed == f
    assert function_digest(placed) == function_digest(f)


def test_digests_are_the_same_in_every_process() -> None:
    value = Alias(Var(NodeId(0), "x", TensorType((IntImm(2), 3))))
    assert value == Alias(Var(NodeId(0), "x", TensorType((IntImm(2), 3))))
    assert function_digest(matmul(2, 3, 4)) == function_digest(matmul(2, 3, 4))
    assert len(module_digest(graph())) == 32
