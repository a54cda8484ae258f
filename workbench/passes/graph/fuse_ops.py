"""FuseOps: gather calls that should be one loop nest into functions of their own.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w))
    lv1 = R.call_tir(cls.add, (lv0, b))
    =>
    lv1 = cls.fused_matmul_add(x, w, b)      # a private function with the two calls
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.fusion import Group, fusion_plan
from workbench.analysis.fusion_edges import Edge
from workbench.analysis.uses import callees
from workbench.ir import Binding, CallFunction, CallTIR, Dim, GraphFunction, IRModule
from workbench.rewrite import (
    ModuleEditor,
    Refusal,
    Rule,
    Site,
    call_dimensions,
    inline_call,
    is_fused,
    note,
    outline,
)
from workbench.support import NodeId


@dataclass(frozen=True)
class FuseOps(Rule):
    """Group each contraction, reduction or elementwise chain with the elementwise calls after it.

    Decides by the pattern of the tensor functions, never by names. A group that somebody made
    before, by hand or with a pattern pass, keeps its members: what follows it joins them. Values
    inside a group keep their ids in the new function; the group's value keeps its id in the
    caller. For each edge that stays, a note says why. Reference: `relax.transform.FuseOps`; Chen
    et al., OSDI 2018.
    """

    name: ClassVar[str] = "fuse-ops"
    absent: ClassVar[str] = "no two calls of tensor functions to fuse; legalize first"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if is_fused(function):
                continue
            plan = fusion_plan(module, function)
            for group in plan.groups:
                yield _judge(module, name, group)
            for edge in plan.apart:
                message = f"{_shown(edge)}: {edge.reason}"
                yield note("fuse/not-fused", message, name, edge.consumer.var.id)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        members = [b for v in reversed(site.nodes) if (b := editor.binding(site.function, v))]
        made = outline(editor, site.function, members, _name(members), rule=self.name)
        if not isinstance(members[0].value, CallFunction):
            return
        inside = editor.binding(made.callee, members[0].var.id)
        if inside is not None and isinstance(inside.value, CallFunction):
            dims = _dimensions(editor.current, inside.value)
            assert not isinstance(dims, str)
            inline_call(editor, made.callee, inside, dims, self.name)

    @override
    def finish(self, editor: ModuleEditor) -> IRModule:
        module = editor.commit()
        functions = editor.base.graph_functions.items()
        groups = [name for name, f in functions if is_fused(f) and f.private]
        if groups:
            called, before = callees(module), callees(editor.base)
            for name in groups:
                if name in before and name not in called:
                    editor.remove_function(name)
        return editor.commit()


def _judge(module: IRModule, function: str, group: Group) -> Site | Refusal:
    """The group as a site, unless a group that it begins with cannot be taken over."""
    first = group.members[0]
    if isinstance(first.value, CallFunction):
        dims = _dimensions(module, first.value)
        if isinstance(dims, str):
            return note("fuse/not-fused", dims, function, first.var.id)
    nodes = tuple(b.var.id for b in reversed(group.members))
    return Site(function, nodes, " + ".join(_callees(group.members)))


def _shown(edge: Edge) -> str:
    """`a` -> `b`; an arm of an `if` often gives a value of the same name."""
    given = f" of the `{edge.arm}` arm" if edge.arm else ""
    return f"`{edge.producer.name}`{given} -> `{edge.consumer.var.name}`"


def _dimensions(module: IRModule, call: CallFunction) -> dict[NodeId, Dim] | str:
    callee = module[call.callee]
    assert isinstance(callee, GraphFunction)
    return call_dimensions(callee, call)


_NAMING = (CallTIR, CallFunction)


def _callees(members: Sequence[Binding]) -> list[str]:
    values = [member.value for member in members]
    return [value.callee for value in values if isinstance(value, _NAMING)]


def _name(members: list[Binding]) -> str:
    names = [name.removeprefix("fused_").rstrip("0123456789") for name in _callees(members)[:6]]
    return "fused_" + "_".join(names)
