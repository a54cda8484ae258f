"""DispatchToLibrary: let a library compute contractions.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w), out_ty=R.Tensor((64, 64), dtype="float32"))
    =>
    lv0 = R.call_dps_packed("numpy.matmul", (x, w), out_ty=R.Tensor((64, 64), dtype="float32"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.contraction import LibraryForm, library_forms
from workbench.ir import (
    Binding,
    CallOp,
    CallTIR,
    IRModule,
    TensorFunction,
    find_library,
)
from workbench.ir.registry import libraries
from workbench.passes.library_calls import Functions, algorithm_of, call_library
from workbench.passes.tensor_forms import tensor_form
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, all_bindings, note
from workbench.support import CompileError, Diagnostic
from workbench.support.spelling import near


@dataclass(frozen=True)
class DispatchToLibrary(Rule):
    """Send contractions to the libraries that `symbols` names, by `call_dps_packed`.

    Recognises them by their loops, so tensor functions of users and lowered operators count
    alike. What a fused function computes after the contraction becomes a tensor function of its
    own. Reference: `relax.transform.RunCodegen` and the dispatch passes of `relax.backend`.

    Raises:
        CompileError: `dispatch/unknown-library-function`.
    """

    name: ClassVar[str] = "dispatch-to-library"
    absent: ClassVar[str] = "no call computes what a selected library has"
    symbols: tuple[str, ...] = ("numpy.matmul",)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        if unknown := [s for s in self.symbols if find_library(s) is None]:
            raise CompileError([_unknown(symbol) for symbol in unknown])
        for name, function in module.graph_functions.items():
            if dict(function.attrs).get("Primitive"):
                continue
            for binding in all_bindings(function):
                algorithm = candidate(module, binding)
                if algorithm is not None:
                    yield from self._judge(name, binding, algorithm)

    def _judge(
        self, function: str, binding: Binding, algorithm: TensorFunction
    ) -> Iterator[Site | Refusal]:
        name, value = binding.var.name, binding.var.id
        forms = library_forms(algorithm)
        form = self._form(forms)
        if form is None:
            allowed = ", ".join(f"`{s}`" for s in self.symbols)
            for other in forms[:1]:
                text = f"`{name}` could be `{other.symbol}`; selected are {allowed}"
                yield note("dispatch/not-selected", text, function, value)
            return
        library = find_library(form.symbol)
        assert library is not None
        if library.unavailable:
            text = f"`{form.symbol}` cannot be called: {library.unavailable}"
            yield note("dispatch/unavailable", text, function, value)
        else:
            yield Site(function, (value,), f"`{form.symbol}`")

    def _form(self, forms: tuple[LibraryForm, ...]) -> LibraryForm | None:
        """The form of the symbol that stands first among those selected."""
        found = {form.symbol: form for form in forms}
        return next((found[symbol] for symbol in self.symbols if symbol in found), None)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        algorithm = candidate(editor, binding)
        assert algorithm is not None
        form = self._form(library_forms(algorithm))
        assert form is not None
        call_library(editor, site.function, binding, algorithm, form, self.name)


def _unknown(symbol: str) -> Diagnostic:
    known = [library.symbol for library in libraries() if library.computes]
    return Diagnostic(
        "dispatch/unknown-library-function",
        f"no library function `{symbol}` is registered",
        notes=(f"these have loops: {', '.join(f'`{name}`' for name in known)}",),
        hint=near(symbol, known) or "register it with `register_library`",
    )


def candidate(module: Functions, binding: Binding) -> TensorFunction | None:
    """The unscheduled tensor function that says what a call computes, None where there is none."""
    call = binding.value
    if isinstance(call, CallTIR):
        return algorithm_of(module, call)
    return tensor_form(call, binding.var.type) if isinstance(call, CallOp) else None
