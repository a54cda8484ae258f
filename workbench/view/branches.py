"""What is said of values in the arms of an `if`, and of effects."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.calls import recursive
from workbench.ir import CallFunction, IfThenElse, IRModule
from workbench.session.flow import Arm, Flow, FlowValue
from workbench.session.lineage import Lineage
from workbench.view.effects import order_of_effects
from workbench.view.words import expr_label


def flow_facts(module: IRModule, lineage: Lineage, value: FlowValue) -> list[str]:
    """The arm around a value, what the arms of an `if` give, the effects that it lies between."""
    flow = flow_of(lineage, value)
    if flow is None:
        return []
    found = [place] if (place := arm_text(flow, value)) else []
    if isinstance(value.expr, IfThenElse):
        found += [
            f"`{arm.word}` gives {', '.join(_gives(flow, arm)) or 'nothing'}"
            for arm in flow.arms.values()
            if arm.branch == value.key
        ]
    if isinstance(value.expr, CallFunction) and value.expr.callee in recursive(module):
        found.append("recursion: what is called may call itself")
    return [*found, *_order(module, lineage, flow, value)]


def place_text(lineage: Lineage, value: FlowValue) -> str:
    """The name of a value, with its arm: `y in the then arm of y`."""
    flow = flow_of(lineage, value)
    place = "" if flow is None else arm_text(flow, value)
    return f"{value.name} {place}" if place else value.name


def flow_of(lineage: Lineage, value: FlowValue) -> Flow | None:
    """The flow that has the value."""
    return next((flow for flow in lineage.flows.values() if value.key in flow.values), None)


def arm_text(flow: Flow, value: FlowValue) -> str:
    """`in the then arm of y`, empty for a value outside of all."""
    if value.arm is None:
        return ""
    arm = flow.arms[value.arm]
    return f"in the {arm.word} arm of {flow.values[arm.branch].name}"


def _gives(flow: Flow, arm: Arm) -> Iterator[str]:
    for key in arm.results:
        result = flow.values[key]
        outside = "" if result.arm == arm.key else " from outside"
        by = "" if outside or result.expr is None else f" = {expr_label(result.expr)}"
        yield f"{result.name or 'a constant'}{by}{outside}"


def _order(module: IRModule, lineage: Lineage, flow: Flow, value: FlowValue) -> Iterator[str]:
    order = order_of_effects(module, flow)
    if value.key not in order:
        return
    before = [place_text(lineage, flow.values[key]) for key in order[value.key]]
    later = [key for key, keys in order.items() if value.key in keys]
    after = [place_text(lineage, flow.values[key]) for key in later]
    yield "has effects" + (
        f": after {_either(before)}" if before else ": the first of the function"
    )
    if after:
        yield f"then {_either(after)}"


def _either(names: list[str]) -> str:
    return " or ".join(names)
