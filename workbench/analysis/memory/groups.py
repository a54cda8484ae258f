"""Values that lie in one place, one after the other: each is computed in place of one before.

In the arms of a branch there may be several after one, of which only one is computed. What the
branch gives lies where what its arms give lies, if nobody needs that place any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from workbench.analysis.memory.needed import why_needed
from workbench.analysis.memory.values import Join, Value, Values
from workbench.ir.dims import same_shape


@dataclass(slots=True)
class Group:
    """Values that lie in one place; it is taken from step `first` to step `last`."""

    members: list[int]
    first: int
    last: int
    returned: bool = False

    def take(self, other: Group) -> None:
        """Have the members of another group too."""
        self.members += other.members
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.returned = self.returned or other.returned


@dataclass(slots=True)
class Groups:
    """The groups of planned values, as far as they are known."""

    found: Values
    of: dict[int, Group] = field(default_factory=dict[int, Group])

    def alone(self, number: int) -> None:
        """A value has a place of its own."""
        value = self.found.values[number]
        self.of[number] = Group([number], value.first, value.last, value.returned)

    def follow(self, number: int, before: int) -> None:
        """A value is computed in place of another."""
        group, value = self.of[before], self.found.values[number]
        group.take(Group([number], value.first, value.last, value.returned))
        self.of[number] = group

    def unite(self, number: int, other: int) -> None:
        """Two values that branches give lie in one place."""
        large, small = self.of[number], self.of[other]
        if large is small:
            return
        if len(large.members) < len(small.members):
            large, small = small, large
        large.take(small)
        for member in small.members:
            self.of[member] = large

    def all(self) -> list[Group]:
        """The groups in the order in which they begin."""
        groups = {id(group): group for group in self.of.values()}
        for group in groups.values():
            group.members.sort()
        return sorted(groups.values(), key=lambda group: (group.first, group.members[0]))

    # --- what branches give ---------------------------------------------------------------------

    def join(
        self, join: Join, wanted: Callable[[int, int], bool] = lambda _value, _given: True
    ) -> Iterator[tuple[int, int, str]]:
        """Let the values that a branch gives lie where those that its arms give lie, if `wanted`.

        Gives for each the value of the branch, that of the arm, and why it lies elsewhere or "".
        """
        for position, value in enumerate(join.values):
            if self.found.values[value].owner != "planned":
                continue
            taken_to = -1
            reasons: dict[int, str] = {}
            for step in (join.then, join.otherwise):
                given = self.given(step, position)
                if not wanted(value, given):
                    continue
                reasons[given] = self.why_apart(join, position, step, taken_to)
                if not reasons[given]:
                    taken_to = self.of[given].last
                    self.unite(value, given)
            for given, why in reasons.items():
                yield value, given, "" if self.of.get(given) is self.of[value] else why

    def given(self, step: int, position: int) -> int:
        """The value that an arm, which ends with `step`, gives at a position."""
        number = self.found.steps[step].operands[position]
        assert number is not None
        return number

    def why_apart(self, join: Join, position: int, step: int, taken_to: int) -> str:
        """Why what a branch gives cannot lie where what an arm gives lies; empty where it can.

        Its place is taken by what lay there before until step `taken_to`.
        """
        given, value = self.given(step, position), join.values[position]
        group = self.of.get(given)
        if self.of[value] is group:
            return ""
        why = why_needed(self.found, given, step)
        if why:
            return why
        if not alike(self.found.values[given], self.found.values[value]):
            return "they have different shapes or dtypes"
        if self.found.steps[step].operands.count(given) > 1:
            return "the branch gives it twice"
        assert group is not None
        other = join.otherwise if step == join.then else join.then
        expected = self.given(other, position)
        for operand in self.found.steps[other].operands:
            if operand is not None and operand != expected and self.of.get(operand) is group:
                return f"the other branch gives `{self.found.values[operand].name}` from there"
        return "" if taken_to < group.first else "what the other branch gives lies elsewhere"


def alike(a: Value, b: Value) -> bool:
    """Whether two values have one shape and one dtype."""
    one, other = a.type, b.type
    if one is other and one is not None:
        return one.shape is not None
    if one is None or other is None or one.shape is None or other.shape is None:
        return False
    return one.dtype == other.dtype and same_shape(one.shape, other.shape) is True
