"""FuseTensorFunctions: merge the tensor functions of a fused group into one.

Rewrite::

    lv1 = cls.fused_matmul_add(x, w, b)      # a function that calls matmul and add
    =>
    lv1 = R.call_tir(cls.fused_matmul_add, (x, w, b), out_ty=...)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import named_functions
from workbench.analysis.uses import callees
from workbench.ir import (
    Binding,
    CallFunction,
    CallTIR,
    GraphFunction,
    IRModule,
    Seq,
    Stmt,
    TensorFunction,
    TensorType,
    TupleType,
    TupleValue,
    Var,
    structurally_equal,
)
from workbench.rewrite import (
    Derivation,
    ModuleEditor,
    NodeRef,
    Refusal,
    Relation,
    Rule,
    Site,
    all_bindings,
    is_fused,
    note,
)
from workbench.rewrite.callees import with_callees
from workbench.schedule.cpu.inline import inline_stages
from workbench.schedule.cpu.renaming import Renaming
from workbench.support import NodeId

SUFFIX = "_tir"
"""Marks merged functions until the groups they come from have gone and leave them their names."""


@dataclass(frozen=True)
class FuseTensorFunctions(Rule):
    """Replace calls of fused graph functions by calls of one tensor function.

    An elementwise value is computed where it is read, so that a chain is one loop nest with all
    between in registers. What follows a contraction or reduction, and what is too costly to
    compute at each read, stays a nest over a buffer of the function: `ScheduleDefault` computes it
    in the same tile, and `ReverseComputeAt` puts it there by hand. Functions that are not private
    stay, for callers from outside. Reference: `relax.transform.FuseTIR`.
    """

    name: ClassVar[str] = "fuse-tensor-functions"
    absent: ClassVar[str] = "no fused group to merge; apply FuseOps first"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        mergeable = {name: _why_not(module, f) for name, f in _primitives(module).items()}
        for name, function in module.graph_functions.items():
            for binding in all_bindings(function):
                call = binding.value
                if isinstance(call, CallFunction) and call.callee in mergeable:
                    if reason := mergeable[call.callee]:
                        yield note("fuse/not-merged", reason, name, binding.var.id)
                    else:
                        yield Site(name, (binding.var.id,), f"`{call.callee}`")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        assert isinstance(binding.value, CallFunction)
        call, out = binding.value, binding.var.type
        fused = editor.function(call.callee)
        assert isinstance(fused, GraphFunction)
        given = out.fields if isinstance(out, TupleType) else (out,)
        out_types = tuple(type_ for type_ in given if isinstance(type_, TensorType))
        name = f"{call.callee}{SUFFIX}"
        if name in editor.base or name not in editor:
            name = editor.add_function(name, _merged(editor, fused))
        editor.replace_value(
            site.function, site.nodes[0], CallTIR(name, call.args, out_types), self.name
        )
        refs = tuple(NodeRef(call.callee, b.var.id) for b in fused.bindings)
        result = (NodeRef(site.function, site.nodes[0]),)
        editor.derivations.append(Derivation(self.name, refs, result, Relation.PART))

    @override
    def finish(self, editor: ModuleEditor) -> IRModule:
        module = editor.commit()
        called = callees(module)
        groups = _primitives(module).items()
        gone = {name: f for name, f in groups if f.private and name not in called}
        left = {f"{name}{SUFFIX}": name for name, f in gone.items() if _left_by(editor, name, f)}
        for name in gone:
            editor.remove_function(name)
        return _with_names(editor.commit(), left)


def _merged(editor: ModuleEditor, group: GraphFunction) -> TensorFunction:
    return replace(inline_stages(merge(editor, group)), private=True)


def _left_by(editor: ModuleEditor, name: str, group: GraphFunction) -> bool:
    """Whether the function that is named after a group is what the group was merged into."""
    merged = f"{name}{SUFFIX}"
    if merged not in editor.base:
        return merged in editor
    return structurally_equal(editor.function(merged), _merged(editor, group))


def _with_names(module: IRModule, names: dict[str, str]) -> IRModule:
    """Merged functions have the names of the groups that have gone."""
    if not names:
        return module
    named = (
        (
            names.get(name, name),
            f if names.keys().isdisjoint(named_functions(f)) else with_callees(f, names),
        )
        for name, f in module.functions
    )
    return replace(module, functions=tuple(named))


def _primitives(module: IRModule) -> dict[str, GraphFunction]:
    functions = module.graph_functions.items()
    return {name: f for name, f in functions if is_fused(f)}


def _why_not(module: IRModule, function: GraphFunction) -> str:
    if others := [p.name for p in function.params if not _is_buffer(p.type)]:
        return f"parameter `{others[0]}` is no tensor of known shape and dtype"
    calls = (_why_no_nest(module, binding) for binding in function.bindings)
    return next(filter(None, calls), "") or _why_no_outputs(function)


def _why_no_nest(module: IRModule, binding: Binding) -> str:
    call = binding.value
    if not isinstance(call, CallTIR):
        return f"`{binding.var.name}` calls no tensor function"
    if not all(isinstance(arg, Var) for arg in call.args):
        return f"`{binding.var.name}` is computed from a constant; make it a parameter"
    if len(call.out_types) != 1 or call.scalars:
        return f"`{binding.var.name}` has several outputs or scalar arguments"
    if not isinstance(module[call.callee], TensorFunction):
        return f"`{call.callee}` is no tensor function"
    return ""


def _why_no_outputs(function: GraphFunction) -> str:
    results = _results(function)
    if not results:
        return "it gives something else than tensors"
    if len(results) == 1 and function.result != results[0]:
        return "it gives a tuple of one value, which no call of a tensor function does"
    given = {var.id for var in results}
    if not given.issubset(binding.var.id for binding in function.bindings):
        return "it gives a parameter back"
    return "" if len(given) == len(results) else "it gives one value twice"


def _is_buffer(type_: object) -> bool:
    return isinstance(type_, TensorType) and type_.shape is not None and type_.dtype is not None


def _results(function: GraphFunction) -> tuple[Var, ...] | None:
    """The tensors that a group gives; None where it gives something else."""
    result = function.result
    leaves = result.fields if isinstance(result, TupleValue) else (result,)
    tensors = [v for v in leaves if isinstance(v, Var) and isinstance(v.type, TensorType)]
    return tuple(tensors) if len(tensors) == len(leaves) else None


def merge(editor: ModuleEditor, function: GraphFunction) -> TensorFunction:
    """The calls of a fused function as one tensor function, with a parameter for each result.

    Bodies in order, intermediates as buffers.
    """
    renaming = Renaming(function.next_id)
    buffers: dict[NodeId, Var] = {p.id: renaming.buffer(p) for p in function.params}
    allocations: list[Var] = []
    bodies: list[Stmt] = []
    for binding in function.bindings:
        call = binding.value
        assert isinstance(call, CallTIR)
        callee = editor.function(call.callee)
        assert isinstance(callee, TensorFunction)
        buffers[binding.var.id] = renaming.buffer(binding.var)
        args = [buffers[arg.id] for arg in call.args if isinstance(arg, Var)]
        body, local = renaming.inline(callee, (*args, buffers[binding.var.id]))
        bodies += body.body if isinstance(body, Seq) else (body,)
        allocations += [*local, buffers[binding.var.id]]
    results = [buffers[var.id] for var in _results(function) or ()]
    params = (*(buffers[p.id] for p in function.params), *results)
    given = {var.id for var in results}
    kept = tuple(a for a in allocations if a.id not in given)
    whole = bodies[0] if len(bodies) == 1 else Seq(tuple(bodies))
    return TensorFunction(params, whole, kept, (("noalias", True),), next_id=renaming.ids.next)
