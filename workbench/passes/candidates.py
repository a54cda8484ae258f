"""The ways there are to compute one call, and how one of them is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from workbench.analysis.contraction import library_form, library_forms
from workbench.analysis.op_pattern import is_contraction
from workbench.analysis.stages import stages
from workbench.ir import (
    Arg,
    Attrs,
    Binding,
    BufferType,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphFunction,
    IRModule,
    TensorFunction,
    TensorType,
    TupleType,
    Type,
    Var,
    externals,
    find_library,
    find_operator,
    why_missing_in,
)
from workbench.ir.traverse import evolve
from workbench.passes.external_calls import external_calls
from workbench.passes.library_calls import (
    call_library,
    library_arguments,
    named_algorithm_of,
)
from workbench.passes.scheduled import add_scheduled
from workbench.passes.tensor_forms import call_of, tensor_form
from workbench.rewrite import ModuleEditor
from workbench.rewrite.passes import unknown_value
from workbench.rewrite.value_names import ValueNames
from workbench.schedule.cpu.default import ScheduleOptions, schedule_function
from workbench.support import CompileError, Diagnostic

Kind = Literal["generated", "schedule", "library", "reference", "user"]

SCHEDULES: dict[str, ScheduleOptions] = {
    "schedule": ScheduleOptions(),
    "schedule 6x16": ScheduleOptions(rows=6, vectors=2),
    "schedule 4x24": ScheduleOptions(rows=4, vectors=3),
    "schedule 8x8": ScheduleOptions(rows=8, vectors=1),
    "schedule serial": ScheduleOptions(parallel=False),
}
"""Schedules that can be chosen by name; `6x16` is rows by columns of the register tile."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to compute a call; `reason` says why it is not `available`."""

    name: str
    kind: Kind
    description: str
    current: bool = False
    available: bool = True
    reason: str = ""


def find_value(module: IRModule, name: str) -> tuple[str, Binding]:
    """Function and binding of a value by name: `lv3`, `main.lv3`, or `main.y.then.lv3` in an arm.

    Raises:
        CompileError: `pass/unknown-value`, `pass/ambiguous-value`.
    """
    names = ValueNames(module)
    found = [
        (value.ref.function, value.binding, value.name)
        for value in names.find(name)
        if value.binding is not None
    ]
    in_main = [item for item in found if item[0] == "main"]
    if len(found) > 1 and len(in_main) == 1:
        found = in_main
    if len(found) == 1:
        return found[0][:2]
    if not found:
        raise CompileError(unknown_value(name, names))
    places = ", ".join(f"`{exact}`" for _, _, exact in found)
    raise CompileError(
        Diagnostic("pass/ambiguous-value", f"`{name}` names several values: {places}")
    )


def implementations(module: IRModule, function: str, binding: Binding) -> tuple[Candidate, ...]:
    """The ways there are to compute a call, the current one marked; empty for what is no call."""
    call = binding.value
    if not isinstance(call, CallOp | CallTIR | CallPacked) or not isinstance(
        module[function], GraphFunction
    ):
        return ()
    algorithm, name = algorithm_behind(module, binding)
    found = list(_reference(call))
    if algorithm is not None:
        found += _generated(module, call, algorithm, name)
        found += _libraries(call, algorithm)
    found += _operators(module, call)
    found += _user_functions(module, binding, algorithm, name)
    found += _externals(module, binding)
    return tuple(found)


def why_none(binding: Binding) -> str:
    """Why a call has no implementation but its own; empty where nothing stands against it."""
    if isinstance(binding.value, CallTIRInplace):
        callee = binding.value.callee
        return f"`{callee}` is written for the place of its argument; `call_tir` has a choice"
    return ""


OPERATORS = "operators"
ALONE = ", offered for its types alone"
"""Said of functions of which nobody knows whether they compute the same."""


def _operators(module: IRModule, call: CallOp | CallTIR | CallPacked) -> Iterator[Candidate]:
    """The operators that a library call took the place of."""
    if operators_behind(module, call) is not None:
        yield Candidate(OPERATORS, "generated", "the operators that the library computes at once")


def operators_behind(module: IRModule, call: CallOp | CallTIR | CallPacked) -> CallFunction | None:
    """A call of the function with the operators that a library computes at once, if any."""
    name = dict(call.attrs).get("algorithm") if isinstance(call, CallPacked) else None
    function = module[name] if isinstance(name, str) and name in module else None
    if not isinstance(call, CallPacked) or not isinstance(function, GraphFunction):
        return None
    assert isinstance(name, str)
    return CallFunction(name, call.args) if len(function.params) == len(call.args) else None


