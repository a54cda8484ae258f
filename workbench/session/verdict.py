"""Verdicts: does a step still compute the same?

Local error: every value whose code changed is recomputed from the values of the step before and
compared with what it was there. Drift: the outputs against the import, run by the reference
interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from workbench.analysis.coverage import unwritten_outputs
from workbench.interpret import copied, has_library_calls
from workbench.ir import GraphFunction, IRModule, TupleType, Type, Var
from workbench.rewrite import all_bindings
from workbench.runtime import Cancelled as NativeCancelled
from workbench.session.engine import Engine
from workbench.session.flow import apart, code_of
from workbench.session.inputs import Inputs
from workbench.session.reductions import reduction_length
from workbench.session.tolerance import tolerance
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic, NodeId

VerdictState = Literal[
    "none", "checking", "exact", "within", "amber", "wrong", "uncheckable", "cancelled"
]
Value = Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One element of one value that is not what it should be."""

    function: str
    id: NodeId
    name: str
    index: tuple[int, ...]
    expected: Value
    found: Value
    overwritten: bool = False
    """Whether the value was right until a later call wrote over it."""

    @property
    def error(self) -> float:
        """Absolute difference."""
        return abs(float(self.expected) - float(self.found))

    def __str__(self) -> str:
        amount = "" if np.isnan(self.error) else f"{self.error:.2g}"
        place = f"at [{', '.join(map(str, self.index))}]" if self.index else ""
        told = f"expected {number(self.expected)}, found {number(self.found)}"
        return " ".join(part for part in (f"{self.name}:", amount, place, told) if part)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. Errors are absolute; None where nothing was compared."""

    state: VerdictState
    text: str = ""
    local_error: float | None = None
    drift: float | None = None
    inputs: str = ""
    first: Difference | None = None
    checked: int = 0
    inherited: bool = False
    """Whether it is doubtful only for what was wrong before it."""
    fault: Diagnostic | None = None
    """Why the step does not run, where it does not."""
    path: tuple[str, ...] = ()
    """Where `first` is inside of a call: the calls that lead there and the value, by name."""
    key: str = ""
    """The same by ids, as `main/12>7`."""
    agrees: bool = False
    """Whether what it returns is that of the import, up to rounding."""
    repairs: int | None = None
    """The step before, where that is wrong and this one is right again."""
    unwritten: tuple[Diagnostic, ...] = ()
    """Outputs of calls of which some elements are never written, as far as that is proved."""
    extents: tuple[str, ...] = ()
    """Extents of symbolic dimensions on which it was found, `b = 3, n = 5` for each run."""
    right_at: tuple[str, ...] = ()
    """For what is wrong: extents on which it is right all the same."""

    @property
    def good(self) -> bool:
        """Whether the step is known to compute the same, up to rounding."""
        return self.state in {"exact", "within"}

    @property
    def at(self) -> str:
        """`at n = 3 and 37`: extents on which this was found; empty where none are symbolic."""
        found = f"at {_listed(self.extents)}" if self.extents else ""
        return f"{found}, right at {_listed(self.right_at)}" if self.right_at else found

    def __str__(self) -> str:
        return " ".join(part for part in (self.text or self.state, self.at) if part)


CHECKING = Verdict("checking", "checking…")
CANCELLED = Verdict("cancelled", "check cancelled")
IMPORTED = Verdict("none", "")
_RANK = {"exact": 0, "within": 1, "amber": 2, "wrong": 3}


@dataclass(frozen=True, slots=True)
class Side:
    """One module with the values of a run of its entry function by id, its result and its code."""

    module: IRModule
    values: Mapping[NodeId, Value]
    outputs: Value


@dataclass(frozen=True, slots=True)
class Finding:
    """The comparison of one value.

    `error` is the largest absolute difference; relative to the largest magnitude where that is
    above one.
    """

    state: Literal["exact", "within", "amber", "wrong"]
    error: float
    first: Difference | None = None


def run_side(engine: Engine, module: IRModule, inputs: Inputs, function: str, job: Job) -> Side:
    """Run `function` of `module`, keeping every value."""
    values = engine.values(module, inputs.arrays, function, cancel=job.native)
    return Side(module, values, result_of(module, function, values))


def result_of(module: IRModule, function: str, values: Mapping[NodeId, Value]) -> tuple[Value, ...]:
    """The values that the function returns."""
    target = module.graph_functions[function]
    return tuple(values[var.id] for var in result_vars(target) if var.id in values)


def result_vars(function: GraphFunction) -> Iterator[Var]:
    """The variables that a function returns, a tuple's fields one by one."""
    result = function.result
    if isinstance(result, Var):
        yield result
    else:
        yield from (leaf for leaf in getattr(result, "fields", ()) if isinstance(leaf, Var))


