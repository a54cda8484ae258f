"""Lifetimes: which values of a graph function have memory of their own, and from when to when.

Plain data; `reading` finds it. Steps stand in the order in which they run, of a branch first those
of the one arm, then those of the other, of which one runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from workbench.analysis.memory.sizes import Size
from workbench.ir import TensorType, Var
from workbench.support import NodeId

Owner = Literal["parameter", "constant", "planned", "python"]
"""Who gives a value its memory: `planned` ones lie where the plan says."""
Path: TypeAlias = tuple[int, ...]
"""Positions of bindings: that of a call, then inside of the function that it calls; that of a
branch, then 0 or 1 for the arm, then inside of that."""
Arms: TypeAlias = tuple[tuple[int, int], ...]
"""The branches that a step stands in, by number, from the outermost on, each with the arm."""


@dataclass(slots=True)
class Value:
    """A tensor. `call` is the step that writes it; `ids` name it from the outermost function on.

    Needed from step `first` to step `last`; `returned` ones stay with the caller. `why` says of
    one that gets its memory from Python why that is so.
    """

    name: str
    owner: Owner
    path: Path = ()
    output: int = 0
    ids: tuple[NodeId, ...] = ()
    size: Size | None = None
    type: TensorType | None = None
    first: int = 0
    last: int = 0
    returned: bool = False
    readers: list[int] = field(default_factory=list[int])
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A binding that computes. `callee` is a tensor function, else empty.

    `operands` are the values that it takes, by position of the parameter for a tensor function.
    `inplace` are, where the call says it, the operands that outputs are written over, or -1.
    A branch has three: what it depends on, and at the end of each arm what that `gives`.
    """

    name: str
    path: Path
    ids: tuple[NodeId, ...]
    callee: str
    operands: tuple[int | None, ...]
    outputs: tuple[int, ...]
    inplace: tuple[int, ...] = ()
    arms: Arms = ()
    gives: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """What a branch gives: `values`, each from an operand of the last steps of both arms.

    `then` and `otherwise` are those steps, `begin` is the first of the outermost branch around.
    """

    then: int
    otherwise: int
    begin: int
    values: tuple[int, ...]


@dataclass(slots=True)
class Values:
    """The values and steps of a graph function; `unknown` says why they are not known in advance.

    `symbols` are the symbolic dimensions that the parameters bind, in order; `joins` are by the
    last step of a branch.
    """

    values: list[Value] = field(default_factory=list[Value])
    steps: list[Step] = field(default_factory=list[Step])
    joins: dict[int, Join] = field(default_factory=dict[int, Join])
    symbols: tuple[Var, ...] = ()
    unknown: str = ""


def exclusive(one: Step, other: Step) -> bool:
    """Whether two steps stand in both arms of one branch, so that never both run."""
    for (a, arm), (b, other_arm) in zip(one.arms, other.arms, strict=False):
        if a != b:
            return False
        if arm != other_arm:
            return True
    return False
