"""Build: any module becomes something that runs, without being optimised.

The fixed minimal pipeline: operators that have a tensor form get it, tensor functions become native
code, graph functions become programs. What has no tensor form runs on its numpy reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from workbench.analysis.memory import Fitted
from workbench.codegen import Target, host_target
from workbench.ir import (
    Binding,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    IfThenElse,
    IRModule,
    TensorFunction,
    walk,
)
from workbench.ir.verify import check
from workbench.passes import LegalizeOps
from workbench.runtime.arrays import Constants
from workbench.runtime.executable import Executable
from workbench.runtime.host_calls import check_libraries
from workbench.runtime.kernels import Checks, Kernel, KernelStatistics, prepare_kernels
from workbench.runtime.lowering import lower
from workbench.runtime.native import native_runtime
from workbench.runtime.planned import functions_in_place, planned, plans_of
from workbench.runtime.program import KernelStep, Program, Step
from workbench.runtime.report import BuildReport
from workbench.runtime.stepwise import Machine, StepwiseEvaluator
from workbench.runtime.thread_pool import available_cpus, thread_pool
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import checks_kinds


@checks_kinds
def build(
    module: IRModule,
    target: Target | None = None,
    num_threads: int | None = None,
    checks: Checks = "auto",
) -> Executable:
    """An executable of a module, for `target` (default: this processor).

    `num_threads` counts the calling thread and defaults to the processors that this process may
    use. `checks` = "auto" checks every access and division that is not proved safe, "off" none.
    Reference: `tvm.relax.build`.

    Raises:
        CompileError: `library/unavailable`, `build/writes-input`, `build/bad-option`, and
            what the verifier and code generation say.
    """
    start = time.perf_counter()
    if num_threads is not None and num_threads < 1:
        raise CompileError(
            Diagnostic("build/bad-option", f"`num_threads` must be at least 1, got `{num_threads}`")
        )
    check(module)
    check_libraries(module)
    lowered = LegalizeOps()(module).module if module.graph_functions else module
    native = native_runtime()
    plans, notes = plans_of(module, lowered)
    merged = functions_in_place(lowered, plans)
    needed = {**_needed(lowered), **{name: function for name, (_, function) in merged.items()}}
    kernels, statistics = prepare_kernels(needed, target or host_target(), checks)
    for name, (callee, _) in merged.items():
        kernels[name] = replace(kernels[name], name=callee)
    _refuse_written_inputs(lowered, kernels)
    notes += _unwritten(lowered, kernels)
    machine = Machine(lowered, kernels, Constants(lowered.pool), native)
    evaluator = StepwiseEvaluator(machine)
    programs = {name: lower(lowered, name, evaluator) for name in lowered.graph_functions}
    programs, unfollowed = _planned(programs, plans)
    statistics.notes += [*notes, *unfollowed]
    pool = thread_pool()
    helpers = pool.ensure((num_threads or available_cpus()) - 1)
    report = _report(programs, lowered, statistics, time.perf_counter() - start)
    return Executable(module, machine, programs, pool, helpers, report)


def _planned(
    programs: Mapping[str, Program | None], plans: Mapping[str, Fitted]
) -> tuple[dict[str, Program | None], list[str]]:
    """Programs that follow their plans, and what to say of those that do not."""
    found = dict(programs)
    notes: list[str] = []
    for name, plan in plans.items():
        program = programs[name]
        followed = "it runs binding by binding" if program is None else planned(program, plan)
        if isinstance(followed, str) and plan.spots is not None:
            notes.append(f"the memory plan of `{name}` is not followed: {followed}")
        else:
            found[name] = None if isinstance(followed, str) else followed
    for name, program in found.items():
        if program is not None and any(map(_is_undecided, program.steps)):
            found[name] = None
    return found, notes


def _is_undecided(step: Step) -> bool:
    """Whether a call says that it writes over an argument, and nobody found out if it can."""
    return isinstance(step, KernelStep) and bool(step.inplace)


def _needed(module: IRModule) -> dict[str, TensorFunction]:
    """Tensor functions that are called, or may be called from outside."""
    called = {call.callee for _, _, call in _calls(module)}
    return {
        name: function
        for name, function in module.tensor_functions.items()
        if name in called or not function.private
    }


def _calls(module: IRModule) -> Iterator[tuple[str, Binding, CallTIR | CallTIRInplace]]:
    """Calls of tensor functions with function and outermost binding."""
    for name, function in module.graph_functions.items():
        for binding in function.bindings:
            if isinstance(binding.value, CallTIR | CallTIRInplace):
                yield name, binding, binding.value
            elif isinstance(binding.value, IfThenElse):
                for node in walk(binding.value):
                    if isinstance(node, CallTIR | CallTIRInplace):
                        yield name, binding, node


def _refuse_written_inputs(module: IRModule, kernels: Mapping[str, Kernel]) -> None:
    """A call owns only its outputs; its inputs may be constants or the caller's arrays."""
    faults: list[Diagnostic] = []
    for name, binding, call in _calls(module):
        kernel = kernels.get(call.callee)
        if kernel is None:
            continue
        over = set[int]()
        count = len(call.out_types)
        if isinstance(call, CallTIRInplace):
            over, count = {*call.inplace}, len(call.fresh)
        outputs = range(len(call.args), len(call.args) + count)
        for position in sorted(kernel.signature.written - set(outputs) - over):
            param = kernel.signature.params[position].name
            faults.append(
                Diagnostic(
                    "build/writes-input",
                    f"`{call.callee}` writes `{param}`, which is an input of the call "
                    f"for `{binding.var.name}`",
                    function=name,
                    node=binding.var.id,
                    hint="outputs come last among the buffers of a tensor function",
                )
            )
    if faults:
        raise CompileError(faults)


def _unwritten(module: IRModule, kernels: Mapping[str, Kernel]) -> Iterator[str]:
    """Outputs that hold whatever was in memory; `unwritten_outputs` finds gaps in others too."""
    told: set[str] = set()
    for _, binding, call in _calls(module):
        kernel = kernels.get(call.callee)
        if kernel is None or call.callee in told:
            continue
        fresh = call.fresh if isinstance(call, CallTIRInplace) else call.out_types
        for position in range(len(call.args), len(call.args) + len(fresh)):
            if position not in kernel.signature.written:
                told.add(call.callee)
                param, name = kernel.signature.params[position].name, binding.var.name
                yield f"`{call.callee}` never writes `{param}`, the output for `{name}`"


def _report(
    programs: Mapping[str, Program | None],
    module: IRModule,
    statistics: KernelStatistics,
    seconds: float,
) -> BuildReport:
    counts = {CallTIR: 0, CallTIRInplace: 0, CallPacked: 0, CallOp: 0}
    for function in module.graph_functions.values():
        for node in walk(function):
            if type(node) in counts:
                counts[type(node)] += 1
    return BuildReport(
        compiled=counts[CallTIR] + counts[CallTIRInplace],
        library=counts[CallPacked],
        reference=counts[CallOp],
        kernels_compiled=statistics.compiled,
        cache_hits=statistics.cached,
        compile_seconds=statistics.seconds,
        seconds=seconds,
        stepwise=tuple(name for name, program in programs.items() if program is None),
        notes=tuple(statistics.notes),
    )
