"""Pairs of instances: checked against the program itself, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.dependence.evaluate import evaluate
from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.ir.expr import Var
from workbench.support.ids import NodeId


@dataclass(frozen=True, slots=True)
class Instances:
    """Two instances: values of loop variables and symbols at the first and at the second."""

    first: dict[NodeId, int]
    second: dict[NodeId, int]


def instances(
    model: Model,
    first: Statement,
    second: Statement,
    point: Mapping[tuple[int, int], int],
) -> Instances:
    """The instances that a point of a system stands for."""
    return Instances(_values(model, first, 1, point), _values(model, second, 2, point))


def _values(
    model: Model, statement: Statement, side: int, point: Mapping[tuple[int, int], int]
) -> dict[NodeId, int]:
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
    return values


def starts(model: Model, statement: Statement) -> dict[NodeId, int]:
    """The first iteration of every loop, with 2 for every symbol."""
    values = {NodeId(symbol): 2 for symbol in model.symbols}
    for loop in statement.loops:
        values[loop.var.id] = evaluate(loop.start, values, model.bindings) or 0
    return values


def confirmed(
    model: Model, found: Instances, first: Statement, a: Access, second: Statement, b: Access
) -> bool | None:
    """Whether both instances run and touch one element; None where that depends on memory."""
    runs = [_runs(model, first, a, found.first), _runs(model, second, b, found.second)]
    if False in runs:
        return False
    left, right = element_of(model, a, found.first), element_of(model, b, found.second)
    if left is None or right is None or None in runs:
        return None
    return left == right


def _runs(
    model: Model, statement: Statement, access: Access, values: Mapping[NodeId, int]
) -> bool | None:
    known = True
    for loop in statement.loops:
        start = evaluate(loop.start, values, model.bindings)
        extent = evaluate(loop.extent, values, model.bindings)
        if start is None or extent is None:
            known = False
        elif not start <= values[loop.var.id] < start + extent:
            return False
    for condition, holds in (*statement.guards, *access.guards):
        value = evaluate(condition, values, model.bindings)
        if value is None:
            known = False
        elif bool(value) is not holds:
            return False
    return True if known else None


def element_of(
    model: Model, access: Access, values: Mapping[NodeId, int]
) -> tuple[int, ...] | None:
    """The coordinates that an access touches at an instance."""
    if access.expressions is None:
        return None
    found = [evaluate(index, values, model.bindings) for index in access.expressions]
    known = [value for value in found if value is not None]
    return tuple(known) if len(known) == len(found) else None


# --- in words ---------------------------------------------------------------------------------


def describe(
    model: Model, found: Instances, first: Statement, a: Access, second: Statement, b: Access
) -> tuple[str, ...]:
    """`i=3` reads `C[2, 0]`, which `i=2` writes; and the symbols that this needs."""
    shown = _differing(found, first, second)
    names = _label(first, found.first, shown), _label(second, found.second, shown)
    if first is not second:
        names = (
            f"{names[0]} of `{first.name}`" if names[0] else f"`{first.name}`",
            f"{names[1]} of `{second.name}`" if names[1] else f"`{second.name}`",
        )
    where = _element(model, b, found.second)
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
    differ = [v for v in loops if found.first.get(v.id) != found.second.get(v.id)]
    return differ or loops[-3:]


def _label(statement: Statement, values: Mapping[NodeId, int], shown: list[Var]) -> str:
    own = {loop.var.id for loop in statement.loops}
    return ", ".join(f"`{v.name}={values[v.id]}`" for v in shown if v.id in own)


def _element(model: Model, access: Access, values: Mapping[NodeId, int]) -> str:
    indices = element_of(model, access, values)
    if indices is None:
        return access.text.strip("`")
    return f"{access.buffer.name}[{', '.join(str(i) for i in indices) or '()'}]"


def _symbols(model: Model, found: Instances) -> str:
    used = [model.terms[symbol] for symbol in model.symbols]
    return ", ".join(f"`{term.name}={found.first[NodeId(term.key)]}`" for term in used)
