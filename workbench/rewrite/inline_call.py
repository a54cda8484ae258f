"""Inlining: the bindings of a graph function in the place of a call of it.

Rewrite::

    y = cls.f(x)            # f(a) is b = exp(a), c = negative(b), c
    =>
    b = R.exp(x)
    y = R.negative(b)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from workbench.analysis.same_type import is_static
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    CallFunction,
    CallOp,
    Dim,
    GraphFunction,
    ScalarType,
    Var,
    free_vars,
    type_of,
)
from workbench.ir.call_types import Unifier
from workbench.rewrite.derivation import NodeRef, Relation
from workbench.rewrite.dimensions import Dimensions
from workbench.rewrite.editor import ModuleEditor
from workbench.support import NodeId


def has_static_params(function: GraphFunction) -> bool:
    """Whether a call binds no dimensions."""
    return all(is_static(param.type) for param in function.params)


def call_dimensions(callee: GraphFunction, call: CallFunction) -> dict[NodeId, Dim] | str:
    """What the dimensions of a callee are at a call, or why that is not known."""
    if has_static_params(callee):
        return {}
    if any(isinstance(param.type, ScalarType) for param in callee.params):
        return f"`{call.callee}` takes a scalar"
    unifier = Unifier()
    unifier.call(callee.params, [type_of(arg) for arg in call.args])
    named = (v for param in callee.params for v in free_vars(param.type).values())
    unknown = [v.name for v in named if v.id not in unifier.values]
    if unknown:
        return f"the call does not say what `{unknown[0]}` of `{call.callee}` is"
    return unifier.values


def inline_call(
    editor: ModuleEditor,
    function: str,
    binding: Binding,
    dims: Mapping[NodeId, Dim],
    rule: str,
    deeper: Deeper | None = None,
) -> None:
    """Put the bindings of the callee before a call and give the call's value from them.

    The value keeps its id; those of the callee, in its branches too, get new ones, derived from the
    old. The blocks of the callee are dissolved: the caller sees to it that its block may hold them.
    Calls in the callee for which `deeper` holds are inlined as well, and calls in these.
    """
    inlining = _Inlining(editor, function, rule, deeper or _none)
    value = binding.var.id
    for new in inlining.bindings(inlining.open(binding, dims)):
        if new.var.id == value:
            editor.replace_value(function, value, new.value, rule)
        else:
            editor.insert_before(function, value, new)


Deeper = Callable[[str, NodeId], bool]
"""Whether a call that is found while inlining is inlined too: by its function and its value."""


def _none(function: str, value: NodeId) -> bool:
    del function, value
    return False


@dataclass(slots=True)
class _Frame:
    """A callee that is being copied: what is left of it, and what its value is called."""

    callee: GraphFunction
    rest: Iterator[Binding]
    copy: _Copy
    var: Var


class _Inlining:
    """Copies of callees, and of what they call. Linear in what is made, however deep it is."""

    def __init__(self, editor: ModuleEditor, function: str, rule: str, deeper: Deeper) -> None:
        self.editor = editor
        self.function = function
        self.rule = rule
        self.deeper = deeper

    def bindings(self, opened: _Frame) -> list[Binding]:
        """What stands for a call; the last binding gives its value."""
        made: list[Binding] = []
        frames = [opened]
        while frames:
            frame = frames[-1]
            member = next(frame.rest, None)
            if member is None:
                frames.pop()
                if not ends_with_result(frame.callee):
                    made.append(Binding(frame.var, Alias(frame.copy.apply(frame.callee.result))))
                continue
            new = frame.copy.apply(member)
            below = self._below(frame.copy.name, member, new)
            if below is None:
                made.append(new)
            else:
                frames.append(below)
        return made

    def inner(self, callee: str, member: Binding, new: Binding) -> list[Binding]:
        """What stands for the copy of a binding in a branch."""
        below = self._below(callee, member, new)
        return [new] if below is None else self.bindings(below)

    def moved(self, callee: str, old: NodeId, new: NodeId) -> None:
        """Record where the copy of a value comes from."""
        source, result = NodeRef(callee, old), NodeRef(self.function, new)
        self.editor.derive(self.rule, (source,), (result,), Relation.MOVED)

    def _below(self, callee: str, member: Binding, new: Binding) -> _Frame | None:
        call = new.value
        if not isinstance(call, CallFunction) or not self.deeper(callee, member.var.id):
            return None
        called = self.editor.function(call.callee)
        assert isinstance(called, GraphFunction)
        dims = call_dimensions(called, call)
        return None if isinstance(dims, str) else self.open(new, dims)

    def open(self, binding: Binding, dims: Mapping[NodeId, Dim]) -> _Frame:
        """The callee of a call, to be copied; its dimensions are `dims` there."""
        call = binding.value
        assert isinstance(call, CallFunction)
        callee = self.editor.function(call.callee)
        assert isinstance(callee, GraphFunction)
        leaves: dict[NodeId, Arg] = {
            param.id: arg for param, arg in zip(callee.params, call.args, strict=True)
        }
        copy = _Copy(call.callee, self, dims, leaves)
        if ends_with_result(callee):
            last = callee.bindings[-1].var
            leaves[last.id] = binding.var
            self.moved(call.callee, last.id, binding.var.id)
        return _Frame(callee, iter(callee.bindings), copy, binding.var)


def ends_with_result(callee: GraphFunction) -> bool:
    """Whether the last binding of a function is its result."""
    bindings = callee.bindings
    return bool(bindings) and bindings[-1].var == callee.result


class _Copy(Dimensions):
    """Copies nodes of a callee: parameters become arguments, all else is new."""

    def __init__(
        self,
        name: str,
        inlining: _Inlining,
        values: Mapping[NodeId, Dim],
        leaves: dict[NodeId, Arg],
    ) -> None:
        super().__init__(values)
        self.name = name
        self.inlining = inlining
        self.leaves = leaves

    @override
    def apply(self, node: Any) -> Any:
        kind = node.__class__
        if kind is Var:
            return self._var(node)
        if kind is Binding:
            is_result = node.var.id in self.leaves
            made = self._var(node.var)
            if not is_result:
                self.inlining.moved(self.name, node.var.id, made.id)
            return Binding(made, self.apply(node.value), node.span)
        if kind is CallOp:  # most of what is copied
            args: list[Any] = []
            for arg in node.args:
                known = self.leaves.get(arg.id) if arg.__class__ is Var else None
                args.append(self.apply(arg) if known is None else known)
            return CallOp(node.op, tuple(args), node.attrs)
        if isinstance(node, BindingBlock):
            bindings = tuple(
                made
                for binding in node.bindings
                for made in self.inlining.inner(self.name, binding, self.apply(binding))
            )
            outputs = tuple(
                leaf.id for o in node.outputs if isinstance(leaf := self.leaves[o], Var)
            )
            return replace(node, bindings=bindings, outputs=outputs)
        return super().apply(node)

    @override
    def _var(self, var: Var) -> Any:
        known = self.leaves.get(var.id)
        if known is not None:
            return known
        if var.id in self.values:
            return super()._var(var)
        type_ = var.type if is_static(var.type) else self.apply(var.type)
        editor, function = self.inlining.editor, self.inlining.function
        self.leaves[var.id] = made = editor.new_var(function, var.name, type_)
        return made
