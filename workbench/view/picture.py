"""From a step of a session to what is drawn: boxes, groups, cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from workbench.analysis.calls import bindings_in
from workbench.analysis.uses import callees
from workbench.ir import (
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
    function_digest,
)
from workbench.session.flow import Flow, FlowValue
from workbench.session.lineage import Change, Lineage
from workbench.view.effects import order_of_effects
from workbench.view.groups import MOST_BOXES, Layer
from workbench.view.protocol import (
    FunctionCard,
    FunctionView,
    GroupView,
    ModuleView,
    NodeView,
)
from workbench.view.words import box_size, expr_kind, expr_label, type_text


@dataclass(frozen=True, slots=True)
class Step:
    """What the picture of a step needs: module and lineage, those before, and the layers."""

    index: int
    module: IRModule
    lineage: Lineage
    before: IRModule | None
    origin: IRModule
    layers: Mapping[str, tuple[Layer, ...]] = field(default_factory=dict[str, tuple[Layer, ...]])
    """Layers by function, of identities."""
    ancestors: Mapping[str, str] = field(default_factory=dict[str, str])
    """For every key of this step the identity that a layer may name."""


def module_view(step: Step) -> ModuleView:
    """The picture of a step."""
    cards = function_cards(step.module, step.before)
    functions = [_function_view(step, each) for each in step.lineage.flows.values()]
    return ModuleView(
        step=step.index,
        functions=functions or cards_view(cards),
        cards=cards,
        calls=count_calls(step.module),
        calls_before=count_calls(step.origin),
    )


def cards_view(cards: Iterable[FunctionCard]) -> list[FunctionView]:
    """The picture of a module without graph functions: a box for each tensor function."""
    nodes: list[NodeView] = []
    for card in cards:
        width, height = box_size(card.name, card.signature)
        key = f"{card.name}/"
        nodes.append(
            NodeView(
                key=key,
                stable=key,
                name=card.name,
                label=card.name,
                type=card.signature,
                kind="tensor",
                change=card.change,
                callee=card.name,
                width=width,
                height=height,
            )
        )
    return [FunctionView(name="", nodes=nodes)] if nodes else []


def count_calls(module: IRModule) -> dict[str, int]:
    """Calls of operators, tensor functions and libraries in all graph functions, arms included."""
    counts = {"op": 0, "tensor": 0, "library": 0}
    for function in module.graph_functions.values():
        for binding in bindings_in(function.blocks):
            match binding.value:
                case CallOp():
                    counts["op"] += 1
                case CallTIR() | CallTIRInplace():
                    counts["tensor"] += 1
                case CallPacked():
                    counts["library"] += 1
                case _:
                    continue
    return counts


def function_cards(module: IRModule, before: IRModule | None) -> list[FunctionCard]:
    """One line for each function, graph functions first."""
    uses = callees(module)
    old = dict(before.functions) if before is not None else None
    cards: list[FunctionCard] = []
    for name, function in module.functions:
        kind = "graph" if isinstance(function, GraphFunction) else "tensor"
        change: Change = "none"
        if old is not None and name not in old:
            change = "new"
        elif old is not None and function_digest(old[name]) != function_digest(function):
            change = "rewritten"
        cards.append(
            FunctionCard(
                name=name,
                kind=kind,
                signature=signature(function),
                uses=uses.get(name, 0),
                change=change,
            )
        )
    return sorted(cards, key=lambda card: card.kind != "graph")


def signature(function: GraphFunction | TensorFunction) -> str:
    """`(x: f32[n, 4], w: f32[4, 8]) -> f32[n, 8]`."""
    params = ", ".join(f"{p.name}: {type_text(p.type)}" for p in function.params)
    if isinstance(function, GraphFunction):
        return f"({params}) -> {type_text(function.return_type)}"
    return f"({params})"


def _function_view(step: Step, each: Flow) -> FunctionView:
    layer_of = _layer_of(step, each)
    groups = _GroupBuilder(step, each, layer_of)
    nodes = [groups.node(value) for value in each.values.values()]
    gone = [name for key, name in step.lineage.gone.items() if key.startswith(f"{each.function}/")]
    return FunctionView(
        name=each.function,
        nodes=nodes,
        groups=groups.finish(nodes),
        outputs=list(each.outputs),
        gone=gone,
    )


def _layer_of(step: Step, each: Flow) -> dict[str, Layer]:
    """The layer of every key; a new value between two members of a layer joins it."""
    by_member = {
        member: layer for layer in step.layers.get(each.function, ()) for member in layer.members
    }
    found: dict[str, Layer] = {}
    last: Layer | None = None
    for key, value in each.values.items():
        if value.arm is not None:
            continue
        layer = by_member.get(step.ancestors.get(key, key))
        if layer is None and step.lineage.change.get(key) == "new" and not value.is_param:
            layer = _neighbour(value, found) or last
        if layer is not None:
            found[key] = last = layer
    return found


def _neighbour(value: FlowValue, found: Mapping[str, Layer]) -> Layer | None:
    return next((found[key] for key in reversed(value.inputs) if key in found), None)


class _GroupBuilder:
    """Makes nodes, and the groups that they mention."""

    def __init__(self, step: Step, each: Flow, layer_of: Mapping[str, Layer]) -> None:
        self.step = step
        self.flow = each
        self.layer_of = layer_of
        self.fused: dict[str, str | None] = {}
        self.branches: dict[str, str | None] = {}
        """Each `if` with the group around it, outer ones first."""
        self.after = order_of_effects(step.module, each)
        self.layers: dict[str, Layer] = {}
        self.known = {layer.key: layer for layer in step.layers.get(each.function, ())}
        shown = [v for v in each.values.values() if expr_kind(v.expr) != "constant"]
        self.crowded = len(shown) > MOST_BOXES

    def node(self, value: FlowValue) -> NodeView:
        lineage = self.step.lineage
        kind = expr_kind(value.expr)
        label = self._label(value)
        type_ = type_text(value.type)
        width, height = box_size(label, type_)
        callee: str | None = None
        if isinstance(value.expr, CallTIR | CallTIRInplace | CallFunction):
            callee = value.expr.callee
        return NodeView(
            key=value.key,
            stable=lineage.stable.get(value.key, value.key),
            name=value.name,
            label=label,
            type=type_,
            kind=kind,
            inputs=list(value.inputs),
            effect=value.key in self.after,
            after=list(self.after.get(value.key, ())),
            group=None if kind == "constant" else self._group(value),
            change=lineage.change.get(value.key, "none"),
            stub=kind == "constant",
            callee=callee,
            width=width,
            height=height,
        )

    def _label(self, value: FlowValue) -> str:
        if value.expr is None:
            return value.name
        if expr_kind(value.expr) == "constant":
            return value.name or "const"
        return expr_label(value.expr)

    def _group(self, value: FlowValue) -> str | None:
        around = self._around(value)
        if f"{value.key}?then" not in self.flow.arms:
            return around
        self._enter(value.key)
        return value.key

    def _around(self, value: FlowValue) -> str | None:
        """The group around a value: a fused call, an arm, else a layer."""
        call = None if value.call is None else self.flow.calls[value.call]
        if call is None or value.arm != call.arm:  # an arm in the fused function is nearer
            return self._outside(value.arm, value)
        self.fused[call.key] = self._outside(call.arm, value)
        return call.key

    def _outside(self, arm: str | None, value: FlowValue) -> str | None:
        """That arm, else the layer of the value."""
        if arm is not None:
            self._enter(self.flow.arms[arm].branch)
            return arm
        layer = self.layer_of.get(value.key)
        self._use(layer)
        return layer.key if layer is not None else None

    def _enter(self, branch: str) -> None:
        """Note an `if` and those around it."""
        if branch not in self.branches:
            around = self._around(self.flow.values[branch])
            self.branches[branch] = around

    def _use(self, layer: Layer | None) -> None:
        """Note a layer and those around it, outer ones first."""
        if layer is not None and layer.key not in self.layers:
            self._use(self.known.get(layer.parent or ""))
            self.layers[layer.key] = layer

    def finish(self, nodes: Iterable[NodeView]) -> list[GroupView]:
        """The groups, outer ones first."""
        nodes = [node for node in nodes if node.kind != "constant"]
        around: dict[str, str | None] = {key: layer.parent for key, layer in self.layers.items()}
        around |= self.branches
        around |= {key: arm.branch for key, arm in self.flow.arms.items()}
        around |= self.fused
        inside: dict[str, list[NodeView]] = {}
        for node in nodes:
            key = node.group
            while key is not None:
                inside.setdefault(key, []).append(node)
                key = around.get(key)
        result = [self._layer_view(layer, inside.get(k, [])) for k, layer in self.layers.items()]
        for branch, parent in self.branches.items():
            result.append(self._branch_view(branch, parent, inside[branch]))
            arms = (f"{branch}?then", f"{branch}?else")
            result.extend(self._arm_view(arm, inside.get(arm, [])) for arm in arms)
        for call, parent in self.fused.items():
            result.append(self._fused_view(call, parent, inside.get(call, [])))
        return result

    def _layer_view(self, layer: Layer, members: list[NodeView]) -> GroupView:
        label = layer.label or _summary(members)
        type_ = members[-1].type if members else ""
        width, height = box_size(label, type_)
        return GroupView(
            key=layer.key,
            label=label,
            kind="layer",
            parent=layer.parent,
            collapsed=True,
            type=type_,
            ops=len(members),
            kinds=_kinds(members),
            change=_strongest(members),
            width=width,
            height=height,
        )

    def _branch_view(self, branch: str, parent: str | None, members: list[NodeView]) -> GroupView:
        own = next(node for node in members if node.key == branch)
        inside = [node for node in members if node is not own]
        return GroupView(
            key=branch,
            label=own.label,
            kind="branch",
            parent=parent,
            collapsed=self.crowded,
            type=own.type,
            ops=len(inside),
            kinds=_kinds(inside) or _kinds([own]),
            change=_strongest(members),
            width=own.width,
            height=own.height,
        )

    def _arm_view(self, key: str, members: list[NodeView]) -> GroupView:
        arm = self.flow.arms[key]
        label = arm.word if members or not arm.gives else f"{arm.word}: {arm.gives} as it is"
        type_ = type_text(self.flow.values[arm.branch].type)
        width, height = box_size(label, type_)
        return GroupView(
            key=key,
            label=label,
            kind="arm",
            parent=arm.branch,
            collapsed=len(members) > MOST_BOXES,
            type=type_,
            ops=len(members),
            kinds=_kinds(members),
            change=_strongest(members),
            width=width,
            height=height,
        )

    def _fused_view(self, call: str, parent: str | None, members: list[NodeView]) -> GroupView:
        fused = self.flow.calls[call]
        type_ = type_text(fused.type)
        width, height = box_size(fused.callee, type_)
        return GroupView(
            key=call,
            label=fused.callee,
            kind="fused",
            parent=parent,
            collapsed=self.crowded,
            type=type_,
            ops=len(members),
            kinds=_kinds(members),
            change=_strongest(members),
            width=width,
            height=height,
        )


def _summary(members: list[NodeView]) -> str:
    """`exp … divide` for a run of operators without a common name."""
    labels = [node.label for node in members]
    return " · ".join(labels) if len(labels) < 3 else f"{labels[0]} … {labels[-1]}"


def _kinds(members: Iterable[NodeView]) -> dict[str, int]:
    """How many members are of each kind, the most frequent first."""
    return dict(Counter(node.kind for node in members).most_common())


def _strongest(members: Iterable[NodeView]) -> Change:
    changes = {node.change for node in members}
    for change in ("fused", "rewritten", "new"):
        if change in changes:
            return change
    return "none"
