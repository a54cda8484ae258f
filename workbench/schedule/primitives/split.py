"""Split: cut a loop into nested ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Block, For, IntImm, PrimExpr, substitute
from workbench.schedule.guards import guarded
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.scope import Scope

USUAL = (8, 16, 4, 32, 2, 64)
"""Inner extents to offer, vector widths first."""


@dataclass(frozen=True)
class Split(Primitive):
    """Replace a loop by nested ones; at most one factor is None and is computed.

    The order of the iterations does not change, so it is always legal. Where the factors do not
    divide the extent, a predicate leaves out the iterations beyond it. Called `split` in Halide
    and TVM, `divide_loop` in Exo.

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

    @override
    def check(self, scope: Scope) -> Answer:
        self._sizes(scope, scope.loop(self.loop))
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        old = scope.loop(self.loop)
        sizes = self._sizes(scope, old)
        names = [f"{old.var.name}_{n}" for n in range(len(sizes))]
        fresh = [scope.fresh(name, old.var.type) for name in names]
        value: PrimExpr = fresh[0]
        for var, size in zip(fresh[1:], sizes[1:], strict=True):
            value = value * size + var
        body = substitute(old.body, {old.var.id: value + old.start})
        if not _exact(sizes, old.extent):
            body = guarded(body, value < old.extent)
        for var, size in zip(reversed(fresh), reversed(sizes), strict=True):
            extent = IntImm(size) if isinstance(size, int) else size
            body = For(var, IntImm(0), extent, body)
        new = replace(body, kind=old.kind, thread=old.thread, annotations=old.annotations)
        ids = tuple(var.id for var in fresh)
        return Rewritten(scope.replaced(old, new), ids, (Derived((old.var.id,), ids),))

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

    def _sizes(self, scope: Scope, loop: For) -> list[int | PrimExpr]:
        factors = self.factors
        known = [f for f in factors if f is not None]
        if len(factors) < 2 or len(known) < len(factors) - 1 or any(f < 1 for f in known):
            message = (
                "`split` needs two or more positive factors, at most one of them None, "
                f"got `{list(factors)}`"
            )
            raise bad_parameter(scope, "schedule/bad-factor", message)
        if len(known) < len(factors):
            product = math.prod(known)
            rest = (loop.extent + (product - 1)) // product
            return [f if f is not None else rest for f in factors]
        if not isinstance(loop.extent, IntImm) or math.prod(known) < loop.extent.value:
            message = f"factors `{list(factors)}` do not cover the extent of `{loop.var.name}`"
            hint = "use None for one of them"
            raise bad_parameter(scope, "schedule/bad-factor", message, hint)
        return list(known)


def _exact(sizes: list[int | PrimExpr], extent: PrimExpr) -> bool:
    values = [s.value if isinstance(s, IntImm) else s for s in sizes]
    known = [v for v in values if isinstance(v, int)]
    same = isinstance(extent, IntImm) and math.prod(known) == extent.value
    return len(known) == len(values) and same
