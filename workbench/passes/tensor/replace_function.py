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

from workbench.ir import BufferType, IRModule, TensorFunction
from workbench.rewrite import Derivation, ModuleEditor, NodeRef, Pass, PassResult, Relation
from workbench.script import parse_function
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class ReplaceFunction(Pass):
    """Replace the tensor function `function` by the one that `text` (a script) defines.

    The parameters must have the same types, so that all calls stay right; the verdict says
    whether the values do.
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
        return PassResult(editor.commit(), (Derivation(self.name, ref, ref, Relation.SAME),))


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
