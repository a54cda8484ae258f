"""EliminateDeadCode: drop bindings that nothing reads and functions that nothing calls.

Rewrite::

    lv0 = R.add(x, x)
    gv = R.nn.relu(x)
    R.output(gv)
    =>
    gv = R.nn.relu(x)
    R.output(gv)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.uses import algorithms, argument_vars, callees, result_ids
from workbench.ir import (
    Binding,
    CallPacked,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    PackedStyle,
)
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site
from workbench.support import NodeId


@dataclass(frozen=True)
class EliminateDeadCode(Rule):
    """Remove unused pure bindings, and private functions without callers.

    Effects, checks (`match_cast`) and branches stay. Reference:
    `relax.transform.DeadCodeElimination`.
    """

    name: ClassVar[str] = "eliminate-dead-code"
    absent: ClassVar[str] = "every value and function is used"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            for dead in _dead_bindings(function):
                yield Site(name, (dead.var.id,), f"`{dead.var.name}` is not used")
        for name in _dead_functions(module):
            yield Site(name, (NodeId(-1),), f"`{name}` is not called")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        if site.nodes[0] >= 0:
            editor.remove(site.function, site.nodes[0])

    @override
    def finish(self, editor: ModuleEditor) -> IRModule:
        module = editor.commit()
        while not self.only and (dead := _dead_functions(module)):
            for name in dead:
                editor.remove_function(name)
            module = editor.commit()
        return module


def _dead_functions(module: IRModule) -> list[str]:
    used = {*callees(module), *algorithms(module)}
    return [name for name, function in module.functions if function.private and name not in used]


def _dead_bindings(function: GraphFunction) -> list[Binding]:
    """Unused bindings, last first, so that what only they use is found too."""
    used = set(result_ids(function))
    dead: list[Binding] = []
    for binding in reversed(function.bindings):
        if binding.var.id in used or _has_effect(binding):
            used |= {var.id for var in argument_vars(binding.value)}
        else:
            dead.append(binding)
    return dead


def _has_effect(binding: Binding) -> bool:
    value = binding.value
    if isinstance(value, CallPacked):
        return value.style is PackedStyle.EFFECT
    return isinstance(value, MatchCast | IfThenElse)
