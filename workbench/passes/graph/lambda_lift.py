"""LambdaLift: what a branch computes becomes a function of what it reads.

Rewrite::

    if c:
        a = R.exp(x)
        y = R.add(a, z)
    =>
    if c:
        y = cls.main_y_then(x, z)        # a private function with the two bindings
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import bindings_in
from workbench.analysis.effects import has_effect
from workbench.analysis.same_type import known_shape
from workbench.ir import (
    Arg,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    ScalarType,
    ShapeType,
    ShapeValue,
    Var,
    free_vars,
    leaf_vars,
    type_of,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    PassResult,
    Refusal,
    Relation,
    Rule,
    Site,
    in_rounds,
)
from workbench.support import NodeId


@dataclass(frozen=True)
class _Choice(Site):
    """An `if`; `checked` are the dimensions that checks bind in its function, and where."""

    checked: Mapping[NodeId, NodeId] = field(default_factory=dict[NodeId, NodeId])


@dataclass(frozen=True)
class LambdaLift(Rule):
    """Move the branches of an `if` into private functions.

    A branch is the one place where our programs have a function inside of another, which reads
    values around it: there are no local functions and no closures. Dimensions that no parameter
    has are handed over as a shape. Branches that are one call of a function stay. Values keep
    their ids in the new function. Reference: `relax.transform.LambdaLift`; Johnsson, "Lambda
    Lifting", 1985.
    """

    name: ClassVar[str] = "lambda-lift"
    absent: ClassVar[str] = "no branch computes anything but a call of a function"

    @override
    def run(self, module: IRModule) -> PassResult:
        if self.only:
            return super().run(module)
        return in_rounds(module, super().run)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            checked = _checked(function)
            for binding in function.bindings:
                value = binding.value
                if isinstance(value, IfThenElse) and any(map(_computes, _branches(value))):
                    text = f"the branches of `{binding.var.name}`"
                    yield _Choice(name, (binding.var.id,), text, checked)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Choice)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        choice = binding.value
        assert isinstance(choice, IfThenElse)
        name = f"{site.function}_{binding.var.name}"
        then, otherwise = (
            self._lifted(site, body, f"{name}_{which}", editor)
            for body, which in zip(_branches(choice), ("then", "else"), strict=True)
        )
        new = replace(choice, then=then, otherwise=otherwise)
        editor.replace_value(site.function, binding.var.id, new, self.name)

    def _lifted(self, site: _Choice, body: Body, name: str, editor: ModuleEditor) -> Body:
        """The branch as one call of a new function."""
        if not _computes(body):
            return body
        caller = site.function
        params, args = _free(body, editor, site)
        made = GraphFunction(
            params,
            body.blocks,
            body.result,
            type_of(body.result),
            private=True,
            pure=not _acts(body, editor.base),
            next_id=editor.new_var(caller, "", ScalarType()).id,
        )
        callee = editor.add_function(_valid(name), made, share=False)
        var = editor.new_var(caller, _name(body.result), type_of(body.result))
        for inner in bindings_in(body.blocks):
            refs = (NodeRef(caller, inner.var.id),), (NodeRef(callee, inner.var.id),)
            editor.derive(self.name, *refs, Relation.MOVED)
        results = leaf_vars(body.result)
        sources = [NodeRef(caller, result.id) for result in results]
        relation = Relation.SAME if isinstance(body.result, Var) else Relation.PART
        editor.derive(self.name, sources, (NodeRef(caller, var.id),), relation)
        block = BindingBlock((Binding(var, CallFunction(callee, args)),))
        return Body((block,), var)


def _branches(choice: IfThenElse) -> tuple[Body, Body]:
    return choice.then, choice.otherwise


def _computes(body: Body) -> bool:
    """Whether a branch has more in it than one call of a function."""
    bindings = [binding for block in body.blocks for binding in block.bindings]
    return bool(bindings) and not (
        len(bindings) == 1 and isinstance(bindings[0].value, CallFunction)
    )


def _acts(body: Body, module: IRModule) -> bool:
    return any(has_effect(binding.value, module) for binding in bindings_in(body.blocks))


def _free(
    body: Body, editor: ModuleEditor, site: _Choice
) -> tuple[tuple[Var, ...], tuple[Arg, ...]]:
    """What a branch reads from around it, as parameters and as the arguments for them."""
    own = {binding.var.id for binding in bindings_in(body.blocks)}
    own |= {symbol for symbol, binding in site.checked.items() if binding in own}
    read = [var for var in free_vars(body).values() if var.id not in own]
    values = tuple(var for var in read if not isinstance(var.type, ScalarType))
    bound = {dim for var in values for dim in _bound(var)}
    missing = tuple(v for v in read if isinstance(v.type, ScalarType) and v.id not in bound)
    if not missing:
        return values, values
    shape = editor.new_var(site.function, "shape", ShapeType(missing))
    return (*values, shape), (*values, ShapeValue(missing))


def _checked(function: GraphFunction) -> dict[NodeId, NodeId]:
    """The dimensions that checks bind, and by which binding."""
    found = {s: NodeId(-1) for param in function.params for s in free_vars(param.type)}
    for binding in bindings_in(function.blocks):
        if isinstance(binding.value, MatchCast):
            for symbol in free_vars(binding.value.type):
                found.setdefault(symbol, binding.var.id)
    return found


def _bound(var: Var) -> list[NodeId]:
    """Dimensions that a parameter of that type binds: those that stand alone in a shape."""
    shape = known_shape(var.type)
    return [dim.id for dim in shape or () if isinstance(dim, Var)]


def _name(result: Arg) -> str:
    return result.name if isinstance(result, Var) else "value"


def _valid(name: str) -> str:
    return re.sub(r"\W", "_", name)
