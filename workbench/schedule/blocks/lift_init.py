"""Initialisations moved out of a block into the outer block around it.

Rewrite::

    with block C_o:                          with block C_o:
        for ii, ki:                              init:
            with block C: vi, vk = ...               for ii:
                init: C[vi] = 0          =>              with block C_init: vi = ...
                C[vi] += A[vi, vk]                           C[vi] = 0
                                                 for ii, ki:
                                                     with block C: vi, vk = ...
                                                         C[vi] += A[vi, vk]

Each element is initialised before its first update in either form, and nothing else sees it in
between. Reference: `tvm::tir::BlockizeBlock`, which does the same.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.empty_reductions import Reduction
from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    Stmt,
    Store,
    Var,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.blocks.loops_renamed import loops_renamed
from workbench.schedule.blocks.nest import known_at
from workbench.schedule.blocks.one_to_one import tells_apart
from workbench.schedule.scope import Scope
from workbench.schedule.shared import may_share
from workbench.support import NodeId


def lifted(scope: Scope, outer: Block) -> Block | None:
    """The outer block with the initialisation of the one block in it; None where it has to stay."""
    loops, block = perfect_nest(outer.body)
    if not isinstance(block, Block) or block.init is None or outer.init is not None:
        return None
    if not _movable(loops, block, block.init, outer) or not _apart(scope, loops, block):
        return None
    if _seen_by_another_name(scope, block):
        return None
    body: Stmt = replace(block, init=None)
    for loop in reversed(loops):
        body = replace(loop, body=body)
    return replace(outer, init=_initial(scope, loops, block, outer), body=body)


def _seen_by_another_name(scope: Scope, block: Block) -> bool:
    """Whether the block may read elements that it initialises through another buffer."""
    assert isinstance(block.init, Store)
    written = block.init.buffer
    read = {node.buffer.id: node.buffer for node in walk(block) if isinstance(node, Load)}
    return any(own != written.id and may_share(scope, b, written) for own, b in read.items())


def perfect_nest(stmt: Stmt) -> tuple[tuple[For, ...], Stmt]:
    """Loops directly inside each other, and what the innermost one holds."""
    loops: list[For] = []
    while isinstance(stmt, For):
        loops.append(stmt)
        stmt = stmt.body
    return tuple(loops), stmt


def _movable(loops: tuple[For, ...], block: Block, init: Stmt, outer: Block) -> bool:
    """Whether each element is initialised once, before all its updates, and seen by no other."""
    if block.allocations or block.match_buffers or not _alone(block, init):
        return False
    reducing, others = _roles(loops, block)
    if reducing & others or reducing | others != {loop.var.id for loop in loops}:
        return False
    if any(not reducing.isdisjoint(_bounds(x)) for x in loops if x.var.id in others):
        return False
    if any(loop.start != IntImm(0) for loop in loops if loop.var.id in reducing):
        return False
    return all(_starts_at_zero(axis, loops, outer) for axis in _reduce_axes(block))


def _apart(scope: Scope, loops: tuple[For, ...], block: Block) -> bool:
    """Whether the loops that do not reduce lead to different elements, so each has one init."""
    reducing, _ = _roles(loops, block)
    free = [loop for loop in loops if loop.var.id not in reducing]
    values = [axis.value for axis in block.axes if axis.kind is not AxisKind.REDUCE]
    return tells_apart(free, values, known_at(scope.function, ()))


def _roles(loops: tuple[For, ...], block: Block) -> tuple[set[NodeId], set[NodeId]]:
    """The loops that reduction axes depend on, and those that the other axes do."""
    inner = {loop.var.id for loop in loops}
    reducing: set[NodeId] = set()
    others: set[NodeId] = set()
    for axis in block.axes:
        (reducing if axis.kind is AxisKind.REDUCE else others).update(free_vars(axis.value))
    return reducing & inner, others & inner


def _reduce_axes(block: Block) -> list[Axis]:
    return [axis for axis in block.axes if axis.kind is AxisKind.REDUCE]


def _bounds(loop: For) -> set[NodeId]:
    return set(free_vars(loop.start)) | set(free_vars(loop.extent))


def _alone(block: Block, init: Stmt) -> bool:
    """Whether init and body are stores to one element that is named by the axes themselves."""
    if not isinstance(init, Store) or not isinstance(block.body, Store):
        return False
    target = Load(init.buffer, init.indices)
    if Load(block.body.buffer, block.body.indices) != target:
        return False
    named = {index.id for index in init.indices if isinstance(index, Var)}
    if not all(a.var.id in named for a in block.axes if a.kind is not AxisKind.REDUCE):
        return False
    if any(isinstance(n, Load) and n.buffer.id == init.buffer.id for n in walk(init.value)):
        return False
    return all(
        node == target
        for node in walk(block.body.value)
        if isinstance(node, Load) and node.buffer.id == init.buffer.id
    )


def _starts_at_zero(axis: Axis, loops: tuple[For, ...], outer: Block) -> bool:
    """Whether an axis is a sum of positive multiples of loops and outer reduction axes alone."""
    poly = Facts().poly(axis.value)
    for var in (*(loop.var for loop in loops), *(a.var for a in _reduce_axes(outer))):
        step = poly.coefficient(var)
        if not step.terms:
            continue
        if not step.is_const or step.constant < 0:
            return False
        poly = poly.without(var)
    return not poly.terms


def _initial(scope: Scope, loops: tuple[For, ...], block: Block, outer: Block) -> Stmt:
    """The initialisation of all elements of the nest, on loops and axes of its own."""
    assert block.init is not None
    reducing, _ = _roles(loops, block)
    kept = [loop for loop in loops if loop.var.id not in reducing]
    fresh = [scope.fresh(f"{loop.var.name}_init", loop.var.type) for loop in kept]
    values: dict[NodeId, PrimExpr] = dict.fromkeys(reducing, IntImm(0))
    values |= {axis.var.id: IntImm(0) for axis in (*_reduce_axes(block), *_reduce_axes(outer))}
    values |= {loop.var.id: var for loop, var in zip(kept, fresh, strict=True)}
    axes: list[Axis] = []
    for axis in block.axes:
        if axis.kind is not AxisKind.REDUCE:
            var = scope.fresh(f"{axis.var.name}_init", axis.var.type)
            axes.append(Axis(var, axis.kind, axis.extent, substitute(axis.value, values)))
            values[axis.var.id] = var
    if _always(scope, block):
        zero = {ident for ident, value in values.items() if value == IntImm(0)}
        parts = [p for p in conjuncts(block.predicate) if zero.isdisjoint(free_vars(p))]
    else:
        parts = [*_runs(loops, reducing), *conjuncts(block.predicate)]
    body: Stmt = Block(
        scope.ids.new(),
        scope.free_name(f"{block.name}_init"),
        tuple(axes),
        loops_renamed(block.init, values),
        predicate=_first(conjunction(*parts), values),
    )
    for loop, var in zip(reversed(kept), reversed(fresh), strict=True):
        kind = loop.kind
        if kind not in {LoopKind.VECTORIZED, LoopKind.UNROLLED}:
            kind = LoopKind.SERIAL
        start, extent = substitute(loop.start, values), substitute(loop.extent, values)
        body = For(var, start, extent, body, kind)
    return body


def _always(scope: Scope, block: Block) -> bool:
    """Whether the init of a block runs also where there is nothing to reduce."""
    known = next((b for b in scope.blocks if b.id == block.id), None)
    return known is not None and Reduction(known, scope.paths[known.id]).simple is not None


def _runs(loops: tuple[For, ...], reducing: set[NodeId]) -> list[PrimExpr]:
    """That the reduction has iterations, where that is not known."""
    found = [loop.extent > 0 for loop in loops if loop.var.id in reducing]
    return [condition for condition in found if Facts().proves(condition) is not True]


def _first(predicate: PrimExpr | None, values: dict[NodeId, PrimExpr]) -> PrimExpr | None:
    """A predicate where the reduction begins, None where it always holds."""
    if predicate is None:
        return None
    simple = Facts().simplify(substitute(predicate, values))
    return None if simple == IntImm(1, "bool") else simple
