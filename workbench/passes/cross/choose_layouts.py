"""ChooseLayouts: blocked layouts for convolutions, where that pays for the conversions.

Rewrite::

    a = R.call_tir(cls.conv2d, (x, w), out_ty=R.Tensor((1, 64, 56, 56), "float32"))
    y = R.call_tir(cls.relu, (a,), out_ty=R.Tensor((1, 64, 56, 56), "float32"))
    =>
    x_layout = R.layout_transform(x, index_map="lambda i0, i1, i2, i3: (i0, i1 // 16, ...")
    w_layout = R.layout_transform(w, index_map="lambda i0, i1, i2, i3: (i0 // 16, i1 // 16, ...")
    a_layout = R.call_tir(cls.conv2d_layout, (x_layout, w_layout), out_ty=...)
    y_layout = R.call_tir(cls.relu_layout, (a_layout,), out_ty=...)
    y = R.layout_transform(y_layout, index_map="lambda i0, i1, i2, i3, i4: (i0, i1 * 16 + ...")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import bindings_in
from workbench.analysis.homes import bindings_at_home
from workbench.analysis.uses import constant_values
from workbench.ir import (
    Binding,
    CallTIR,
    Constant,
    GraphFunction,
    IRModule,
    TensorFunction,
    TensorType,
    Var,
)
from workbench.ir.numbers import element_bytes
from workbench.passes.layout_conversions import (
    Conversion,
    conversions,
    elements,
    without_unused_conversions,
)
from workbench.passes.layout_sweep import sweep
from workbench.rewrite import ModuleEditor, Pass, PassResult, note
from workbench.schedule.cpu.default import ScheduleOptions
from workbench.schedule.cpu.kernel_cost import kernel_cycles
from workbench.schedule.layouts.flow import Found, blocked_convolution, shared
from workbench.schedule.layouts.relayout import relaid_function
from workbench.support import Diagnostic, NodeId
from workbench.support.limits import above, as_in, at_least

WORST = 1.25
"""How much slower a kernel may become that lies between others that gain."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A convolution that can have a blocked layout; cycles before and after."""

    layouts: Found
    before: float
    after: float
    block: int


@dataclass
class _Region:
    """Calls that are connected in blocked layouts, and the conversions at its border."""

    convolutions: list[NodeId] = field(default_factory=list[NodeId])
    saved: float = 0
    before: float = 0
    conversions: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class _Trial:
    """All candidates of a function laid out: the edits, and the values that belong together."""

    editor: ModuleEditor
    remarks: tuple[Diagnostic, ...]
    linked: list[tuple[NodeId, ...]]
    made: IRModule
    cleaned: IRModule
    """What was made, without the conversions that nothing reads."""


