"""A program that follows a memory plan: calls work in place, values lie where the plan says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from workbench.analysis.calls import bindings_in
from workbench.analysis.memory import (
    ATTRIBUTE,
    Fitted,
    Merge,
    copies,
    fitted_plan,
    in_place,
    out_of_place,
    unplanned,
    values_of,
)
from workbench.analysis.memory import (
    Step as ReadStep,
)
from workbench.ir import (
    CallTIRInplace,
    GraphFunction,
    IfThenElse,
    IRModule,
    ScalarValue,
    TensorFunction,
)
from workbench.runtime.program import (
    JumpStep,
    KernelStep,
    Operand,
    PlannedMemory,
    Program,
    Step,
    Storage,
    TupleOperand,
    ValueRef,
    operand_values,
)


def plans_of(module: IRModule, lowered: IRModule) -> tuple[dict[str, Fitted], list[str]]:
    """The plans of graph functions that fit them, and what to say of those that do not.

    `lowered` is the module without operators, which are in no plan.
    """
    found: dict[str, Fitted] = {}
    notes: list[str] = []
    inplace = any(map(_needs_values, lowered.graph_functions.values()))
    for name, function in module.graph_functions.items():
        plan = fitted_plan(lowered, name)
        if plan == "" and ATTRIBUTE in dict(function.attrs):
            plan = "it was made before all operators were legalized"
        if isinstance(plan, Fitted):
            found[name] = plan
        elif plan:
            notes.append(f"the memory plan of `{name}` is not followed: {plan}")
        if inplace:
            notes += _over_copies(lowered, name, function, found)
    return found, notes


def _needs_values(function: GraphFunction) -> bool:
    """Whether values lie in place of others without a plan: that depends on who needs them."""
    bindings = bindings_in(function.blocks)
    return any(isinstance(b.value, CallTIRInplace | IfThenElse) for b in bindings)


def _over_copies(
    module: IRModule, name: str, function: GraphFunction, found: dict[str, Fitted]
) -> Iterator[str]:
    """Without a plan, calls say what they write over what; gives what is copied before, and why."""
    values = values_of(module, name)
    if values.unknown:
        return
    if name not in found:
        found[name] = unplanned(values)
    for step, output, why in copies(values) if not function.private else ():
        number = step.operands[step.inplace[output]]
        assert number is not None
        source, result = values.values[number].name, values.values[step.outputs[output]].name
        yield f"`{source}` is copied before `{result}` is written over it: {why}"


def functions_in_place(
    module: IRModule, plans: Mapping[str, Fitted]
) -> dict[str, tuple[str, TensorFunction]]:
    """The tensor functions that plans need, by a name that says how, with their own name."""
    found: dict[str, tuple[str, TensorFunction]] = {}
    for plan in plans.values():
        for path, merges in plan.merges.items():
            name = _variant(merges[0].callee, merges)
            if name not in found and path not in plan.inplace:
                callee = module[merges[0].callee]
                assert isinstance(callee, TensorFunction)
                pairs = [(merge.sources, merge.target) for merge in merges]
                found[name] = merges[0].callee, in_place(callee, pairs)
        for path, step in plan.inplace.items():
            name = _variant(step.callee, plan.merges.get(path, ()), step.inplace)
            if name not in found and name != step.callee:
                found[name] = step.callee, _with_copies(module, step, plan.merges.get(path, ()))
    return found


def _with_copies(module: IRModule, step: ReadStep, merges: Sequence[Merge]) -> TensorFunction:
    callee, count = module[step.callee], len(step.operands)
    assert isinstance(callee, TensorFunction)
    done = {merge.target - count for merge in merges}
    copied = [n for n, index in enumerate(step.inplace) if index >= 0 and n not in done]
    return out_of_place(callee, count, step.inplace, copied)


def _variant(callee: str, merges: Sequence[Merge], inplace: Sequence[int] = ()) -> str:
    """The name of a function whose outputs lie where `merges` say, or of the function itself."""
    if len(merges) == sum(index >= 0 for index in inplace):
        return callee
    pairs = ", ".join(f"{merge.target} in {merge.sources}" for merge in merges)
    over = f" over {tuple(inplace)}" if inplace else ""
    return f"{callee} ({pairs}){over}"


def planned(program: Program, plan: Fitted) -> Program | str:
    """The program with the plan; or why it cannot follow it."""
    numbers = {
        (value.path, value.output): index
        for index, value in enumerate(program.values)
        if value.path
    }
    merges = [merge for one in plan.merges.values() for merge in one]
    if any(key not in numbers for merge in merges for key in (merge.value, merge.before)):
        return "the plan has values that the program does not have"
    pairs = [(numbers[merge.value], numbers[merge.before]) for merge in merges]
    for value, given in plan.joined:
        if value not in numbers or given not in numbers:
            return "the plan has values that the program does not have"
        pairs.append((numbers[value], numbers[given]))
    same = _one_of_each(pairs)
    values = list(program.values)
    for index, first in same.items():
        if values[index].storage is Storage.OUTPUT:
            values[index] = replace(values[index], storage=Storage.ARENA)
            values[first] = replace(values[first], storage=Storage.OUTPUT)
    steps = tuple(_step(n, step, plan, same) for n, step in enumerate(program.steps))
    changed = replace(
        program,
        values=tuple(values),
        steps=steps,
        result=_renamed(program.result, same),
        rewritten=frozenset(same.values()),
    )
    if plan.spots is None:
        return changed
    spots = {
        index: plan.spots[key]
        for key, index in numbers.items()
        if index not in same and key in plan.spots and values[index].storage is Storage.ARENA
    }
    used = {i for step in steps for i in _values(step)}
    arena = {i for i in used if values[i].storage is Storage.ARENA}
    if any(i not in spots or plan.storages[spots[i].storage][0] != "arena" for i in arena):
        return "the program has values that the plan does not place in the arena"
    return replace(changed, memory=PlannedMemory(plan.storages, spots))


def _one_of_each(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The first value of each place that several have, by the others."""
    first: dict[int, int] = {}

    def find(index: int) -> int:
        root = index
        while root in first:
            root = first[root]
        while index in first:
            first[index], index = root, first[index]
        return root

    for one, other in pairs:
        a, b = sorted((find(one), find(other)))
        if a != b:
            first[b] = a
    return {index: find(index) for index in tuple(first)}


