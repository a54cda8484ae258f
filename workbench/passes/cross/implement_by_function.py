"""ImplementByFunction: let a function of the user's compute one call.

Rewrite::

    lv0 = R.matmul(x, w)
    =>
    lv0 = R.call_dps_packed("my_matmul", (x, w), out_ty=R.Tensor((64, 64), dtype="float32"))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from typing_extensions import override

from workbench.ir import (
    Binding,
    CallPacked,
    IRModule,
    PackedStyle,
    TensorType,
    external_of,
    externals,
    with_externals,
)
from workbench.passes.candidates import algorithm_attrs, call_arguments, find_value, why_none
from workbench.passes.external_calls import noting_calls
from workbench.rewrite import ModuleEditor, Pass, PassResult
from workbench.support import CompileError, Diagnostic

Style = Literal["", "fills", "returns"]


@dataclass(frozen=True)
class ImplementByFunction(Pass):
    """Compute the call named `value` by `function`: any callable, of numpy, torch or your own.

    It gets the arrays of the call and fills the last argument (`fills`), or returns the result
    (`returns`); by default its parameters tell. Functions of torch, and those whose parameters
    are annotated as `torch.Tensor`, get tensors in the same memory. Its source comes with the
    module.

    Raises:
        CompileError: `pass/unknown-value`, `pass/ambiguous-value`, `implement/unavailable`.
    """

    name: ClassVar[str] = "implement-by-function"
    value: str
    function: Callable[..., Any]
    style: Style = ""

    @override
    def run(self, module: IRModule) -> PassResult:
        function, binding = find_value(module, self.value)
        out, args = binding.var.type, call_arguments(module, binding)
        if args is None or not isinstance(out, TensorType) or out.shape is None:
            raise CompileError(self._fault(function, binding))
        found = external_of(self.function, externals(module))
        returns = self._returns(len(args))
        style = PackedStyle.PURE if returns else PackedStyle.DPS
        editor = ModuleEditor(with_externals(noting_calls(module), (found,)))
        attrs = algorithm_attrs(editor, binding)
        call = CallPacked(found.symbol, args, (out,), style, attrs)
        editor.replace_value(function, binding.var.id, call, self.name)
        return PassResult(editor.commit(), tuple(editor.derivations))

    def _returns(self, inputs: int) -> bool:
        """Whether the function returns its value: no parameter is left for an output.

        One with a default is none, unless it is called `out`.
        """
        if self.style:
            return self.style == "returns"
        try:
            signature = inspect.signature(self.function)
        except (ValueError, TypeError):
            return not hasattr(self.function, "nout")
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        found = [p for p in signature.parameters.values() if p.kind in positional]
        last = found[inputs] if len(found) > inputs else None
        return last is None or (last.name != "out" and last.default is not inspect.Parameter.empty)

    def _fault(self, function: str, binding: Binding) -> Diagnostic:
        why = "it is no call of tensors with a result whose shape is known"
        return Diagnostic(
            "implement/unavailable",
            f"no function can compute `{self.value}`: {why_none(binding) or why}",
            function=function,
            node=binding.var.id,
        )
