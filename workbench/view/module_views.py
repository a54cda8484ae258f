"""What a module shows of itself: picture, script, DOT, networkx graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import graphviz
import networkx

from workbench.ir import GraphFunction, IRModule, register_view
from workbench.rewrite import all_bindings
from workbench.script import print_module
from workbench.session.lineage import root_lineage
from workbench.support import CompileError, Diagnostic
from workbench.view.groups import layers_of
from workbench.view.html import folded, image, script_block
from workbench.view.picture import Step, module_view
from workbench.view.protocol import ModuleView
from workbench.view.svg import function_svg
from workbench.view.text import module_tokens
from workbench.view.words import expr_kind

SHAPES = {"input": "plaintext", "constant": "plaintext", "library": "hexagon", "tensor": "box"}
MOST_SCRIPT = 200_000
"""Characters of script in an output."""


@dataclass(frozen=True, slots=True)
class ModuleDisplay:
    """A module to look at; the value of `module.show()`."""

    module: IRModule

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return module_bundle(self.module)

    def __str__(self) -> str:
        return self.module.script()


def static_view(module: IRModule) -> ModuleView:
    """The picture of a module without a history."""
    lineage = root_lineage(module)
    layers = {}
    for name, flow in lineage.flows.items():
        spans = {b.var.id: b.span for b in all_bindings(module.graph_functions[name])}
        values = [v for v in flow.values.values() if not v.is_param and expr_kind(v.expr) != "constant"]
        paths = {v.key: span.label for v in values if (span := spans.get(v.ref.id)) is not None}
        inputs = sum(v.is_param for v in flow.values.values())
        layers[name] = layers_of(name, [v.key for v in values], paths, inputs)
    ancestors = {key: key for key in lineage.stable}
    return module_view(Step(0, module, lineage, None, module, layers, ancestors))


def module_bundle(module: IRModule) -> dict[str, Any]:
    """Picture and script for a notebook."""
    view = static_view(module)
    script = module.script()
    pictures = [function_svg(function) for function in view.functions if function.nodes]
    parts = [image(svg, f"{f.name}") for svg, f in zip(pictures, view.functions, strict=False)]
    if len(script) <= MOST_SCRIPT:
        parts.append(folded("script", script_block(module_tokens(module)), open_=not pictures))
    bundle: dict[str, Any] = {"text/html": "".join(parts), "text/plain": script}
    if pictures:
        bundle["image/svg+xml"] = pictures[0]
    return bundle


@register_view("script")
def script(module: IRModule) -> str:
    """The module as text."""
    return print_module(module)


@register_view("show")
def show(module: IRModule) -> ModuleDisplay:
    """Something that displays the module."""
    return ModuleDisplay(module)


@register_view("mimebundle")
def mimebundle(module: IRModule) -> dict[str, Any]:
    """The display of a module that is the last line of a cell."""
    return module_bundle(module)


@register_view("dot")
def dot(module: IRModule, function: str = "main") -> graphviz.Source:
    """A graph function for Graphviz.

    Raises:
        CompileError: `module/unknown-function`, `view/not-a-graph-function`.
    """
    graph = to_networkx(module, function)
    picture = graphviz.Digraph(function)
    picture.attr("node", fontname="Helvetica", fontsize="11")
    for node, facts in graph.nodes(data=True):
        label = graphviz.escape(f"{facts['label']}\n{facts['type']}").replace("\n", "\\n")
        picture.node(str(node), label, shape=SHAPES.get(facts["kind"], "box"))
    for source, target, facts in graph.edges(data=True):
        picture.edge(str(source), str(target), label=str(facts["position"]) if facts["position"] else "")
    return graphviz.Source(picture.source)


@register_view("to_networkx")
def to_networkx(module: IRModule, function: str = "main") -> networkx.MultiDiGraph:
    """The values of a graph function with an edge for every argument.

    Nodes are ids with `name`, `label`, `type`, `kind` and `key`; edges have the `position` of the
    argument. Values inside fused functions and inline constants are named by their key.

    Raises:
        CompileError: `module/unknown-function`, `view/not-a-graph-function`.
    """
    target = module[function]
    if not isinstance(target, GraphFunction):
        raise CompileError(
            Diagnostic("view/not-a-graph-function", f"`{function}` is a tensor function")
        )
    graph = networkx.MultiDiGraph(name=function)
    view = static_view(module)
    shown = next((f for f in view.functions if f.name == function), None)
    nodes = shown.nodes if shown is not None else []
    names = {node.key: _node_name(node.key) for node in nodes}
    for node in nodes:
        graph.add_node(
            names[node.key], name=node.name, label=node.label, type=node.type, kind=node.kind,
            key=node.key,
        )  # fmt: skip
    for node in nodes:
        for position, source in enumerate(node.inputs):
            graph.add_edge(names[source], names[node.key], position=position)
    return graph


def _node_name(key: str) -> int | str:
    tail = key.rsplit("/", maxsplit=1)[-1]
    return int(tail) if tail.isdecimal() else key
