"""Checks of steps whose entry function takes other parameters than that of the import.

Where a step bound parameters or dimensions, the import runs on inputs that fit both. Where a step
takes values that the import computes, it is given those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
from workbench.session.engine import Engine
from workbench.session.extents import largest, symbols_of
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
from workbench.support import CompileError, NodeId


def takes_others(origin: IRModule, module: IRModule, function: str) -> bool:
    """Whether the entry function has other parameters than that of the import."""
    old, new = (m.graph_functions.get(function) for m in (origin, module))
    if old is None or new is None:
        return False
    return [(p.id, p.type) for p in old.params] != [(p.id, p.type) for p in new.params]


def check_against_import(
    engine: Engine,
    origin: IRModule,
    module: IRModule,
    function: str,
    inputs: Inputs,
    ranges: Mapping[str, Interval],
    job: Job,
) -> Verdict:
    """The verdict on what `module` returns, compared with the import alone.

    Raises:
        CompileError: where the import cannot be run on inputs that fit.
    """
    old, new = origin.graph_functions[function], module.graph_functions[function]
    refused = other_signature(origin, module, function)
    if refused:
        return Verdict("wrong", f"✗ {refused}", inputs=inputs.source)
    given, expected = fitting_inputs(engine, origin, module, function, inputs, ranges, job)
    if isinstance(given, str):
        text = f"not checkable: it takes `{given}`, which the import does not compute"
        return Verdict("uncheckable", text)
    job.checkpoint()
    try:
        after: Side = run_side(engine, module, given, function, job)
    except CompileError as error:
        fault = error.diagnostics[0]
        text = f"✗ does not run: {fault.message}"
        return Verdict("wrong", text, inputs=given.source, fault=fault)
    total = sum(reduction_length(origin, b.value) for b in all_bindings(old))
    found = [
        compare(a, b, total, function, var)
        for a, b, var in zip(expected, after.outputs, result_vars(new), strict=False)
    ]
    return conclude(found, found, len(found), given.source)


def fitting_inputs(
    engine: Engine,
    origin: IRModule,
    module: IRModule,
    function: str,
    inputs: Inputs,
    ranges: Mapping[str, Interval],
    job: Job,
) -> tuple[Inputs | str, tuple[Value, ...]]:
    """Inputs of the step's entry function, and what the import returns for what they come from.

    Instead of inputs the name of a parameter that the import does not compute.

    Raises:
        CompileError: where the import cannot be run on inputs that fit.
    """
    old, new = origin.graph_functions[function], module.graph_functions[function]
    arguments = _arguments(origin, module, function, inputs, ranges)
    if interpreter_can_run(origin, largest(arguments.extents)):
        values: Mapping[NodeId, Value] = reference_values(origin, arguments.arrays, function)
        expected = result_of(origin, function, values)
    else:
        side = run_side(engine, origin, arguments, function, job)
        values, expected = side.values, side.outputs
    known = {**dict(zip((p.id for p in old.params), arguments.arrays, strict=True)), **values}
    missing = next((param.name for param in new.params if param.id not in known), None)
    if missing is not None:
        return missing, expected
    return Inputs(tuple(known[param.id] for param in new.params), arguments.source), expected


def _arguments(
    origin: IRModule,
    module: IRModule,
    function: str,
    inputs: Inputs,
    ranges: Mapping[str, Interval],
) -> Inputs:
    """Arguments for the import that fit the step too: bound parameters are what they are bound to.

    Those in use where they fit, seeded ones for the extents of the step else.
    """
    old, new = origin.graph_functions[function], module.graph_functions[function]
    bound = _bound(module, new)
    types = {param.id: param.type for param in new.params}
    types |= {i: TensorType(a.shape, str(a.dtype)) for i, a in bound.items()}
    wanted = [types.get(param.id, param.type) for param in old.params]
    if not all(_fits(a, t) for a, t in zip(inputs.arrays, wanted, strict=False)):
        unifier = Unifier()
        unifier.call(old.params, wanted)
        dims: dict[NodeId, Dim] = {i: n for i, n in unifier.values.items() if isinstance(n, int)}
        fitting = origin.with_function(function, with_dims(old, dims))
        left = set(symbols_of(fitting.graph_functions[function].params).values())
        extents = {name: e for name, e in inputs.extents.items() if name in left}
        inputs = seeded_inputs(fitting, function, ranges, extents)
    pairs = zip(old.params, inputs.arrays, strict=True)
    arrays = tuple(bound.get(p.id, array) for p, array in pairs)
    return replace(inputs, arrays=arrays)


def _bound(module: IRModule, function: GraphFunction) -> dict[NodeId, np.ndarray[Any, Any]]:
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
