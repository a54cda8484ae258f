"""Loop partition: cut a loop into loops one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.analysis.dependence.spelling import spell
from workbench.ir import (
    INDEX,
    BinaryOp,
    Block,
    For,
    IntImm,
    LoopKind,
    PrimExpr,
    Stmt,
    Var,
    binary,
    dtype_of,
)
from workbench.schedule.copies import Copy, copied
from workbench.schedule.facts import facts_at, with_loop
from workbench.schedule.loops.bounds import settled
from workbench.schedule.loops.factors import checked_factors
from workbench.schedule.loops.parts import Cut, inits_of_parts, reduced_by
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.resolve import resolved
from workbench.schedule.scope import Scope, sequence
from workbench.support import NodeId

Part = tuple[PrimExpr, PrimExpr]
"""Start and extent."""


@dataclass(frozen=True)
class LoopPartition(Primitive):
    """Cut a loop into consecutive loops of the given extents; at most one is None: the rest.

    Without a None, what the extents leave over is one more loop. The order of the iterations does
    not change, so it is legal wherever a part of a reduction that is empty initialises nothing
    that the loop did not. What each part decides, such as the predicates of a border, is decided;
    so it peels too. Called `partition` in Halide (a directive), `loop_partition` in
    TVM, `cut_loop` in Exo.

    Rewrite::

        for i in range(n + 1): B(i) where i < n
        =>  LoopPartition(loop="i", factors=(None, 1))
        for i_0 in range(n): B(i_0)
        for i_1 in range(n, n + 1): ...     # nothing left of it
    """

    name: ClassVar[str] = "loop-partition"
    halide: ClassVar[str] = "partition"
    tvm: ClassVar[str] = "loop_partition"
    exo: ClassVar[str] = "cut_loop"

    loop: str = ""
    factors: tuple[int | None, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        loop = scope.loop(self.loop)
        self._parts(scope, loop, facts_at(scope, loop.var.id))
        if loop.kind is LoopKind.THREAD:
            return inapplicable(
                f"`{loop.var.name}` is bound to `{loop.thread}`: its parts could not both be",
                loop.var.id,
                hint="partition it before it is bound",
            )
        if dtype_of(loop.var) != INDEX:
            message = f"`{loop.var.name}` counts in `{dtype_of(loop.var)}`, expected `{INDEX}`"
            return inapplicable(message, loop.var.id)
        carried = reduced_by(scope.function, loop)
        if not carried:
            return applies()
        done = self.rewrite(Scope(scope.name, scope.function))
        copies = {found.sources[0]: found.results for found in done.derived}
        return inits_of_parts(carried, Cut(loop, done.results, copies, done.function))

    @override
    def compared(self, scope: Scope) -> Collection[NodeId]:
        return {found.block.id for found in reduced_by(scope.function, scope.loop(self.loop))}

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        found = scope.loop(self.loop)
        facts = facts_at(scope, found.var.id)
        bounds = settled(scope, found)
        old = bounds.loop
        parts = self._parts(scope, old, facts)
        fresh = [scope.fresh(f"{old.var.name}_{n}", old.var.type) for n in range(len(parts))]
        made: list[Stmt] = []
        became: dict[NodeId, list[NodeId]] = {}
        for number, (var, part) in enumerate(zip(fresh, parts, strict=True)):
            copy = Copy(old.body, {}) if number == 0 else copied(scope, old.body)
            for source, result in copy.ids.items():
                became.setdefault(source, [source]).append(result)
            made.append(_loop(old, var, part, copy.stmt, facts))
        ids = tuple(var.id for var in fresh)
        derived = [Derived((old.var.id,), ids)]
        derived += [Derived((source,), tuple(results)) for source, results in became.items()]
        done = scope.replaced(found, bounds.around(sequence(made)))
        return Rewritten(done, ids, tuple(derived))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[LoopPartition]:
        if isinstance(node, Block):
            return
        label = scope.label(node)
        extent = node.extent.value if isinstance(node.extent, IntImm) else None
        if extent is not None and extent < 2:
            return
        yield cls(scope.name, label, (None, 1))
        yield cls(scope.name, label, (1, None))
        if extent is not None and extent > 3:
            yield cls(scope.name, label, (extent // 2, None))

    def _parts(self, scope: Scope, loop: For, facts: Facts) -> list[Part]:
        """Start and extent of each part; those of a symbolic extent are cut off at its end."""
        factors = checked_factors(scope, "loop_partition", self.factors)
        known = [f for f in factors if f is not None]
        total, open_ = sum(known), len(known) < len(factors)
        if facts.proves(loop.extent < total + int(open_)) is True:
            least = f"at least `{total + 1}`" if open_ else f"`{total}`"
            message = f"parts `{factors}` take {least} iterations, more than `{loop.var.name}` has:"
            message += f" `{spell(loop.extent)}`"
            hint = "take smaller parts, or None for the rest"
            raise bad_parameter(scope, "schedule/bad-factor", message, hint)
        if not open_ and facts.proves(loop.extent <= total) is not True:
            factors.append(None)
        ends = [facts.simplify(end) for end in _ends(factors, loop.extent)]
        return [
            (facts.simplify(a + loop.start), facts.simplify(b - a))
            for a, b in zip([IntImm(0), *ends], ends, strict=False)
        ]


def _ends(factors: list[int | None], extent: PrimExpr) -> list[PrimExpr]:
    """Where each part ends, counted from the start of the loop and within its extent."""
    found: list[PrimExpr] = []
    rest = factors.index(None) if None in factors else len(factors)
    before, after = 0, sum(f for f in factors[rest + 1 :] if f is not None)
    first: PrimExpr = IntImm(0)
    for factor in factors[:rest]:
        before += factor or 0
        first = binary(BinaryOp.MIN, extent, before)
        found.append(first)
    for factor in factors[rest + 1 :]:
        found.append(binary(BinaryOp.MAX, extent - after, first))
        after -= factor or 0
    return [*found, extent] if rest < len(factors) else [*found[:-1], extent]


def _loop(old: For, var: Var, part: Part, body: Stmt, facts: Facts) -> Stmt:
    start, extent = part
    inside = with_loop(facts, var, start, extent)
    inside = inside.assume(var < old.start + old.extent).assume(var >= old.start)
    inner = resolved(body, {old.var.id: var}, inside, part=True)
    return replace(old, var=var, start=start, extent=extent, body=inner)
