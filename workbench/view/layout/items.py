"""From nodes, groups and folds to the items that are drawn, their order and their layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.view.layout.arithmetic import topological
from workbench.view.layout.model import LONG_INPUT, LONG_VALUE, Folds
from workbench.view.protocol import FunctionView, GroupView, NodeView


@dataclass(slots=True)
class Item:
    """One box to be: a node, or a collapsed group. `index` counts first members.

    In an `if` its `column` is 0 in the first arm, 1 in the second, and 2 for what comes after both.
    """

    index: int
    key: str
    group: GroupView | None
    width: int
    height: int
    input: bool
    open: tuple[str, ...]
    column: int = 0
    stubs: dict[str, bool] = field(default_factory=dict[str, bool])


@dataclass(slots=True)
class Value:
    """A value with the items that use it, as one bus; with `order` those that only come after."""

    key: str
    source: int
    targets: list[int]
    order: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """Everything before coordinates; `layers` lists the items of each layer in program order."""

    items: list[Item]
    values: list[Value]
    layer: list[int]
    layers: list[list[int]]
    nodes: Mapping[str, NodeView]


def arrange(
    view: FunctionView,
    folds: Folds,
    nodes: Mapping[str, NodeView],
    columns: Mapping[str, int] | None = None,
) -> Items:
    """Items, buses, order and layers of one function, or of an `if` in it.

    `nodes` has all of the function, `columns` those of an `if`: 0 and 1 for its arms, which nothing
    connects, and 2 for the box after both.
    """
    items, item_of = _collect_items(view, folds, columns or {})
    values = _collect_values(view, nodes, items, item_of)
    by_rank = topological(_leaving(len(items), values))
    rank = [0] * len(items)
    for position, index in enumerate(by_rank):
        rank[index] = position
    _cut_backward(items, values, rank)
    assign = _assign_layers if columns is None else _arm_layers
    layer = assign(items, values, by_rank)
    _cut_long(items, values, layer)
    layers: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for item in items:
        layers[layer[item.index]].append(item.index)
    return Items(items, values, layer, layers, nodes)


def is_stub(node: NodeView) -> bool:
    """Constants and what the view builder marked stand beside their consumers."""
    return node.stub or node.kind == "constant"


def _collect_items(
    view: FunctionView, folds: Folds, columns: Mapping[str, int]
) -> tuple[list[Item], dict[str, int]]:
    groups = {group.key: group for group in view.groups}
    outputs = set(view.outputs)
    items: list[Item] = []
    index_of: dict[str, int] = {}
    item_of: dict[str, int] = {}
    for node in view.nodes:
        if is_stub(node) and not node.inputs and node.key not in outputs:
            continue
        chain = group_chain(node, groups)
        folded = [folds.get(group.key, group.collapsed) for group in chain]
        fold = folded.index(True) if True in folded else None
        drawn = node if fold is None else chain[fold]
        if drawn.key not in index_of:
            index_of[drawn.key] = len(items)
            items.append(
                Item(
                    index=len(items),
                    key=drawn.key,
                    group=None if fold is None else chain[fold],
                    width=drawn.width,
                    height=drawn.height,
                    input=fold is None and node.kind == "input",
                    open=tuple(group.key for group in chain[:fold]),
                    column=columns.get(node.key, 0),
                )
            )
        item_of[node.key] = index_of[drawn.key]
    return items, item_of


def group_chain(node: NodeView, groups: Mapping[str, GroupView]) -> list[GroupView]:
    """The groups around a node, outermost first."""
    chain: list[GroupView] = []
    key = node.group
    while key is not None and len(chain) < 64 and key in groups:
        chain.append(groups[key])
        key = groups[key].parent
    return chain[::-1]


def _collect_values(
    view: FunctionView,
    nodes: Mapping[str, NodeView],
    items: Sequence[Item],
    item_of: Mapping[str, int],
) -> list[Value]:
    """Buses in program order of their producers; uses of stubs are noted in the consumers."""
    targets: dict[str, dict[int, None]] = {}
    later: dict[str, dict[int, None]] = {}
    for node in view.nodes:
        consumer = item_of.get(node.key)
        if consumer is None:
            continue
        for key in node.inputs:
            if key not in nodes:
                continue
            source = item_of.get(key)
            if source is None or is_stub(nodes[key]):
                _beside(items[consumer], nodes[key], source is not None)
            elif source != consumer:
                targets.setdefault(key, {})[consumer] = None
        for key in node.after:
            if item_of.get(key, consumer) != consumer:
                later.setdefault(key, {})[consumer] = None
    _leave_known(targets, later, item_of)
    return [
        Value(node.key, item_of[node.key], list(found[node.key]), order=found is later)
        for node in view.nodes
        for found in (targets, later)
        if found.get(node.key)
    ]


def _leave_known(
    targets: Mapping[str, dict[int, None]],
    later: Mapping[str, dict[int, None]],
    item_of: Mapping[str, int],
) -> None:
    """Of the edges that only say an order those stay that nothing else says, once for two items."""
    known = {(item_of[key], target) for key, found in targets.items() for target in found}
    for key, found in later.items():
        for target in list(found):
            if (item_of[key], target) in known:
                del found[target]
            known.add((item_of[key], target))


def _beside(item: Item, node: NodeView, here: bool) -> None:
    """Name what has no wire beside the item: a constant, or a value from outside the `if`."""
    if item.group is None or not is_stub(node):
        item.stubs.setdefault(node.key, here or not is_stub(node))


def _leaving(count: int, values: Iterable[Value]) -> list[list[int]]:
    leaving: list[list[int]] = [[] for _ in range(count)]
    for value in values:
        leaving[value.source].extend(value.targets)
    return leaving


def _cut_backward(items: Sequence[Item], values: Iterable[Value], rank: Sequence[int]) -> None:
    """Uses against the order (only a fold makes them) become references."""
    for value in values:
        source = rank[value.source]
        if not value.order:
            _refer(items, value, [target for target in value.targets if rank[target] <= source])
        value.targets = [target for target in value.targets if rank[target] > source]


def _refer(items: Sequence[Item], value: Value, targets: Iterable[int]) -> None:
    for target in targets:
        items[target].stubs[value.key] = True


def _assign_layers(
    items: Sequence[Item], values: Sequence[Value], by_rank: Sequence[int]
) -> list[int]:
    """Longest path from the top; a source that is no input stands above its first consumer."""
    leaving = _leaving(len(items), values)
    fed = [False] * len(items)
    layer = [0] * len(items)
    for index in by_rank:
        for target in leaving[index]:
            fed[target] = True
            layer[target] = max(layer[target], layer[index] + 1)
    for item in items:
        targets = leaving[item.index]
        if targets and not fed[item.index] and not item.input:
            layer[item.index] = min(layer[target] for target in targets) - 1
    return layer


def _arm_layers(
    items: Sequence[Item], values: Sequence[Value], by_rank: Sequence[int]
) -> list[int]:
    """Longest path; what reads nothing of its arm stands under the one before it that does not.

    So an arm reads from top to bottom and is narrow. What the `if` gives stands under both arms.
    """
    leaving = _leaving(len(items), values)
    fed = [False] * len(items)
    layer = [0] * len(items)
    free = [0, 0, 0]
    for index in by_rank:
        column = items[index].column
        if not fed[index]:
            layer[index] = free[column]
            free[column] += 1
        for target in leaving[index]:
            fed[target] = True
            layer[target] = max(layer[target], layer[index] + 1)
    bottom = max((layer[item.index] + 1 for item in items if item.column < 2), default=0)
    return [bottom if item.column == 2 else layer[item.index] for item in items]


def _cut_long(items: Sequence[Item], values: Iterable[Value], layer: Sequence[int]) -> None:
    """Uses far below become references, so that no bus crosses the whole picture."""
    for value in values:
        if value.order:
            continue
        is_input = items[value.source].input
        first = reached = layer[value.source]
        kept: list[int] = []
        cut: list[int] = []
        for target in sorted(value.targets, key=lambda index: (layer[index], index)):
            there = layer[target]
            if (is_input and there - first > LONG_INPUT) or there - reached > LONG_VALUE:
                cut.append(target)
            else:
                kept.append(target)
                reached = there
        _refer(items, value, cut)
        value.targets = kept
