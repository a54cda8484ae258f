"""LegalizeOps: give every operator call a tensor function.

Rewrite::

    lv0 = R.add(x, y)
    =>
    lv0 = R.call_tir(cls.add, (x, y), out_ty=R.Tensor((4, 4), dtype="float32"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.ir import (
    CallOp,
    IRModule,
)
from workbench.passes.tensor_forms import call_of, tensor_form
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, all_bindings, note


@dataclass(frozen=True)
class LegalizeOps(Rule):
    """Lower operator calls to calls of tensor functions made from their tensor expressions.

    A call keeps its id. Equal tensor functions are shared. Operators without a tensor form stay
    and run on their numpy reference. Reference: `relax.transform.LegalizeOps`.
    """

    name: ClassVar[str] = "legalize-ops"
    absent: ClassVar[str] = "no operator call is left: all have tensor functions"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            for binding in all_bindings(function):
                call = binding.value
                if not isinstance(call, CallOp):
                    continue
                if tensor_form(call, binding.var.type) is None:
                    yield note(
                        "legalize/no-tensor-form",
                        f"`{call.op}` has no tensor form for these types",
                        name,
                        binding.var.id,
                        "it runs on its numpy reference",
                    )
                else:
                    yield Site(name, (binding.var.id,), f"`{call.op}`")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        assert isinstance(binding.value, CallOp)
        function = tensor_form(binding.value, binding.var.type)
        assert function is not None
        name = editor.add_function(binding.value.op.rsplit(".", maxsplit=1)[-1], function)
        call = call_of(name, binding.value, binding.var.type)
        editor.replace_value(site.function, site.nodes[0], call, self.name)
