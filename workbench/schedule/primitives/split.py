"""Split: cut a loop into nested ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, applies, illegal, unproved
from workbench.analysis.dependence.spelling import spell
from workbench.ir import Block, For, IntImm, PrimExpr, Stmt, Var, dtype_of
from workbench.schedule.facts import facts_at, with_loop
from workbench.schedule.loops.bounds import settled
from workbench.schedule.loops.factors import checked_factors
from workbench.schedule.loops.guards import guarded
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.resolve import resolved
from workbench.schedule.scope import Scope

USUAL = (8, 16, 4, 32, 2, 64)
"""Inner extents to offer, vector widths first."""
MOST_BEYOND = 2**20
"""Iterations beyond the extent of a loop that factors may make; each of them is waited for."""
MOST_SYMBOLIC = 2**24
"""What factors of a loop of unknown extent may multiply to."""


@dataclass(frozen=True)
class Split(Primitive):
    """Replace a loop by nested ones; at most one factor is None and is computed.

    The order of the iterations does not change, so it is always legal. Where it is not proved that
    the factors divide the extent, a predicate leaves out the iterations beyond it; with
    `disable_predication` such a split is refused instead. The outermost new loop keeps the kind and
    the annotations. Called `split` in Halide and TVM, `divide_loop` in Exo.

    Rewrite::

        for i in range(20): B(i)
        =>  Split(loop="i", factors=(None, 8))
        for i_0, i_1 in T.grid(3, 8):
            B(i_0 * 8 + i_1) where i_0 * 8 + i_1 < 20
    """

    name: ClassVar[str] = "split"
    halide: ClassVar[str] = "split"
    tvm: ClassVar[str] = "split"
    exo: ClassVar[str] = "divide_loop"

    loop: str = ""
    factors: tuple[int | None, ...] = ()
    disable_predication: bool = False

    @override
    def check(self, scope: Scope) -> Answer:
        loop = scope.loop(self.loop)
        facts = facts_at(scope, loop.var.id)
        sizes = self._sizes(scope, loop, facts)
        return _covered(loop, sizes, facts) if self.disable_predication else applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        found = scope.loop(self.loop)
        facts = facts_at(scope, found.var.id)
        bounds = settled(scope, found)
        old = bounds.loop
        sizes = self._sizes(scope, old, facts)
        fresh = [scope.fresh(f"{old.var.name}_{n}", old.var.type) for n in range(len(sizes))]
        zero = IntImm(0, dtype_of(old.var))
        value: PrimExpr = fresh[0]
        for var, size in zip(fresh[1:], sizes[1:], strict=True):
            value = value * size + var
        for var, size in zip(fresh, sizes, strict=True):
            facts = with_loop(facts, var, zero, size)
        bounded = value < old.extent
        exact = facts.proves(bounded) is True
        inside = facts if exact else facts.assume(bounded)
        body = resolved(old.body, {old.var.id: value + old.start}, inside)
        new = _nest(old, fresh, sizes, body if exact else guarded(body, bounded))
        ids = tuple(var.id for var in fresh)
        done = scope.replaced(found, bounds.around(new))
        return Rewritten(done, ids, (Derived((old.var.id,), ids),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Split]:
        if isinstance(node, Block):
            return
        label = scope.label(node)
        extent = node.extent.value if isinstance(node.extent, IntImm) else None
        dividing = [f for f in USUAL if extent is None or (f < extent and extent % f == 0)]
        others = [f for f in USUAL if f not in dividing and (extent is None or f < extent)]
        for factor in (*dividing, *others) or (1,):
            yield cls(scope.name, label, (None, factor))

    def _sizes(self, scope: Scope, loop: For, facts: Facts) -> list[PrimExpr]:
        factors = checked_factors(scope, self.name, self.factors)
        known = [f for f in factors if f is not None]
        product, dtype = math.prod(known), dtype_of(loop.var)
        _refuse_waste(scope, loop, list(factors), product)
        if len(known) < len(factors):
            rest = facts.simplify((loop.extent + (product - 1)) // product)
            return [rest if f is None else IntImm(f, dtype) for f in factors]
        if facts.proves(loop.extent <= product) is not True:
            message = f"factors `{list(factors)}` make `{product}` iterations, which do not cover "
            message += f"the extent of `{loop.var.name}`, `{spell(loop.extent)}`"
            hint = "use None for one of them"
            raise bad_parameter(scope, "schedule/bad-factor", message, hint)
        return [IntImm(f, dtype) for f in known]


def _covered(loop: For, sizes: list[PrimExpr], facts: Facts) -> Answer:
    """Whether the new loops run the iterations of the old one and no more."""
    extent = facts.simplify(loop.extent)
    product = facts.simplify(math.prod(sizes, start=IntImm(1, dtype_of(loop.var))))
    if facts.proves(product <= extent) is True:
        return applies()
    name, runs = loop.var.name, f"the factors make `{spell(product)}` iterations of"
    hint = "without `disable_predication`, a predicate leaves out what is beyond"
    if isinstance(extent, IntImm) and isinstance(product, IntImm):
        message = f"{runs} `{name}`, which has `{extent.value}`"
        witness = f"iteration `{extent.value}` of the new loops is none of `{name}`"
        return illegal(message, loop.var.id, (witness,), hint=hint)
    message = f"{runs} `{name}`, not proved to be within its extent `{spell(extent)}`"
    return unproved(message, loop.var.id, hint=hint)


def _refuse_waste(scope: Scope, loop: For, factors: list[int | None], product: int) -> None:
    """Iterations beyond the extent do nothing, but somebody has to wait for them."""
    extent = loop.extent.value if isinstance(loop.extent, IntImm) else None
    wasted = product > MOST_SYMBOLIC if extent is None else product > max(MOST_BEYOND, extent)
    if wasted:
        name = loop.var.name
        has = "may have few iterations" if extent is None else f"has `{extent}` iterations"
        message = f"factors `{factors}` make at least `{product}` iterations, but `{name}` {has}"
        raise bad_parameter(scope, "schedule/bad-factor", message, "take smaller factors")


def _nest(old: For, fresh: list[Var], sizes: list[PrimExpr], body: Stmt) -> Stmt:
    """The loops around the body, the outermost one of the old kind."""
    zero = IntImm(0, dtype_of(old.var))
    for var, size in zip(reversed(fresh[1:]), reversed(sizes[1:]), strict=True):
        body = For(var, zero, size, body)
    return replace(old, var=fresh[0], start=zero, extent=sizes[0], body=body)
