"""TransformLayouts: lay out parameters of tensor functions anew, with conversions at their calls.

Rewrite::

    lv0 = R.call_tir(cls.f, (x,), out_ty=R.Tensor((64, 8), "float32"))
    =>  TransformLayouts((("f", "A", "lambda i, j: (i // 16, j, i % 16)"),))
    x_layout = R.layout_transform(x, index_map="lambda i0, i1: (i0 // 16, i1, i0 % 16)")
    lv0 = R.call_tir(cls.f_layout, (x_layout,), out_ty=R.Tensor((64, 8), "float32"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, TypeAlias

from typing_extensions import override

from workbench.analysis.homes import homes
from workbench.analysis.index_map import IndexMap
from workbench.ir import (
    Binding,
    CallOp,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
    Var,
)
from workbench.passes.layout_conversions import Forms, Relayer, read_layout, undone
from workbench.rewrite import ModuleEditor, PassResult, Refusal, Rule, Site, note
from workbench.schedule.buffers.operands import plain_buffer
from workbench.schedule.layouts.flow import Found, with_inner_buffers
from workbench.schedule.layouts.relayout import relaid_function
from workbench.support import CompileError, Diagnostic
from workbench.support.slot_init import sets_slots
from workbench.support.spelling import near

Entry: TypeAlias = tuple[str, str, str]
"""A callee or value, a parameter of the callee, and the text of an index map."""

LEGALIZE = "apply `LegalizeOps` first, which makes loops"


@sets_slots
@dataclass(frozen=True, slots=True)
class _Laid(Site):
    """A call with the layouts that it gets; sites share what they find out about functions."""

    layouts: Found | None = None
    forms: Forms | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the entries ask for a call: those that name it, its layouts, and why not."""

    entries: frozenset[Entry]
    layouts: Found
    why: str


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
        judged: dict[object, _Judged | None] = {}
        forms = Forms()
        for name, binding, callee in _calls(module):
            call = binding.value
            assert isinstance(call, CallTIR)
            key = (call.callee, call.out_types, self._names(name, binding))
            if key not in judged:  # equal calls are many
                judged[key] = self._judge(name, binding, callee)
            found = judged[key]
            if found is None:
                continue
            unused -= found.entries
            if found.why:
                text = f"`{call.callee}`: {found.why}"
                yield note("layout/not-transformed", text, name, binding.var.id)
            else:
                yield _Laid(name, (binding.var.id,), f"`{call.callee}`", found.layouts, forms)
        if unused:
            raise CompileError(
                Diagnostic(
                    "layout/unknown-place",
                    f"no call of a tensor function in a dataflow block is named `{entry[0]}` "
                    f"and has a parameter `{entry[1]}`",
                    hint=_place_hint(module, entry),
                )
                for entry in sorted(unused)
            )

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Laid)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        assert isinstance(binding.value, CallTIR)
        callee = editor.function(binding.value.callee)
        assert isinstance(callee, TensorFunction)
        found, forms = site.layouts, site.forms
        assert found is not None
        assert forms is not None
        relayer = Relayer(editor, site.function, self.name, forms=forms)
        refused = relayer.lay_out(binding, callee, found)
        assert not refused

    def _names(self, function: str, binding: Binding) -> tuple[str, ...]:
        """The names of a value by which entries name it."""
        names = (binding.var.name, f"{function}.{binding.var.name}")
        return tuple([name for name in names if name in self._named])

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(entry[0] for entry in self.layouts)

    def _judge(self, function: str, binding: Binding, callee: TensorFunction) -> _Judged | None:
        """What is asked for a call; None where no entry names it."""
        call = binding.value
        assert isinstance(call, CallTIR)
        names = {call.callee, *self._names(function, binding)}
        params = {p.name: p for p in callee.params[: len(call.args) + 1]}
        entries = [e for e in self.layouts if e[0] in names and e[1] in params]
        if not entries:
            return None
        wanted = {params[name].id: _map(text, params[name]) for _, name, text in entries}
        found = with_inner_buffers(callee, wanted)
        return _Judged(frozenset(entries), found, _why_not(binding, callee, found))


def _map(text: str, buffer: Var) -> IndexMap:
    found, rank = read_layout(text), len(plain_buffer(buffer).shape)
    return found if len(found.initial) == rank else IndexMap.of(text, rank)


def _place_hint(module: IRModule, entry: Entry) -> str:
    """What may have been meant by a place that there is not."""
    wanted, parameter, _ = entry
    params: dict[str, tuple[str, ...]] = {}
    for name, binding, callee in _calls(module):
        given = tuple(param.name for param in callee.params)
        called = binding.value.callee if isinstance(binding.value, CallTIR) else ""
        params |= {called: given, binding.var.name: given, f"{name}.{binding.var.name}": given}
    if wanted in params:
        known = ", ".join(f"`{param}`" for param in params[wanted])
        hint = near(parameter, params[wanted])
        return f"{hint} " * bool(hint) + f"`{wanted}` has the parameters {known}"
    for name, function in module.graph_functions.items():
        for binding in _pure(function):
            named = {binding.var.name, f"{name}.{binding.var.name}"}
            call = binding.value
            if isinstance(call, CallTIRInplace) and wanted in {call.callee, *named}:
                return (
                    f"`{wanted}` is a call in place, whose result shares the memory of an argument:"
                    " its layout stays; `R.call_tir` of a function with an output of its own has"
                    " a choice"
                )
            if isinstance(binding.value, CallOp) and wanted in {binding.value.op, *named}:
                return f"`{wanted}` is an operator: {LEGALIZE}"
    return near(wanted, params) or ("" if params else LEGALIZE)


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
    for home in homes(function):
        if home.dataflow:
            yield from home.block.bindings


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
