"""Tensorize: put an intrinsic in the place of the loops that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import AxisKind, Block, For, Seq, Stmt, TensorFunction, substitute
from workbench.ir.registry import TensorIntrinsic
from workbench.schedule.facts import facts_at, facts_of, inside_block
from workbench.schedule.intrinsics.instance import instance
from workbench.schedule.intrinsics.matching import Match, MismatchError, match
from workbench.schedule.intrinsics.overlap import overlaps
from workbench.schedule.intrinsics.plain import plain, plain_function
from workbench.schedule.intrinsics.registry import intrinsic, intrinsic_names
from workbench.schedule.lift_init import lifted
from workbench.schedule.places import place_of
from workbench.schedule.primitive import Derived, Primitive, Rewritten, all_apply
from workbench.schedule.primitives.blockize import wrapped
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import IdSource, NodeId


@dataclass(frozen=True)
class Tensorize(Primitive):
    """Replace the code in a block, or under a loop, by the intrinsic that describes it.

    Legal where the code is what the intrinsic describes: the same loops (in any order that the
    dependences allow) over the same expressions, on boxes of any buffers. The intrinsic's two
    functions were compared when it was registered. A loop is made a block first, and an
    initialisation moves out where the intrinsic has none. Called `tensorize` in TVM, `replace` in
    Exo.

    Rewrite::

        for ii, ki in T.grid(16, 4):
            C[i * 16 + ii] += int32(A[k * 4 + ki]) * int32(B[i * 16 + ii, k * 4 + ki])
        =>  Tensorize(loop="ii", intrinsic="dot_16x4_vnni")
        a, b, c = A[k * 4:k * 4 + 4], B[i * 16:i * 16 + 16, k * 4:k * 4 + 4], C[i * 16:i * 16 + 16]
        for lane in T.vectorized(16):
            c[lane] = T.dot4(c[lane], a[0], a[1], a[2], a[3], b[lane, 0], ..., b[lane, 3])
    """

    name: ClassVar[str] = "tensorize"
    tvm: ClassVar[str] = "tensorize"
    exo: ClassVar[str] = "replace"

    block: str = ""
    intrinsic: str = ""
    loop: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        plan = _plan(self, scope)
        return plan if isinstance(plan, Answer) else plan.answer

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        plan = _plan(self, scope)
        assert not isinstance(plan, Answer)
        found, outer = plan.intrinsic, plan.outer
        made = instance(plan.scope, found.description, found.implementation, plan.match)
        annotations = dict(outer.annotations) | {"tensor_intrinsic": found.name}
        block = replace(
            outer,
            body=made.body,
            reads=made.reads,
            writes=made.writes,
            allocations=(*outer.allocations, *made.allocations),
            match_buffers=(*outer.match_buffers, *made.match_buffers),
            annotations=tuple(sorted(annotations.items())),
        )
        function = plan.scope.replaced(plan.old, block)
        return Rewritten(function, (block.id,), (Derived(_places(plan.old), (block.id,)),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Tensorize]:
        label = scope.label(node)
        for name in intrinsic_names():
            if isinstance(node, For):
                yield cls(scope.name, intrinsic=name, loop=label)
            else:
                yield cls(scope.name, label, name)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The block that gets the intrinsic (`old` in the function of `scope`), and how it matches."""

    intrinsic: TensorIntrinsic
    scope: Scope
    old: Block
    outer: Block
    match: Match
    answer: Answer


def _plan(primitive: Tensorize, scope: Scope) -> _Plan | Answer:
    found = intrinsic(primitive.intrinsic)
    node = place_of(scope, primitive.loop, primitive.block)
    # A scope of its own: names and ids do not depend on how often somebody asked.
    inner, old = Scope(scope.name, scope.function), node
    if not isinstance(old, Block):
        done = wrapped(inner, old)
        inner, old = Scope(scope.name, done.function), done.block
    outer, code = _code(found.description, inner, old)
    how = _matched(found, inner, old, code)
    if isinstance(how, MismatchError):
        if old is not node:  # once more, in the names that the program has without the new block
            code = substitute(code, {axis.var.id: axis.value for axis in old.axes})
            again = _matched(found, inner, old, code)
            how = again if isinstance(again, MismatchError) else how
        return _mismatch(found, how, node.var.id if isinstance(node, For) else node.id)
    facts = inside_block(facts_at(inner, old.id), old)
    orders = [scope.dependences.reorderable(*pair) for pair in how.permuted]
    answer = all_apply(
        applies(reassociates=found.reassociates, notes=_notes(found)),
        *orders,
        overlaps(found.description, how, facts, old.id),
    )
    return _Plan(found, inner, old, outer, how, answer) if answer.applies else answer


def _matched(
    found: TensorIntrinsic, scope: Scope, block: Block, code: Stmt
) -> Match | MismatchError:
    """How the code in a block is the description, or the first difference."""
    facts = inside_block(facts_at(scope, block.id), block)
    ids = IdSource(scope.ids.next)
    description = plain_function(found.description, facts_of(found.description))
    try:
        return match(found.description.params, description, plain(scope.function, code, ids, facts))
    except MismatchError as error:
        return error


def _code(description: TensorFunction, scope: Scope, block: Block) -> tuple[Block, Stmt]:
    """What is compared with the description, and the block with the rest of what it does.

    A description that initialises is compared with initialisation and updates, one that does not
    with the updates alone.
    """
    parts = walk_statements(description.body)
    whole = any(isinstance(part, Block) and part.init is not None for part in parts)
    alone = not any(axis.kind is AxisKind.REDUCE for axis in block.axes)
    if whole and alone and block.init is not None:
        return replace(block, init=None), Seq((block.init, block.body))
    if not whole and block.init is None:
        block = lifted(scope, block) or block
    return block, block.body


def _mismatch(found: TensorIntrinsic, error: MismatchError, place: NodeId) -> Answer:
    return inapplicable(
        f"the code is not what `{found.name}` describes: {error}",
        place,
        notes=(f"`{found.name}`: {found.doc}",) if found.doc else (),
        hint=error.hint,
    )


def _notes(found: TensorIntrinsic) -> tuple[str, ...]:
    if not found.reassociates:
        return ()
    return (f"`{found.name}` rounds otherwise than the loops",)


def _places(block: Block) -> tuple[NodeId, ...]:
    """The block and all loops and blocks inside it."""
    inside = (s for s in walk_statements(block) if isinstance(s, For | Block))
    return tuple(s.var.id if isinstance(s, For) else s.id for s in inside)
