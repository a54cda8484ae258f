"""Tensorize: put an intrinsic in the place of the loops that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import AxisKind, Block, For, Seq, Stmt, TensorFunction
from workbench.ir.registry import TensorIntrinsic, registry_version
from workbench.schedule.blocks.lift_init import lifted, perfect_nest
from workbench.schedule.blocks.outer_guard import guarded_outside
from workbench.schedule.facts import facts_at, inside_block
from workbench.schedule.intrinsics.instance import instance, is_opaque
from workbench.schedule.intrinsics.matching import Match, MismatchError, match
from workbench.schedule.intrinsics.overlap import overlaps, steady
from workbench.schedule.intrinsics.plain import described, plain, plausible, through_views
from workbench.schedule.intrinsics.registry import intrinsic, intrinsic_names
from workbench.schedule.places import place_of
from workbench.schedule.primitive import Derived, Primitive, Rewritten, all_apply
from workbench.schedule.primitives.blockize import wrapping
from workbench.schedule.scope import Scope, walk_statements
from workbench.support import IdSource, NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True)
class Tensorize(Primitive):
    """Replace the code in a block, or under a loop, by the intrinsic that describes it.

    Legal where the code is what the intrinsic describes: the same loops (in any order that the
    dependences allow) over the same expressions, on boxes of any buffers. The intrinsic's two
    functions were compared when it was registered. A loop is made a block first, and an
    initialisation moves out where the intrinsic has none. Called `tensorize` in TVM, `replace` in
    Exo; Halide has none, its back ends look for such code themselves.

    Rewrite::

        for i, k in T.grid(2, 3):
            for ii, ki in T.grid(16, 4):
                C[i * 16 + ii] += int32(A[k * 4 + ki]) * int32(B[i * 16 + ii, k * 4 + ki])
        =>  Tensorize(loop="ii", intrinsic="dot_16x4_vnni")
        for i, k in T.grid(2, 3):
            with T.sblock("ii_block"):
                vi = T.axis.spatial(2, i)
                vk = T.axis.opaque(3, k)
                A_1 = T.match_buffer(A[vk * 4:vk * 4 + 4], (4,), "uint8")
                B_1 = T.match_buffer(B[vi * 16:vi * 16 + 16, vk * 4:vk * 4 + 4], (16, 4), "int8")
                C_1 = T.match_buffer(C[vi * 16:vi * 16 + 16], (16,), "int32")
                for lane in T.vectorized(16):
                    C_1[lane] = T.dot4(C_1[lane], A_1[0], A_1[1], A_1[2], A_1[3],
                                       B_1[lane, 0], B_1[lane, 1], B_1[lane, 2], B_1[lane, 3])
    """

    name: ClassVar[str] = "tensorize"
    tvm: ClassVar[str] = "tensorize"
    exo: ClassVar[str] = "replace"

    block: str = ""
    intrinsic: str = ""
    loop: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        return _tensorized(self, scope)[0]

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        _, done = _tensorized(self, scope)
        assert done is not None
        return done

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Tensorize]:
        names = intrinsic_names()
        likely = [name for name in names if plausible(intrinsic(name).description, node)]
        label = scope.label(node)
        for name in likely or names[:1]:
            if isinstance(node, For):
                yield cls(scope.name, intrinsic=name, loop=label)
            else:
                yield cls(scope.name, label, name)


_WHOLE = "the description initialises: all of the reduction has to be inside"
_INSIDE = "the initial value has to stay where it is: give it a block with `decompose_reduction`"
_DONE: IdentityMemo[TensorFunction, tuple[Answer, Rewritten | None]] = IdentityMemo(16)
"""Asking whether it applies, and applying it, is one search."""


def _tensorized(primitive: Tensorize, scope: Scope) -> tuple[Answer, Rewritten | None]:
    """The answer, and the function rewritten where it applies."""
    key = scope.name, primitive, registry_version()
    return _DONE.get(scope.function, lambda: _tensorize(primitive, scope), key)


def _tensorize(primitive: Tensorize, given: Scope) -> tuple[Answer, Rewritten | None]:
    found = intrinsic(primitive.intrinsic)
    node = place_of(given, primitive.loop, primitive.block)
    place = node.var.id if isinstance(node, For) else node.id
    facts = facts_at(given, place)
    told: Match | MismatchError | None = None
    if isinstance(node, For):  # in the names that the program has without the new block
        code = _without_init(found.description, node)
        told = _matched(found, given, facts, through_views(code, given.paths[place]))
        if isinstance(told, MismatchError):
            return _mismatch(found, told, place), None
    # A scope of its own: names and ids do not depend on how often somebody asked.
    scope = Scope(given.name, given.function)
    block = wrapping(scope, node) if isinstance(node, For) else node
    facts = inside_block(facts, block)
    outer, code = _code(found.description, scope, block)
    how = _matched(found, scope, facts, through_views(code, (*scope.paths[place], block)))
    if isinstance(how, MismatchError):
        stays = any(isinstance(s, Block) and s.init is not None for s in walk_statements(code))
        return _mismatch(found, how, place, _INSIDE if stays else ""), None
    orders = [given.dependences.reorderable(*pair) for pair in how.permuted]
    answer = all_apply(
        applies(reassociates=found.reassociates, notes=_notes(found)),
        *orders,
        overlaps(found.description, how, facts, given.dependences, (node, told or how)),
        steady(found.description, how, place),
    )
    if not answer.applies:
        return answer, None
    made = _with_intrinsic(scope, outer, found, how)
    sources = tuple(
        s.var.id if isinstance(s, For) else s.id
        for s in walk_statements(node)
        if isinstance(s, For | Block)
    )
    derived = (Derived(sources, (made.id,)),)
    return answer, Rewritten(scope.replaced(node, made), (made.id,), derived)


def _with_intrinsic(scope: Scope, block: Block, found: TensorIntrinsic, how: Match) -> Block:
    """The block with the implementation as its body."""
    made = instance(scope, found.description, found.implementation, how)
    annotations = dict(block.annotations) | {"tensor_intrinsic": found.name}
    return replace(
        block,
        body=made.body,
        reads=made.reads,
        writes=made.writes,
        allocations=(*block.allocations, *made.allocations),
        match_buffers=(*block.match_buffers, *made.match_buffers),
        annotations=tuple(sorted(annotations.items())),
    )


def _matched(
    found: TensorIntrinsic, scope: Scope, facts: Facts, code: Stmt
) -> Match | MismatchError:
    """How the code is the description, or the first difference."""
    ids = IdSource(scope.ids.next)
    try:
        return match(
            found.description.params,
            described(found.description),
            plain(scope.function, code, ids, facts),
        )
    except MismatchError as error:
        return error


def _initialises(description: TensorFunction) -> bool:
    parts = walk_statements(description.body)
    return any(isinstance(part, Block) and part.init is not None for part in parts)


def _without_init(description: TensorFunction, loop: For) -> Stmt:
    """The code under a loop, without guards that are decided outside of it.

    And without its initialisation where the description has none.
    """
    code, _ = guarded_outside(loop)
    loops, block = perfect_nest(code)
    if _initialises(description) or not isinstance(block, Block) or block.init is None:
        return code
    body: Stmt = replace(block, init=None)
    for around in reversed(loops):
        body = replace(around, body=body)
    return body


def _code(description: TensorFunction, scope: Scope, block: Block) -> tuple[Block, Stmt]:
    """What is compared with the description, and the block with the rest of what it does.

    A description that initialises is compared with initialisation and updates, one that does not
    with the updates alone.
    """
    whole = _initialises(description)
    alone = not any(axis.kind is AxisKind.REDUCE for axis in block.axes)
    if whole and alone and block.init is not None:
        return replace(block, init=None), Seq((block.init, block.body))
    if not whole and block.init is None:
        block = lifted(scope, block) or block
    return block, block.body


def _mismatch(
    found: TensorIntrinsic, error: MismatchError, place: NodeId, hint: str = ""
) -> Answer:
    return inapplicable(
        f"the code is not what `{found.name}` describes: {error}",
        place,
        notes=(f"`{found.name}`: {found.doc}",) if found.doc else (),
        hint=_WHOLE if _initialises(found.description) else hint or error.hint,
    )


def _notes(found: TensorIntrinsic) -> tuple[str, ...]:
    notes: list[str] = []
    if found.reassociates:
        notes.append(f"`{found.name}` rounds otherwise than the loops")
    if is_opaque(found.implementation):
        notes.append(f"`{found.name}` is opaque: what it declares to read and write is trusted")
    return tuple(notes)
