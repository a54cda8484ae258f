"""TransformLayouts: lay out parameters of tensor functions anew, with conversions at their calls.

Rewrite::

    lv0 = R.call_tir(cls.f, (x,), out_ty=R.Tensor((64, 8), "float32"))
    =>  TransformLayouts((("f", "A", "lambda i, j: (i // 16, j, i % 16)"),))
    x_layout = R.layout_transform(x, index_map="lambda i0, i1: (i0 // 16, i1, i0 % 16)")
    lv0 = R.call_tir(cls.f_layout, (x_layout,), out_ty=R.Tensor((64, 8), "float32"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.index_map import IndexMap
from workbench.ir import Binding, CallTIR, GraphFunction, IRModule, TensorFunction, Var
from workbench.passes.layout_conversions import Relayer, read_layout, undone
from workbench.rewrite import ModuleEditor, PassResult, Refusal, Rule, Site, note
from workbench.schedule.buffers.operands import plain_buffer
from workbench.schedule.layouts.flow import Found, with_inner_buffers
from workbench.schedule.layouts.relayout import relaid_function
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class TransformLayouts(Rule):
    """Put elements of parameters where index maps say, and convert in the graph function.

    Each of `layouts` is `(callee or value, parameter, index map)`: the parameter of a tensor
    function by name, in all calls of the function or in the one that gives a value. Inputs are
    converted before the call, outputs behind it; inner buffers that are computed from what has a
    new layout follow. What is read only may get padding. Reference:
    `relax.transform.AlterOpImpl`, `tvm.s_tir.Schedule.transform_layout`.

    Raises:
        CompileError: `layout/unknown-place`, `index-map/not-a-map`, `index-map/not-invertible`.
    """

    name: ClassVar[str] = "transform-layouts"
    absent: ClassVar[str] = "no call of a tensor function is named"
    layouts: tuple[tuple[str, str, str], ...]

    @override
    def run(self, module: IRModule) -> PassResult:
        result = super().run(module)
        return replace(result, reassociates=result.module is not module)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        unused = set(self.layouts)
        for name, binding, callee in _calls(module):
            wanted = self._wanted(name, binding, callee)
            unused -= {entry for entry, _ in wanted}
            if not wanted:
                continue
            found = with_inner_buffers(callee, dict(layout for _, layout in wanted))
            why = _why_not(binding, callee, found)
            call = binding.value
            assert isinstance(call, CallTIR)
            if why:
                yield note(
                    "layout/not-transformed", f"`{call.callee}`: {why}", name, binding.var.id
                )
            else:
                yield Site(name, (binding.var.id,), f"`{call.callee}`")
        if unused:
            raise CompileError(
                Diagnostic(
                    "layout/unknown-place",
                    f"no call of a tensor function in a dataflow block is named `{entry[0]}` "
                    f"and has a parameter `{entry[1]}`",
                )
                for entry in sorted(unused)
            )

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        assert isinstance(binding.value, CallTIR)
        callee = editor.function(binding.value.callee)
        assert isinstance(callee, TensorFunction)
        wanted = dict(layout for _, layout in self._wanted(site.function, binding, callee))
        found = with_inner_buffers(callee, wanted)
        refused = Relayer(editor, site.function, self.name).lay_out(binding, callee, found)
        assert not refused

    def _wanted(
        self, function: str, binding: Binding, callee: TensorFunction
    ) -> list[tuple[tuple[str, str, str], tuple[NodeId, IndexMap]]]:
        """The entries that name a call, each with its parameter and map."""
        call, var = binding.value, binding.var
        assert isinstance(call, CallTIR)
        names = {call.callee, var.name, f"{function}.{var.name}"}
        params = {p.name: p for p in callee.params[: len(call.args) + 1]}
        return [
            (entry, (params[entry[1]].id, _map(entry[2], params[entry[1]])))
            for entry in self.layouts
            if entry[0] in names and entry[1] in params
        ]


def _map(text: str, buffer: Var) -> IndexMap:
    found, rank = read_layout(text), len(plain_buffer(buffer).shape)
    return found if len(found.initial) == rank else IndexMap.of(text, rank)


def _calls(module: IRModule) -> Iterator[tuple[str, Binding, TensorFunction]]:
    """Calls of tensor functions of one output in dataflow blocks."""
    for name, function in module.graph_functions.items():
        for binding in _pure(function):
            call = binding.value
            if isinstance(call, CallTIR) and len(call.out_types) == 1:
                callee = module[call.callee]
                if isinstance(callee, TensorFunction):
                    yield name, binding, callee


def _pure(function: GraphFunction) -> Iterator[Binding]:
    for block in function.blocks:
        if block.dataflow:
            yield from block.bindings


def _why_not(binding: Binding, callee: TensorFunction, layouts: Found) -> str:
    made = relaid_function(callee, layouts)
    if isinstance(made, str):
        return made
    call = binding.value
    assert isinstance(call, CallTIR)
    out = layouts.get(callee.params[len(call.args)].id)
    if out is not None and undone(out, call.out_types[0]) is None:
        return "the way back to its output would need the extents of the output"
    return ""
