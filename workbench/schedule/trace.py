"""Traces: the primitives of a schedule, replayed on a module or printed as Python."""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, cast

from typing_extensions import override

from workbench.ir import IRModule
from workbench.rewrite import PassResult
from workbench.schedule.decisions import decision_fault
from workbench.schedule.primitive import Primitive
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import methods_check_kinds
from workbench.support.plain_values import frozen
from workbench.support.python_text import is_default, python_text


class Sampled(int):
    """A number that a sampling step decided: `step` of the trace, its result number `index`.

    Behaves as the number. A trace whose decision is replaced puts the new one in its place.
    `origin` is the decision itself, which a recipe writes.
    """

    step: int
    index: int
    origin: Decision

    def __new__(cls, value: int, step: int, index: int, origin: Decision) -> Self:
        """A number with its origin."""
        made = super().__new__(cls, value)
        made.step = step
        made.index = index
        made.origin = origin
        return made


@dataclass(frozen=True, slots=True)
class Decision:
    """A sampling step of a trace: what was asked (`method` with `arguments`) and what was decided.

    Changes no code; the primitives after it use its numbers. A method that gives one number rather
    than a list is `single`; where it takes one of `choices`, its decision is the position.
    """

    method: str
    arguments: tuple[tuple[str, object], ...]
    values: tuple[int, ...]
    single: bool = False
    choices: tuple[int, ...] = ()

    @property
    def decision(self) -> int | list[int]:
        """What the method takes as `decision` to decide the same."""
        if not self.single:
            return list(self.values)
        return self.choices.index(self.values[0]) if self.choices else self.values[0]

    @property
    def call(self) -> str:
        """What was asked, as a call without the decision."""
        shown = [f"{name}={python_text(value)}" for name, value in self.arguments]
        return f"{self.method}({', '.join(shown)})"


Instruction = Primitive | Decision


@methods_check_kinds()
@dataclass(frozen=True, slots=True)
class Trace:
    """What was done to one tensor function, step by step. Reference: `tvm.tir.schedule.Trace`."""

    function: str
    instructions: tuple[Instruction, ...] = ()

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions)

    def __len__(self) -> int:
        return len(self.instructions)

    @property
    def passes(self) -> tuple[Primitive, ...]:
        """The primitives, each a pass by itself."""
        return tuple(step for step in self.instructions if isinstance(step, Primitive))

    @property
    def decisions(self) -> dict[int, tuple[int, ...]]:
        """What was decided, by step."""
        found = enumerate(self.instructions)
        return {n: step.values for n, step in found if isinstance(step, Decision)}

    def with_decisions(self, decisions: Mapping[int, tuple[int, ...]]) -> Trace:
        """The trace with other decisions, in the primitives that use them too.

        Raises:
            CompileError: `schedule/no-such-decision`, `schedule/bad-decision`.
        """
        decisions = {int(step): frozen(list(values)) for step, values in decisions.items()}
        for step, values in decisions.items():
            known = self.decisions.get(step)
            if known is None or len(known) != len(values):
                expected = "it is no sampling step" if known is None else f"expected `{len(known)}`"
                message = f"decision for step `{step}` has {_numbers(len(values))}, {expected}"
                raise CompileError(Diagnostic("schedule/no-such-decision", message))
            asked = self.instructions[step]
            assert isinstance(asked, Decision)
            fault = decision_fault(asked.method, dict(asked.arguments), asked.values, values)
            if fault:
                message = f"decision for step `{step}`: {fault}"
                raise CompileError(Diagnostic("schedule/bad-decision", message))
        made = {step: _replaced(self.instructions[step], new) for step, new in decisions.items()}
        changed = tuple(_decided(n, step, made) for n, step in enumerate(self.instructions))
        return replace(self, instructions=changed)

    def apply(self, module: IRModule, function: str | None = None) -> PassResult:
        """Replay on a tensor function of a module (default: of the name that it was made for).

        Raises:
            CompileError: what the first primitive that does not fit says, its step added; the
                module is as it was.
        """
        result = PassResult(module)
        name = self.function if function is None else function
        for number, step in enumerate(self.instructions):
            if isinstance(step, Primitive):
                made = _at_step(number, replace(step, function=name), result.module)
                result = PassResult(
                    made.module,
                    (*result.derivations, *made.derivations),
                    (*result.remarks, *made.remarks),
                    reassociates=result.reassociates or made.reassociates,
                )
        return result

    def python(self, variable: str = "sch") -> str:
        """The calls of `Schedule` that do the same, a line each, on the schedule of that name.

        Raises:
            CompileError: `call/arguments` for what is no name in Python.
        """
        if not variable.isidentifier() or keyword.iskeyword(variable):
            message = f"`python` takes the name of a variable, got `{variable}`"
            raise CompileError(Diagnostic("call/arguments", message, hint='`"sch"`'))
        names: dict[tuple[int, int], str] = {}
        return "\n".join(
            _line(variable, n, step, names) for n, step in enumerate(self.instructions)
        )

    @override
    def __repr__(self) -> str:
        return f"# schedule of `{self.function}`\n{self.python()}"


