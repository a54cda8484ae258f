"""The order of effects: no value that one call gives to another says it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from workbench.analysis.effects import has_effect
from workbench.ir import IfThenElse, IRModule
from workbench.session.flow import Flow, FlowValue


def order_of_effects(module: IRModule, flow: Flow) -> dict[str, tuple[str, ...]]:
    """For each value that has an effect the keys of those that come right before it.

    Each arm of an `if` begins after what precedes the `if`; what follows comes after both. The
    `if` itself has no entry: what is in it has.
    """
    return _Order(module, flow).found


class _Order:
    def __init__(self, module: IRModule, flow: Flow) -> None:
        self.module = module
        self.flow = flow
        self.found: dict[str, tuple[str, ...]] = {}
        self.members: dict[str | None, list[FlowValue]] = defaultdict(list)
        for value in flow.values.values():
            if value.expr is not None and has_effect(value.expr, module):
                self.members[value.arm].append(value)
        self._follow(None, ())

    def _follow(self, arm: str | None, before: Sequence[str]) -> tuple[str, ...]:
        """Go through the effects of an arm, None being outside of all; gives the last of them."""
        last = tuple(before)
        for value in self.members.get(arm, ()):
            if isinstance(value.expr, IfThenElse):
                ends = (self._follow(f"{value.key}?{word}", last) for word in ("then", "else"))
                last = tuple(dict.fromkeys(key for end in ends for key in end))
            else:
                self.found[value.key] = last
                last = (value.key,)
        return last
