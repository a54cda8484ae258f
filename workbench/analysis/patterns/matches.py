"""Matches as data, and near misses with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.ir import Arg, Binding, Var
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.slot_init import sets_slots
from workbench.support.spelling import near

NEAR_MISS = "pattern/near-miss"
AMBIGUOUS = "pattern/ambiguous"


@sets_slots
@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern fits.

    `values` are the leaves of named patterns; `members` the bindings of all calls that the pattern
    describes, in program order; `root` is the binding where the pattern stands.
    """

    function: str
    root: Binding
    values: dict[str, Arg] = field(compare=False)
    members: tuple[Binding, ...]
    outputs: tuple[Var, ...]
    """Members that are read outside the match, the root among them; in program order."""

    def __getitem__(self, name: str) -> Arg:
        """The leaf that a named pattern stands for.

        Raises:
            CompileError: `pattern/unknown-name`, also for names of an alternative not taken.
        """
        if name not in self.values:
            known = ", ".join(f"`{key}`" for key in self.values)
            raise CompileError(
                Diagnostic(
                    "pattern/unknown-name",
                    f"nothing in the match at `{self.root.var.name}` is named `{name}`",
                    notes=(f"there are {known or 'none'}",),
                    hint=near(name, self.values),
                )
            )
        return self.values[name]

    @property
    def closed(self) -> bool:
        """Whether only the root is read outside: then one call can take the place of all."""
        return all(var.id == self.root.var.id for var in self.outputs)


@sets_slots
@dataclass(frozen=True, slots=True)
class NearMiss:
    """A place where the outermost call fits and something else does not; `node` is that.

    `code` is `pattern/near-miss`; `pattern/ambiguous` where the search gave up; or what the one
    who asked has against the matches that there are.
    """

    function: str
    root: Binding
    node: NodeId
    reason: str
    depth: int
    """How many calls fitted, one with another attribute, type or number of uses included."""
    code: str = NEAR_MISS


class Objection(NamedTuple):
    """What somebody has against a match: the code of a diagnostic, and the reason in words."""

    code: str
    reason: str


Judge = Callable[[Match], Objection | None]
"""Says of a match why it will not do, for what a pattern cannot say; the search then goes on."""
