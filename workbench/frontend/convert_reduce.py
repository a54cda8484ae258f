"""Reductions."""

from __future__ import annotations

from typing import Any

from workbench.frontend.node import Node, Value, converter
from workbench.ir import Var

REDUCTIONS = {
    "ReduceMax": "max",
    "ReduceMean": "mean",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceSum": "sum",
}
COMPOSED = {
    "ReduceL1": ("abs", ""),
    "ReduceL2": ("square", "sqrt"),
    "ReduceLogSum": ("", "log"),
    "ReduceLogSumExp": ("exp", "log"),
    "ReduceSumSquare": ("square", ""),
}
"""What happens to each element before the sum, and to the sum after it."""


@converter(*REDUCTIONS)
def _reduce(node: Node) -> Value:
    x = node.tensor(0)
    if _reduces_nothing(node):
        return x
    return node.emit(REDUCTIONS[node.op], x, **_over(node))


@converter(*COMPOSED)
def _composed(node: Node) -> Value:
    before, after = COMPOSED[node.op]
    x: Var = node.tensor(0)
    if before:
        x = node.emit(before, x, part=before)
    if not _reduces_nothing(node):
        x = node.emit("sum", x, part="sum" if after else "", **_over(node))
    return node.emit(after, x) if after else x


def _axes(node: Node) -> tuple[int, ...] | None:
    """An attribute in older operator sets, an input in newer ones; none and empty mean all."""
    return node.ints("axes", 1) or None


def _reduces_nothing(node: Node) -> bool:
    return _axes(node) is None and bool(node.attr("noop_with_empty_axes", 0))


def _over(node: Node) -> dict[str, Any]:
    return {"axis": _axes(node), "keepdims": bool(node.attr("keepdims", 1))}


@converter("ArgMax", "ArgMin")
def _arg(node: Node) -> Value:
    if node.attr("select_last_index", 0):
        raise node.error("onnx/unsupported-attribute", "selects the last of equal elements")
    keepdims = bool(node.attr("keepdims", 1))
    return node.emit(node.op.lower(), node.tensor(0), axis=node.attr("axis", 0), keepdims=keepdims)


@converter("CumSum")
def _cumulative_sum(node: Node) -> Value:
    if node.attr("exclusive", 0) or node.attr("reverse", 0):
        raise node.error("onnx/unsupported-attribute", "is exclusive or runs backward")
    return node.emit("cumsum", node.tensor(0), axis=int(node.array(1).reshape(())))