def check(
    engine: Engine,
    before: Side,
    module: IRModule,
    reference: tuple[Value, ...],
    inputs: Inputs,
    function: str,
    job: Job,
    keep: Callable[[Side], None],
    *,
    in_order: bool = False,
) -> Verdict:
    """The verdict on `module`, made from `before.module`; `reference`: outputs of the import.

    `in_order`: the step keeps the order of every sum, so that only single operations may round
    differently. `keep` gets the values of the module, for the next check. A module that cannot be
    run where the one before could is wrong.
    """
    try:
        return _check(engine, before, module, reference, inputs, function, job, keep, in_order)
    except NativeCancelled:
        raise
    except CompileError as error:
        first = error.diagnostics[0]
        text = f"✗ does not run: {first.message}"
        return Verdict("wrong", text, inputs=inputs.source, fault=first)


def _check(
    engine: Engine,
    before: Side,
    module: IRModule,
    reference: tuple[Value, ...],
    inputs: Inputs,
    function: str,
    job: Job,
    keep: Callable[[Side], None],
    in_order: bool,
) -> Verdict:
    refused = other_signature(before.module, module, function)
    if refused:
        return Verdict("wrong", f"✗ {refused}", inputs=inputs.source)
    findings: dict[NodeId, Finding] = {}
    writes = has_library_calls(module)
    old, new = before.module.graph_functions[function], module.graph_functions[function]
    lengths = {b.var.id: reduction_length(before.module, b.value) for b in all_bindings(old)}
    for group in recompute_groups(before.module, module, function, before.values):
        job.checkpoint()
        given = {i: v for i, v in before.values.items() if i not in group}
        if writes:
            given = {i: copied(v) for i, v in given.items()}
        found = engine.values(module, inputs.arrays, function, given, job.native)
        for binding in all_bindings(new):
            value = binding.var.id
            if value in group and value in found:
                terms = max(lengths.get(value, 1), reduction_length(module, binding.value))
                length = 1 if in_order else terms
                findings[value] = compare(
                    before.values[value], found[value], length, function, binding.var
                )
    job.checkpoint()
    after = run_side(engine, module, inputs, function, job)
    keep(after)
    outputs = after.outputs
    total = sum(lengths.values())
    drifts = [
        compare(expected, found, total, function, var)
        for expected, found, var in zip(reference, outputs, result_vars(new), strict=False)
    ]
    local = list(findings.values())
    local += [
        compare(expected, found, total, function, var)
        for expected, found, var in zip(before.outputs, outputs, result_vars(new), strict=False)
        if var.id not in findings
    ]
    return conclude(local, drifts, len(findings) or len(outputs), inputs.source)


def other_signature(old: IRModule, new: IRModule, function: str) -> str:
    """What callers of the entry function would notice: fewer results, or another order.

    Empty where they would not. Parameters may go and come: those that stay keep their order.
    """
    before, after = old.graph_functions[function], new.graph_functions[function]
    results = _leaves(before.return_type), _leaves(after.return_type)
    if results[0] != results[1]:
        return f"`{function}` returns {results[1]} values, expected {results[0]}"
    kept = {param.id for param in before.params} & {param.id for param in after.params}
    orders = [[p.name for p in f.params if p.id in kept] for f in (before, after)]
    if orders[0] != orders[1]:
        wanted, found = (", ".join(f"`{name}`" for name in names) for names in orders)
        return f"`{function}` takes {found}, expected {wanted}: the order is another one"
    return ""


def _leaves(type_: Type) -> int:
    return sum(map(_leaves, type_.fields)) if isinstance(type_, TupleType) else 1


