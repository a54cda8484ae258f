"""Checks of steps whose entry function takes other parameters than that of the import.

Where a step bound parameters or dimensions, the import runs on inputs that fit both. Where a step
takes values that the import computes, it is given those. What a parameter was bound to is told by
the step that bound it: later ones may fold the constant away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.interpret import values as reference_values
from workbench.ir import (
    Alias,
    Constant,
    Dim,
    GraphFunction,
    IRModule,
    TensorType,
    Type,
)
from workbench.ir.call_types import Unifier
from workbench.rewrite import all_bindings, with_dims
from workbench.runtime import Cancelled as NativeCancelled
from workbench.session.engine import Engine
from workbench.session.experiment import Data
from workbench.session.extents import largest, symbols_of, told
from workbench.session.inputs import Inputs, Interval, seeded_inputs
from workbench.session.interpreter_cost import interpreter_can_run
from workbench.session.reductions import reduction_length
from workbench.session.verdict import (
    Side,
    Value,
    Verdict,
    compare,
    conclude,
    other_signature,
    result_of,
    result_vars,
    run_side,
)
from workbench.session.worker import Job
from workbench.support import CompileError, Diagnostic, NodeId

MOST_NAMES = 3
"""Bound parameters that a description of inputs names."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Arguments of the import that fit a step too, and a run of the import on them."""

    inputs: Inputs
    side: Side


@dataclass(frozen=True, slots=True)
class StepData:
    """What a step runs on in a comparison with others, or why it `failed` to get anything.

    `common`: where all of them run on the same. `source` says in words where it came from.
    """

    data: Data | None
    source: str
    common: bool = True
    failed: str = ""


def takes_others(origin: IRModule, module: IRModule, function: str) -> bool:
    """Whether the entry function has other parameters than that of the import."""
    old, new = (m.graph_functions.get(function) for m in (origin, module))
    if old is None or new is None:
        return False
    return [(p.id, p.type) for p in old.params] != [(p.id, p.type) for p in new.params]


def run_import(engine: Engine, origin: IRModule, inputs: Inputs, function: str, job: Job) -> Side:
    """All values of the import by the reference interpreter; compiled where that takes too long.

    Raises:
        CompileError: why it cannot be run.
    """
    if not interpreter_can_run(origin, largest(inputs.extents)):
        return run_side(engine, origin, inputs, function, job)
    values = reference_values(origin, inputs.arrays, function)
    return Side(origin, values, result_of(origin, function, values))


def check_against_import(
    engine: Engine, fit: Fit, module: IRModule, function: str, job: Job
) -> Verdict:
    """The verdict on what `module` returns, compared with the import alone.

    Raises:
        CompileError: `session/no-inputs`.
    """
    origin = fit.side.module
    old, new = origin.graph_functions[function], module.graph_functions[function]
    refused = other_signature(origin, module, function)
    if refused:
        return Verdict("wrong", f"✗ {refused}", inputs=fit.inputs.source)
    given = given_to(module, function, fit)
    job.checkpoint()
    try:
        after: Side = run_side(engine, module, given, function, job)
    except NativeCancelled:
        raise
    except CompileError as error:
        fault = error.diagnostics[0]
        text = f"✗ does not run: {fault.message}"
        return Verdict("wrong", text, inputs=given.source, fault=fault)
    total = sum(reduction_length(origin, b.value) for b in all_bindings(old))
    found = [
        compare(a, b, total, function, var)
        for a, b, var in zip(fit.side.outputs, after.outputs, result_vars(new), strict=False)
    ]
    return conclude(found, found, len(found), given.source)


def given_to(module: IRModule, function: str, fit: Fit) -> Inputs:
    """What a step's entry function gets where the import gets the arguments of `fit`.

    Raises:
        CompileError: `session/no-inputs` where it takes what the import does not compute.
    """
    old, new = (m.graph_functions[function] for m in (fit.side.module, module))
    arguments = zip((p.id for p in old.params), fit.inputs.arrays, strict=True)
    known = {**dict(arguments), **fit.side.values}
    missing = next((param for param in new.params if param.id not in known), None)
    if missing is not None:
        text = f"it takes `{missing.name}`, which the import does not compute"
        raise CompileError(
            Diagnostic("session/no-inputs", text, function=function, node=missing.id)
        )
    return replace(fit.inputs, arrays=tuple(known[param.id] for param in new.params))


