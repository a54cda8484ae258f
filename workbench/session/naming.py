"""Names for values: how a user says which call is meant."""

from __future__ import annotations

from workbench.ir import CallFunction, CallOp, CallPacked, CallTIR, GraphExpr
from workbench.session.flow import FlowValue
from workbench.session.lineage import Lineage
from workbench.support import CompileError, Diagnostic

SHOWN = 8


def find_value(lineage: Lineage, name: str) -> FlowValue:
    """The value of that key, that name (`lv3`, `main.lv3`), or the only call of that operator.

    Raises:
        CompileError: `session/unknown-value`, `session/ambiguous-value`.
    """
    exact = lineage.value(name)
    if exact is not None:
        return exact
    values = [v for v in lineage.values() if "#" not in v.key]
    found = [v for v in values if name in {v.name, qualified_name(v)}]
    found = found or [v for v in values if v.expr is not None and operation(v.expr) == name]
    if len(found) == 1:
        return found[0]
    if not found:
        near = [qualified_name(v) for v in values if name.lower() in v.name.lower()][:SHOWN]
        notes = (f"near are {_listed(near)}",) if near else ()
        raise CompileError(
            Diagnostic("session/unknown-value", f"no value is named `{name}`", notes=notes)
        )
    names = [qualified_name(value) for value in found]
    raise CompileError(
        Diagnostic(
            "session/ambiguous-value",
            f"`{name}` names {len(found)} values",
            notes=(f"they are {_listed(names[:SHOWN])}",),
            hint="say which one by its full name",
        )
    )


def qualified_name(value: FlowValue) -> str:
    """`main.lv3`: what passes take."""
    return f"{value.ref.function}.{value.name}"


def operation(value: GraphExpr) -> str:
    """What a right side calls: operator, tensor function or library symbol."""
    match value:
        case CallOp(op=op):
            return op
        case CallTIR(callee=callee) | CallFunction(callee=callee):
            return callee
        case CallPacked(symbol=symbol):
            return symbol
        case _:
            return ""


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
