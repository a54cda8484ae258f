"""ReplaceFunction: give a tensor function another text.

Rewrite::

    for i in range(16): B[i] = A[i] * 2
    =>
    for i in T.vectorized(16): B[i] = A[i] + A[i]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.uses import callees
from workbench.ir import (
    Attrs,
    Binding,
    BufferType,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
)
from workbench.passes.library_calls import algorithm_call
from workbench.rewrite import ModuleEditor, NodeRef, Pass, PassResult, Relation, all_bindings
from workbench.script import parse_function
from workbench.script.print_types import type_text
from workbench.support import CompileError, Diagnostic, NodeId, Severity


@dataclass(frozen=True)
class ReplaceFunction(Pass):
    """Replace the tensor function `function` by the one that `text` (a script) defines.

    The parameters must have the same types, so that all calls stay right; the verdict says
    whether the values do. Calls of schedules that were made from the old text, and of libraries
    that stood in for it, go to the new text, with a remark for each.

    Raises:
        CompileError: `edit/not-a-tensor-function`, `edit/other-name`, `edit/other-signature`,
            `edit/no-effect`, all faults of the text.
    """

    name: ClassVar[str] = "replace-function"
    function: str
    text: str

    @override
    def run(self, module: IRModule) -> PassResult:
        old = module[self.function]
        defined, new = parse_function(self.text, like=old)
        if not isinstance(old, TensorFunction) or not isinstance(new, TensorFunction):
            raise CompileError(
                Diagnostic(
                    "edit/not-a-tensor-function",
                    f"`{self.function}` is no tensor function",
                    function=self.function,
                )
            )
        if defined != self.function:
            raise CompileError(self._other_name(module, defined))
        if len(old.params) != len(new.params):
            raise CompileError(
                Diagnostic(
                    "edit/other-signature",
                    f"`{self.function}` has `{len(old.params)}` parameters, "
                    f"the text has `{len(new.params)}`",
                    function=self.function,
                )
            )
        _check_types(self.function, old, new)
        attrs = tuple(a for a in new.attrs if a[0] not in {"algorithm", "scheduled"})
        editor = ModuleEditor(module)
        editor.set_function(self.function, replace(new, private=old.private, attrs=attrs))
        ref = (NodeRef(self.function, NodeId(-1)),)
        editor.derive(self.name, ref, ref, Relation.SAME)
        remarks = self._redirect(editor)
        result = editor.commit()
        if new.private and self.function not in callees(result):
            remarks.append(self._note("edit/not-called", f"nothing calls `{self.function}`"))
        return PassResult(result, tuple(editor.derivations), tuple(remarks))

    def _other_name(self, module: IRModule, defined: str) -> Diagnostic:
        also = f", or edit `{defined}`" if defined in module.tensor_functions else ""
        return Diagnostic(
            "edit/other-name",
            f"the text must define `{self.function}`, and defines `{defined}`",
            function=self.function,
            hint=f"write `def {self.function}(...)`{also}",
        )

    def _redirect(self, editor: ModuleEditor) -> list[Diagnostic]:
        """Let calls of what was made from the old text call the new one; says which."""
        remarks: list[Diagnostic] = []
        for name, body in editor.base.graph_functions.items():
            for binding in all_bindings(body):
                call = binding.value
                calls = isinstance(call, CallTIR | CallTIRInplace)
                if calls and self._made(editor.base, call.callee):
                    new = replace(call, callee=self.function)
                    editor.replace_value(name, binding.var.id, new, self.name)
                    remarks.append(self._reset(name, binding, call.callee))
                elif isinstance(call, CallPacked) and self._is_of(editor.base, call.attrs):
                    remarks.append(self._recall(editor, name, body, binding))
        for name in editor.base.tensor_functions:
            if self._made(editor.base, name):
                self._disown(editor, name)
        return remarks

    def _recall(
        self, editor: ModuleEditor, name: str, body: GraphFunction, binding: Binding
    ) -> Diagnostic:
        """Take a call back from a library."""
        assert isinstance(binding.value, CallPacked)
        found = algorithm_call(editor.base, body, binding)
        if found is None:
            raise CompileError(self._no_effect(name, binding, binding.value.symbol))
        target, call = found
        new = replace(call, callee=self.function)
        editor.replace_value(name, target.var.id, new, self.name)
        if target.var.id != binding.var.id:
            editor.remove(name, binding.var.id)
        return self._reset(name, target, binding.value.symbol)

    def _disown(self, editor: ModuleEditor, name: str) -> None:
        """A schedule of the old text is none of the new one; nothing calls it any more."""
        function = editor.function(name)
        if function.private:
            editor.remove_function(name)
        else:
            attrs = tuple(item for item in function.attrs if item[0] != "algorithm")
            editor.set_function(name, replace(function, attrs=attrs))

    def _made(self, module: IRModule, callee: str) -> bool:
        """Whether the function was scheduled from the one that is replaced."""
        return self._is_of(module, module[callee].attrs)

    def _is_of(self, module: IRModule, attrs: Attrs) -> bool:
        source = dict(attrs).get("algorithm")
        return isinstance(source, str) and (
            source == self.function or (source in module and self._made(module, source))
        )

    def _reset(self, name: str, binding: Binding, old: str) -> Diagnostic:
        return self._note(
            "edit/reset",
            f"`{binding.var.name}` was computed by `{old}`, which stood for the old text; it runs "
            f"the new text of `{self.function}` now",
            name,
            binding.var.id,
            "schedule it again, or choose another implementation, where the new text allows it",
        )

    def _note(
        self, code: str, text: str, name: str = "", node: NodeId | None = None, hint: str = ""
    ) -> Diagnostic:
        where = name or self.function
        return Diagnostic(code, text, Severity.NOTE, node=node, function=where, hint=hint)

    def _no_effect(self, name: str, binding: Binding, symbol: str) -> Diagnostic:
        return Diagnostic(
            "edit/no-effect",
            f"`{symbol}` computes `{binding.var.name}` for `{self.function}`, together with code "
            "that has been changed since; the new text would not run",
            function=name,
            node=binding.var.id,
            hint="edit in a step before the call went to the library, or edit what is called now",
        )


def _check_types(name: str, old: TensorFunction, new: TensorFunction) -> None:
    faults: list[Diagnostic] = []
    for before, after in zip(old.params, new.params, strict=True):
        a, b = before.type, after.type
        if not isinstance(a, BufferType) or not isinstance(b, BufferType):
            same = type(a) is type(b)
        else:
            fixed = all(
                x == y
                for x, y in zip(a.shape, b.shape, strict=False)
                if isinstance(x, int) or isinstance(y, int)
            )
            same = a.dtype == b.dtype and len(a.shape) == len(b.shape) and fixed
        if not same:
            faults.append(
                Diagnostic(
                    "edit/other-signature",
                    f"parameter `{after.name}` of `{name}` must have the type of `{before.name}`",
                    function=name,
                    notes=(f"expected `{type_text(a)}`", f"found `{type_text(b)}`"),
                )
            )
    if faults:
        raise CompileError(faults)
