"""Pairs of instances: checked against the program itself, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.dependence.evaluate import Instance
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.ir.expr import IntImm, Var
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Instances:
    """Two instances: values of loop variables and symbols at the first and at the second."""

    first: Instance
    second: Instance


def instances(
    model: Model,
    first: Statement,
    second: Statement,
    point: Mapping[tuple[int, int], int],
) -> Instances:
    """The instances that a point of a system stands for."""
    return Instances(instance_of(model, first, 1, point), instance_of(model, second, 2, point))


def instance_of(
    model: Model, statement: Statement, side: int, point: Mapping[tuple[int, int], int]
) -> Instance:
    """The instance of one side of a point."""
    values = {NodeId(symbol): point.get((0, symbol), 0) for symbol in model.symbols}
    for loop in statement.loops:
        digits = [
            point.get((side, key), point.get((0, key), 0)) for key in model.loops[loop.var.id]
        ]
        weights = model.weights.get(loop.var.id, (Linear({}, 1),))
        known: dict[int, int] = {**values}
        values[loop.var.id] = sum(
            digit * model.terms.value(weight, known)
            for digit, weight in zip(digits, weights, strict=True)
        )
    return Instance(values, model.bindings)


def starts(model: Model, statement: Statement) -> Instance:
    """The first iteration of every loop, with 2 for every symbol."""
    values = {NodeId(symbol): 2 for symbol in model.symbols}
    for loop in statement.loops:
        values[loop.var.id] = Instance(values, model.bindings).value(loop.start) or 0
    return Instance(values, model.bindings)


def confirmed(
    found: Instances, first: Statement, a: Access, second: Statement, b: Access
) -> bool | None:
    """Whether both instances run and touch one element; None where that depends on memory."""
    both = [runs(first, a, found.first), runs(second, b, found.second)]
    if False in both:
        return False
    left, right = element_of(a, found.first), element_of(b, found.second)
    if left is None or right is None or None in both:
        return None
    return left == right


def runs(statement: Statement, access: Access, at: Instance) -> bool | None:
    """Whether there is such an instance; None where that depends on memory."""
    known = True
    for loop in statement.loops:
        start, extent = loop.start, loop.extent
        low = start.value if isinstance(start, IntImm) else at.value(start)
        count = extent.value if isinstance(extent, IntImm) else at.value(extent)
        if low is None or count is None:
            known = False
        elif loop.var.id in statement.early:
            known = known and at.values[loop.var.id] == low
        elif not low <= at.values[loop.var.id] < low + count:
            return False
    for condition, holds in (*statement.guards, *access.guards):
        value = at.value(condition)
        if value is None:
            known = False
        elif bool(value) is not holds:
            return False
    return True if known else None


def element_of(access: Access, at: Instance) -> tuple[int, ...] | None:
    """The coordinates that an access touches at an instance."""
    if access.expressions is None:
        return None
    found = [at.value(index) for index in access.expressions]
    known = [value for value in found if value is not None]
    return tuple(known) if len(known) == len(found) else None


# --- in words ---------------------------------------------------------------------------------


def describe(
    model: Model, found: Instances, first: Statement, a: Access, second: Statement, b: Access
) -> tuple[str, ...]:
    """`i=3` reads `C[2, 0]`, which `i=2` writes; and the symbols that this needs."""
    shown = _differing(found, first, second)
    names = _label(first, found.first.values, shown), _label(second, found.second.values, shown)
    if first is not second:
        names = (
            f"{names[0]} of `{first.name}`" if names[0] else f"`{first.name}`",
            f"{names[1]} of `{second.name}`" if names[1] else f"`{second.name}`",
        )
    where = _element(b, found.second)
    if a.write and b.write:
        text = f"{names[1]} writes `{where}`, and so does {names[0]}"
    elif a.write:
        text = f"{names[1]} reads `{where}`, which {names[0]} writes"
    else:
        text = f"{names[1]} writes `{where}`, which {names[0]} reads"
    symbols = _symbols(model, found)
    return (text + (f", with {symbols}" if symbols else ""),)


def _differing(found: Instances, first: Statement, second: Statement) -> list[Var]:
    """The loops to name: those whose values differ, all where there are none."""
    loops = list(dict.fromkeys(loop.var for loop in (*first.loops, *second.loops)))
    one, other = found.first.values, found.second.values
    differ = [v for v in loops if one.get(v.id) != other.get(v.id)]
    return differ or loops[-3:]


def _label(statement: Statement, values: Mapping[NodeId, int], shown: list[Var]) -> str:
    own = {loop.var.id for loop in statement.loops}
    return ", ".join(f"`{v.name}={values[v.id]}`" for v in shown if v.id in own)


def _element(access: Access, at: Instance) -> str:
    indices = element_of(access, at)
    if indices is None:
        return access.text.strip("`")
    return f"{access.buffer.name}[{', '.join(str(i) for i in indices) or '()'}]"


def _symbols(model: Model, found: Instances) -> str:
    used = [model.terms[symbol] for symbol in model.symbols]
    return ", ".join(f"`{term.name}={found.first.values[NodeId(term.key)]}`" for term in used)
