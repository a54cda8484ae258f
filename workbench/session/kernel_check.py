"""Verdicts on modules without a graph function: tensor functions are run one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.interpret import run_tensor_function
from workbench.ir import IRModule, ScalarType, function_digest
from workbench.session.engine import Engine
from workbench.session.inputs import Interval, seeded_arguments
from workbench.session.interpreter_cost import MOST_INSTANCES, instances
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
    for name in changed:
        job.checkpoint()
        arrays = seeded_arguments(old.tensor_functions[name].params, ranges)
        findings += _compare(engine, old, new, name, arrays)
    return conclude(findings, [], len(findings), "seeded")


def _compare(
    engine: Engine,
    old: IRModule,
    new: IRModule,
    name: str,
    arrays: tuple[Any, ...],
) -> list[Finding]:
    before, after = old.tensor_functions[name], new.tensor_functions[name]
    expected = [np.copy(array) for array in arrays]
    found = [np.copy(array) for array in arrays]
    buffers = [i for i, p in enumerate(before.params) if not isinstance(p.type, ScalarType)]
    scalars: list[Any] = [expected[i] for i in range(len(arrays)) if i not in buffers]
    if instances(before) <= MOST_INSTANCES:
        run_tensor_function(before, [expected[i] for i in buffers], scalars, name)
    else:
        engine.executable(old)(*expected, function=name)
    engine.executable(new)(*found, function=name)
    length = max(tensor_length(before), tensor_length(after))
    return [compare(expected[i], found[i], length, name, before.params[i]) for i in buffers]