def _numbers(count: int) -> str:
    return "`1` number" if count == 1 else f"`{count}` numbers"


def _at_step(number: int, step: Primitive, module: IRModule) -> PassResult:
    try:
        return step(module)
    except CompileError as error:
        first, *rest = error.diagnostics
        note = f"in step {number} of the trace, `{_call(step, {})}`"
        raise CompileError((replace(first, notes=(note, *first.notes)), *rest)) from error


def _replaced(step: Instruction, values: tuple[int, ...]) -> Decision:
    assert isinstance(step, Decision)
    return replace(step, values=values)


def _decided(number: int, step: Instruction, decisions: Mapping[int, Decision]) -> Instruction:
    if isinstance(step, Decision):
        return decisions.get(number, step)
    changes = {
        f.name: _with_numbers(getattr(step, f.name), decisions) for f in dataclasses.fields(step)
    }
    return replace(step, **changes)


def _with_numbers(value: object, decisions: Mapping[int, Decision]) -> object:
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return tuple(_with_numbers(item, decisions) for item in items)
    if isinstance(value, Sampled) and value.step in decisions:
        made = decisions[value.step]
        return Sampled(made.values[value.index], value.step, value.index, made)
    return value


def _line(variable: str, number: int, step: Instruction, names: dict[tuple[int, int], str]) -> str:
    if isinstance(step, Primitive):
        return f"{variable}.{_call(step, names)}"
    made = [f"v{number}_{index}" for index in range(len(step.values))]
    names.update({(number, index): name for index, name in enumerate(made)})
    shown = [f"{name}={python_text(value)}" for name, value in step.arguments]
    target = ", ".join(made) + ("," if len(made) == 1 and not step.single else "")
    decided = f"decision={step.decision!r}"
    return f"{target} = {variable}.{step.method}({', '.join([*shown, decided])})"


def _call(step: Primitive, names: dict[tuple[int, int], str]) -> str:
    """The method call of a primitive: its name with underscores, its parameters by name."""
    shown: list[str] = []
    for f in dataclasses.fields(step):
        value = getattr(step, f.name)
        if f.name == step.spread:
            shown += [_text(item, names) for item in value]
        elif f.name != "function" and _is_shown(step, f, value):
            shown.append(f"{f.name}={_text(value, names)}")
    return f"{step.name.replace('-', '_')}({', '.join(shown)})"


def _is_shown(step: Primitive, f: dataclasses.Field[Any], value: object) -> bool:
    """Whether an argument is written: not where it has its default, unless it was sampled."""
    return f.name in step.asked or not is_default(f, value) or _is_sampled(value)


def _is_sampled(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_is_sampled(item) for item in cast("tuple[object, ...]", value))
    return isinstance(value, Sampled)


def _text(value: object, names: dict[tuple[int, int], str]) -> str:
    def sampled(part: object) -> str:
        return names.get((part.step, part.index), "") if isinstance(part, Sampled) else ""

    return python_text(_listed(value), sampled)


def _listed(value: object) -> object:
    """Tuples as lists, as people write them."""
    if not isinstance(value, tuple):
        return value
    return [_listed(item) for item in cast("tuple[object, ...]", value)]
