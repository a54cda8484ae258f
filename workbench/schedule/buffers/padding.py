"""Padding: blocks that store a value inside of some bounds, and a constant outside."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.dependence import Answer, inapplicable, unproved
from workbench.analysis.index_map import IndexMap
from workbench.ir import (
    Allocate,
    Binary,
    BinaryOp,
    Block,
    For,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    Select,
    Seq,
    Stmt,
    Store,
    as_dim,
    free_vars,
    substitute,
    walk,
)
from workbench.schedule.buffers.block_nests import chain_above
from workbench.schedule.facts import facts_at, inside_block, with_loop
from workbench.schedule.resolve import resolved
from workbench.schedule.scope import Scope


@dataclass(frozen=True, slots=True)
class Padding:
    """`block` under `loop` stores `choice`; `fill` is the nest that stores just the constant."""

    block: Block
    loop: For
    store: Store
    choice: Select
    inside: tuple[For, ...]
    fill: Stmt


def padding_of(scope: Scope, block: Block, loop: For) -> Padding | Answer:
    """The parts of a padding block, or what it lacks."""
    path = scope.paths[block.id]
    start = next((n for n, stmt in enumerate(path) if stmt is loop), None)
    if start is None:
        message = f"loop `{loop.var.name}` is not around block `{block.name}`"
        return inapplicable(message, block.id)
    store, name = block.body, block.name
    if not isinstance(store, Store) or not isinstance(store.value, Select) or block.init:
        message = f"block `{name}` does not store a choice between a value and a constant"
        return inapplicable(message, block.id)
    choice = store.value
    if any(isinstance(node, Load) for node in walk(choice.false_value)):
        message = f"what block `{name}` stores outside the bounds is no constant"
        return inapplicable(message, block.id)
    if _reads_itself(block, store):
        message = f"block `{name}` reads `{store.buffer.name}`, which it pads"
        return inapplicable(message, block.id)
    odd = next((s for s in path[start:] if not isinstance(s, For | Seq | If | Let)), None)
    if odd is not None:
        message = f"something other than loops stands between `{loop.var.name}` and block `{name}`"
        return inapplicable(message, block.id, hint="take a loop further in")
    inside = tuple(stmt for stmt in path[start:] if isinstance(stmt, For))
    refused = _stored_twice(block, store, choice, inside)
    fill = _only((*path[start:], block), store)
    return refused or Padding(block, loop, store, choice, inside, fill)


def _reads_itself(block: Block, store: Store) -> bool:
    return any(isinstance(n, Load) and n.buffer.id == store.buffer.id for n in walk(block))


def _stored_twice(
    block: Block, store: Store, choice: Select, inside: tuple[For, ...]
) -> Answer | None:
    """Where one element is stored again, it must be for the same reason."""
    values = {axis.var.id: axis.value for axis in block.axes}
    indices = tuple(substitute(index, values) for index in store.indices)
    condition = substitute(choice.condition, values)
    used = {v for index in indices for v in free_vars(index)}
    moving = [loop for loop in inside if loop.var.id in used]
    for loop in inside:
        if loop.var.id not in used and loop.var.id in free_vars(condition):
            message = (
                f"each iteration of `{loop.var.name}` stores the same elements of "
                f"`{store.buffer.name}`, not always the same part of them"
            )
            return unproved(message, block.id)
    variables = tuple(loop.var for loop in moving)
    ids = {var.id for var in variables}
    places = tuple(index for index in indices if set(free_vars(index)) & ids)
    bounded = any(set(free_vars(e)) & ids for loop in moving for e in (loop.start, loop.extent))
    shape = tuple(as_dim(loop.extent) for loop in moving)
    if not bounded and IndexMap(variables, places).tells_apart(shape):
        return None
    message = f"it is not proved that block `{block.name}` stores each element once"
    return unproved(message, block.id)


def _only(path: tuple[Stmt, ...], store: Store) -> Stmt:
    """The statements of a path without what stands beside it, the block storing the constant."""
    first, rest = path[0], path[1:]
    match first:
        case Block():
            assert isinstance(store.value, Select)
            body = replace(store, value=store.value.false_value)
            name = f"{first.name}_pad_const"
            return replace(first, name=name, body=body, reads=None, writes=None)
        case Seq():
            return _only(rest, store)
        case If(then=then):
            inner = _only(rest, store)
            if then is rest[0]:
                return replace(first, then=inner, otherwise=None)
            return replace(first, then=Seq(()), otherwise=inner)
        case For() | Let() | Allocate():
            return replace(first, body=_only(rest, store))
        case _:
            raise AssertionError(first)


# --- the interior -----------------------------------------------------------------------------


def interior(scope: Scope, padding: Padding) -> tuple[Stmt, tuple[Stmt]]:
    """The nest that stores the value, and the statement whose place it takes."""
    block, choice = padding.block, padding.choice
    loops = _shrinkable(scope, padding)
    facts = inside_block(facts_at(scope, block.id), block)
    bounds = _bounds(choice.condition, block, facts)
    shrunk: dict[int, tuple[PrimExpr, PrimExpr]] = {}
    for axis in block.axes:
        loop = next((x for x in loops if x.var == axis.value), None)
        if loop is None or loop.start != IntImm(0) or axis.var.id not in bounds:
            continue
        low, high = bounds[axis.var.id]
        known = facts_at(scope, loop.var.id)
        low = IntImm(0) if low is None else known.simplify(low)
        high = axis.extent if high is None else known.simplify(high)
        if all(known.proves(c) is True for c in (low >= 0, high <= loop.extent, low <= high)):
            shrunk[loop.var.id] = (low, high)
    return _rebuilt(scope, padding, loops, shrunk), (loops[0] if loops else block,)


def _shrinkable(scope: Scope, padding: Padding) -> tuple[For, ...]:
    """Loops under `loop` that hold just each other and the block."""
    chain = chain_above(scope.paths[padding.block.id], padding.block)
    inside = {loop.var.id for loop in padding.inside}
    return tuple(loop for loop in chain if loop.var.id in inside)


def _rebuilt(
    scope: Scope,
    padding: Padding,
    loops: tuple[For, ...],
    shrunk: dict[int, tuple[PrimExpr, PrimExpr]],
) -> Stmt:
    block, choice = padding.block, padding.choice
    moved = {
        loop.var.id: loop.var + shrunk[loop.var.id][0]
        for loop in loops
        if loop.var.id in shrunk and shrunk[loop.var.id][0] != IntImm(0)
    }
    facts = facts_at(scope, loops[0].var.id) if loops else facts_at(scope, block.id)
    for loop in loops:
        facts = with_loop(facts, loop.var, loop.start, _extent(loop, shrunk))
    axes = tuple(
        replace(axis, value=facts.simplify(substitute(axis.value, moved))) for axis in block.axes
    )
    body = replace(padding.store, value=choice.true_value)
    values = {axis.var.id: axis.value for axis in axes}
    guard = [
        c
        for c in conjuncts(block.predicate)
        if facts.proves(substitute(substitute(c, moved), values)) is not True
    ]
    # Axes keep to their extents where the predicate holds, so only after it has been judged.
    known = inside_block(facts, replace(block, axes=axes, predicate=None))
    where = [*guard, *(c for c in conjuncts(choice.condition) if known.proves(c) is not True)]
    inner: Stmt = resolved(
        replace(block, body=body, predicate=conjunction(*where), reads=None, writes=None),
        moved,
        facts,
    )
    for loop in reversed(loops):
        inner = replace(loop, extent=_extent(loop, shrunk), body=inner)
    return inner


def _extent(loop: For, shrunk: dict[int, tuple[PrimExpr, PrimExpr]]) -> PrimExpr:
    if loop.var.id not in shrunk:
        return loop.extent
    low, high = shrunk[loop.var.id]
    return Facts().simplify(high - low)


Bounds = dict[int, tuple[PrimExpr | None, PrimExpr | None]]


def _bounds(condition: PrimExpr, block: Block, facts: Facts) -> Bounds:
    """For each axis that the condition bounds by itself: from where on, and up to where."""
    found: Bounds = {}
    axes = {axis.var.id: axis.var for axis in block.axes}
    for conjunct in conjuncts(condition):
        for fact in facts.inequalities_of(conjunct):
            mine = [v for v in axes if fact.coefficient(axes[v]).terms]
            if len(mine) != 1:
                continue
            (var,) = mine
            factor = fact.coefficient(axes[var])
            rest = fact.without(axes[var])
            if not factor.is_const or abs(factor.constant) != 1:
                continue
            low, high = found.get(var, (None, None))
            if factor.constant == 1:
                bound = rest.scale(-1).to_expr()
                low = bound if low is None else Binary(BinaryOp.MAX, low, bound)
            else:
                bound = rest.shift(1).to_expr()
                high = bound if high is None else Binary(BinaryOp.MIN, high, bound)
            found[var] = (low, high)
    return found
