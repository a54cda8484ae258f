"""Kinds of loops: what holds of a loop whose iterations do not run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from typing_extensions import override

from workbench.analysis.dependence import Answer, AnswerKind, applies
from workbench.ir import AxisKind, Block, For, LoopKind, TensorFunction
from workbench.schedule.blocks.rfactoring import factored, factoring_keeps
from workbench.schedule.buffers.storing import storable
from workbench.schedule.primitive import Primitive, Rewritten, all_apply
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, uses, walk_statements
from workbench.support.identity_memo import IdentityMemo


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


def independent(scope: Scope, loop: For, *, lanes: bool = False) -> Answer:
    """Whether the iterations of a loop may run at the same time, with a hint where they may not.

    `lanes`: together in vector lanes, which cannot have buffers of their own.
    """
    answer = scope.dependences_around(loop).independent(loop.var.id)
    if answer.kind is not AnswerKind.ILLEGAL or answer.hint:
        return answer
    if not lanes and (buffer := _own(scope, loop, answer)):
        call = f'`store_at("{buffer}", "{scope.label(loop)}")`'
        return replace(answer, hint=f"{call} gives each iteration a `{buffer}` of its own")
    if not _reduces(loop):
        return answer
    hint = _PARTS.get(scope.function, lambda: _parts(scope, loop), loop.var.id)
    return replace(answer, hint=hint)


def _own(scope: Scope, loop: For, answer: Answer) -> str:
    """The buffer of which an answer tells and that each iteration could have for itself."""
    named = (b for b in scope.buffers if answer.message.find(f"`{b.name}`") >= 0)
    mine = (b.name for b in named if storable(scope, b, loop).applies)
    return _OWN.get(scope.function, lambda: next(mine, ""), loop.var.id)


_OWN: IdentityMemo[TensorFunction, str] = IdentityMemo(32)
_PARTS: IdentityMemo[TensorFunction, str] = IdentityMemo(32)


def _parts(scope: Scope, loop: For) -> str:
    """What `rfactor` does for a loop of a reduction, or why it does nothing."""
    try:
        answer = factoring_keeps(factored(Scope(scope.name, scope.function), loop, 0))
    except RefusedError as refused:
        answer = refused.answer
    if answer.applies:
        return "`rfactor` gives each iteration a part of the reduction"
    return f"`rfactor` does not help here: {answer.message}"


def kinds_hold(scope: Scope, loops: Sequence[For]) -> Answer:
    """Whether loops, which run in no fixed order, are independent in a function that has them."""
    return all_apply(applies(), *(_independent_in(scope, loop) for loop in loops))


def _independent_in(scope: Scope, loop: For) -> Answer:
    inside = scope.node(loop.var.id)
    assert isinstance(inside, For)
    answer = scope.dependences_around(inside).independent(loop.var.id)
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
