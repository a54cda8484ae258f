"""FuseOps: gather calls that should be one loop nest into functions of their own.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w))
    lv1 = R.call_tir(cls.add, (lv0, b))
    =>
    lv1 = cls.fused_matmul_add(x, w, b)      # a private function with the two calls
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.fusion import fusion_groups
from workbench.ir import (
    Arg,
    Binding,
    BindingBlock,
    CallFunction,
    CallTIR,
    Constant,
    GraphFunction,
    IRModule,
    Var,
)
from workbench.rewrite import Derivation, ModuleEditor, NodeRef, Refusal, Relation, Rule, Site, note
from workbench.support import NodeId


@dataclass(frozen=True)
class FuseOps(Rule):
    """Group each contraction.

    Reduction or elementwise chain with the elementwise calls that follow it.

    Decides by the pattern of the tensor functions, never by names; leaves functions alone that
    somebody fused before. Values inside a group keep their ids in the new function; the group's
    value keeps its id in the caller. Reference: `relax.transform.FuseOps`; Chen et al., OSDI 2018.
    """

    name: ClassVar[str] = "fuse-ops"
    absent: ClassVar[str] = "no two calls of tensor functions to fuse; legalize first"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if dict(function.attrs).get("Primitive"):
                continue
            groups, reasons = fusion_groups(module, function)
            for group in groups:
                callees = [b.value.callee for b in group.members if isinstance(b.value, CallTIR)]
                yield Site(
                    name, tuple(b.var.id for b in reversed(group.members)), " + ".join(callees)
                )
            for value, reason in reasons.items():
                yield note("fuse/not-fused", reason, name, value)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        function = editor.function(site.function)
        assert isinstance(function, GraphFunction)
        members = [b for v in reversed(site.nodes) if (b := editor.binding(site.function, v))]
        fused, args = _outline(function, members)
        name = editor.add_function(_name(members), fused)
        sink = members[-1].var.id
        editor.replace_value(site.function, sink, CallFunction(name, args), self.name)
        for member in members:
            if member.var.id != sink:
                editor.remove(site.function, member.var.id)
        inside = editor.function(name)
        assert isinstance(inside, GraphFunction)
        for old, new in zip(members, inside.bindings, strict=True):
            source, result = NodeRef(site.function, old.var.id), NodeRef(name, new.var.id)
            editor.derivations.append(Derivation(self.name, (source,), (result,), Relation.MOVED))


def _name(members: list[Binding]) -> str:
    callees = [b.value.callee for b in members if isinstance(b.value, CallTIR)]
    return "fused_" + "_".join(name.rstrip("0123456789") for name in callees[:6])


def _outline(
    function: GraphFunction, members: list[Binding]
) -> tuple[GraphFunction, tuple[Arg, ...]]:
    """The members as a function of what they read from outside, and the arguments for it."""
    inside = {member.var.id for member in members}
    args: dict[Arg, Var] = {}
    bindings: list[Binding] = []
    next_id = function.next_id
    for member in members:
        call = member.value
        assert isinstance(call, CallTIR)
        leaves: list[Arg] = []
        for arg in call.args:
            if isinstance(arg, Var) and arg.id not in inside:
                args.setdefault(arg, arg)
            elif isinstance(arg, Constant) and arg not in args:
                args[arg] = Var(NodeId(next_id), f"c{len(args)}", arg.type)
                next_id += 1
            leaves.append(args.get(arg, arg))
        bindings.append(replace(member, value=replace(call, args=tuple(leaves))))
    result = members[-1].var
    block = BindingBlock(tuple(bindings), dataflow=True, outputs=(result.id,))
    params = tuple(args.values())
    attrs = (("Primitive", 1),)
    fused = GraphFunction(
        params, (block,), result, result.type, attrs, private=True, next_id=next_id
    )
    return fused, tuple(args)
