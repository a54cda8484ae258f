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

from workbench.analysis.calls import named_functions
from workbench.analysis.effects import must_run
from workbench.analysis.uses import argument_vars, result_ids
from workbench.ir import (
    Binding,
    BindingBlock,
    GraphFunction,
    IfThenElse,
    IRModule,
    leaf_vars,
)
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site
from workbench.support import NodeId


@dataclass(frozen=True)
class EliminateDeadCode(Rule):
    """Remove unused pure bindings, and private functions without callers.

    Effects and checks (`match_cast`) stay, and branches and calls with such. Reference:
    `relax.transform.DeadCodeElimination`.
    """

    name: ClassVar[str] = "eliminate-dead-code"
    absent: ClassVar[str] = "every value and function is used"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            for dead in _dead_bindings(module, function):
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
        if not self.only:
            for name in _dead_functions(module):
                editor.remove_function(name)
        return editor.commit()


def _dead_functions(module: IRModule) -> list[str]:
    """The private functions that no public one reaches."""
    calls = {name: named_functions(function) for name, function in module.functions}
    pending = [name for name, function in module.functions if not function.private]
    reached = set(pending)
    while pending:
        new = [name for name in calls[pending.pop()] if name in calls and name not in reached]
        reached.update(new)
        pending += new
    return [name for name in calls if name not in reached]


def _dead_bindings(module: IRModule, function: GraphFunction) -> list[Binding]:
    """Unused bindings, last first, so that what only they use is found too."""
    used = set(result_ids(function))
    dead: list[Binding] = []
    _sweep(module, function.blocks, used, dead)
    return dead


def _sweep(
    module: IRModule, blocks: tuple[BindingBlock, ...], used: set[NodeId], dead: list[Binding]
) -> None:
    for block in reversed(blocks):
        for binding in reversed(block.bindings):
            value = binding.value
            if binding.var.id not in used and not must_run(value, module):
                dead.append(binding)
            elif isinstance(value, IfThenElse):
                for body in (value.then, value.otherwise):
                    used.update(var.id for var in leaf_vars(body.result))
                    _sweep(module, body.blocks, used, dead)
                used.update(var.id for var in leaf_vars(value.condition))
            else:
                used.update(var.id for var in argument_vars(value))
