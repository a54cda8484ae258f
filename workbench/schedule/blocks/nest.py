"""Nests: a block with the loops, branches and scalars that hold nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction
from workbench.analysis.dependence import inapplicable
from workbench.analysis.ranges import Interval
from workbench.ir import (
    Allocate,
    AxisKind,
    Block,
    For,
    If,
    Let,
    Load,
    Not,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, walk_statements
from workbench.schedule.symbolic_box import facts_at
from workbench.schedule.touches import touches_of
from workbench.support import NodeId

CARRIED = frozenset({AxisKind.REDUCE, AxisKind.SCAN})


@dataclass(frozen=True, slots=True)
class Nest:
    """A block and what is around it alone.

    `outermost` is the statement to take away with it, `loops` are the loops in it around the
    block. Branches among them are part of the predicate of `block`, scalars are substituted.
    `around` is what encloses `outermost`.
    """

    block: Block
    outermost: Stmt
    loops: tuple[For, ...]
    around: tuple[Stmt, ...]

    @property
    def carried(self) -> tuple[For, ...]:
        """The loops that move a reduction or scan axis."""
        used = _used(a.value for a in self.block.axes if a.kind in CARRIED)
        return tuple(loop for loop in self.loops if loop.var.id in used)

    @property
    def free(self) -> tuple[For, ...]:
        """The other loops."""
        carried = {loop.var.id for loop in self.carried}
        return tuple(loop for loop in self.loops if loop.var.id not in carried)

    @property
    def mixed(self) -> tuple[For, ...]:
        """Loops that move a reduction axis and another one as well."""
        used = _used(a.value for a in self.block.axes if a.kind not in CARRIED)
        return tuple(loop for loop in self.carried if loop.var.id in used)


def nest_of(scope: Scope, block: Block, target: Sequence[Stmt] | None = None) -> Nest:
    """A block with the loops, branches and scalars around it that hold nothing else.

    With `target`, the statements around the place that it goes to, with all that are not around
    both: other statements under them stay where they are.

    Raises:
        RefusedError: the block cannot leave what is around it.
    """
    path = scope.paths[block.id]
    stop = sum(any(stmt is other for other in target) for stmt in path) if target else 0
    outermost: Stmt = block
    loops: list[For] = []
    changed, child = block, outermost
    alone = True
    while len(path) > stop:
        parent = path[-1]
        alone = alone and _alone(parent)
        if target is None and not alone:
            break
        changed = _absorbed(parent, child, block, changed)
        path, child = path[:-1], parent
        if alone:
            outermost = parent
        if isinstance(parent, For):
            loops.insert(0, parent)
    return Nest(changed, outermost, tuple(loops), path)


def _alone(parent: Stmt) -> bool:
    match parent:
        case For() | Seq(body=(_,)) | If(otherwise=None):
            return True
        case Let(value=value):
            return not _loads(value)
        case _:
            return False


def _absorbed(parent: Stmt, child: Stmt, block: Block, changed: Block) -> Block:
    """The block outside of a statement around it."""
    match parent:
        case For() | Seq():
            return changed
        case If(condition=condition, then=then):
            whole = condition if child is then else Not(condition)
            return replace(changed, predicate=conjunction(whole, changed.predicate))
        case Let(var=var, value=value) if not _loads(value):
            return substitute(changed, {var.id: value})
        case Allocate(buffer=buffer) if not touches_of(block).touches((buffer.id,)):
            return changed
        case Block(axes=axes, predicate=None) if not _locals(parent, block):
            return substitute(changed, {axis.var.id: axis.value for axis in axes})
        case _:
            what = type(parent).__name__.lower()
            message = f"`{block.name}` cannot leave the `{what}` around it"
            raise RefusedError(inapplicable(message, block.id))


def _locals(outer: Block, block: Block) -> bool:
    own = (*outer.allocations, *(match.buffer for match in outer.match_buffers))
    return touches_of(block).touches([buffer.id for buffer in own])


def _loads(value: PrimExpr) -> bool:
    return any(isinstance(node, Load) for node in walk(value))


def _used(values: Iterable[PrimExpr]) -> set[NodeId]:
    return {var for value in values for var in free_vars(value)}


def stores_of(stmt: Stmt) -> tuple[Store, ...]:
    """Every store in a statement."""
    return tuple(s for s in walk_statements(stmt) if isinstance(s, Store))


def known_at(function: TensorFunction, path: Iterable[Stmt]) -> Facts:
    """What is known inside a path of statements; symbolic dimensions are not negative."""
    facts = facts_at(tuple(path))
    ranges = dict(facts.ranges)
    for param in function.params:
        for symbol in free_vars(param.type).values():
            ranges.setdefault(symbol.id, Interval(0, None))
    return Facts(ranges, facts.inequalities)
