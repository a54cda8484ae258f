"""MoveLayoutConversions: let functions work on blocked data, and convert what they give.

Rewrite::

    a = R.layout_transform(x, index_map="lambda i0, i1, i2: (i0 * 4 + i2, i1)")
    y = R.call_tir(cls.relu, (a,), out_ty=R.Tensor((64, 8), "float32"))
    =>
    y_layout = R.call_tir(cls.relu_layout, (x,), out_ty=R.Tensor((16, 8, 4), "float32"))
    y = R.layout_transform(y_layout, index_map="lambda i0, i1, i2: (i0 * 4 + i2, i1)")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.ir import IRModule
from workbench.passes.layout_conversions import without_unused_conversions
from workbench.passes.layout_sweep import sweep
from workbench.rewrite import ModuleEditor, Pass, PassResult
from workbench.support import Diagnostic


@dataclass(frozen=True)
class MoveLayoutConversions(Pass):
    """Move conversions out of blocked layouts behind the functions that read them.

    In program order, so that they go as far as they can, and meet the conversions that undo them,
    which then go too. Whether a function follows a layout is read off its loops, whoever wrote it.
    """

    name: ClassVar[str] = "move-layout-conversions"
    absent: ClassVar[str] = "no function reads a conversion out of a blocked layout"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        remarks: list[Diagnostic] = []
        for name in module.graph_functions:
            remarks += sweep(editor, name, self.name)
        moved = editor.commit()
        return PassResult(
            without_unused_conversions(moved), tuple(editor.derivations), tuple(remarks)
        )
