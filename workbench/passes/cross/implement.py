"""Implement: choose how one call is computed.

Rewrite::

    lv0 = R.matmul(x, w)
    =>
    lv0 = R.call_tir(cls.matmul_scheduled, (x, w), out_ty=R.Tensor((64, 64), dtype="float32"))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.ir import Binding, IRModule
from workbench.passes.candidates import Candidate, find_value, implement, implementations, why_none
from workbench.passes.external_calls import noting_calls
from workbench.rewrite import ModuleEditor, Pass, PassResult
from workbench.support import CompileError, Diagnostic
from workbench.support.spelling import near


@dataclass(frozen=True)
class Implement(Pass):
    """Give the call named `value` the implementation named `implementation`.

    Names are those that `implementations` lists: `generated` (plain loops), `schedule`,
    `schedule 4x24`, `library numpy.matmul`, `reference`, `function f` for a tensor function of
    the module.

    Raises:
        CompileError: `pass/unknown-value`, `pass/ambiguous-value`, `implement/unavailable`.
    """

    name: ClassVar[str] = "implement"
    value: str
    implementation: str

    @override
    def run(self, module: IRModule) -> PassResult:
        function, binding = find_value(module, self.value)
        known = {c.name: c for c in implementations(module, function, binding)}
        chosen = known.get(self.implementation)
        if chosen is None or not chosen.available:
            raise CompileError(self._unknown(function, binding, chosen, known))
        editor = ModuleEditor(module if chosen.current else noting_calls(module))
        if not chosen.current:
            implement(editor, function, binding, chosen, self.name)
        return PassResult(editor.commit(), tuple(editor.derivations))

    def _unknown(
        self, function: str, binding: Binding, chosen: Candidate | None, known: dict[str, Candidate]
    ) -> Diagnostic:
        reason = chosen.reason if chosen else why_none(binding)
        why = f": {reason}" if reason else ""
        there = ", ".join(f"`{c.name}`" for c in known.values() if c.available)
        return Diagnostic(
            "implement/unavailable",
            f"`{self.value}` has no implementation `{self.implementation}`{why}",
            function=function,
            node=binding.var.id,
            notes=(f"there are {there or 'none'}",),
            hint="" if chosen else near(self.implementation, known),
        )
