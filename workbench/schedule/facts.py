"""What is known about loop variables and symbolic extents at a place of a tensor function."""

from __future__ import annotations

from itertools import pairwise

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.ranges import Interval
from workbench.ir import (
    INDEX,
    Block,
    BufferType,
    For,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    Stmt,
    TensorFunction,
    Var,
    dtype_of,
    walk,
)
from workbench.schedule.scope import Scope
from workbench.support import NodeId


def facts_at(scope: Scope, place: NodeId) -> Facts:
    """What holds wherever a loop or block of the function is reached.

    From loops and blocks around it, branches, and shapes of parameters. What memory holds is left
    out, since a store may change it.
    """
    facts = facts_of(scope.function)
    for around, below in pairwise((*scope.paths[place], scope.node(place))):
        facts = facts_inside(facts, around, below)
    return facts


def facts_of(function: TensorFunction) -> Facts:
    """No dimension of a parameter is negative."""
    facts = Facts()
    for param in function.params:
        if isinstance(param.type, BufferType):
            for dim in param.type.shape:
                if not isinstance(dim, int):
                    facts = facts.assume(dim >= 0)
    return facts


def facts_inside(facts: Facts, around: Stmt, below: Stmt) -> Facts:
    """What holds in the child `below` of a statement where `facts` hold at the statement."""
    match around:
        case For(var=var, start=start, extent=extent):
            return with_loop(facts, var, start, extent)
        case If(condition=condition, then=then, otherwise=otherwise):
            if then is otherwise:
                return facts
            return assumed(facts, condition, holds=below is then)
        case Let(var=var, value=value):
            return with_binding(facts, var, value)
        case Block():
            return inside_block(facts, around)
        case _:
            return facts


def with_loop(facts: Facts, var: Var, start: PrimExpr, extent: PrimExpr) -> Facts:
    """The facts in the body of a loop: it runs at least once there."""
    if dtype_of(var) != INDEX:
        return facts
    if loads(start) or loads(extent):
        return facts.with_range(var, Interval(start.value if isinstance(start, IntImm) else None))
    inner = facts.assume(extent > 0)
    return inner.with_range(var, loop_interval(inner.simplify(start), inner.simplify(extent)))


def with_binding(facts: Facts, var: Var, value: PrimExpr) -> Facts:
    """The facts where a variable is bound to a value."""
    if dtype_of(var) != INDEX:
        return facts
    if loads(value):
        return facts.with_range(var, Interval(*facts.const_bounds(value)))
    return facts.with_value(var, value)


def with_axes(facts: Facts, block: Block) -> Facts:
    """The facts where the axes of a block are bound, its predicate not yet looked at."""
    for axis in block.axes:
        facts = with_binding(facts, axis.var, axis.value)
    return facts


def inside_block(facts: Facts, block: Block) -> Facts:
    """The facts in the body of a block: axes lie in their extents, the predicate holds."""
    facts = with_axes(facts, block)
    for axis in block.axes:
        if dtype_of(axis.var) == INDEX:
            facts = assumed(facts.assume(axis.var >= 0), axis.var < axis.extent)
    return facts if block.predicate is None else assumed(facts, block.predicate)


def assumed(facts: Facts, condition: PrimExpr, *, holds: bool = True) -> Facts:
    """The facts where a condition holds, or not; what memory holds is left out."""
    return facts if loads(condition) else facts.assume(condition, holds=holds)


def loads(expr: PrimExpr) -> bool:
    """Whether an expression reads memory."""
    return any(isinstance(node, Load) for node in walk(expr))
