"""Measuring: implementations of one value, and whole steps, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from workbench.analysis.uses import argument_vars
from workbench.ir import CallFunction, CallPacked, CallTIR, GraphFunction, IRModule
from workbench.rewrite import all_bindings
from workbench.session.catalogue import run_pass
from workbench.session.comparison import (
    Candidate,
    Comparison,
    OperatorRow,
    conditions,
    time_interleaved,
)
from workbench.session.engine import Engine
from workbench.session.excerpt import Excerpt, excerpt
from workbench.session.flow import FlowValue
from workbench.session.implementations import Implementation, implementations_of
from workbench.session.inputs import Inputs, entry_function
from workbench.session.lineage import Lineage
from workbench.session.snapshot import Snapshot
from workbench.session.verdict import Side
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic, NodeId

PROFILE_REPEATS = 5
TIMES = "\N{MULTIPLICATION SIGN}"
SLOWEST = 12
"""Operators shown in a comparison of steps."""


class Measured(Protocol):
    """What measuring needs of a session."""

    engine: Engine

    def snapshot(self, step: int) -> Snapshot:
        """The snapshot of a step."""
        ...

    def lineage(self, step: int) -> Lineage:
        """The values of a step."""
        ...

    def verdict_side(self, step: int, job: Job) -> tuple[Inputs, Side]:
        """Inputs and values of a step."""
        ...


def measure_value(session: Measured, step: int, value: FlowValue, job: Job) -> Comparison:
    """Times of all implementations of a value, alone, on the arrays that it gets in the model.

    Raises:
        CompileError: `session/no-implementations`, or why the step does not run.
    """
    module = session.snapshot(step).module
    known = implementations_of(module, value)
    if not known:
        raise CompileError(
            Diagnostic("session/no-implementations", f"`{value.name}` has one implementation only")
        )
    job.checkpoint(0, len(known))
    part = _excerpt(session, step, module, value, job)
    candidates = [_candidate(session.engine, part, value, item, job) for item in known]
    bars = time_interleaved(candidates, job.checkpoint)
    shapes = " · ".join(TIMES.join(map(str, np.shape(a))) for a in part.arrays)
    return Comparison(f"{value.name} · {shapes}", bars, conditions=conditions())


def _excerpt(session: Measured, step: int, module: IRModule, value: FlowValue, job: Job) -> Excerpt:
    """The call alone; inside a fused function with the arrays that this function gets."""
    _, side = session.verdict_side(step, job)
    entry = entry_function(module)
    if value.call is None:
        return excerpt(module, entry, value.ref.id, side.values)
    outer = int(value.call.split("/")[-1])
    target = module.graph_functions[entry]
    call = next(b.value for b in all_bindings(target) if b.var.id == outer)
    assert isinstance(call, CallFunction)
    arrays = [_argument(module, side, arg) for arg in call.args]
    values = session.engine.values(module, arrays, call.callee)
    return excerpt(module, call.callee, value.ref.id, values)


def _argument(module: IRModule, side: Side, arg: Any) -> Any:  # noqa: ANN401
    digest = getattr(arg, "digest", None)
    return module.pool[digest] if digest is not None else side.values[arg.id]


def _candidate(
    engine: Engine, part: Excerpt, value: FlowValue, item: Implementation, job: Job
) -> Candidate:
    job.checkpoint()
    found = Candidate(
        item.name, None, current=item.current, note=item.description, implementation=item.name
    )
    if not item.available:
        found.failed = item.reason or "not available"
        return found
    chosen = type(item.step)(f"main.{value.name}", item.name)  # pyright: ignore[reportCallIssue]
    try:
        executable = engine.executable(run_pass(chosen, part.module).module)
        result = executable(*part.arrays)
    except CompileError as error:
        found.failed = error.diagnostics[0].message
        return found
    found.error = largest_error(part.expected, result)
    found.call = lambda: executable(*part.arrays)
    return found


def compare_steps(session: Measured, steps: tuple[int, ...], job: Job) -> Comparison:
    """Times of whole steps and their operators on the inputs of the verdicts, errors as well.

    Raises:
        CompileError: why the import does not run.
    """
    inputs, origin = session.verdict_side(0, job)
    candidates: list[Candidate] = []
    profiles: list[dict[NodeId, float]] = []
    job.checkpoint(0, len(steps))
    for step in steps:
        candidate, profile = _step_candidate(session, step, inputs, origin, job)
        candidates.append(candidate)
        profiles.append(profile)
    bars = time_interleaved(candidates, job.checkpoint)
    rows = _operator_rows(session, steps, profiles)
    return Comparison("whole model, per step", bars, rows, conditions(inputs.source))


def _step_candidate(
    session: Measured, step: int, inputs: Inputs, origin: Side, job: Job
) -> tuple[Candidate, dict[NodeId, float]]:
    snapshot = session.snapshot(step)
    entry = entry_function(snapshot.module)
    found = Candidate(f"{step} {snapshot.name}", None, step=step)
    try:
        executable = session.engine.executable(snapshot.module)
        job.checkpoint()
        outputs = executable(*inputs.arrays, function=entry)
        job.checkpoint()
        profile = executable.profile(inputs.arrays, PROFILE_REPEATS, function=entry)
    except CompileError as error:
        found.failed = error.diagnostics[0].message
        return found, {}
    found.error = largest_error(origin.outputs, outputs)
    found.call = _caller(executable, inputs, entry)
    found.note = str(executable.report)
    return found, {i: timing.median for i, timing in profile.bindings.items()}


def _caller(executable: Any, inputs: Inputs, entry: str) -> Callable[[], object]:  # noqa: ANN401
    return lambda: executable(*inputs.arrays, function=entry)


def _operator_rows(
    session: Measured, steps: tuple[int, ...], profiles: list[dict[NodeId, float]]
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
        case CallTIR(callee=callee) | CallFunction(callee=callee):
            return f"{name} · {callee}"
        case CallPacked(symbol=symbol):
            return f"{name} · {symbol}"
        case _:
            return f"{name} · {getattr(value, 'op', '')}"


def largest_error(expected: Any, found: Any) -> float:  # noqa: ANN401
    """Largest absolute difference of two values; infinite where shapes differ."""
    left, right = _arrays(expected), _arrays(found)
    if len(left) != len(right):
        return float("inf")
    return max((_array_error(a, b) for a, b in zip(left, right, strict=True)), default=0.0)


def _arrays(value: Any) -> list[np.ndarray]:  # noqa: ANN401
    """The arrays of a value, tuples flattened."""
    if isinstance(value, tuple | list):
        return [array for item in value for array in _arrays(item)]  # pyright: ignore[reportUnknownVariableType]
    return [np.asarray(value)]


def _array_error(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    if a.size == 0:
        return 0.0
    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64))))
