"""Measuring: implementations of one value, and whole steps, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from workbench.analysis.uses import argument_vars
from workbench.ir import CallFunction, CallPacked, CallTIR, CallTIRInplace, GraphFunction, IRModule
from workbench.rewrite import Pass, all_bindings
from workbench.session.apart import measure_apart, prepare
from workbench.session.catalogue import run_pass
from workbench.session.comparison import Bar, Comparison, OperatorRow, bars_of, conditions
from workbench.session.engine import Engine
from workbench.session.excerpt import Excerpt, excerpt, needed
from workbench.session.experiment import Data, Experiment, Outcome, Trial
from workbench.session.flow import FlowValue
from workbench.session.implementations import Implementation, implementations_of
from workbench.session.inputs import entry_function
from workbench.session.lineage import Lineage
from workbench.session.other_parameters import StepData
from workbench.session.reductions import reduction_length
from workbench.session.snapshot import Snapshot
from workbench.session.titles import step_title
from workbench.session.verdict import Side, Verdict, compare
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic, NodeId

TIMES = "\N{MULTIPLICATION SIGN}"
SLOWEST = 12
"""Operators shown in a comparison of steps."""


class Measured(Protocol):
    """What measuring needs of a session."""

    engine: Engine

    def snapshot(self, step: int) -> Snapshot:
        """The snapshot of a step."""
        ...

    def verdict(self, step: int) -> Verdict:
        """The verdict on a step."""
        ...

    def lineage(self, step: int) -> Lineage:
        """The values of a step."""
        ...

    def verdict_side(self, step: int, job: Job) -> Side:
        """Values of a step."""
        ...

    def import_side(self, step: int, job: Job) -> Side | None:
        """Values of the import on the inputs of that step; None where it does not run."""
        ...

    def step_data(self, steps: Sequence[int], job: Job) -> tuple[StepData, ...]:
        """What each of these steps runs on, the same for all where one input fits them."""
        ...


def measure_value(session: Measured, step: int, value: FlowValue, job: Job) -> Comparison:
    """Times of all implementations of a value, alone, on the arrays that it gets in the model.

    Raises:
        CompileError: `session/no-implementations`, `session/not-computed`,
            `session/measuring-died`, `session/measuring-hangs`, or why the step does not run.
    """
    module = session.snapshot(step).module
    known = implementations_of(module, value)
    if not known:
        raise CompileError(
            Diagnostic("session/no-implementations", f"`{value.name}` has one implementation only")
        )
    prepare()
    job.checkpoint(0, len(known))
    part, against = _excerpt(session, step, module, value, job)
    bars: list[Bar] = []
    trials: list[Trial] = []
    for item in known:
        job.checkpoint()
        bar = Bar(item.name, note=item.description, current=item.current, implementation=item.name)
        chosen = type(item.step)(f"main.{value.name}", item.name)
        failed, trial = _trial(part.module, chosen, item)
        bars.append(replace(bar, failed=failed))
        trials += [] if trial is None else [trial]
    experiment = Experiment(tuple(trials), part.arrays, part.expected)
    measured = measure_apart(experiment, session.engine, job)
    found = iter(measured.results.outcomes)
    outcomes = [Outcome() if bar.failed else next(found) for bar in bars]
    shapes = " · ".join(TIMES.join(map(str, np.shape(a))) for a in part.arrays)
    title = f"{value.name} · {shapes}"
    return Comparison(title, bars_of(bars, outcomes), conditions=conditions(measured, against))


def _trial(module: IRModule, chosen: Pass, item: Implementation) -> tuple[str, Trial | None]:
    """Why an implementation cannot be timed, or the trial that does it."""
    if not item.available:
        return item.reason or "not available", None
    try:
        return "", Trial(item.name, needed(run_pass(chosen, module).module, "main"))
    except CompileError as error:
        return error.diagnostics[0].message, None


def _excerpt(
    session: Measured, step: int, module: IRModule, value: FlowValue, job: Job
) -> tuple[Excerpt, str]:
    """The call alone, on the arrays that it gets, and what errors are relative to in words.

    Inside a fused function with the arrays that this function gets. Where the value is not that of
    the import, arrays are those of the import as far as it has them: a wrong step is no measure.
    """
    entry = entry_function(module)
    values = session.verdict_side(step, job).values
    function, inner = _frame(session, module, value, values)
    wanted = value.ref.id
    if wanted not in inner:
        raise CompileError(
            Diagnostic(
                "session/not-computed",
                f"`{value.name}` is in a branch that the inputs of the check do not take",
                hint="give others with `session.inputs(...)`",
            )
        )
    right = _right_values(session, step, function, inner, job)
    if wanted not in right:
        unsure = not session.verdict(step).good and step > 0
        text = f"errors against step {step}, which is not known to be right" if unsure else ""
        return excerpt(module, function, wanted, inner), text
    bound = module.graph_functions[function]
    binding = next(b for b in all_bindings(bound) if b.var.id == wanted)
    length = reduction_length(module, binding.value)
    found = compare(right[wanted], inner[wanted], length, function, binding.var)
    if found.state in {"exact", "within"}:
        return excerpt(module, function, wanted, inner), ""
    outer = {**values, **_right_values(session, step, entry, values, job)}
    _, inner = _frame(session, module, value, outer)
    return excerpt(module, function, wanted, {**inner, **right}), "errors against the import"


def _frame(
    session: Measured, module: IRModule, value: FlowValue, values: Mapping[NodeId, Any]
) -> tuple[str, Mapping[NodeId, Any]]:
    """The function that computes a value, with its values; `values` are those of the entry."""
    entry = entry_function(module)
    if value.call is None:
        return entry, values
    outer = int(value.call.split("/")[-1])
    target = module.graph_functions[entry]
    call = next(b.value for b in all_bindings(target) if b.var.id == outer)
    assert isinstance(call, CallFunction)
    arrays = [_argument(module, values, arg) for arg in call.args]
    return call.callee, session.engine.values(module, arrays, call.callee)


def _argument(module: IRModule, values: Mapping[NodeId, Any], arg: Any) -> Any:  # noqa: ANN401
    digest = getattr(arg, "digest", None)
    return module.pool[digest] if digest is not None else values[arg.id]


def _right_values(
    session: Measured, step: int, function: str, values: Mapping[NodeId, Any], job: Job
) -> dict[NodeId, Any]:
    """What values of a function of a step are in the import, where it has them."""
    origin = session.import_side(step, job)
    if origin is None:
        return {}
    lineage, imported = session.lineage(step), session.lineage(0)
    entry = entry_function(origin.module)
    found: dict[NodeId, Any] = {}
    for value in lineage.values():
        source = imported.value(lineage.stable.get(value.key, ""))
        if source is None or source.ref.function != entry or value.ref.function != function:
            continue
        right, own = origin.values.get(source.ref.id), values.get(value.ref.id)
        if getattr(right, "shape", None) == getattr(own, "shape", ()):
            found[value.ref.id] = right
    return found


def compare_steps(session: Measured, steps: tuple[int, ...], job: Job) -> Comparison:
    """Times of whole steps and their operators on the inputs of the verdicts, errors as well.

    Raises:
        CompileError: `session/measuring-died`, `session/measuring-hangs`, or why the import does
            not run.
    """
    prepare()
    job.report("running the import", 0, 0)
    data = session.step_data(steps, job)
    trials = tuple(
        _step_trial(session, step, each.data) for step, each in zip(steps, data, strict=True)
    )
    runs = tuple(t for t, each in zip(trials, data, strict=True) if not each.failed)
    measured = measure_apart(Experiment(runs, (), ()), session.engine, job)
    found = iter(measured.results.outcomes)
    outcomes = [Outcome(failed=each.failed) if each.failed else next(found) for each in data]
    bars = [
        Bar(trial.name, step=step, note=outcome.report)
        for step, trial, outcome in zip(steps, trials, outcomes, strict=True)
    ]
    rows = _operator_rows(session, steps, [outcome.profile for outcome in outcomes])
    note = conditions(measured, _sources(steps, data))
    return Comparison("whole model, per step", bars_of(bars, outcomes), rows, note)


def _sources(steps: Sequence[int], data: Sequence[StepData]) -> str:
    """The inputs in words; those of steps that run on others, by number."""
    others = [f"step {i} on {d.source}" for i, d in zip(steps, data, strict=True) if not d.common]
    common = [each.source for each in data if each.common]
    return ", ".join([*common[:1], *others])


def _step_trial(session: Measured, step: int, data: Data | None) -> Trial:
    snapshot = session.snapshot(step)
    entry = entry_function(snapshot.module)
    before = None if snapshot.parent is None else session.lineage(snapshot.parent)
    name = f"{snapshot.index} {step_title(snapshot, before)}"
    return Trial(name, needed(snapshot.module, entry), entry, profile=True, data=data)


def _operator_rows(
    session: Measured, steps: tuple[int, ...], profiles: Sequence[Mapping[NodeId, float]]
) -> tuple[OperatorRow, ...]:
    """The operators of the last step that take most time in any of the steps.

    What an earlier step computes by itself is counted where it went: to the operator that uses it.
    """
    module = session.snapshot(steps[-1]).module
    entry = entry_function(module)
    rows = {
        binding.var.id: _row_name(binding.value, binding.var.name)
        for binding in all_bindings(module.graph_functions[entry])
        if _computes(binding.value)
    }
    table: dict[NodeId, list[float | None]] = {row: [None] * len(steps) for row in rows}
    for column, (step, profile) in enumerate(zip(steps, profiles, strict=True)):
        owners = _owners(session.snapshot(step).module.graph_functions[entry], set(rows))
        for value, seconds in profile.items():
            owner = owners.get(value)
            if owner is not None:
                table[owner][column] = (table[owner][column] or 0.0) + seconds
    slowest = sorted(table, key=lambda row: -max(t or 0.0 for t in table[row]))[:SLOWEST]
    return tuple(OperatorRow(f"{entry}/{row}", rows[row], tuple(table[row])) for row in slowest)


def _owners(function: GraphFunction, rows: set[NodeId]) -> dict[NodeId, NodeId]:
    """For each value the row that it belongs to: itself, or that of its first user."""
    found: dict[NodeId, NodeId] = {}
    for binding in reversed(tuple(all_bindings(function))):
        value = binding.var.id
        if value in rows:
            found[value] = value
        if value in found:
            for var in argument_vars(binding.value):
                found[var.id] = found[value]
    return found


def _computes(value: object) -> bool:
    return hasattr(value, "args")


def _row_name(value: object, name: str) -> str:
    match value:
        case CallTIR() | CallTIRInplace() | CallFunction():
            return f"{name} · {value.callee}"
        case CallPacked(symbol=symbol):
            return f"{name} · {symbol}"
        case _:
            return f"{name} · {getattr(value, 'op', '')}"
