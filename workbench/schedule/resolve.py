"""Put values for loop variables into statements, and decide what is decided by that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar, assert_never

from workbench.analysis.arith import Facts
from workbench.analysis.recombine import recombined
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferRegion,
    Evaluate,
    For,
    If,
    IntImm,
    Let,
    MatchBuffer,
    PrimExpr,
    Range,
    Select,
    Seq,
    Stmt,
    Store,
    Var,
    While,
    free_vars,
    map_children,
    substitute,
)
from workbench.schedule.facts import assumed, inside_block, with_axes, with_binding, with_loop
from workbench.schedule.scope import sequence
from workbench.support import NodeId

N = TypeVar("N")


def resolved(
    stmt: Stmt, values: Mapping[NodeId, PrimExpr], facts: Facts, *, part: bool = False
) -> Stmt:
    """`stmt` with variables replaced, where `facts` hold.

    Expressions over them come out in normal form. Predicates, branches and choices that are decided
    by them, or by axes that depend on them, are gone; all else is as it was. Runs the same wherever
    `facts` hold.

    `part`: of a loop. Inits of reductions that it carries go where no instance in the part runs
    them; what they do where there is nothing to reduce is for the caller to look at.
    """
    return _Resolver(dict(values), part=part).statement(stmt, facts, frozenset(values))


class _Resolver:
    """Walks down with the facts, and with the variables that depend on what is replaced."""

    def __init__(self, values: dict[NodeId, PrimExpr], *, part: bool) -> None:
        self.values = values
        self.part = part

    def statement(self, stmt: Stmt, facts: Facts, changed: frozenset[NodeId]) -> Stmt:
        if changed.isdisjoint(free_vars(stmt)):
            return stmt
        match stmt:
            case For() | Let() | Allocate() | While():
                return self._scope(stmt, facts, changed)
            case Seq(body=items):
                return sequence([self.statement(item, facts, changed) for item in items])
            case If():
                return self._if(stmt, facts, changed)
            case Block():
                return self._block(stmt, facts, changed)
            case Store(buffer=buffer, indices=indices, value=value):
                return replace(
                    stmt,
                    buffer=self._plain(buffer),
                    indices=tuple(self._expr(i, facts, changed) for i in indices),
                    value=self._expr(value, facts, changed),
                )
            case Evaluate(value=value):
                return replace(stmt, value=self._expr(value, facts, changed))
            case _:
                assert_never(stmt)

    def _scope(
        self, stmt: For | Let | Allocate | While, facts: Facts, changed: frozenset[NodeId]
    ) -> Stmt:
        match stmt:
            case For(var=var, start=start, extent=extent):
                first, count = self._expr(start, facts, changed), self._expr(extent, facts, changed)
                body = self.statement(stmt.body, with_loop(facts, var, first, count), changed)
                return replace(stmt, start=first, extent=count, body=body)
            case Let(var=var, value=old):
                value = self._expr(old, facts, changed)
                inner = changed if value is old else changed | {var.id}
                body = self.statement(stmt.body, with_binding(facts, var, value), inner)
                return replace(stmt, value=value, body=body)
            case Allocate(buffer=buffer):
                body = self.statement(stmt.body, facts, changed)
                return replace(stmt, buffer=self._plain(buffer), body=body)
            case While(condition=condition):
                held = self._condition(condition, facts, changed)
                return replace(stmt, condition=held, body=self.statement(stmt.body, facts, changed))
            case _:
                assert_never(stmt)

    def _if(self, stmt: If, facts: Facts, changed: frozenset[NodeId]) -> Stmt:
        condition = self._condition(stmt.condition, facts, changed)
        if isinstance(condition, IntImm):
            taken = stmt.then if condition.value else stmt.otherwise
            return Seq(()) if taken is None else self.statement(taken, facts, changed)
        then = self.statement(stmt.then, assumed(facts, condition), changed)
        otherwise = stmt.otherwise
        if otherwise is not None:
            below = assumed(facts, condition, holds=False)
            otherwise = self.statement(otherwise, below, changed)
        if then == Seq(()) and otherwise is None:
            return then
        return replace(stmt, condition=condition, then=then, otherwise=otherwise)

    def _block(self, block: Block, facts: Facts, changed: frozenset[NodeId]) -> Stmt:
        axes: list[Axis] = []
        inner = changed
        for old in block.axes:
            value = self._expr(old.value, facts, changed)
            extent = self._expr(old.extent, facts, changed)
            axes.append(replace(old, value=value, extent=extent))
            if value is not old.value:
                inner |= {old.var.id}
        made = replace(block, axes=tuple(axes), predicate=None)
        predicate, whole = block.predicate, self.part and _reduces(block, changed)
        if predicate is not None and (whole or block.init is None or not _reduces(block)):
            predicate = self._condition(predicate, with_axes(facts, made), inner)
            if isinstance(predicate, IntImm):
                if not predicate.value:
                    return Seq(())
                predicate = None
        elif predicate is not None and not inner.isdisjoint(free_vars(predicate)):
            predicate = _simple(self._plain(predicate))
        made = replace(made, predicate=predicate)
        within = inside_block(facts, made)
        init = None if whole and _never_first(made, within) else block.init
        return replace(
            made,
            init=init if init is None else self.statement(init, within, inner),
            body=self.statement(block.body, within, inner),
            reads=self._regions(block.reads, within, inner),
            writes=self._regions(block.writes, within, inner),
            allocations=tuple(self._plain(buffer) for buffer in block.allocations),
            match_buffers=tuple(
                MatchBuffer(self._plain(m.buffer), self._region(m.source, within, inner))
                for m in block.match_buffers
            ),
        )

    def _regions(
        self, regions: tuple[BufferRegion, ...] | None, facts: Facts, changed: frozenset[NodeId]
    ) -> tuple[BufferRegion, ...] | None:
        if regions is None:
            return None
        return tuple(self._region(region, facts, changed) for region in regions)

    def _region(
        self, region: BufferRegion, facts: Facts, changed: frozenset[NodeId]
    ) -> BufferRegion:
        ranges = tuple(
            Range(self._expr(r.start, facts, changed), self._expr(r.extent, facts, changed))
            for r in region.ranges
        )
        return BufferRegion(self._plain(region.buffer), ranges)

    def _plain(self, node: N) -> N:
        """Types of buffers are replaced only: the same buffer has the same type everywhere."""
        return substitute(node, self.values)

    def _expr(self, expr: PrimExpr, facts: Facts, changed: frozenset[NodeId]) -> PrimExpr:
        used = free_vars(expr).keys()
        if changed.isdisjoint(used):
            return expr
        if self.values.keys().isdisjoint(used):
            return _chosen(expr, facts)
        return recombined(facts.simplify(self._plain(expr)), facts)

    def _condition(self, expr: PrimExpr, facts: Facts, changed: frozenset[NodeId]) -> PrimExpr:
        """A conjunction without the parts that are decided."""
        if changed.isdisjoint(free_vars(expr)):
            return expr
        if isinstance(expr, Binary) and expr.op is BinaryOp.AND:
            left = self._condition(expr.a, facts, changed)
            if isinstance(left, IntImm):
                return self._condition(expr.b, facts, changed) if left.value else left
            right = self._condition(expr.b, assumed(facts, left), changed)
            if isinstance(right, IntImm):
                return left if right.value else right
            return replace(expr, a=left, b=right)
        decided = facts.proves(self._plain(expr))
        return self._expr(expr, facts, changed) if decided is None else IntImm(int(decided), "bool")


def _chosen(expr: PrimExpr, facts: Facts) -> PrimExpr:
    """The expression without choices that are decided."""

    def visit(node: object) -> object:
        if isinstance(node, Var):
            return node
        if isinstance(node, Select):
            decided = facts.proves(node.condition)
            if decided is not None:
                return visit(node.true_value if decided else node.false_value)
        return map_children(node, visit)

    return visit(expr)  # pyright: ignore[reportReturnType]


def _reduces(block: Block, loops: frozenset[NodeId] | None = None) -> bool:
    """Whether a block reduces, over one of the loops."""
    values = [axis.value for axis in block.axes if axis.kind is AxisKind.REDUCE]
    return any(loops is None or not loops.isdisjoint(free_vars(value)) for value in values)


def _simple(condition: PrimExpr) -> PrimExpr:
    """A condition in normal form, by nothing that is known only where there is an instance.

    It says as well whether a reduction is empty, which has its own init then.
    """
    found = Facts().simplify(condition)
    return condition if isinstance(found, IntImm) else found


def _never_first(block: Block, facts: Facts) -> bool:
    """Whether a reduction axis is never at its first value, so that `init` never runs."""
    return any(
        axis.kind is AxisKind.REDUCE and facts.proves(axis.value > 0) is True for axis in block.axes
    )
