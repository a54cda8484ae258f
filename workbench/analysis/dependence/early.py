"""Inits of reductions that may be empty: they run at first iterations that loops may not have."""

from __future__ import annotations

from collections.abc import Collection

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.linear import AnyOf, Conjunction, Linear, Row, equal, terms_in
from workbench.analysis.dependence.statements import Model
from workbench.analysis.empty_reductions import EmptyReduction
from workbench.ir.expr import IntImm
from workbench.ir.tensor import AxisKind, For

FALSE = IntImm(0, "bool")


def at_first_iterations(
    model: Model, domain: Conjunction, simple: EmptyReduction, keys: Collection[int]
) -> Conjunction:
    """The domain of an init: constraints on the reduction loops give way to their first values.

    Where reduction axes may be 0 in other iterations too, those instances remain beside it.
    """
    terms = model.terms
    mentions = [any(not terms[k].deps.isdisjoint(keys) for k in terms_in((r,))) for r in domain]
    kept = tuple(row for row, own in zip(domain, mentions, strict=True) if not own)
    rest = tuple(row for row, own in zip(domain, mentions, strict=True) if own)
    first = tuple(row for loop in simple.reduced for row in _first(model, loop))
    if _nowhere_else(model, simple, keys):
        return (*kept, *first)
    return (*kept, AnyOf((first, rest)))


def is_ahead(model: Model, simple: EmptyReduction, keys: Collection[int]) -> bool:
    """Whether it runs before all loops of its reduction: their first iterations do nothing."""
    nothing = any(Facts().simplify(part) == FALSE for part in simple.nonempty)
    return nothing and _nowhere_else(model, simple, keys)


def _first(model: Model, loop: For) -> tuple[Row, ...]:
    """The first iteration of a loop; digits of fused loops are 0 there."""
    keys = model.loops[loop.var.id]
    if keys != (loop.var.id,):
        return tuple(Row(Linear.of(key), equal=True) for key in keys)
    return (equal(Linear.of(loop.var.id), model.reader.linear(loop.start)),)


def _nowhere_else(model: Model, simple: EmptyReduction, keys: Collection[int]) -> bool:
    """Whether the reduction axes are 0 in the first iterations alone.

    So it is where loops that start at 0 add up to them with positive factors.
    """
    found: set[int] = set()
    if any(model.reader.linear(loop.start).value != 0 for loop in simple.reduced):
        return False
    for axis in simple.block.axes:
        if axis.kind is AxisKind.REDUCE:
            form = model.reader.values[axis.var.id]
            if form.constant or any(c < 0 or k not in keys for k, c in form.terms.items()):
                return False
            found.update(form.terms)
    return found.issuperset(keys)
