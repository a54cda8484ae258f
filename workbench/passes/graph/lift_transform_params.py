"""LiftTransformParams: compute once what depends on weights only.

Rewrite::

    def main(x, w):              # num_input = 1: w is a weight
        t = R.permute_dims(w)
        y = R.matmul(x, t)
    =>
    def main_transform_params(w):
        t = R.permute_dims(w)
        return (t,)

    def main(x, t):
        y = R.matmul(x, t)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import bindings_in, call_sites
from workbench.analysis.effects import must_run
from workbench.analysis.uses import argument_vars, constant_values, own_vars
from workbench.ir import (
    Alias,
    Binding,
    BindingBlock,
    Constant,
    GraphFunction,
    IfThenElse,
    IRModule,
    TupleValue,
    Var,
    free_vars,
    leaf_vars,
    type_of,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    Pass,
    PassResult,
    Relation,
    note,
)
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass
class _Parts:
    """A function cut in two: what only weights need, and the rest."""

    weights: dict[NodeId, Var]
    lifted: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    constants: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    """Bindings that depend on nothing at all: they are there for both parts."""
    remarks: list[Diagnostic] = field(default_factory=list[Diagnostic])


@dataclass(frozen=True)
class LiftTransformParams(Pass):
    """Move computations that read only weights into a function that is called once.

    The attribute `num_input` of a function says how many of its parameters, from the first on, are
    inputs; the others are weights. `f_transform_params` takes all weights of `f` and returns, as a
    tuple, what `f` then takes after its inputs: the weights that it still reads, then what was
    computed from weights. So `f(*inputs, *f_transform_params(*weights))` is what `f` was. Checks,
    effects, branches and values with symbolic dimensions stay. Values keep their ids in both
    functions. Reference: `relax.transform.LiftTransformParams`.

    Raises:
        CompileError: `pass/called-function`.
    """

    name: ClassVar[str] = "lift-transform-params"
    absent: ClassVar[str] = "nothing is computed from weights only"

    @override
    def run(self, module: IRModule) -> PassResult:
        calls = call_sites(module)
        editor = ModuleEditor(module)
        remarks: list[Diagnostic] = []
        marked = dict(_marked(module))
        for name, inputs in marked.items():
            function = module.graph_functions[name]
            parts = _cut(module, name, function, inputs)
            remarks += parts.remarks
            if not parts.lifted:
                continue
            if name in calls:
                caller = calls[name][0].caller
                raise CompileError(
                    Diagnostic(
                        "pass/called-function",
                        f"`{name}` is called by `{caller}`, which has no transformed weights",
                        function=name,
                    )
                )
            _split(editor, name, function, inputs, parts, self.name)
        if not marked:
            text = "no function says with the attribute `num_input` which parameters are inputs"
            remarks.append(note("lift/no-inputs", text, "").diagnostic)
        return PassResult(editor.commit(), tuple(editor.derivations), tuple(remarks))


def _marked(module: IRModule) -> Iterator[tuple[str, int]]:
    for name, function in module.graph_functions.items():
        inputs = dict(function.attrs).get("num_input")
        if isinstance(inputs, int) and 0 <= inputs < len(function.params):
            yield name, inputs


def _cut(module: IRModule, name: str, function: GraphFunction, inputs: int) -> _Parts:
    parts = _Parts({param.id: param for param in function.params[inputs:]})
    for binding in function.bindings:
        value, var = binding.value, binding.var
        if isinstance(value, Alias) and isinstance(value.value, Constant):
            parts.constants[var.id] = binding
            continue
        read = {v.id for v in argument_vars(value)}
        of_weights = {i for i in read if i in parts.weights or i in parts.lifted}
        if not of_weights or any(i not in parts.constants for i in read - of_weights):
            if isinstance(value, IfThenElse):
                parts.remarks += _in_arms(name, function, binding, parts)
            continue
        reason = _why_not(binding, module)
        if reason:
            parts.remarks.append(note("lift/not-lifted", reason, name, var.id).diagnostic)
        else:
            parts.lifted[var.id] = binding
    return parts


def _in_arms(
    name: str, function: GraphFunction, branch: Binding, parts: _Parts
) -> Iterator[Diagnostic]:
    """What arms compute from weights only: nobody knows yet whether it will be asked for."""
    assert isinstance(branch.value, IfThenElse)
    known = {*parts.weights, *parts.lifted, *parts.constants, *constant_values(function)}
    for arm, body in (("then", branch.value.then), ("else", branch.value.otherwise)):
        for binding in bindings_in(body.blocks):
            read = {v.id for v in own_vars(binding.value)}
            if read and read <= known and not isinstance(binding.value, Alias):
                known.add(binding.var.id)
                text = (
                    f"`{binding.var.name}` is computed from weights only, but in the `{arm}` arm "
                    f"of `{branch.var.name}`: where that is not taken it is not computed"
                )
                yield note("lift/not-lifted", text, name, binding.var.id).diagnostic


def _why_not(binding: Binding, module: IRModule) -> str:
    if isinstance(binding.value, IfThenElse):
        return f"`{binding.var.name}` is a branch"
    if must_run(binding.value, module):
        return f"`{binding.var.name}` is a check or has an effect"
    if free_vars(binding.var.type):
        return f"`{binding.var.name}` has a symbolic dimension"
    return ""


def _split(
    editor: ModuleEditor,
    name: str,
    function: GraphFunction,
    inputs: int,
    parts: _Parts,
    rule: str,
) -> None:
    rest = [b for b in function.bindings if b.var.id not in parts.lifted]
    read = {v.id for b in rest for v in argument_vars(b.value)}
    read |= {v.id for v in leaf_vars(function.result)}
    weights = tuple(w for i, w in parts.weights.items() if i in read or free_vars(w.type))
    lifted = tuple(b.var for i, b in parts.lifted.items() if i in read)
    made = _transform(function, parts, (*weights, *lifted))
    callee = editor.add_function(f"{name}_transform_params", made, share=False)
    editor.set_signature(name, (*function.params[:inputs], *weights, *lifted))
    for value in parts.lifted:
        editor.remove(name, value)
        source, moved = NodeRef(name, value), NodeRef(callee, value)
        editor.derive(rule, (source,), (moved,), Relation.MOVED)
    for var in lifted:
        ref = NodeRef(name, var.id)
        editor.derive(rule, (ref,), (ref,), Relation.SAME)


def _transform(function: GraphFunction, parts: _Parts, results: tuple[Var, ...]) -> GraphFunction:
    """The function that computes what weights become."""
    needed = {v.id for b in parts.lifted.values() for v in argument_vars(b.value)}
    kept = {**{i: b for i, b in parts.constants.items() if i in needed}, **parts.lifted}
    bindings = tuple(b for b in function.bindings if b.var.id in kept)
    shown = tuple(var.id for var in results if var.id in parts.lifted)
    result = TupleValue(results)
    return GraphFunction(
        tuple(parts.weights.values()),
        (BindingBlock(bindings, dataflow=True, outputs=shown),),
        result,
        type_of(result),
        next_id=function.next_id,
    )
