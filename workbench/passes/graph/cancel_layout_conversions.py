"""CancelLayoutConversions: drop conversions that undo each other.

Rewrite::

    a = R.layout_transform(x, index_map="lambda i0, i1: (i0 // 4, i1, i0 % 4)")
    b = R.layout_transform(a, index_map="lambda i0, i1, i2: (i0 * 4 + i2, i1)")
    y = R.exp(b)
    =>
    y = R.exp(x)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.ir import IRModule, Var
from workbench.passes.layout_conversions import (
    Conversion,
    conversion,
    conversions,
    undone,
    without_unused_conversions,
)
from workbench.rewrite import ModuleEditor, NodeRef, Refusal, Relation, Rule, Site, note
from workbench.schedule.layouts.flow import is_identity, same_layout
from workbench.support import NodeId


@dataclass(frozen=True)
class CancelLayoutConversions(Rule):
    """Use what was there before two conversions of which the second undoes the first.

    And drop conversions that leave everything where it is. Conversions that nothing reads any more
    go. Reference: `relax.transform.OptimizeLayoutTransform`.
    """

    name: ClassVar[str] = "cancel-layout-conversions"
    absent: ClassVar[str] = "no conversion follows another one"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        known: dict[tuple[str, NodeId], Conversion] = {}
        for name, found in conversions(module):
            var = found.binding.var
            known[name, var.id] = found
            if is_identity(found.layout):
                yield Site(name, (var.id,), f"`{var.name}` leaves everything where it is")
            elif isinstance(found.source, Var) and (name, found.source.id) in known:
                first = known[name, found.source.id]
                why = _why_not(first, found)
                if why:
                    yield note("layout/not-cancelled", why, name, var.id)
                else:
                    yield Site(name, (var.id, found.source.id), f"`{var.name}` undoes it")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        last = conversion(binding)
        assert last is not None
        leaf = last.source
        if len(site.nodes) > 1:
            before = editor.binding(site.function, site.nodes[1])
            first = None if before is None else conversion(before)
            assert first is not None
            leaf = first.source
        editor.substitute(site.function, binding.var.id, leaf)
        editor.remove(site.function, binding.var.id)
        if isinstance(leaf, Var):
            refs = NodeRef(site.function, binding.var.id), NodeRef(site.function, leaf.id)
            editor.derive(self.name, refs[:1], refs[1:], Relation.SAME)

    @override
    def still_applies(self, site: Site, editor: ModuleEditor) -> bool:
        """The first conversion may be gone already; what it gave stands for it then."""
        return editor.binding(site.function, site.nodes[0]) is not None and all(
            editor.binding(site.function, node) is not None for node in site.nodes
        )

    @override
    def finish(self, editor: ModuleEditor) -> IRModule:
        return without_unused_conversions(editor.commit())


def _why_not(first: Conversion, last: Conversion) -> str:
    back = undone(first.layout, first.type_)
    if back is None:
        return f"`{first.binding.var.name}` has padding, which is not undone"
    if not same_layout(back, last.layout, last.type_.shape or ()):
        return f"`{last.binding.var.name}` does not undo `{first.binding.var.name}`"
    return ""