def algorithm_behind(module: IRModule, binding: Binding) -> tuple[TensorFunction | None, str]:
    """What the call computes as an unscheduled tensor function.

    And its name where it is in the module.
    """
    call = binding.value
    if isinstance(call, CallTIR):
        return named_algorithm_of(module, call)
    if isinstance(call, CallPacked):
        name = dict(call.attrs).get("algorithm")
        if isinstance(name, str) and name in module:
            function = module[name]
            if isinstance(function, TensorFunction) and _is_whole(call, function):
                return function, name
        return None, ""
    assert isinstance(call, CallOp)
    return tensor_form(call, binding.var.type), ""


def _is_whole(call: CallPacked, algorithm: TensorFunction) -> bool:
    """Whether the library computes all that the algorithm does."""
    given = library_arguments(call, algorithm)
    return given.keys() == {param.id for param in algorithm.params[:-1]}


def _reference(call: CallOp | CallTIR | CallPacked) -> Iterator[Candidate]:
    if isinstance(call, CallOp) and find_operator(call.op) is not None:
        yield Candidate("reference", "reference", f"numpy reference of `{call.op}`", current=True)


def _generated(
    module: IRModule, call: CallOp | CallTIR | CallPacked, algorithm: TensorFunction, name: str
) -> Iterator[Candidate]:
    callee = call.callee if isinstance(call, CallTIR) else ""
    yield Candidate(
        "generated", "generated", "plain loops, compiled", current=bool(name) and callee == name
    )
    current = dict(module[callee].attrs).get("scheduled") if callee else None
    contraction = any(is_contraction(stage) for stage in stages(algorithm) or ())
    for label, options in SCHEDULES.items():
        if "x" in label and not contraction:
            continue
        scheduled = schedule_function(algorithm, options)
        reason = scheduled if isinstance(scheduled, str) else ""
        mark = (
            dict(scheduled.attrs).get("scheduled") if isinstance(scheduled, TensorFunction) else ""
        )
        if label == "schedule serial" and mark == dict(algorithm.attrs).get("scheduled"):
            continue
        yield Candidate(
            label,
            "schedule",
            f"{mark}" if mark else "loops with a schedule",
            current=current is not None and current == mark and _is_default(label, mark, algorithm),
            available=not reason,
            reason=reason,
        )


def _is_default(label: str, mark: object, algorithm: TensorFunction) -> bool:
    """Of several names for one schedule, only the plain one is marked current."""
    plain = schedule_function(algorithm, ScheduleOptions())
    same = isinstance(plain, TensorFunction) and dict(plain.attrs).get("scheduled") == mark
    return label == "schedule" or not same


def _libraries(
    call: CallOp | CallTIR | CallPacked, algorithm: TensorFunction
) -> Iterator[Candidate]:
    for form in library_forms(algorithm):
        library = find_library(form.symbol)
        reason = "nobody registered it" if library is None else library.unavailable
        rest = len(stages(algorithm) or ()) > form.consumed
        yield Candidate(
            f"library {form.symbol}",
            "library",
            f"`{form.symbol}`" + (" and a function for the rest" if rest else ""),
            current=isinstance(call, CallPacked) and call.symbol == form.symbol,
            available=not reason,
            reason=reason,
        )


def _user_functions(
    module: IRModule, binding: Binding, algorithm: TensorFunction | None, algorithm_name: str
) -> Iterator[Candidate]:
    """Public tensor functions of the module with the same parameter types."""
    call, out = binding.value, binding.var.type
    if isinstance(call, CallOp):
        call = call_of("", call, out)
    args = call.args if isinstance(call, CallTIR) else ()
    if isinstance(call, CallPacked):
        args = _arguments(call, algorithm)
    types = [arg.type for arg in args if isinstance(arg, Var | Constant)]
    wanted = [(t.shape, t.dtype) for t in (*types, *_tensors(out)) if isinstance(t, TensorType)]
    for name, function in module.tensor_functions.items():
        there = [
            (p.type.shape, p.type.dtype) for p in function.params if isinstance(p.type, BufferType)
        ]
        if not function.private and there == wanted and name != algorithm_name:
            current = isinstance(call, CallTIR) and call.callee == name
            yield Candidate(
                f"function {name}",
                "user",
                f"tensor function `{name}`{'' if current else ALONE}",
                current=current,
            )


def algorithm_attrs(editor: ModuleEditor, binding: Binding) -> Attrs:
    """The attribute that says what a library call computes; adds the function where needed."""
    algorithm, name = algorithm_behind(editor.current, binding)
    if algorithm is None:
        return ()
    call = binding.value
    stem = call.op.rsplit(".", maxsplit=1)[-1] if isinstance(call, CallOp) else "algorithm"
    return (("algorithm", name or editor.add_function(stem, algorithm)),)


