"""Paths of values in the imported model, from which layers are made."""

from __future__ import annotations

from workbench.ir import IRModule
from workbench.rewrite import all_bindings
from workbench.session.flow import Flow
from workbench.session.lineage import Lineage
from workbench.view.groups import Layer, layers_of
from workbench.view.words import expr_kind


def layers_at_import(module: IRModule, lineage: Lineage) -> dict[str, tuple[Layer, ...]]:
    """The layers of every graph function of an import."""
    found: dict[str, tuple[Layer, ...]] = {}
    for name, flow in lineage.flows.items():
        paths = value_paths(module, flow)
        outside = [v.key for v in flow.values.values() if v.arm is None]
        order = [key for key in outside if _is_operation(flow, key)]
        inputs = sum(value.is_param for value in flow.values.values())
        found[name] = layers_of(name, order, paths, inputs)
    return found


def value_paths(module: IRModule, flow: Flow) -> dict[str, str]:
    """A path such as `fire2/squeeze1x1` for every operation, empty where the model has none.

    Models that name only their weights are read by those: an operation belongs where its weights
    do, one without weights where its first operand does.
    """
    labels = _labels(module, flow)
    found: dict[str, str] = {}
    for key, value in flow.values.items():
        if not _is_operation(flow, key):
            continue
        weights = [labels[k] for k in value.inputs if k in labels and not _is_operation(flow, k)]
        named = [label for label in weights if "/" in label]
        if "/" in labels.get(key, ""):
            found[key] = labels[key]
        elif named:
            found[key] = named[0]
        elif weights:
            found[key] = ""
        else:
            found[key] = next((found[k] for k in value.inputs if k in found), "")
    return found


def _is_operation(flow: Flow, key: str) -> bool:
    value = flow.values[key]
    return not value.is_param and expr_kind(value.expr) != "constant"


def _labels(module: IRModule, flow: Flow) -> dict[str, str]:
    spans = {b.var.id: b.span for b in all_bindings(module.graph_functions[flow.function])}
    found: dict[str, str] = {}
    for key, value in flow.values.items():
        span = spans.get(value.ref.id) if value.ref.function == flow.function else None
        if span is not None and span.label:
            found[key] = span.label
    return found
