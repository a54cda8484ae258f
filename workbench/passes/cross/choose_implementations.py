"""ChooseImplementations: let a library compute a contraction where that is estimated to be faster.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w), out_ty=R.Tensor((512, 512), dtype="float32"))
    =>
    lv0 = R.call_dps_packed("numpy.matmul", (x, w), out_ty=R.Tensor((512, 512), dtype="float32"))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.contraction import contraction_form, library_forms
from workbench.analysis.cost import cost
from workbench.analysis.stages import stages
from workbench.ir import (
    Binding,
    BufferType,
    CallOp,
    CallPacked,
    CallTIR,
    IRModule,
    TensorFunction,
    find_library,
)
from workbench.ir.registry import libraries
from workbench.passes.candidates import (
    Candidate,
    Kind,
    algorithm_behind,
    implement,
    implementations,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    PassResult,
    Refusal,
    Rule,
    Site,
    all_bindings,
    note,
)
from workbench.rewrite.outline import is_fused
from workbench.rewrite.passes import unknown_value
from workbench.rewrite.value_names import ValueNames
from workbench.support import CompileError, Diagnostic
from workbench.support.limits import above, at_least
from workbench.support.spelling import near

COMPILED = "schedule"
KINDS: dict[str, Kind] = {
    "library ": "library",
    "schedule": "schedule",
    "function ": "user",
    "": "generated",
}
BYTES = 4


@dataclass(frozen=True, slots=True)
class _Choice(Site):
    """A call with the implementation that is estimated to be the fastest."""

    implementation: str = ""


@dataclass(frozen=True)
class ChooseImplementations(Rule):
    """Compute each contraction by the library, or the schedule, that is estimated to be fastest.

    The only pass that looks at costs, and one that can be left out. An estimate is the larger of
    operations by rate (`library_rate`, `compiled_rate`: 10^9 operations a second) and bytes by
    `bandwidth` (10^9 bytes a second), and `call` (microseconds) for each call of a library. It
    measures nothing; `times` has what somebody measured, (value, implementation, seconds), which
    counts instead. Reference: Williams et al., "Roofline", CACM 2009.
    """

    name: ClassVar[str] = "choose-implementations"
    absent: ClassVar[str] = "no call computes what a selected library has"
    libraries: tuple[str, ...] = ("numpy",)
    library_rate: float = above(0, default=80.0)
    compiled_rate: float = above(0, default=60.0)
    bandwidth: float = above(0, default=20.0)
    call: float = at_least(0, default=8.0)
    times: tuple[tuple[str, str, float], ...] = ()

    @override
    def run(self, module: IRModule) -> PassResult:
        faults = [Diagnostic("call/wrong-kind", text) for text in self._nonsense()]
        if faults := faults or [*self._unknown(module)]:
            raise CompileError(faults)
        return super().run(module)

    def _nonsense(self) -> Iterator[str]:
        """What is wrong with the times and names that were given."""
        for value, _, seconds in self.times:
            if not seconds >= 0:
                yield f"`times of {value}` must be 0 or above, got `{seconds}`"
        known = {library.library for library in libraries()}
        for name in self.libraries:
            if name not in known:
                listed = ", ".join(f"`{one}`" for one in sorted(known))
                yield f"no library `{name}` is registered, only {listed}"

    def _unknown(self, module: IRModule) -> Iterator[Diagnostic]:
        """Times of values that there are not, and of implementations that they do not have."""
        if not self.times:
            return
        names = ValueNames(module)
        for value, implementation, _ in self.times:
            found = names.find(value)
            if not found:
                yield unknown_value(value, names)
                continue
            offered = {
                candidate.name
                for place in found
                if place.binding is not None
                for candidate in implementations(module, place.ref.function, place.binding)
            }
            if implementation not in offered:
                listed = ", ".join(f"`{name}`" for name in sorted(offered)) or "none"
                yield Diagnostic(
                    "implement/unavailable",
                    f"`{value}` has no implementation `{implementation}`",
                    notes=(f"there are {listed}",),
                    hint=near(implementation, offered),
                )

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        facts, measured = _Facts(self), self._measured(module)
        for name, function in module.graph_functions.items():
            if is_fused(function):
                continue
            for binding in all_bindings(function):
                work = facts.of(module, binding)
                if work is not None:
                    known = measured.get(NodeRef(name, binding.var.id), {})
                    yield from self._judge(name, binding, work, known)

    def _measured(self, module: IRModule) -> dict[NodeRef, dict[str, float]]:
        """The seconds that were given, by value and implementation."""
        found: dict[NodeRef, dict[str, float]] = {}
        if self.times:
            names = ValueNames(module)
            for value, implementation, seconds in self.times:
                for place in names.find(value):
                    found.setdefault(place.ref, {})[implementation] = seconds
        return found

    def _judge(
        self, function: str, binding: Binding, work: _Work, measured: Mapping[str, float]
    ) -> Iterator[Site | Refusal]:
        value, name = binding.var.id, binding.var.name
        estimates: dict[str, float | None] = {**work.seconds, **measured}
        if None in estimates.values():
            text = f"what `{name}` costs depends on symbolic dimensions"
            yield note("choose/symbolic", text, function, value)
            return
        found = {key: seconds for key, seconds in estimates.items() if seconds is not None}
        best = min(found, key=lambda key: found[key])
        told = ", ".join(f"`{key}` {seconds * 1e6:.3g} us" for key, seconds in found.items())
        if best != _current(binding):
            yield _Choice(function, (value,), told, best)
        elif len(found) > 1:
            yield note("choose/kept", f"`{name}` stays as it is: {told}", function, value)

    def estimate(self, algorithm: TensorFunction) -> dict[str, float | None]:
        """Seconds by implementation; None where they depend on symbolic dimensions."""
        total, found = cost(algorithm), dict[str, float | None]()
        operations, size = total.operations, total.working_set
        names = [COMPILED, *(f"library {symbol}" for symbol in self._symbols(algorithm))]
        for name in names:
            if isinstance(operations, int) and isinstance(size, int):
                found[name] = self._seconds(name, algorithm, operations, size)
            else:
                found[name] = None
        return found

    def _symbols(self, algorithm: TensorFunction) -> Iterator[str]:
        for form in library_forms(algorithm):
            library = find_library(form.symbol)
            if library is None or library.unavailable:
                continue
            if library.library in self.libraries:
                yield form.symbol

    def _seconds(self, name: str, algorithm: TensorFunction, operations: int, size: int) -> float:
        moved = size / (self.bandwidth * 1e9)
        if name == COMPILED:
            return max(operations / (self.compiled_rate * 1e9), moved)
        again = 2 * BYTES * _rest(algorithm) / (self.bandwidth * 1e9)
        return self.call * 1e-6 + max(operations / (self.library_rate * 1e9), moved) + again

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Choice)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        name = site.implementation
        kind = KINDS[next(word for word in KINDS if name.startswith(word))]
        implement(editor, site.function, binding, Candidate(name, kind, ""), self.name)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a call computes, and what each implementation of it is estimated to take."""

    algorithm: TensorFunction
    seconds: dict[str, float | None]