@dataclass(frozen=True)
class ChooseLayouts(Pass):
    """Lay out convolutions in blocks of channels, and what lies between them.

    `lanes` float32 elements fill a vector; a block has `block` channels, by default two vectors.
    What is gained is estimated from the register tiles of both forms; what is paid are the
    conversions that stay, `bytes_per_cycle` of reading and writing. Connected convolutions are
    taken or left together, and the numbers are said in remarks. Conversions of constants cost
    nothing: FoldConstant computes them. Reference: Liu et al., "Optimizing CNN Model Inference on
    CPUs" (NeoCPU), USENIX ATC 2019, section 3.2.
    """

    name: ClassVar[str] = "choose-layouts"
    absent: ClassVar[str] = "no convolution is called; legalize first"
    lanes: int = as_in(ScheduleOptions, "lanes")
    block: int = at_least(0, default=0)
    bytes_per_cycle: float = above(0, default=8.0)

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        remarks: list[Diagnostic] = []
        tried: _Trial | None = None
        for name, function in module.graph_functions.items():
            candidates, refused = self._candidates(module, name, function)
            remarks += refused
            if candidates:
                trial = self._trial(module, name, candidates)
                chosen, said = self._worthwhile(module, name, candidates, trial)
                remarks += said
                if len(chosen) == len(candidates) and not editor.derivations:
                    editor, tried = trial.editor, trial  # it did just that
                    remarks += trial.remarks
                elif chosen:
                    remarks += sweep(editor, name, self.name, chosen)
        made = editor.commit()
        if tried is not None and made is tried.made:
            made = tried.cleaned
        else:
            made = without_unused_conversions(made)
        return PassResult(
            made, tuple(editor.derivations), tuple(remarks), reassociates=made is not module
        )

    def _candidates(
        self, module: IRModule, name: str, function: GraphFunction
    ) -> tuple[dict[NodeId, _Candidate], list[Diagnostic]]:
        """The convolutions of a function that can be blocked, and why others cannot."""
        known: dict[str, _Candidate | str | None] = {}
        found: dict[NodeId, _Candidate] = {}
        refused: list[Diagnostic] = []
        for binding, callee in _calls(module, function):
            if callee not in known:
                called = module[callee]
                assert isinstance(called, TensorFunction)
                known[callee] = self._judge(called)
            judged = known[callee]
            if isinstance(judged, str):
                message = f"`{binding.var.name}` keeps its layout: {judged}"
                refused.append(note("layout/not-blocked", message, name, binding.var.id).diagnostic)
            elif judged is not None:
                found[binding.var.id] = judged
        return found, refused

    def _judge(self, function: TensorFunction) -> _Candidate | str | None:
        options = ScheduleOptions(self.lanes)
        blocking = blocked_convolution(function, self.block or 2 * self.lanes)
        if blocking is None or isinstance(blocking, str):
            return blocking
        layouts = {buffer: shared(layout) for buffer, layout in blocking.layouts.items()}
        made = relaid_function(function, layouts)
        if isinstance(made, str):
            return made
        before, after = kernel_cycles(function, options), kernel_cycles(made, options)
        assert before is not None
        assert after is not None
        if after > WORST * before:
            return (
                f"blocks of `{blocking.outputs}` channels would take `{after:.3g}` cycles, "
                f"it takes `{before:.3g}`"
            )
        return _Candidate(layouts, before, after, blocking.outputs)

    def _trial(self, module: IRModule, name: str, candidates: dict[NodeId, _Candidate]) -> _Trial:
        """What laying out all candidates of a function would give."""
        editor = ModuleEditor(module)
        linked: list[tuple[NodeId, ...]] = []
        layouts = {value: found.layouts for value, found in candidates.items()}
        remarks = tuple(sweep(editor, name, self.name, layouts, linked))
        made = editor.commit()
        return _Trial(editor, remarks, linked, made, without_unused_conversions(made))

    def _worthwhile(
        self,
        module: IRModule,
        name: str,
        candidates: dict[NodeId, _Candidate],
        trial: _Trial,
    ) -> tuple[dict[NodeId, Found], list[Diagnostic]]:
        """The convolutions of the regions that gain more than their conversions cost."""
        chosen: dict[NodeId, Found] = {}
        remarks: list[Diagnostic] = []
        names = {b.var.id: b.var.name for b in bindings_in(module.graph_functions[name].blocks)}
        for region in self._regions(name, candidates, trial):
            cost = region.bytes / self.bytes_per_cycle
            pays = region.saved > cost
            form = "in blocks" if pays else "as they are"
            message = (
                f"{_count(region.convolutions)} from `{names[region.convolutions[0]]}` on, {form}: "
                f"kernels would save `{region.saved:.3g}` of `{region.before:.3g}` cycles, "
                f"`{region.conversions}` conversions move `{region.bytes}` bytes in "
                f"`{cost:.3g}` cycles"
            )
            code = "layout/chosen" if pays else "layout/not-chosen"
            remarks.append(note(code, message, name, region.convolutions[0]).diagnostic)
            if pays:
                chosen |= {c: candidates[c].layouts for c in region.convolutions}
        return chosen, remarks

    def _regions(
        self, name: str, candidates: dict[NodeId, _Candidate], trial: _Trial
    ) -> Iterator[_Region]:
        """What laying out all candidates would connect, in program order."""
        made = trial.cleaned
        leaders = _connected(trial.linked)
        regions: dict[NodeId, _Region] = {}
        for value, found in candidates.items():
            region = regions.setdefault(_find(leaders, value), _Region())
            region.convolutions.append(value)
            region.before += found.before
            region.saved += found.before - found.after
        free = _free(made.graph_functions[name])
        for function, found in conversions(made):
            if function == name and not free(found):
                self._pay(found, leaders, regions)
        yield from regions.values()

    def _pay(
        self, found: Conversion, leaders: dict[NodeId, NodeId], regions: dict[NodeId, _Region]
    ) -> None:
        ends = (found.binding.var, found.source)
        inside = next((v for v in ends if isinstance(v, Var) and v.id in leaders), None)
        region = None if inside is None else regions.get(_find(leaders, inside.id))
        if region is None:
            return
        type_ = found.binding.var.type
        assert isinstance(type_, TensorType)
        assert type_.dtype is not None
        size = element_bytes(type_.dtype)
        region.conversions += 1
        region.bytes += 2 * size * elements(found.binding.var)


def _calls(module: IRModule, function: GraphFunction) -> Iterator[tuple[Binding, str]]:
    for home, binding in bindings_at_home(function):
        call = binding.value
        if not home.dataflow or not isinstance(call, CallTIR) or len(call.out_types) != 1:
            continue
        if isinstance(module[call.callee], TensorFunction):
            yield binding, call.callee


def _connected(linked: list[tuple[NodeId, ...]]) -> dict[NodeId, NodeId]:
    """Leaders of sets of values that belong together."""
    leaders: dict[NodeId, NodeId] = {}
    for group in linked:
        for value in group:
            leaders.setdefault(value, value)
            leaders[_find(leaders, value)] = _find(leaders, group[0])
    return leaders


def _find(leaders: dict[NodeId, NodeId], value: NodeId) -> NodeId:
    while leaders.get(value, value) != value:
        leaders[value] = leaders[leaders[value]]
        value = leaders[value]
    return value


def _count(convolutions: list[NodeId]) -> str:
    number = len(convolutions)
    return f"`{number}` convolution{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Free:
    """What is computed before the function runs: from constants, or from weights."""

    known: frozenset[NodeId]

    def __call__(self, found: Conversion) -> bool:
        source = found.source
        return isinstance(source, Constant) or (isinstance(source, Var) and source.id in self.known)


def _free(function: GraphFunction) -> _Free:
    inputs = dict(function.attrs).get("num_input")
    first = inputs if isinstance(inputs, int) else len(function.params)
    weights = frozenset(param.id for param in function.params[first:])
    return _Free(weights | frozenset(constant_values(function)))
