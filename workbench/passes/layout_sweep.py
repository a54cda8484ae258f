"""One sweep over a graph function: conversions move down, meet, and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.analysis.homes import homes
from workbench.ir import Binding, GraphFunction
from workbench.passes.layout_conversions import Conversion, Relayer, conversion
from workbench.rewrite import ModuleEditor, NodeRef, Relation, note
from workbench.schedule.layouts.flow import Found
from workbench.support import Diagnostic, NodeId


def sweep(
    editor: ModuleEditor,
    name: str,
    rule: str,
    chosen: Mapping[NodeId, Found] | None = None,
    linked: list[tuple[NodeId, ...]] | None = None,
) -> Iterator[Diagnostic]:
    """Lay out the calls in `chosen`, and let conversions out of blocked layouts move behind calls.

    Gives a remark for each call before which a conversion stays. For each call that was laid out,
    `linked` gets its value and those that it reads and gives in a new layout. Linear in the
    function.
    """
    function = editor.function(name)
    assert isinstance(function, GraphFunction)
    for home in homes(function):
        relayer = Relayer(editor, name, rule)
        for binding in home.block.bindings if home.dataflow else ():
            found = conversion(binding)
            if found is not None:
                _conversion(relayer, found)
                continue
            why = _call(relayer, binding, (chosen or {}).get(binding.var.id))
            if why:
                message = f"`{binding.var.name}` does not follow the layout: {why}"
                yield note("layout/not-followed", message, name, binding.var.id).diagnostic
        if linked is not None:
            linked += relayer.calls


def _conversion(relayer: Relayer, found: Conversion) -> None:
    """Drop a conversion to a layout that is there; remember another one."""
    there = relayer.same(found)
    if there is None:
        relayer.note(found)
        return
    editor, name, var = relayer.editor, relayer.function, found.binding.var
    editor.substitute(name, var.id, there)
    editor.remove(name, var.id)
    refs = NodeRef(name, var.id), NodeRef(name, there.id)
    editor.derive(relayer.rule, refs[:1], refs[1:], Relation.SAME)


def _call(relayer: Relayer, binding: Binding, layouts: Found | None) -> str | None:
    if layouts is None:
        return relayer.follow(binding)
    callee = relayer.callee(binding)
    assert callee is not None
    return relayer.lay_out(binding, callee, layouts)
