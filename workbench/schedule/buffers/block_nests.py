"""Blocks whose loops run over all values of their axes, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, inapplicable
from workbench.ir import (
    Allocate,
    Block,
    For,
    If,
    IntImm,
    Let,
    LoopKind,
    PrimExpr,
    Range,
    Seq,
    Stmt,
    TensorFunction,
    free_vars,
    substitute,
)
from workbench.schedule.buffers.accesses import Access
from workbench.schedule.buffers.coverage import covers
from workbench.schedule.buffers.footprint import Box, facts_around
from workbench.schedule.scope import Scope, uses


@dataclass(frozen=True, slots=True)
class BlockNest:
    """The loops directly around a block that make up its axes; `outer` is around them."""

    block: Block
    loops: tuple[For, ...]
    outer: tuple[Stmt, ...]
    facts: Facts

    @property
    def top(self) -> For | Block:
        """The outermost statement of the nest."""
        return self.loops[0] if self.loops else self.block


def block_nest(scope: Scope, block: Block) -> BlockNest | Answer:
    """The nest of a block whose instances are all values of its axes, each once."""
    path = scope.paths[block.id]
    loops = chain_above(path, block)
    known = {v for axis in block.axes for v in free_vars(axis.value)}
    used = [loop.var.id in known for loop in loops]
    while loops and not used[0]:
        loops, used = loops[1:], used[1:]
    outer = path[: len(path) - len(loops)]
    if not all(used):
        name = loops[used.index(False)].var.name
        message = f"loop `{name}` inside the nest of `{block.name}` gives none of its axes"
        return inapplicable(message, block.id, hint="reorder it outward first")
    first = loops[0] if loops else block
    facts = facts_around(scope.function, outer, first)
    nest = BlockNest(block, loops, outer, facts)
    return _plain(nest) or nest


def alone(scope: Scope, nest: BlockNest) -> TensorFunction:
    """The function with nothing but the nest and what encloses it.

    For questions about the order of the instances of the block among themselves; the whole
    function where what encloses the nest may change while it runs.
    """
    body: Stmt = nest.top
    for around, below in reversed(list(pairwise((*nest.outer, nest.top)))):
        match around:
            case Seq():
                pass
            case For() | Let() | Allocate():
                body = replace(around, body=body)
            case If(then=then):
                kept = {"then": body} if below is then else {"then": Seq(()), "otherwise": body}
                body = replace(around, **{"otherwise": None, **kept})
            case Block(body=inner) if below is inner:
                body = replace(around, init=None, body=body)
            case _:
                return scope.function
    return replace(scope.function, body=body)


def chain_above(path: Sequence[Stmt], block: Block) -> tuple[For, ...]:
    """The loops that hold just each other and at last the block."""
    found: list[For] = []
    below: Stmt = block
    for stmt in reversed(path):
        if not isinstance(stmt, For) or stmt.body is not below:
            break
        found.insert(0, stmt)
        below = stmt
    return tuple(found)


def _plain(nest: BlockNest) -> Answer | None:
    block = nest.block
    variables = {loop.var.id: loop for loop in nest.loops}
    for loop in nest.loops:
        if loop.kind is not LoopKind.SERIAL:
            message = f"loop `{loop.var.name}` around block `{block.name}` is not serial"
            return inapplicable(message, loop.var.id, hint="do this before marking loops")
    for axis in block.axes:
        if set(free_vars(axis.extent)) & set(variables):
            message = f"the extent of axis `{axis.var.name}` depends on a loop of the nest"
            return inapplicable(message, block.id)
    inside = replace(block, axes=(), predicate=None)
    for loop in nest.loops:
        if uses(inside, loop.var.id):
            name = loop.var.name
            message = f"block `{block.name}` uses loop `{name}` besides its axes"
            return inapplicable(message, block.id)
    box = Box(tuple(Range(IntImm(0), axis.extent) for axis in block.axes))
    guards: tuple[PrimExpr, ...] = ()
    if block.predicate is not None:
        guards = (_at_values(block, block.predicate),)
    whole = Access(
        tuple(axis.value for axis in block.axes), nest.loops, guards, writes=True, exact=True
    )
    if not covers(box, whole, nest.facts):
        message = f"the loops directly around block `{block.name}` do not run over all its axes"
        return inapplicable(message, block.id, hint="each value of the axes once is needed")
    return None


def _at_values(block: Block, predicate: PrimExpr) -> PrimExpr:
    return substitute(predicate, {axis.var.id: axis.value for axis in block.axes})
