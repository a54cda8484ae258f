"""A graph function as a list of steps: what `lowering` makes and `specialize` gives memory to.

Dimensions are expressions of the symbols that the parameters of the root function bind.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from workbench.analysis.memory import Spot
from workbench.interpret import call_note
from workbench.ir import Dim, DType, ScalarValue, Shape, ShapeValue, StringValue, Type
from workbench.support import NodeId

HostCall: TypeAlias = Callable[..., Any]


class Storage(enum.Enum):
    """Who owns the memory of a value."""

    INPUT = "input"
    CONSTANT = "constant"
    ARENA = "arena"
    OUTPUT = "output"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A value of the program by index."""

    index: int


@dataclass(frozen=True, slots=True)
class TupleOperand:
    """A tuple that exists only while lowering."""

    fields: tuple[Operand, ...]


Operand: TypeAlias = ValueRef | TupleOperand | ShapeValue | ScalarValue | StringValue


@dataclass(slots=True)
class Value:
    """A value: `shape` is None where only the host knows it. `digest` names a constant.

    `output` says which output of its step it is, where a call fills the memory that it is given.
    """

    storage: Storage
    shape: Shape | None = None
    dtype: DType | None = None
    digest: str = ""
    path: tuple[int, ...] = ()
    output: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step comes from: function and binding, and the root's binding it is part of.

    `path` are the positions of the bindings from the root on.
    """

    function: str
    node: NodeId
    name: str
    root: NodeId
    path: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelStep:
    """A compiled call: one operand a parameter. `outputs` are the values it writes.

    `inplace` are, of a call that says so, the operands that outputs are written over, or -1;
    until `planned` says where that can be, all outputs are operands after the inputs.
    """

    callee: str
    operands: tuple[ValueRef | ScalarValue, ...]
    outputs: tuple[int, ...]
    place: Place
    inplace: tuple[int, ...] = ()


class HostKind(enum.Enum):
    """What a step outside native code is; the value is its name in reports."""

    LIBRARY = "library"
    REFERENCE = "reference"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class HostStep:
    """A call in Python. `call` gets the operands' values, then the arrays of `outputs` to fill.

    Where `result` is set, what `call` returns are its values, and must have `type`.
    An `inner` call takes the context and the bound symbols first. One that `joins` copies what an
    arm of a branch gives.
    """

    kind: HostKind
    label: str
    call: HostCall
    operands: tuple[Operand, ...]
    outputs: tuple[int, ...]
    result: Operand | None
    type: Type | None
    place: Place
    inner: bool = False
    joins: bool = False

    @property
    def checked(self) -> str:
        """What has the type that is checked: what is called, or else the value itself."""
        return self.place.name if self.kind is HostKind.CONTROL else self.label

    @property
    def called(self) -> tuple[str, ...]:
        """The note that says which call of code that is not ours it is; none for others."""
        if self.kind is HostKind.CONTROL:
            return ()
        return (call_note(self.label, self.place.name, self.place.function),)


@dataclass(frozen=True, slots=True)
class JumpStep:
    """Go on at step `target`: always, or where the one operand, a condition, is false."""

    operands: tuple[Operand, ...]
    target: int
    place: Place

    @property
    def outputs(self) -> tuple[int, ...]:
        """It writes nothing."""
        return ()


Step: TypeAlias = KernelStep | HostStep | JumpStep


@dataclass(frozen=True, slots=True)
class Check:
    """Two dimensions that must be equal when the symbols are bound.

    `declared` is the text of `right` in the type that was declared, "" for a number; `solved`
    says that the value of a variable in it came from `left`.
    """

    left: Dim
    right: Dim
    what: str
    place: Place
    declared: str = ""
    solved: bool = False


@dataclass(frozen=True, slots=True)
class PlannedMemory:
    """Storages as scope and size in units, and where each value of the arena lies."""

    storages: tuple[tuple[str, int], ...]
    spots: Mapping[int, Spot]


@dataclass(frozen=True)
class Program:
    """A graph function ready to be given memory. `inputs` are the parameters in order.

    `memory` is the plan to follow, if the function has one; `rewritten` are values that are
    overwritten in place, by the number that those which overwrite them have too.
    """

    name: str
    inputs: tuple[Operand, ...]
    values: tuple[Value, ...]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    result: Operand
    memory: PlannedMemory | None = None
    rewritten: frozenset[int] = frozenset()

    @functools.cached_property
    def flat_inputs(self) -> tuple[int, ...] | None:
        """The values that the parameters are, where none is a tuple, a shape or a number."""
        found = tuple(item.index for item in self.inputs if isinstance(item, ValueRef))
        return found if len(found) == len(self.inputs) else None

    @functools.cached_property
    def branches(self) -> bool:
        """Whether there are steps that may not run."""
        return any(isinstance(step, JumpStep) for step in self.steps)


def operand_values(operand: Operand) -> tuple[int, ...]:
    """The indices of the values inside an operand."""
    match operand:
        case ValueRef(index=index):
            return (index,)
        case TupleOperand(fields=fields):
            return tuple(i for field in fields for i in operand_values(field))
        case _:
            return ()