def data_of_step(module: IRModule, function: str, fit: Fit, *, common: bool) -> StepData:
    """What a step runs on where the import gets the arguments of `fit`."""
    try:
        given = given_to(module, function, fit)
    except CompileError as error:
        return StepData(None, fit.inputs.source, common, error.diagnostics[0].message)
    return StepData(Data(given.arrays, fit.side.outputs), given.source, common)


def same_arrays(a: Inputs, b: Inputs) -> bool:
    """Whether two inputs are the same arguments."""
    return all(map(_same, a.arrays, b.arrays))


def _same(a: Value, b: Value) -> bool:
    if a is b:
        return True
    x, y = np.asarray(a), np.asarray(b)
    return x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()


def import_arguments(
    path: Sequence[IRModule],
    function: str,
    inputs: Inputs,
    ranges: Mapping[str, Interval],
) -> Inputs:
    """Arguments for the import that fit a step too: bound parameters are what they are bound to.

    `path` has the modules from the import to the step. Those in use where they fit, seeded ones
    for the extents of the step else.
    """
    origin = path[0]
    old = origin.graph_functions[function]
    types, bound = _fates(path, function)
    wanted = [types[param.id] for param in old.params]
    if not all(_fits(a, t) for a, t in zip(inputs.arrays, wanted, strict=False)):
        unifier = Unifier()
        unifier.call(old.params, wanted)
        dims: dict[NodeId, Dim] = {i: n for i, n in unifier.values.items() if isinstance(n, int)}
        fitting = origin.with_function(function, with_dims(old, dims))
        left = set(symbols_of(fitting.graph_functions[function].params).values())
        extents = {name: e for name, e in inputs.extents.items() if name in left}
        inputs = seeded_inputs(fitting, function, ranges, extents)
        names = symbols_of(old.params).items()
        fixed = {name: dim for i, name in names if isinstance(dim := dims.get(i), int)}
        source = f"{inputs.source}, {told(fixed)}" if fixed else inputs.source
        inputs = replace(inputs, source=source)
    pairs = zip(old.params, inputs.arrays, strict=True)
    arrays = tuple(bound.get(p.id, array) for p, array in pairs)
    names = [p.name for p in old.params if p.id in bound]
    return replace(inputs, arrays=arrays, source=_source(inputs.source, names))


def _source(source: str, bound: Sequence[str]) -> str:
    """A description of inputs, with the parameters that are what they were bound to."""
    told = ", ".join(f"`{name}`" for name in bound[:MOST_NAMES])
    more = f" and {len(bound) - MOST_NAMES} more" if len(bound) > MOST_NAMES else ""
    return f"{source}, {told}{more} as bound" if told and "as bound" not in source else source


def _fates(
    path: Sequence[IRModule], function: str
) -> tuple[dict[NodeId, Type], dict[NodeId, np.ndarray[Any, Any]]]:
    """What became of the parameters of the import: their types, and values of those bound.

    A value is that of the step that bound the parameter: one that changed it later is wrong.
    """
    types = {param.id: param.type for param in path[0].graph_functions[function].params}
    bound: dict[NodeId, np.ndarray[Any, Any]] = {}
    for module in path[1:]:
        target = module.graph_functions.get(function)
        if target is None:
            continue
        types |= {param.id: param.type for param in target.params if param.id in types}
        found = _constants(module, target)
        bound |= {i: a for i, a in found.items() if i in types and i not in bound}
    types |= {i: TensorType(a.shape, str(a.dtype)) for i, a in bound.items()}
    return types, bound


def _constants(module: IRModule, function: GraphFunction) -> dict[NodeId, np.ndarray[Any, Any]]:
    """Values that are constants of the module, by id: bound parameters are among them."""
    return {
        b.var.id: module.pool[b.value.value.digest]
        for b in function.bindings
        if isinstance(b.value, Alias) and isinstance(b.value.value, Constant)
    }


def _fits(array: Value, type_: Type) -> bool:
    """Whether an argument has the extents that a type names as numbers."""
    shape = type_.shape if isinstance(type_, TensorType) else None
    if shape is None:
        return True
    pairs = zip(np.shape(array), shape, strict=False)
    return all(not isinstance(extent, int) or n == extent for n, extent in pairs)
