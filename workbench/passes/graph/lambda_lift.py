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
    Refusal,
    Relation,
    Rule,
    Site,
    note,
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
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            checked = _checked(function)
            for binding in function.bindings:
                value = binding.value
                if not isinstance(value, IfThenElse):
                    continue
                if any(map(_computes, _branches(value))):
                    text = f"the branches of `{binding.var.name}`"
                    yield _Choice(name, (binding.var.id,), text, checked)
                for inner in _inner(value) if self.only else ():
                    text = f"`{inner.var.name}` is lifted with `{binding.var.name}` around it"
                    yield note("lambda-lift/inside", text, name, inner.var.id)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Choice)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        choice = binding.value
        assert isinstance(choice, IfThenElse)
        lifting = _Lifting(self.name, site, editor)
        new, _ = lifting.choice(binding.var.name, choice, site.function)
        editor.replace_value(site.function, binding.var.id, new, self.name)


@dataclass(frozen=True, slots=True)
class _Lifting:
    """The arms of one `if` as functions, and those of the `if`s in them.

    Each method says, too, whether what it was given has an effect. What is deeper is lifted first,
    so that each binding is looked at once.
    """

    rule: str
    site: _Choice
    editor: ModuleEditor
    made: set[NodeId] = field(default_factory=set[NodeId])
    """The values of calls of new functions."""

    def choice(self, name: str, choice: IfThenElse, function: str) -> tuple[IfThenElse, bool]:
        """An `if` in `function` whose value has this name."""
        then, acts = self._arm(choice.then, f"{function}_{name}_then", function)
        otherwise, acts_too = self._arm(choice.otherwise, f"{function}_{name}_else", function)
        return replace(choice, then=then, otherwise=otherwise), acts or acts_too

    def _arm(self, body: Body, name: str, function: str) -> tuple[Body, bool]:
        """An arm as one call of a new function."""
        if not _computes(body):
            return body, self._blocks(body.blocks, "")[1]
        editor, caller = self.editor, self.site.function
        result = type_of(body.result)
        made = GraphFunction((), body.blocks, body.result, result, private=True)
        callee = editor.add_function(_valid(name), made, share=False)
        blocks, acts = self._blocks(body.blocks, callee)
        params, args = _free(Body(blocks, body.result), editor, self.site)
        next_id = editor.new_var(caller, "", ScalarType()).id
        changed = replace(made, params=params, blocks=blocks, pure=not acts, next_id=next_id)
        editor.set_function(callee, changed)
        var = editor.new_var(caller, _name(body.result), result)
        self.made.add(var.id)
        self._derive(Body(blocks, body.result), callee, NodeRef(function, var.id))
        return Body((BindingBlock((Binding(var, CallFunction(callee, args)),)),), var), acts

    def _blocks(
        self, blocks: tuple[BindingBlock, ...], function: str
    ) -> tuple[tuple[BindingBlock, ...], bool]:
        """Blocks that will be in `function`."""
        found: list[BindingBlock] = []
        acts = False
        for block in blocks:
            bindings: list[Binding] = []
            for binding in block.bindings:
                value = binding.value
                if isinstance(value, IfThenElse):
                    value, acts_inside = self.choice(binding.var.name, value, function)
                    bindings.append(replace(binding, value=value))
                else:
                    acts_inside = has_effect(value, self.editor.base)
                    bindings.append(binding)
                acts |= acts_inside
            found.append(replace(block, bindings=tuple(bindings)))
        return tuple(found), acts

    def _derive(self, body: Body, callee: str, given: NodeRef) -> None:
        """What is in a new function, and `given`, come from values of the arm."""
        editor, caller = self.editor, self.site.function
        for inner in bindings_in(body.blocks):
            if inner.var.id not in self.made:
                refs = (NodeRef(caller, inner.var.id),), (NodeRef(callee, inner.var.id),)
                editor.derive(self.rule, *refs, Relation.MOVED)
        sources = [NodeRef(caller, result.id) for result in leaf_vars(body.result)]
        relation = Relation.SAME if isinstance(body.result, Var) else Relation.PART
        editor.derive(self.rule, sources, (given,), relation)


def _branches(choice: IfThenElse) -> tuple[Body, Body]:
    return choice.then, choice.otherwise


def _inner(choice: IfThenElse) -> Iterator[Binding]:
    """The `if`s in the arms of one."""
    for body in _branches(choice):
        yield from (b for b in bindings_in(body.blocks) if isinstance(b.value, IfThenElse))


def _computes(body: Body) -> bool:
    """Whether a branch has more in it than one call of a function."""
    bindings = [binding for block in body.blocks for binding in block.bindings]
    return bool(bindings) and not (
        len(bindings) == 1 and isinstance(bindings[0].value, CallFunction)
    )


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