def recompute_groups(
    old: IRModule, new: IRModule, function: str, values: Mapping[NodeId, Value]
) -> list[frozenset[NodeId]]:
    """Values of `new` whose code changed, in groups none of whose members feeds another."""
    before = {b.var.id: b.value for b in all_bindings(old.graph_functions[function])}
    bindings = tuple(all_bindings(new.graph_functions[function]))
    known = {b.var.id: b.value for b in bindings if b.var.id in before and b.var.id in values}
    same = {v for v, value in known.items() if code_of(old, before[v]) == code_of(new, value)}
    return apart(bindings, known.keys() - same, given=same)


def compare(expected: Value, found: Value, length: int, function: str, var: Var) -> Finding:
    """Compare two values; tuples field by field."""
    if isinstance(expected, tuple | list):
        wanted = cast("tuple[Value, ...]", tuple(expected))  # pyright: ignore[reportUnknownArgumentType]
        pairs = zip(wanted, found, strict=False)
        parts = [compare(e, f, length, function, var) for e, f in pairs]
        return max(parts, key=lambda p: (_RANK[p.state], p.error), default=Finding("exact", 0.0))
    try:
        a, b = np.asarray(expected), np.asarray(found)
    except (TypeError, ValueError):
        return Finding("exact", 0.0)
    if a.shape != b.shape or a.dtype != b.dtype:
        return Finding("wrong", float("inf"), _shapes(a, b, function, var))
    return _compare_arrays(a, b, length, function, var)


def _shapes(a: np.ndarray, b: np.ndarray, function: str, var: Var) -> Difference:
    return Difference(
        function,
        var.id,
        f"{var.name} has another type",
        (),
        f"{a.dtype}{list(a.shape)}",
        f"{b.dtype}{list(b.shape)}",
    )


def _compare_arrays(a: np.ndarray, b: np.ndarray, length: int, function: str, var: Var) -> Finding:
    if a.size == 0 or a.dtype.kind in "OUS" or a.tobytes() == b.tobytes():
        return Finding("exact", 0.0)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    both = (wide_a == wide_b) | (np.isnan(wide_a) & np.isnan(wide_b))
    with np.errstate(invalid="ignore"):
        errors = np.where(both, 0.0, np.abs(wide_a - wide_b))
    errors = np.where(np.isnan(errors), np.inf, errors)
    worst = float(errors.max())
    if worst == 0.0:
        return Finding("exact", 0.0)
    finite = np.abs(wide_a[np.isfinite(wide_a)])
    scale = float(finite.max()) if finite.size else 1.0
    limit = tolerance(str(a.dtype), length)
    scale = max(scale, float(np.finfo(np.float32).tiny))
    shown = worst / max(scale, 1.0)
    if worst <= limit.within * scale:
        return Finding("within", shown)
    state = "amber" if worst <= limit.amber * scale else "wrong"
    bound = (limit.amber if state == "wrong" else limit.within) * scale
    flat = int(np.argmax((errors > bound).ravel()))
    index = tuple(int(i) for i in np.unravel_index(flat, a.shape))
    first = Difference(function, var.id, var.name, index, a[index], b[index])
    return Finding(state, shown, first)


def conclude(local: list[Finding], drifts: list[Finding], checked: int, source: str) -> Verdict:
    """The step is as good as its worst value; what was wrong before it makes it doubtful."""
    worst = _worst(local)
    drifted = _worst(drifts)
    error = max((f.error for f in local), default=0.0)
    drift = max((f.error for f in drifts), default=0.0)
    inherited = _RANK[worst.state] < _RANK["amber"] <= _RANK[drifted.state]
    agrees = _RANK[drifted.state] < _RANK["amber"]
    verdict = Verdict("exact", "", error, drift, source, worst.first, checked, agrees=agrees)
    if inherited:
        text = f"≈ as the step before, {drift:.1e} from the import"
        return replace(verdict, state="amber", text=text, first=drifted.first, inherited=True)
    verdict = replace(verdict, state=worst.state)
    return replace(verdict, text=_text(verdict))


