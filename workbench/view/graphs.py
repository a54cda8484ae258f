"""Graph functions for Graphviz and networkx; loaded on first use, since these are slow to load."""

from __future__ import annotations

from typing import Any, cast

import graphviz
import networkx

from workbench.ir import GraphFunction, IRModule, register_view
from workbench.session import Session
from workbench.support import CompileError, Diagnostic
from workbench.view.module_views import static_view

SHAPES = {"input": "plaintext", "constant": "plaintext", "library": "hexagon", "tensor": "box"}


@register_view("dot")
def dot(module: IRModule, function: str = "main") -> graphviz.Source:
    """A graph function for Graphviz.

    Raises:
        CompileError: `module/unknown-function`, `view/not-a-graph-function`.
    """
    graph = to_networkx(module, function)
    picture: Any = graphviz.Digraph(function)
    picture.attr("node", fontname="Helvetica", fontsize="11")
    for node, facts in graph.nodes(data=True):
        label = graphviz.escape(f"{facts['label']}\n{facts['type']}").replace("\n", "\\n")
        picture.node(str(node), label, shape=SHAPES.get(facts["kind"], "box"))
    for source, target, facts in graph.edges(data=True):
        picture.edge(
            str(source), str(target), label=str(facts["position"]) if facts["position"] else ""
        )
    return graphviz.Source(picture.source)


@register_view("to_networkx")
def to_networkx(module: IRModule, function: str = "main") -> Any:  # noqa: ANN401
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
    graph = cast("Any", networkx.MultiDiGraph(name=function))
    view = static_view(module)
    shown = next((f for f in view.functions if f.name == function), None)
    nodes = shown.nodes if shown is not None else []
    names = {node.key: _node_name(node.key) for node in nodes}
    for node in nodes:
        graph.add_node(
            names[node.key],
            name=node.name,
            label=node.label,
            type=node.type,
            kind=node.kind,
            key=node.key,
        )
    for node in nodes:
        for position, source in enumerate(node.inputs):
            graph.add_edge(names[source], names[node.key], position=position)
    return graph


def _node_name(key: str) -> int | str:
    tail = key.rsplit("/", maxsplit=1)[-1]
    return int(tail) if tail.isdecimal() else key


def history_dot(session: Session) -> graphviz.Source:
    """The history for Graphviz: a node for each step, the head filled."""
    picture: Any = graphviz.Digraph("history")
    picture.attr(rankdir="LR")
    picture.attr("node", fontname="Helvetica", fontsize="11", shape="box", style="rounded")
    head = session.head.index
    for step in session.steps:
        text = "\n".join([f"{step.index} {step.label}", str(step.verdict)])
        label = graphviz.escape(text).replace("\n", "\\n")
        more = {"style": "rounded,filled"} if step.index == head else {}
        picture.node(str(step.index), label, **more)
        if step.parent is not None:
            picture.edge(str(step.parent), str(step.index))
    return graphviz.Source(picture.source)