class _Facts:
    """Estimates of the module's calls; calls of one function share them."""

    def __init__(self, choosing: ChooseImplementations) -> None:
        self._choosing = choosing
        self._known: dict[int, _Work | None] = {}
        self._kept: list[TensorFunction] = []

    def of(self, module: IRModule, binding: Binding) -> _Work | None:
        """The estimates of a call that begins with a contraction that libraries have."""
        call = binding.value
        if not isinstance(call, CallOp | CallTIR | CallPacked):
            return None
        algorithm = algorithm_behind(module, binding)[0]
        if algorithm is None:
            return None
        if id(algorithm) not in self._known:
            self._kept.append(algorithm)
            self._known[id(algorithm)] = (
                _Work(algorithm, self._choosing.estimate(algorithm))
                if contraction_form(algorithm)
                else None
            )
        return self._known[id(algorithm)]


def _current(binding: Binding) -> str:
    """What computes a call now: a schedule is what compiling makes of everything else."""
    call = binding.value
    return f"library {call.symbol}" if isinstance(call, CallPacked) else COMPILED


def _rest(algorithm: TensorFunction) -> int:
    """Elements that a library hands on to a function for what it does not compute."""
    form = contraction_form(algorithm)
    if form is None or form.consumed == len(stages(algorithm) or ()):
        return 0
    count = 1
    assert isinstance(form.result.type, BufferType)
    for dim in form.result.type.shape:
        count *= dim if isinstance(dim, int) else 0
    return count
