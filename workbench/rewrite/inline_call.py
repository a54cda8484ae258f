"""Inlining: the bindings of a graph function in the place of a call of it.

Rewrite::

    y = cls.f(x)            # f(a) is b = exp(a), c = negative(b), c
    =>
    b = R.exp(x)
    y = R.negative(b)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
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
    Type,
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
) -> None:
    """Put the bindings of the callee before a call and give the call's value from them.

    The value keeps its id; those of the callee get new ones, derived from the old. The blocks of
    the callee are dissolved: the caller sees to it that its block may hold them.
    """
    call = binding.value
    assert isinstance(call, CallFunction)
    callee = editor.function(call.callee)
    assert isinstance(callee, GraphFunction)
    leaves: dict[NodeId, Arg] = {
        param.id: arg for param, arg in zip(callee.params, call.args, strict=True)
    }
    members = list(callee.bindings)
    last = members[-1].var if members else None
    if last is not None and last == callee.result:
        leaves[last.id] = binding.var
    copy = _Copy(dims, leaves, partial(editor.new_var, function))
    value = binding.var.id
    for member in members:
        new = copy.apply(member)
        if new.var.id == value:
            editor.replace_value(function, value, new.value, rule)
        else:
            editor.insert_before(function, value, new)
        source, result = NodeRef(call.callee, member.var.id), NodeRef(function, new.var.id)
        editor.derive(rule, (source,), (result,), Relation.MOVED)
    if last is None or last != callee.result:
        editor.replace_value(function, binding.var.id, Alias(copy.apply(callee.result)), rule)


class _Copy(Dimensions):
    """Copies nodes of a callee: parameters become arguments, all else is new."""

    def __init__(
        self,
        values: Mapping[NodeId, Dim],
        leaves: dict[NodeId, Arg],
        fresh: Callable[[str, Type], Var],
    ) -> None:
        super().__init__(values)
        self.leaves = leaves
        self.fresh = fresh

    @override
    def apply(self, node: Any) -> Any:
        kind = node.__class__
        if kind is Var:
            return self._var(node)
        if kind is Binding:
            return Binding(self._var(node.var), self.apply(node.value), node.span)
        if kind is CallOp:  # most of what is copied
            args: list[Any] = []
            for arg in node.args:
                known = self.leaves.get(arg.id) if arg.__class__ is Var else None
                args.append(self.apply(arg) if known is None else known)
            return CallOp(node.op, tuple(args), node.attrs)
        if isinstance(node, BindingBlock):
            bindings = tuple(self.apply(binding) for binding in node.bindings)
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
        self.leaves[var.id] = made = self.fresh(var.name, type_)
        return made
