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

from workbench.ir import BufferType, CallTIR, IRModule, TensorFunction
from workbench.rewrite import ModuleEditor, NodeRef, Pass, PassResult, Relation, all_bindings
from workbench.script import parse_function
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class ReplaceFunction(Pass):
    """Replace the tensor function `function` by the one that `text` (a script) defines.

    The parameters must have the same types, so that all calls stay right; the verdict says
    whether the values do. Calls of forms that were scheduled from the old text go to the new one.

    Raises:
        CompileError: `edit/not-a-tensor-function`, `edit/other-signature`, all faults of the text.
    """

    name: ClassVar[str] = "replace-function"
    function: str
    text: str

    @override
    def run(self, module: IRModule) -> PassResult:
        old = module[self.function]
        _, new = parse_function(self.text, like=old)
        if not isinstance(old, TensorFunction) or not isinstance(new, TensorFunction):
            raise CompileError(
                Diagnostic(
                    "edit/not-a-tensor-function",
                    f"`{self.function}` is no tensor function",
                    function=self.function,
                )
            )
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
        self._redirect(editor)
        return PassResult(editor.commit(), tuple(editor.derivations))

    def _redirect(self, editor: ModuleEditor) -> None:
        """Let calls of scheduled forms call the new text: what they were made from is no more."""
        for name, body in editor.base.graph_functions.items():
            for binding in all_bindings(body):
                call = binding.value
                if isinstance(call, CallTIR) and self._made(editor.base, call.callee):
                    new = replace(call, callee=self.function)
                    editor.replace_value(name, binding.var.id, new, self.name)

    def _made(self, module: IRModule, callee: str) -> bool:
        source = dict(module[callee].attrs).get("algorithm")
        return isinstance(source, str) and (
            source == self.function or (source in module and self._made(module, source))
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
                    notes=(f"expected `{a}`", f"found `{b}`"),
                )
            )
    if faults:
        raise CompileError(faults)