def all_as(origin: Side, found: Side, function: str) -> bool:
    """Whether the values that a step shares with the import are right."""
    target = origin.module.graph_functions[function]
    bindings = tuple(all_bindings(target))
    total = sum(reduction_length(origin.module, b.value) for b in bindings)
    shared = [b.var for b in bindings if b.var.id in origin.values and b.var.id in found.values]
    states = (
        compare(origin.values[v.id], found.values[v.id], total, function, v).state for v in shared
    )
    return all(_RANK[state] < _RANK["amber"] for state in states)


def repaired(verdict: Verdict, step: int) -> Verdict:
    """The verdict on a step that is as the import, which `step` before it is not."""
    state = "within" if verdict.drift else "exact"
    right = replace(verdict, state=state, local_error=None, first=None, repairs=step)
    return replace(right, text=_text(right))


def still_not_running(verdict: Verdict, step: int) -> Verdict:
    """The verdict on a step that does not run for what is wrong in `step` already."""
    text = f"≈ does not run, as step {step}"
    return replace(verdict, state="amber", text=text, inherited=True)


def named_inside(verdict: Verdict, path: tuple[str, ...], key: str, inner: Difference) -> Verdict:
    """The same verdict, which names the value inside of calls that is wrong by itself."""
    place = replace(inner, name=" > ".join(path))
    over = " is overwritten" if inner.overwritten else ""
    text = f"{verdict.text[:1]} {replace(place, name=place.name + over)}"
    return replace(verdict, text=text, first=inner, path=path, key=key)


def with_unwritten(verdict: Verdict, module: IRModule) -> Verdict:
    """The same verdict, which also tells what the module's tensor functions leave unwritten."""
    found = unwritten_outputs(module)
    if not found or verdict.state not in _RANK:
        return verdict
    first, *others = found
    more = f" and {len(others)} more" if others else ""
    return replace(verdict, text=f"{verdict.text}; {first.message}{more}", unwritten=found)


def both(first: Verdict, second: Verdict) -> Verdict:
    """The verdict on a step that was checked on two inputs and is right on the first.

    What could not be checked on the second counts by the first.
    """
    if second.state not in _RANK:
        return first
    if not second.good:
        elsewhere = tuple(one for one in first.extents if one not in second.extents)
        return replace(second, right_at=elsewhere)
    verdict = replace(
        max(first, second, key=lambda v: _RANK[v.state]),
        local_error=max(first.local_error or 0.0, second.local_error or 0.0),
        drift=max(first.drift or 0.0, second.drift or 0.0),
        inputs=_also(first.inputs, second.inputs),
        checked=first.checked,
        repairs=second.repairs if first.repairs is None else first.repairs,
        extents=tuple(dict.fromkeys((*first.extents, *second.extents))),
    )
    return replace(verdict, text=_text(verdict))


def _also(first: str, second: str) -> str:
    """Two descriptions of inputs, without what the second repeats."""
    known = first.split(", ")
    new = ", ".join(part for part in second.split(", ") if part not in known)
    return f"{first}; {new}" if new else first


def _listed(extents: tuple[str, ...]) -> str:
    """`n = 3 and 37`, `b = 3, n = 5 and b = 37, n = 41`."""
    first, *others = extents
    name = first.partition("=")[0]
    if "," not in first:
        others = [other.removeprefix(f"{name}= ") for other in others]
    return " and ".join([first, *others])


def _worst(findings: list[Finding]) -> Finding:
    """The first of the worst, in program order."""
    return max(findings, key=lambda f: _RANK[f.state], default=Finding("exact", 0.0))


def _text(verdict: Verdict) -> str:
    error = max(verdict.local_error or 0.0, verdict.drift or 0.0)
    match verdict.state:
        case "exact" | "within" if verdict.repairs is not None:
            return f"✓ differs from step {verdict.repairs}, which is wrong; agrees with the import"
        case "exact":
            return "✓ exact" if not verdict.drift else f"✓ exact, drift {error:.1e}"
        case "within":
            return f"✓ max error {error:.1e}"
        case "amber":
            return f"≈ max error {error:.1e}, more than rounding"
        case _:
            return f"✗ {verdict.first}" if verdict.first else "✗ wrong"


def number(value: Value) -> str:
    """A number as messages show it; text as it is."""
    return value if isinstance(value, str) else f"{float(value):.6g}"
