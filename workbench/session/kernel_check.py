"""Verdicts on modules without a graph function: tensor functions are run one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.interpret import run_tensor_function
from workbench.ir import IRModule, ScalarType, TensorFunction, function_digest
from workbench.session.engine import Engine
from workbench.session.extents import Extents, distinct, largest, runs, symbols_of, told
from workbench.session.inputs import Interval, seeded_arguments
from workbench.session.interpreter_cost import instances, most_instances, work_of_function
from workbench.session.reductions import tensor_length
from workbench.session.verdict import Finding, Verdict, compare, conclude
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic


def check_kernels(
    engine: Engine, old: IRModule, new: IRModule, ranges: Mapping[str, Interval], job: Job
) -> Verdict:
    """Compare the public tensor functions that changed.

    The old ones run by the reference interpreter, compiled where they are too long for it.

    Raises:
        CompileError: `session/no-entry` where nothing can be compared.
    """
    changed = [
        name
        for name, function in new.tensor_functions.items()
        if name in old.tensor_functions
        and not function.private
        and function_digest(function) != function_digest(old[name])
    ]
    if not changed:
        raise CompileError(Diagnostic("session/no-entry", "no public function to compare"))
    findings: list[Finding] = []
    notes: dict[str, None] = {}
    for name in changed:
        for extents, (arrays, expected) in _runs(engine, old, name, ranges, job):
            job.checkpoint()
            findings += _compare(engine, old, new, name, arrays, expected)
            notes[told(extents)] = None
    known = tuple(note for note in notes if note)
    verdict = conclude(findings, [], len(findings), ", ".join(("seeded", *known)))
    return replace(verdict, extents=known)


Run = tuple[tuple[Any, ...], list[Any]]
"""Arguments, and the same after the call."""


def _runs(
    engine: Engine, old: IRModule, name: str, ranges: Mapping[str, Interval], job: Job
) -> list[tuple[Extents, Run]]:
    """Runs of a function of the step before, with extents with which it runs."""
    function = old.tensor_functions[name]
    params, work = function.params, work_of_function(function)

    def run(extents: Extents) -> Run:
        job.checkpoint()
        chosen = distinct(symbols_of(params).values(), extents)
        arrays = seeded_arguments(params, ranges, chosen)
        return arrays, _run(engine, old, name, arrays, largest(chosen))

    return runs(params, {}, run, lambda extents: work(largest(extents))) or [({}, run({}))]


def _run(
    engine: Engine, module: IRModule, name: str, arrays: tuple[Any, ...], symbolic: int
) -> list[Any]:
    """The arguments after a call, by the reference interpreter where that is short enough.

    `symbolic` is the largest of the symbolic extents.
    """
    function = module.tensor_functions[name]
    found = [np.copy(array) for array in arrays]
    if instances(function, symbolic) > most_instances(symbolic):
        engine.executable(module)(*found, function=name)
        return found
    buffers = _buffers(function)
    scalars: list[Any] = [item for i, item in enumerate(found) if i not in buffers]
    run_tensor_function(function, [found[i] for i in buffers], scalars, name)
    return found


def _compare(
    engine: Engine,
    old: IRModule,
    new: IRModule,
    name: str,
    arrays: tuple[Any, ...],
    expected: list[Any],
) -> list[Finding]:
    before, after = old.tensor_functions[name], new.tensor_functions[name]
    found = [np.copy(array) for array in arrays]
    engine.executable(new)(*found, function=name)
    length = max(tensor_length(before), tensor_length(after))
    params = before.params
    return [compare(expected[i], found[i], length, name, params[i]) for i in _buffers(before)]


def _buffers(function: TensorFunction) -> list[int]:
    return [i for i, p in enumerate(function.params) if not isinstance(p.type, ScalarType)]
