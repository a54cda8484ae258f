"""A machine learning compiler to think with: see a module, transform it, check every step.

`workbench.open(model)` starts; everything else is reached from there. Names load on first use.
"""

# Names load on first use, which type checkers do not see.
# pyright: reportUnsupportedDunderAll=false

from __future__ import annotations

import importlib
from typing import Any

from workbench.ir import (
    GraphFunction,
    IRModule,
    TensorFunction,
    register_graph_check,
    register_source,
    register_tensor_check,
    register_view,
)
from workbench.support import CompileError, Diagnostic

_LAZY = {
    "Executable": ("workbench.runtime", "Executable"),
    "I": ("workbench.script", "I"),
    "R": ("workbench.script", "R"),
    "Schedule": ("workbench.schedule", "Schedule"),
    "Session": ("workbench.session", "Session"),
    "T": ("workbench.script", "T"),
    "add_shared_object": ("workbench.ir", "add_shared_object"),
    "allow": ("workbench.ir", "allow"),
    "analysis": ("workbench.analysis", None),
    "build": ("workbench.runtime", "build"),
    "default_pipeline": ("workbench.passes", "default_pipeline"),
    "externals": ("workbench.ir", "externals"),
    "load": ("workbench.notebook.api", "load"),
    "memory_plan": ("workbench.view.memory", "memory_plan"),
    "open": ("workbench.notebook.api", "open_session"),
    "optimize": ("workbench.passes", "optimize"),
    "parse": ("workbench.notebook.api", "parse"),
    "register_pass": ("workbench.passes", "register_pass"),
    "passes": ("workbench.passes", None),
    "schedule": ("workbench.schedule", None),
    "save": ("workbench.notebook.api", "save"),
    "te": ("workbench.te", None),
}

__all__ = [
    "CompileError",
    "Diagnostic",
    "Executable",
    "I",
    "IRModule",
    "R",
    "Schedule",
    "Session",
    "T",
    "add_shared_object",
    "allow",
    "analysis",
    "build",
    "default_pipeline",
    "externals",
    "load",
    "memory_plan",
    "open",
    "optimize",
    "parse",
    "passes",
    "save",
    "schedule",
    "te",
]


@register_source
def _operators() -> None:
    """`from workbench.script import I, R, T` alone reads operators too."""
    importlib.import_module("workbench.ops")


@register_tensor_check
def _races(function: TensorFunction) -> tuple[Diagnostic, ...]:
    return importlib.import_module("workbench.analysis.dependence.races").races(function)


@register_tensor_check
def _undeclared(function: TensorFunction) -> tuple[Diagnostic, ...]:
    home = importlib.import_module("workbench.analysis.declared_regions")
    return home.undeclared_accesses(function)


@register_graph_check
def _memory_plan(module: IRModule, name: str, function: GraphFunction) -> tuple[Diagnostic, ...]:
    if all(attribute != "memory_plan" for attribute, _ in function.attrs):
        return ()
    home = importlib.import_module("workbench.analysis.memory")
    return home.plan_faults(module, name, function)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    home, attribute = _LAZY[name]
    if not home.startswith("workbench.notebook"):
        importlib.import_module("workbench.ops")
    module = importlib.import_module(home)
    found = module if attribute is None else getattr(module, attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def _load_views_first(name: str, home: str) -> None:
    """Modules made without `parse` or `load` show themselves too."""

    @register_view(name)
    def load_and_show(module: IRModule, *arguments: Any) -> Any:  # noqa: ANN401
        importlib.import_module(home)
        if name == "mimebundle":
            return module._repr_mimebundle_()  # pyright: ignore[reportPrivateUsage]
        return getattr(module, name)(*arguments)


for _name in ("script", "show", "mimebundle"):
    _load_views_first(_name, "workbench.view.module_views")
for _name in ("dot", "to_networkx"):
    _load_views_first(_name, "workbench.view.graphs")
