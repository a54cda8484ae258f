"""Kinds of loops: what holds of a loop whose iterations do not run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from typing_extensions import override

from workbench.analysis.dependence import Answer, AnswerKind, applies, dependences
from workbench.ir import AxisKind, Block, For, LoopKind, TensorFunction
from workbench.schedule.primitive import Primitive, Rewritten, all_apply
from workbench.schedule.scope import Scope, uses, walk_statements


@dataclass(frozen=True)
class LoopKindPrimitive(Primitive):
    """Gives a loop another kind."""

    kind: ClassVar[LoopKind]

    loop: str = ""

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        loop = scope.loop(self.loop)
        new = replace(loop, kind=self.kind, thread="")
        return Rewritten(scope.replaced(loop, new), (loop.var.id,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Self]:
        if isinstance(node, For) and node.kind is not cls.kind:
            yield cls(scope.name, scope.label(node))


def independent(scope: Scope, loop: For) -> Answer:
    """Whether the iterations of a loop may run at the same time, with a hint where they may not."""
    answer = scope.dependences.independent(loop.var.id)
    if answer.kind is not AnswerKind.ILLEGAL or answer.hint or not _reduces(loop):
        return answer
    return replace(answer, hint="`rfactor` gives each iteration a part of the reduction")


def kinds_hold(function: TensorFunction, loops: Sequence[For]) -> Answer:
    """Whether loops of a function, which run in no fixed order, are independent there."""
    found = [independent_in(function, loop) for loop in loops]
    return all_apply(applies(), *found)


def independent_in(function: TensorFunction, loop: For) -> Answer:
    """Whether the loop of this variable is independent in another function that has it."""
    answer = dependences(function).independent(loop.var.id)
    if answer.applies:
        return answer
    message = f"`{loop.var.name}` is {loop.kind.value}, and then {answer.message}"
    return replace(answer, message=message)


def _reduces(loop: For) -> bool:
    return any(
        axis.kind is AxisKind.REDUCE and uses(axis.value, loop.var.id)
        for stmt in walk_statements(loop)
        if isinstance(stmt, Block)
        for axis in stmt.axes
    )