def _externals(module: IRModule, binding: Binding) -> Iterator[Candidate]:
    """Code that came with the module and computes a call of the same types somewhere."""
    args = call_arguments(module, binding)
    if args is None or not externals(module):
        return
    current = binding.value.symbol if isinstance(binding.value, CallPacked) else ""
    fitting = (call for call in external_calls(module) if call.fits(args, binding.var.type))
    for symbol in dict.fromkeys(call.symbol for call in fitting):
        reason = why_missing_in(module, symbol)
        yield Candidate(
            f"external {symbol}",
            "user",
            f"function `{symbol}` that came with the module{'' if symbol == current else ALONE}",
            current=symbol == current,
            available=not reason,
            reason=reason,
        )


def implement(
    editor: ModuleEditor, function: str, binding: Binding, chosen: Candidate, rule: str
) -> None:
    """Compute a call as the candidate says."""
    value = binding.var.id
    if chosen.name == OPERATORS and isinstance(binding.value, CallPacked):
        operators = operators_behind(editor.current, binding.value)
        assert operators is not None
        editor.replace_value(function, value, operators, rule)
        return
    algorithm, name = algorithm_behind(editor.current, binding)
    if chosen.kind == "library":
        assert algorithm is not None
        form = library_form(algorithm, chosen.name.removeprefix("library "))
        assert form is not None
        call_library(
            editor, function, _as_call(editor, binding, algorithm, name), algorithm, form, rule
        )
        return
    if chosen.name.startswith("external "):
        call_external(editor, function, binding, chosen.name.removeprefix("external "), rule)
        return
    if chosen.kind == "user":
        call = _as_call(editor, binding, algorithm, name).value
        assert isinstance(call, CallTIR)
        editor.replace_value(
            function, value, replace(call, callee=chosen.name.removeprefix("function ")), rule
        )
        return
    call = _as_call(editor, binding, algorithm, name).value
    assert isinstance(call, CallTIR)
    if chosen.kind == "schedule":
        made = add_scheduled(editor, call.callee, SCHEDULES[chosen.name])
        call = evolve(call, {"callee": made})
    editor.replace_value(function, value, call, rule)


def call_external(
    editor: ModuleEditor, function: str, binding: Binding, symbol: str, rule: str
) -> None:
    """Compute a call by external code that is called with such types somewhere."""
    args, out = call_arguments(editor.current, binding), binding.var.type
    assert args is not None
    known = external_calls(editor.current)
    like = next(call for call in known if call.symbol == symbol and call.fits(args, out))
    call = like.call(args, out, algorithm_attrs(editor, binding))
    editor.replace_value(function, binding.var.id, call, rule)


def call_arguments(module: IRModule, binding: Binding) -> tuple[Arg, ...] | None:
    """The tensors that a call takes, in the order of what computes it; None for other calls."""
    call = binding.value
    if isinstance(call, CallOp):
        call = call_of("", call, binding.var.type)
        if call.scalars:
            return None
    if isinstance(call, CallPacked):
        return _arguments(call, algorithm_behind(module, binding)[0])
    if not isinstance(call, CallTIR) or call.scalars or len(call.out_types) != 1:
        return None
    return call.args


def _arguments(call: CallPacked, algorithm: TensorFunction | None) -> tuple[Arg, ...]:
    """The arguments in the order of the algorithm's parameters."""
    given = library_arguments(call, algorithm) if algorithm is not None else {}
    return tuple(given[p.id] for p in algorithm.params[:-1]) if algorithm and given else call.args


def _tensors(out: Type) -> tuple[TensorType, ...]:
    """The tensors of a result."""
    outs = out.fields if isinstance(out, TupleType) else (out,)
    return tuple(type_ for type_ in outs if isinstance(type_, TensorType))


def _as_call(
    editor: ModuleEditor, binding: Binding, algorithm: TensorFunction | None, name: str
) -> Binding:
    """The binding as a call of its unscheduled tensor function.

    Which is added where it is missing.
    """
    call, out = binding.value, binding.var.type
    if isinstance(call, CallTIR):
        return evolve(binding, {"value": evolve(call, {"callee": name or call.callee})})
    if isinstance(call, CallPacked):
        args = _arguments(call, algorithm)
        return evolve(binding, {"value": CallTIR(name, args, _tensors(out))})
    assert isinstance(call, CallOp)
    if algorithm is None:
        return replace(binding, value=call_of("", call, out))
    added = editor.add_function(
        call.op.rsplit(".", maxsplit=1)[-1], replace(algorithm, private=True)
    )
    return replace(binding, value=call_of(added, call, out))
