"""FuseOps: gather calls that should be one loop nest into functions of their own.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w))
    lv1 = R.call_tir(cls.add, (lv0, b))
    =>
    lv1 = cls.fused_matmul_add(x, w, b)      # a private function with the two calls
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.fusion import fusion_groups
from workbench.ir import Binding, CallTIR, IRModule
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, note, outline


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
        members = [b for v in reversed(site.nodes) if (b := editor.binding(site.function, v))]
        outline(editor, site.function, members, _name(members), rule=self.name)


def _name(members: list[Binding]) -> str:
    callees = [b.value.callee for b in members if isinstance(b.value, CallTIR)]
    return "fused_" + "_".join(name.rstrip("0123456789") for name in callees[:6])
