"""AnnotateForLibrary: say by hand which library values are meant for.

Rewrite::

    lv0 = R.matmul(x, w)
    lv1 = R.nn.relu(lv0)
    =>
    lv1 = cls.onednn_region(x, w)    # R.func_attr({"Codegen": "onednn", "Primitive": 1})
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.homes import homes
from workbench.analysis.uses import result_ids, users
from workbench.ir import Binding, GraphFunction, IRModule
from workbench.passes.candidates import find_value
from workbench.passes.library_matches import CODEGEN
from workbench.rewrite import FUSED, ModuleEditor, Pass, PassResult, outline
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class AnnotateForLibrary(Pass):
    """Put `values` (names, as `lv3` or `main.lv3`) into a function annotated for `library`.

    The function has the attribute `Codegen`, which one can write by hand as well; other passes
    leave its inside alone, and it is compiled like any other until `PartitionByAnnotation` gives
    it to the library. One of the values may be read outside of them. Reference: the attribute
    `Codegen` of `relax.transform.FuseOpsByPattern`.

    Raises:
        CompileError: `pass/unknown-value`, `pass/ambiguous-value`, `partition/annotation`.
    """

    name: ClassVar[str] = "annotate-for-library"
    values: tuple[str, ...]
    library: str

    @override
    def run(self, module: IRModule) -> PassResult:
        function, members = self._members(module)
        editor = ModuleEditor(module)
        attrs = tuple(sorted((*FUSED, (CODEGEN, self.library))))
        name = f"{self.library}_region"
        outline(editor, function, members, name, rule=self.name, attrs=attrs)
        return PassResult(editor.commit(), tuple(editor.derivations))

    def _members(self, module: IRModule) -> tuple[str, list[Binding]]:
        """The bindings in program order, and the function that they are in."""
        found = [find_value(module, name) for name in dict.fromkeys(self.values)]
        if not found:
            raise self._fault("no value is named", "")
        function, ids = found[0][0], {binding.var.id for _, binding in found}
        body = module.graph_functions[function]
        for home in homes(body):
            members = [b for b in home.block.bindings if b.var.id in ids]
            if home.dataflow and len(members) == len(ids) == len(found):
                _check_outputs(body, members, ids, function)
                return function, members
        raise self._fault("the values are not in one dataflow block", function)

    def _fault(self, message: str, function: str) -> CompileError:
        return CompileError(Diagnostic("partition/annotation", message, function=function or None))


def _check_outputs(
    body: GraphFunction, members: Sequence[Binding], ids: set[NodeId], function: str
) -> None:
    readers, results = users(body), result_ids(body)
    for member in members[:-1]:
        value = member.var.id
        outside = any(reader not in ids for reader in readers.get(value, ()))
        if outside or value in results:
            raise CompileError(
                Diagnostic(
                    "partition/annotation",
                    f"`{member.var.name}` is read outside of the values, and only the last may be",
                    function=function,
                    node=value,
                )
            )
