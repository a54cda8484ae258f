"""Outer blocks: a statement of a nest as one block, on axes that are the outer loops' parts.

Rewrite::

    for io, jo, ii, ji:                      for io, jo:
        with block: vi = io * 8 + ii             with block C_o: vio, vjo = io, jo
                    vj = jo * 4 + ji     =>          for ii, ji:
            C[vi, vj] = ...                              with block C: vi = vio * 8 + ii
                                                                       vj = vjo * 4 + ji
                                                             C[vi, vj] = ...

No instance moves. Reference: `blockize` in Feng et al., "TensorIR", ASPLOS 2023, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import gcd
from typing import Any

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.ir import (
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    For,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Stmt,
    TensorFunction,
    Var,
    dtype_of,
    free_vars,
    map_children,
    walk,
)
from workbench.ir.expr import COMPARISONS
from workbench.schedule.blocks.loops_renamed import loops_renamed
from workbench.schedule.scope import Scope, statements_below, walk_statements
from workbench.schedule.touches import aliased, touches_of


@dataclass(slots=True)
class _Part:
    """The part of axes that outer loops make: `poly` of their variables, in `var`."""

    poly: Poly
    var: Var
    kind: AxisKind
    extent: PrimExpr


def outer_block(scope: Scope, stmt: Stmt, path: Sequence[Stmt], name: str) -> Block:
    """`stmt`, which `path` encloses, as the body of a new block."""
    return _Outer(scope, stmt, path).block(name)


def outer_loops(path: Sequence[Stmt]) -> tuple[For, ...]:
    """The loops of a path that lie inside its last block."""
    found: list[For] = []
    for stmt in path:
        if isinstance(stmt, Block):
            found = []
        elif isinstance(stmt, For):
            found.append(stmt)
    return tuple(found)


def outermost_blocks(stmt: Stmt) -> Iterator[Block]:
    """The blocks inside a statement that lie in no other block of it, in program order."""
    if isinstance(stmt, Block):
        yield stmt
        return
    for child in statements_below(stmt):
        yield from outermost_blocks(child)


def _steady(function: TensorFunction, loop: For) -> For | None:
    """A loop with bounds that every iteration finds the same, which may be wider; None without.

    What the loop itself writes may be another value by the time that an axis asks for its extent.
    Where no bound stays, the body keeps the loop's variable.
    """
    if _may_change(function, loop, loop.start):
        return None
    arms = list(_arms(loop.extent))
    kept = [arm for arm in arms if not _may_change(function, loop, arm)]
    if len(kept) == len(arms):
        return loop
    least = partial(Binary, BinaryOp.MIN)
    return replace(loop, extent=reduce(least, kept)) if kept else None


def _arms(extent: PrimExpr) -> Iterator[PrimExpr]:
    """What a minimum is the least of."""
    if isinstance(extent, Binary) and extent.op is BinaryOp.MIN:
        yield from _arms(extent.a)
        yield from _arms(extent.b)
    else:
        yield extent


def _may_change(function: TensorFunction, loop: For, bound: PrimExpr) -> bool:
    """Whether the loop may write what a bound reads."""
    read = {node.buffer.id for node in walk(bound) if isinstance(node, Load)}
    if not read:
        return False
    inside = touches_of(loop.body)
    if inside.effects or any(aliased(function, buffer) for buffer in read):
        return True
    return not read.isdisjoint(inside.writes)


class _Outer:
    """Takes the values of axes apart and puts them together again."""

    def __init__(self, scope: Scope, stmt: Stmt, path: Sequence[Stmt]) -> None:
        self.scope = scope
        self.stmt = stmt
        around = (_steady(scope.function, loop) for loop in outer_loops(path))
        self.loops = {loop.var.id: loop for loop in around if loop is not None}
        self.inner = {s.var.id for s in walk_statements(stmt) if isinstance(s, For)}
        self.facts = Facts()
        self.parts: list[_Part] = []

    def block(self, name: str) -> Block:
        """The outer block."""
        for block in outermost_blocks(self.stmt):
            for axis in block.axes:
                self._take(axis)
        body = self._rewritten(self.stmt)
        axes = [Axis(p.var, p.kind, p.extent, p.poly.to_expr()) for p in self.parts]
        left = free_vars(body)
        given = {ident: self._identity(loop) for ident, loop in self.loops.items() if ident in left}
        if given:
            values = {i: axis.var + self.loops[i].start for i, axis in given.items()}
            body = loops_renamed(body, values)
            used = free_vars(body)  # without loops that only extents of outer buffers name
            axes += [axis for axis in given.values() if axis.var.id in used]
        return Block(self.scope.ids.new(), self.scope.free_name(name), tuple(axes), body)

    # --- parts ---------------------------------------------------------------------------------

    def _take(self, axis: Axis) -> None:
        """Note the outer part of an axis, where it is a sum of multiples of loops."""
        outer = self._outer_part(self.facts.poly(axis.value))
        if not outer.terms:
            return
        part = self._unit(outer)
        if part is None:
            return
        for known in self.parts:
            if known.poly == part:
                known.kind = known.kind if known.kind is not AxisKind.SPATIAL else axis.kind
                return
        var = self.scope.fresh(f"{axis.var.name}_o", ScalarType())
        self.parts.append(_Part(part, var, axis.kind, self._extent(part)))

    def _outer_part(self, poly: Poly) -> Poly:
        """The terms that are multiples of one outer loop."""
        return Poly({key: c for key, c in poly.terms.items() if self._is_outer(key)})

    def _is_outer(self, key: tuple[PrimExpr, ...]) -> bool:
        return len(key) == 1 and isinstance(key[0], Var) and key[0].id in self.loops

    def _unit(self, outer: Poly) -> Poly | None:
        """The part without the factor that all its terms share; None where it may be negative."""
        factor = gcd(*outer.terms.values())
        positive = all(c > 0 for c in outer.terms.values())
        starts = all(loop.start == IntImm(0) for loop in self._loops_of(outer))
        return outer.divided(factor) if positive and starts else None

    def _loops_of(self, poly: Poly) -> list[For]:
        return [self.loops[atom.id] for atom in poly.atoms() if isinstance(atom, Var)]

    def _extent(self, part: Poly) -> PrimExpr:
        """One more than the greatest value."""
        largest = Poly.const(1)
        for key, c in part.terms.items():
            (loop,) = self._loops_of(Poly({key: c}))
            largest += self.facts.poly(loop.extent).shift(-1).scale(c)
        return self.facts.simplify(largest.to_expr())

    # --- the rest ------------------------------------------------------------------------------

    def _rewritten(self, node: Any) -> Any:  # noqa: ANN401
        """Axis values and comparisons in terms of the new axes; other places keep the loops."""
        if isinstance(node, Axis):
            return replace(node, value=self._through(node.value))
        if isinstance(node, Binary) and node.op in COMPARISONS and self._mentions(node):
            return replace(node, a=self._through(node.a), b=self._through(node.b))
        if isinstance(node, Var):
            return node
        return map_children(node, self._rewritten)

    def _mentions(self, node: Binary) -> bool:
        return dtype_of(node.a) == "int64" and not self.loops.keys().isdisjoint(free_vars(node))

    def _through(self, expr: PrimExpr) -> PrimExpr:
        """An index with outer parts replaced by axes, where nothing of them is left over."""
        if self.loops.keys().isdisjoint(free_vars(expr)):
            return expr
        for part in self.parts:
            if isinstance(expr, Var) and part.poly == Poly.atom(expr):
                return part.var
        poly = self.facts.poly(expr)
        outer = self._outer_part(poly)
        if outer.terms:
            unit = self._unit(outer)
            factor = gcd(*outer.terms.values())
            part = next((p for p in self.parts if unit is not None and p.poly == unit), None)
            if part is not None:
                rest = poly - outer
                whole = part.var * factor
                return whole + rest.to_expr() if rest.terms else whole
        return expr

    def _identity(self, loop: For) -> Axis:
        """An axis that is an outer loop."""
        var = self.scope.fresh(f"v{loop.var.name}", ScalarType())
        kind = self._kind(loop)
        value: PrimExpr = loop.var if loop.start == IntImm(0) else loop.var - loop.start
        return Axis(var, kind, loop.extent, value)

    def _kind(self, loop: For) -> AxisKind:
        """Spatial where no iteration depends on another, else nothing is promised."""
        answer = self.scope.dependences_around(loop).independent(loop.var.id)
        return AxisKind.SPATIAL if answer.applies else AxisKind.OPAQUE
