"""Fuse: one loop in place of nested ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import mul
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import (
    INDEX,
    Attr,
    Attrs,
    BinaryOp,
    Block,
    For,
    IntImm,
    PrimExpr,
    binary,
    dtype_of,
)
from workbench.schedule.facts import facts_at, with_loop
from workbench.schedule.loops.bounds import fixed, settled
from workbench.schedule.loops.perfect_nests import (
    branches_sunk,
    distinct_loops,
    loop_below,
    nest_of,
)
from workbench.schedule.primitive import Derived, Primitive, Rewritten
from workbench.schedule.resolve import resolved
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True)
class Fuse(Primitive):
    """Replace loops directly inside each other, given outermost first, by one loop.

    The order of the iterations does not change, so it is legal wherever the extents of the inner
    loops are the same in all iterations of the outer ones. Called `fuse` in Halide and TVM,
    `mult_loops` in Exo.

    Rewrite::

        for i, j in T.grid(4, n): B(i, j)
        =>  Fuse(loops=("i", "j"))
        for i_j_fused in range(4 * n): B(i_j_fused // n, i_j_fused % n)
    """

    name: ClassVar[str] = "fuse"
    halide: ClassVar[str] = "fuse"
    tvm: ClassVar[str] = "fuse"
    exo: ClassVar[str] = "mult_loops"
    spread: ClassVar[str] = "loops"

    loops: tuple[str, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        scope = branches_sunk(scope, self.loops)
        wanted = distinct_loops(scope, self.loops, self.name)
        nest = nest_of(scope, wanted, self.name)
        if isinstance(nest, Answer):
            return nest
        if nest != wanted:
            return _misplaced(wanted, nest)
        facts = facts_at(scope, nest[0].var.id)
        for position in range(len(nest)):
            answer = _fusible(scope, nest[: position + 1], facts)
            if not answer.applies:
                return answer
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        scope = branches_sunk(scope, self.loops)
        nest = distinct_loops(scope, self.loops, self.name)
        if len(nest) == 1:
            return Rewritten(scope.function, (nest[0].var.id,))
        first, inner = nest[0], nest[-1]
        facts = facts_at(scope, first.var.id)
        outermost = settled(scope, first)
        nest = (outer := outermost.loop, *nest[1:])
        fused = scope.fresh("_".join(loop.var.name for loop in nest) + "_fused", outer.var.type)
        extents = _extents(nest, facts)
        extent = facts.simplify(reduce(mul, extents))
        values: dict[NodeId, PrimExpr] = {}
        rest: PrimExpr = fused
        for position in range(len(nest) - 1, -1, -1):
            loop, size = nest[position], extents[position]
            digit = binary(BinaryOp.FLOORMOD, rest, size) if position else rest
            values[loop.var.id] = digit + loop.start
            rest = binary(BinaryOp.FLOORDIV, rest, size)
        inside = with_loop(facts, fused, IntImm(0), extent)
        for size in extents:
            inside = inside.assume(size > 0)
        body = resolved(inner.body, values, inside)
        annotations = _annotations(nest)
        assert not isinstance(annotations, str)
        new = replace(
            outer, var=fused, start=IntImm(0), extent=extent, body=body, annotations=annotations
        )
        sources = tuple(loop.var.id for loop in nest)
        derived = (Derived(sources, (fused.id,)),)
        return Rewritten(scope.replaced(first, outermost.around(new)), (fused.id,), derived)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Fuse]:
        if isinstance(node, Block):
            return
        chain = scope.chain(node)
        names = [scope.label(loop) for loop in chain]
        for count in dict.fromkeys((2, len(names), *range(3, len(names)))):
            if 2 <= count <= len(names):
                yield cls(scope.name, tuple(names[:count]))
        if len(chain) == 1:
            below = loop_below(node)
            if below is not None:
                yield cls(scope.name, (names[0], scope.label(below)))


def _misplaced(wanted: Sequence[For], nest: Sequence[For]) -> Answer:
    if {loop.var.id for loop in wanted} == {loop.var.id for loop in nest}:
        names = ", ".join(f"`{loop.var.name}`" for loop in nest)
        return inapplicable(
            f"`fuse` needs the loops outermost first, which is {names}",
            wanted[0].var.id,
            hint="name them in this order, or reorder them first",
        )
    missing = next(loop for loop in nest if all(loop is not other for other in wanted))
    return inapplicable(
        f"loop `{missing.var.name}` lies between them",
        missing.var.id,
        hint=f"name `{missing.var.name}` too, or reorder it away first",
    )


def _fusible(scope: Scope, nest: Sequence[For], facts: Facts) -> Answer:
    """Whether the last loop of a nest fits the ones around it."""
    first, loop, outer = nest[0], nest[-1], nest[:-1]
    name = loop.var.name
    if loop.kind is not first.kind or loop.thread != first.thread:
        return inapplicable(
            f"`{first.var.name}` is {_kind(first)}, `{name}` is {_kind(loop)}: "
            "a fused loop has one kind",
            loop.var.id,
            hint="fuse before giving them kinds",
        )
    if dtype_of(loop.var) != INDEX:
        return inapplicable(f"`{name}` counts in `{dtype_of(loop.var)}`, expected `{INDEX}`")
    key = _annotations(nest)
    if isinstance(key, str):
        return inapplicable(
            f"the annotation `{key}` differs between the loops",
            loop.var.id,
            hint=f'unannotate(loop, "{key}")',
        )
    for bound, what in ((loop.extent, "extent"), (loop.start, "start")) if outer else ():
        reason = fixed(scope, facts, bound, outer)
        if reason:
            return inapplicable(
                f"the {what} of `{name}` {reason}: `fuse` needs it the same in all iterations",
                loop.var.id,
            )
    return applies()


def _kind(loop: For) -> str:
    return f"{loop.kind.value}({loop.thread})" if loop.thread else loop.kind.value


def _extents(nest: Sequence[For], facts: Facts) -> list[PrimExpr]:
    """The extents; all but one of those that may be negative count as no less than zero."""
    found: list[PrimExpr] = []
    unsure = False
    for loop in nest:
        safe = facts.proves(loop.extent >= 0) is True
        found.append(binary(BinaryOp.MAX, loop.extent, 0) if unsure and not safe else loop.extent)
        unsure = unsure or not safe
    return found


def _annotations(nest: Sequence[For]) -> Attrs | str:
    """All annotations together, or the key that has two values."""
    merged: dict[str, Attr] = {}
    for loop in nest:
        for key, value in loop.annotations:
            if merged.setdefault(key, value) != value:
                return key
    return tuple(sorted(merged.items()))
