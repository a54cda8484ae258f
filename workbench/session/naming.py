"""Names for values: how a user says which call is meant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workbench.ir import (
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphExpr,
    IRModule,
)
from workbench.rewrite.value_names import ValueNames
from workbench.session.flow import FlowValue, OtherName
from workbench.session.lineage import Lineage
from workbench.support import CompileError, Diagnostic
from workbench.support.spelling import near_value

SHOWN = 8


def find_value(path: Sequence[Lineage], name: str) -> FlowValue:
    """The value of that key, that name (`lv3`, `main.lv3`), or the only call of that operator.

    An item of a tuple, or another name, stands for what computes it. Values inside branches come
    after all others.

    `path` has the lineages from the import to the step that is asked. A value that only earlier
    steps have stands for the kernel that it was fused into.

    Raises:
        CompileError: `session/unknown-value`, `session/ambiguous-value`.
    """
    found = _named(path[-1], name) or _fused(path, name)
    if len(found) == 1:
        return found[0]
    if not found:
        values = [v for v in path[-1].values() if "#" not in v.key]
        alike = [qualified_name(v) for v in values if name.lower() in v.name.lower()][:SHOWN]
        notes = (f"near are {_listed(alike)}",) if alike else ()
        known = [word for v in values for word in (v.name, qualified_name(v))]
        known += [word for o in path[-1].others() for word in _words(o)]
        hint = "" if alike else near_value(name, known)
        message = f"no value is named `{name}`"
        raise CompileError(Diagnostic("session/unknown-value", message, notes=notes, hint=hint))
    names = [qualified_name(value) for value in found]
    raise CompileError(
        Diagnostic(
            "session/ambiguous-value",
            f"`{name}` names {len(found)} values",
            notes=(f"they are {_listed(names[:SHOWN])}",),
            hint="say which one by its full name",
        )
    )


def _named(lineage: Lineage, name: str) -> list[FlowValue]:
    exact = lineage.value(name)
    if exact is not None:
        return [exact]
    values = [v for v in lineage.values() if v.arm is None and "#" not in v.key]
    return (
        _called(values, name)
        or _through(lineage, other_names(lineage, name))
        or _called([v for v in lineage.inside() if "#" not in v.key], name)
        or _at_path(lineage, name)
    )


def _called(values: list[FlowValue], name: str) -> list[FlowValue]:
    """The values of that name, else those that are the call of that operation."""
    found = [v for v in values if name in {v.name, qualified_name(v)}]
    return found or [v for v in values if v.expr is not None and operation(v.expr) == name]


def _at_path(lineage: Lineage, name: str) -> list[FlowValue]:
    """The values of a name that says in which arms, or which of several."""
    found = {value.ref for value in ValueNames(lineage.module).find(name)}
    return [v for v in lineage.values() if v.ref in found and "#" not in v.key]


def other_names(lineage: Lineage, name: str) -> list[OtherName]:
    """The bindings of that name that compute nothing, where no value has it."""
    if any(name in {value.name, qualified_name(value)} for value in lineage.values()):
        return []
    return [other for other in lineage.others() if name in _words(other)]


def _words(other: OtherName) -> tuple[str, str]:
    return other.name, f"{other.ref.function}.{other.name}"


def _through(lineage: Lineage, others: list[OtherName]) -> list[FlowValue]:
    keys = dict.fromkeys(key for other in others for key in other.values)
    found = (lineage.value(key) for key in keys)
    return [value for value in found if value is not None]


def _fused(path: Sequence[Lineage], name: str) -> list[FlowValue]:
    """What computes, in the last lineage, the values that earlier ones know by that name."""
    found: dict[str, FlowValue] = {}
    for index, lineage in enumerate(path):
        for value in _named(lineage, name):
            descendant = _descendant(value, path[index:])
            if descendant is not None:
                found[descendant.key] = descendant
    return list(found.values())


def _descendant(value: FlowValue, path: Sequence[Lineage]) -> FlowValue | None:
    """What computes, in the last lineage, a value of the first one; None where it is gone."""
    found: FlowValue | None = value
    for before, after in pairwise(path):
        identity = before.stable[found.key]
        kept = [key for key, stable in after.stable.items() if stable == identity]
        found = after.value(kept[0] if kept else found.call or "")
        if found is None:
            return None
    return found


def qualified_name(value: FlowValue) -> str:
    """`main.lv3`: what passes take."""
    return f"{value.ref.function}.{value.name}"


def exact_name(module: IRModule, value: FlowValue) -> str:
    """A name that stands for this value alone: `main.lv3`, or `main.y.then.lv3` in an arm.

    It is no id, which would be another one once the module is printed and read again.
    """
    return ValueNames(module).exact(value.ref) or qualified_name(value)


def operation(value: GraphExpr) -> str:
    """What a right side calls: operator, tensor function or library symbol."""
    match value:
        case CallOp(op=op):
            return op
        case CallTIR() | CallTIRInplace() | CallFunction():
            return value.callee
        case CallPacked(symbol=symbol):
            return symbol
        case _:
            return ""


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
