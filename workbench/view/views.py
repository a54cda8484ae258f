"""The view data of a session, remembered by step: what every transport sends."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from workbench.ir import module_digest
from workbench.passes import BindSymbolicVariables
from workbench.rewrite import Pass
from workbench.session import Session
from workbench.session.catalogue import as_pass, catalogue_version
from workbench.session.flow import FlowValue
from workbench.session.lineage import Lineage
from workbench.view.actions import module_actions, pass_at, specialising
from workbench.view.compared import comparison_view, diff_view
from workbench.view.detail import detail_view
from workbench.view.function_detail import function_detail, names_function
from workbench.view.history import session_view
from workbench.view.memory import memory_view
from workbench.view.messages import Bundle, SavedView
from workbench.view.origins import layers_at_import
from workbench.view.picture import Step, module_view
from workbench.view.protocol import (
    VERSION,
    ActionView,
    ComparisonView,
    DetailView,
    DiffView,
    MemoryView,
    ModuleView,
    SessionView,
    TokenView,
)
from workbench.view.text import module_tokens


class SessionViews:
    """View data of one session. Pictures and actions are computed once for each step."""

    def __init__(self, session: Session, variable: str = "s") -> None:
        self.session = session
        self.variable = variable
        self._lock = threading.RLock()
        self._modules: dict[int, ModuleView] = {}
        self._actions: dict[tuple[str, int], list[ActionView]] = {}
        """By digest of the module and version of the catalogue, of which the last is kept."""
        self._ancestors: dict[int, Mapping[str, str]] = {}
        self._layers = layers_at_import(session.snapshot(0).module, session.lineage(0))

    def history(self) -> SessionView:
        """The history as it is now."""
        return session_view(self.session, self.variable)

    def module(self, step: int) -> ModuleView:
        """The picture of a step.

        Raises:
            CompileError: `session/unknown-step`.
        """
        with self._lock:
            if step not in self._modules:
                self._modules[step] = module_view(self._step(step))
            return self._modules[step]

    def _step(self, step: int) -> Step:
        snapshot = self.session.snapshot(step)
        parent = snapshot.parent
        return Step(
            index=step,
            module=snapshot.module,
            lineage=self.session.lineage(step),
            before=None if parent is None else self.session.snapshot(parent).module,
            origin=self.session.snapshot(0).module,
            layers=self._layers,
            ancestors=self._ancestors_of(step),
        )

    def _ancestors_of(self, step: int) -> Mapping[str, str]:
        """For every key of a step the key that it had at the import, as far as it has one."""
        if step not in self._ancestors:
            lineage = self.session.lineage(step)
            parent = self.session.snapshot(step).parent
            if parent is None:
                self._ancestors[step] = {key: key for key in lineage.stable}
            else:
                self._ancestors[step] = _inherit(lineage, self._ancestors_of(parent))
        return self._ancestors[step]

    def detail(self, step: int, node: str) -> DetailView:
        """One value, or one tensor function (`matmul/`), in detail.

        Raises:
            CompileError: `view/unknown-node`, `session/unknown-step`.
        """
        if names_function(node):
            return function_detail(self.session, step, node, self.actions(step))
        return detail_view(self.session, step, node, self.variable)

    def actions(self, step: int, numbers: Mapping[str, int] | None = None) -> list[ActionView]:
        """What applies to the whole module of a step, with these extents of its dimensions."""
        module = self.session.snapshot(step).module
        version = catalogue_version()
        key = module_digest(module), version
        if key not in self._actions:
            self._actions = {k: v for k, v in self._actions.items() if k[1] == version}
            self._actions[key] = module_actions(module, self.variable)
        special = specialising(module, self.session.extents(step), numbers, self.variable)
        return [*special, *self._actions[key]]

    def pass_named(
        self, name: str, step: int, node: str | None, numbers: Mapping[str, int] | None = None
    ) -> Pass:
        """The pass of that name, at one value or everywhere, with the numbers that it takes.

        Raises:
            CompileError: `session/unknown-pass`.
        """
        if name == BindSymbolicVariables.__name__:
            return BindSymbolicVariables(self.session.extents(step) if numbers is None else numbers)
        kind = type(as_pass(name))
        value: FlowValue | None = None
        if node is not None:
            value = self.session.lineage(step).value(node)
        return pass_at(kind, self.session.snapshot(step).module, value)

    def diff(self, a: int, b: int) -> DiffView:
        """What differs between two steps."""
        return diff_view(self.session.diff(a, b))

    def comparison(self) -> ComparisonView | None:
        """The last comparison."""
        last = self.session.comparison
        return None if last is None else comparison_view(last)

    def memory(self, step: int, function: str) -> MemoryView:
        """The memory plan of a graph function of a step.

        Raises:
            CompileError: `module/unknown-function`, `session/unknown-step`.
        """
        return memory_view(self.session.snapshot(step).module, function, step)

    def script(self, step: int) -> list[TokenView]:
        """The script of a step."""
        return module_tokens(self.session.snapshot(step).module)

    def saved(self) -> SavedView:
        """What a notebook keeps: history and picture of the head."""
        history = self.history()
        return SavedView(version=VERSION, session=history, module=self.module(history.head))

    def bundle(self) -> Bundle:
        """The value of our MIME type."""
        return Bundle(key=self.session.key, data=self.saved())


def _inherit(lineage: Lineage, before: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in lineage.stable:
        known = [before[source] for source in lineage.sources.get(key, ()) if source in before]
        if known:
            found[key] = known[-1]
    return found