def _step(position: int, step: Step, plan: Fitted, same: Mapping[int, int]) -> Step:
    outputs = tuple(same.get(index, index) for index in step.outputs)
    if not isinstance(step, KernelStep):
        operands = tuple(_renamed(operand, same) for operand in step.operands)
        if isinstance(step, JumpStep):
            return replace(step, operands=operands)
        if step.joins and operands == tuple(map(ValueRef, outputs)):
            return JumpStep((), position + 1, step.place)
        return replace(step, operands=operands, outputs=outputs)
    merges = plan.merges.get(step.place.path, ())
    gone = {n for merge in merges for n in (*merge.sources[1:], merge.target)}
    kept = (operand for n, operand in enumerate(step.operands) if n not in gone)
    operands = tuple(_kernel_operand(operand, same) for operand in kept)
    callee = _variant(step.callee, merges, step.inplace)
    return KernelStep(callee, operands, outputs, step.place)


def _kernel_operand(
    operand: ValueRef | ScalarValue, same: Mapping[int, int]
) -> ValueRef | ScalarValue:
    if isinstance(operand, ScalarValue):
        return operand
    return ValueRef(same.get(operand.index, operand.index))


def _renamed(operand: Operand, same: Mapping[int, int]) -> Operand:
    match operand:
        case ValueRef(index=index):
            return ValueRef(same.get(index, index))
        case TupleOperand(fields=fields):
            return TupleOperand(tuple(_renamed(item, same) for item in fields))
        case _:
            return operand


def _values(step: Step) -> Iterator[int]:
    for operand in step.operands:
        yield from operand_values(operand)
    yield from step.outputs
