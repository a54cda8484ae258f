"""May nested loops be put in another order?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.analysis.dependence.answers import Answer, inapplicable, unproved
from workbench.analysis.dependence.operands import statements_in
from workbench.analysis.dependence.pairs import Pair
from workbench.analysis.dependence.questions import Base, Found, Question, Solver
from workbench.analysis.dependence.statements import Model, Statement
from workbench.analysis.dependence.verdicts import Collector, reversed_order
from workbench.ir.expr import PrimExpr, Var
from workbench.ir.tensor import For, While
from workbench.ir.traverse import walk
from workbench.support.ids import NodeId


def reorderable(
    model: Model, solver: Solver, loops: Sequence[NodeId], order: Sequence[NodeId]
) -> Answer:
    """Whether the loops may be put in that order; those between them keep their places."""
    refused = _structure(model, loops, order)
    if refused is not None:
        return refused
    if not loops or list(loops) == list(order):
        return Collector(model).answer()
    span = model.spans[loops[-1]]
    below = model.statements[span.start : span.stop]
    chain = _chain(below, loops) if below else ()
    queue = iter(order)
    new = tuple(next(queue) if loop.var.id in loops else loop.var.id for loop in chain)
    moved = _bounds(model, chain, new)
    if moved is not None:
        return moved
    for statement in below:
        if statement.index in model.unstable:
            what = model.unstable[statement.index]
            return unproved(f"{what} may change under it", loops[0])
    return _decide(model, solver, span, chain, new)


def _structure(model: Model, loops: Sequence[NodeId], order: Sequence[NodeId]) -> Answer | None:
    if len(set(loops)) < len(loops) or sorted(loops) != sorted(order):
        return inapplicable("the new order must name the same loops, each once")
    for loop in loops:
        if loop not in model.nodes:
            return missing(model, loop)
    spans = [model.spans[loop] for loop in loops]
    for outer, inner, first, second in zip(spans, spans[1:], loops, loops[1:], strict=False):
        names = model.nodes[first].var.name, model.nodes[second].var.name
        if not _encloses(model, first, second):
            return inapplicable(f"`{names[1]}` is not inside `{names[0]}`", second)
        if outer != inner:
            other = next(i for i in outer if i not in inner)
            name = model.statements[other].name
            message = f"`{name}` stands between `{names[0]}` and `{names[1]}`"
            return inapplicable(message, second, hint="move it into a nest of its own first")
    return None


def missing(model: Model, loop: NodeId) -> Answer:
    """The answer for a loop that the model does not have."""
    for statement in model.statements:
        if isinstance(statement.node, While):
            for node in walk(statement.node):
                if isinstance(node, For) and node.var.id == loop:
                    return unproved(f"the loop `{node.var.name}` lies under a `while`", loop)
    return inapplicable("the loop is gone", loop, hint="loops are known by `get_loop(name).id`")


def _encloses(model: Model, outer: NodeId, inner: NodeId) -> bool:
    return any(
        isinstance(node, For) and node.var.id == inner
        for node in statements_in(model.nodes[outer].body)
    )


def _chain(below: Sequence[Statement], loops: Sequence[NodeId]) -> tuple[For, ...]:
    """All loops from the outermost to the innermost of those that move."""
    around = below[0].loops
    names = [loop.var.id for loop in around]
    return around[names.index(loops[0]) : names.index(loops[-1]) + 1]


def _bounds(model: Model, chain: Sequence[For], new: Sequence[NodeId]) -> Answer | None:
    """The range of a loop must not depend on one that comes inside of it."""
    for loop in chain:
        inside = set(new[new.index(loop.var.id) + 1 :])
        for bound in (loop.start, loop.extent):
            used = inside & _variables(model, bound)
            if used:
                name = model.nodes[next(iter(used))].var.name
                message = f"the range of `{loop.var.name}` depends on `{name}`"
                return inapplicable(message, loop.var.id)
    return None


def _variables(model: Model, expr: PrimExpr) -> set[NodeId]:
    found: set[NodeId] = set()
    pending: list[PrimExpr] = [expr]
    while pending:
        for node in walk(pending.pop()):
            if isinstance(node, Var) and node.id not in found:
                found.add(node.id)
                if node.id in model.bindings:
                    pending.append(model.bindings[node.id])
    return found


def _decide(
    model: Model,
    solver: Solver,
    span: range,
    chain: Sequence[For],
    new: Sequence[NodeId],
) -> Answer:
    below = model.statements[span.start : span.stop]
    keys = [key for loop in chain for key in model.loops[loop.var.id]]
    order = [key for loop in new for key in model.loops[loop]]
    outer = frozenset(below[0].keys[: below[0].keys.index(keys[0])]) if below else frozenset[int]()
    collector = Collector(model)
    solver.begin()
    for pair, base in solver.within(span):
        if pair.commutes:
            rounds = pair.b.update is not None and pair.b.update.rounds
            if not rounds or collector.reassociates:
                continue
        for question in _reversed(pair, base, outer, keys, order):
            finding = solver.decide(question)
            if pair.commutes:
                if finding.found is not Found.NONE:
                    collector.reassociates = True
                    break
            elif collector.take(finding, lambda f: reversed_order(model, f)):
                return collector.answer()
    return collector.answer(below)


def _reversed(
    pair: Pair,
    base: Base,
    outer: frozenset[int],
    keys: Sequence[int],
    order: Sequence[int],
) -> Iterator[Question]:
    """Conflicts whose order is reversed.

    The first loop in which the instances differ decides. The order is reversed where it is `p`
    now, with the source smaller, and `v` then, with the source greater: so `v` is inside `p` now
    and outside of it then, and all loops outside of either agree. Loops in which the instances
    never differ decide nothing.
    """
    places = {key: place for place, key in enumerate(order)}
    deciding = [(n, key) for n, key in enumerate(keys) if key not in base.zero]
    for number, (position, p) in enumerate(deciding):
        for _, v in deciding[number + 1 :]:
            place = places[v]
            if place > places[p]:
                continue
            shared = outer | frozenset(keys[:position]) | frozenset(order[:place])
            yield Question(pair, shared, before=(p,), after=(v,))
            if pair.first is not pair.second or pair.a is not pair.b:
                yield Question(pair, shared, before=(v,), after=(p,))
