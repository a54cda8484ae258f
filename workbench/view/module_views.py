"""What a module shows of itself: picture and script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.ir import IRModule, register_view
from workbench.script import print_module
from workbench.session.lineage import root_lineage
from workbench.view.html import folded, image, script_block
from workbench.view.origins import layers_at_import
from workbench.view.picture import Step, module_view
from workbench.view.protocol import ModuleView
from workbench.view.svg import function_svg
from workbench.view.text import module_tokens

MOST_SCRIPT = 200_000
"""Characters of script in an output."""


@dataclass(frozen=True, slots=True)
class ModuleDisplay:
    """A module to look at; the value of `module.show()`."""

    module: IRModule

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return module_bundle(self.module)

    def __repr__(self) -> str:
        return self.module.script()


def static_view(module: IRModule) -> ModuleView:
    """The picture of a module without a history."""
    lineage = root_lineage(module)
    layers = layers_at_import(module, lineage)
    ancestors = {key: key for key in lineage.stable}
    return module_view(Step(0, module, lineage, None, module, layers, ancestors))


def module_bundle(module: IRModule) -> dict[str, Any]:
    """Picture and script for a notebook."""
    view = static_view(module)
    script = module.script()
    pictures = [function_svg(function) for function in view.functions if function.nodes]
    parts = [image(svg, f"{f.name}") for svg, f in zip(pictures, view.functions, strict=False)]
    if len(script) <= MOST_SCRIPT:
        parts.append(
            folded("script", script_block(module_tokens(module)), open_=not module.graph_functions)
        )
    bundle: dict[str, Any] = {"text/html": "".join(parts), "text/plain": script}
    if pictures:
        bundle["image/svg+xml"] = pictures[0]
    return bundle


@register_view("script")
def script(module: IRModule) -> str:
    """The module as text."""
    return print_module(module)


@register_view("show")
def show(module: IRModule) -> ModuleDisplay:
    """Something that displays the module."""
    return ModuleDisplay(module)


@register_view("mimebundle")
def mimebundle(module: IRModule) -> dict[str, Any]:
    """The display of a module that is the last line of a cell."""
    return module_bundle(module)
