"""Loops whose digits go to different axes: fused ones, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from workbench.analysis.arith import loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.ir import (
    Axis,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    PrimExpr,
    Stmt,
    TensorFunction,
    Var,
    binary,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.blocks.nest import CARRIED, known_at
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import NodeId

MOST = 3
"""Digits that a loop is taken apart into at most."""


@dataclass(frozen=True, slots=True)
class Apart:
    """A function in which the digits of `loop` are loops of their own, `digit` one that reduces."""

    scope: Scope
    loop: For
    digit: For
    weights: dict[NodeId, tuple[int, int]]
    """The digits by their variables: `(loop - start) // weight % extent`; outermost first."""

    def together(self, function: TensorFunction) -> TensorFunction:
        """A function where the loops of the digits are one loop again, as before."""
        first = next(iter(self.weights))
        nest = next(
            stmt
            for stmt in walk_statements(function.body)
            if isinstance(stmt, For) and stmt.var.id == first
        )
        body: Stmt = nest
        while isinstance(body, For) and body.var.id in self.weights:
            body = body.body
        index = self.loop.var - self.loop.start
        known: dict[NodeId, PrimExpr] = {}
        for ident, (weight, extent) in self.weights.items():
            digit = binary(BinaryOp.FLOORDIV, index, weight)
            known[ident] = digit if ident == first else binary(BinaryOp.FLOORMOD, digit, extent)
        return Scope(self.scope.name, function).replaced(
            nest, replace(self.loop, body=substitute(body, known))
        )


def apart(scope: Scope, loop: For, block: Block) -> Apart | None:
    """The digits of a loop that moves axes of both kinds: one of them reduces and nothing else.

    None where there are no such digits of constant extent.
    """
    start, extent = loop.start, loop.extent
    if not isinstance(extent, IntImm) or not isinstance(start, IntImm):
        return None
    for weights in _weights(loop, block, extent.value):
        sizes = [a // b for a, b in pairwise((extent.value, *weights, 1))]
        found = _with_digits(scope, loop, block, sizes)
        if found is not None:
            return found
    return None


def _weights(loop: For, block: Block, extent: int) -> Iterator[tuple[int, ...]]:
    """What divides the loop in the axes of a block, each a multiple of the next one."""
    divisors = {
        node.b.value
        for axis in block.axes
        for node in walk(axis.value)
        if isinstance(node, Binary)
        and node.op in {BinaryOp.FLOORDIV, BinaryOp.FLOORMOD}
        and isinstance(node.b, IntImm)
        and loop.var.id in free_vars(node.a)
    }
    known = sorted((d for d in divisors if 1 < d < extent and extent % d == 0), reverse=True)
    for count in range(1, MOST):
        for some in combinations(known, count):
            if all(a % b == 0 for a, b in pairwise(some)):
                yield some


def _with_digits(scope: Scope, loop: For, block: Block, sizes: Sequence[int]) -> Apart | None:
    """The function with a loop for each digit, where each moves axes of one kind."""
    fresh = [scope.fresh(f"{loop.var.name}_{n}", loop.var.type) for n in range(len(sizes))]
    facts = known_at(scope.function, scope.paths[block.id])
    value: PrimExpr = IntImm(0)
    for var, size in zip(fresh, sizes, strict=True):
        value = value * size + var
        facts = facts.with_range(var, loop_interval(IntImm(0), IntImm(size)))
    known: dict[NodeId, PrimExpr] = {loop.var.id: value + loop.start}
    axes = tuple(
        replace(axis, value=facts.simplify(substitute(axis.value, known)))
        if loop.var.id in free_vars(axis.value)
        else axis
        for axis in block.axes
    )
    kinds = [_kinds(axes, var) for var in fresh]
    reducing = [n for n, kind in enumerate(kinds) if kind == {True}]
    if len(reducing) != 1 or {True, False} in kinds:
        return None
    guards = (facts.simplify(substitute(g, known)) for g in conjuncts(block.predicate))
    guard = conjunction(*(g for g in guards if g != IntImm(1, "bool")))
    plain = replace(block, axes=axes, predicate=guard)
    body = Scope(scope.name, scope.with_body(loop.body)).replaced(block, plain)
    stmt = substitute(body.body, known)
    loops: list[For] = []
    for n in reversed(range(len(sizes))):
        stmt = For(fresh[n], IntImm(0), IntImm(sizes[n]), stmt)
        stmt = replace(stmt, kind=loop.kind, thread=loop.thread) if n == 0 else stmt
        loops.insert(0, stmt)
    weights: dict[NodeId, tuple[int, int]] = {}
    weight = loop.extent.value if isinstance(loop.extent, IntImm) else 0
    for var, size in zip(fresh, sizes, strict=True):
        weight //= size
        weights[var.id] = (weight, size)
    changed = Scope(scope.name, scope.replaced(loop, loops[0]))
    return Apart(changed, loop, loops[reducing[0]], weights)


def _kinds(axes: Sequence[Axis], var: Var) -> set[bool]:
    """Whether axes that a loop moves reduce."""
    return {axis.kind in CARRIED for axis in axes if var.id in free_vars(axis.value)}
