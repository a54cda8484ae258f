"""Blockize: make the code under a loop, or blocks beside each other, one block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies, inapplicable
from workbench.ir import AxisKind, Block, For, Seq, Stmt, TensorFunction
from workbench.schedule.blocks.lift_init import lifted
from workbench.schedule.blocks.outer_block import outer_block, outermost_blocks
from workbench.schedule.blocks.outer_guard import with_guard
from workbench.schedule.primitive import Derived, Primitive, Rewritten, bad_parameter
from workbench.schedule.scope import Scope
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A function in which `block` took the place of what was there."""

    function: TensorFunction
    block: Block
    sources: tuple[NodeId, ...]


@dataclass(frozen=True)
class Blockize(Primitive):
    """Make the code under a loop one outer block, whose axes are the parts of outer loops.

    No instance moves and no element is initialised later than before, so it is always legal. The
    outer block is what `tensorize` replaces; `blocks` that stand beside each other become one
    block as well. An initialisation moves to the outer block where the reduction goes on outside
    of it, and a guard that holds for whole instances of the outer block or for none of them becomes
    its own. Called `blockize` in TVM; Halide and Exo, which have no blocks, do not need it.

    Rewrite::

        for io, ii in T.grid(4, 8):
            with T.sblock("C"):
                vi = T.axis.spatial(32, io * 8 + ii)
                C[vi] = A[vi]
        =>  Blockize(loop="ii")
        for io in range(4):
            with T.sblock("C_o"):
                vi_o = T.axis.spatial(4, io)
                for ii in range(8):
                    with T.sblock("C"):
                        vi = T.axis.spatial(32, vi_o * 8 + ii)
                        C[vi] = A[vi]
    """

    name: ClassVar[str] = "blockize"
    tvm: ClassVar[str] = "blockize"

    loop: str = ""
    blocks: tuple[str, ...] = ()

    @override
    def check(self, scope: Scope) -> Answer:
        target = self._target(scope)
        if isinstance(target, tuple):
            run = _run(scope, target)
            return run if isinstance(run, Answer) else applies()
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        target = self._target(scope)
        one = not isinstance(target, tuple)
        done = _wrapped(scope, target) if one else _wrapped_run(scope, target)
        made = (done.block.id,)
        return Rewritten(done.function, made, (Derived(done.sources, made),))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Blockize]:
        if isinstance(node, For):
            yield cls(scope.name, scope.label(node))
        else:
            yield cls(scope.name, blocks=(scope.label(node),))

    def _target(self, scope: Scope) -> For | Block | tuple[Block, ...]:
        """The loop or block, or several blocks in program order."""
        if self.loop and not self.blocks:
            return scope.loop(self.loop)
        found = [scope.block(name) for name in self.blocks]
        if self.loop or not found or len({block.id for block in found}) < len(found):
            message = (
                "`blockize` needs a loop or different blocks, "
                f"got loop `{self.loop}` and blocks `{list(self.blocks)}`"
            )
            raise bad_parameter(scope, "schedule/not-a-place", message)
        if len(found) == 1:
            return found[0]
        return tuple(block for block in scope.blocks if block in found)


def wrapping(scope: Scope, node: For | Block) -> Block:
    """The outer block that takes the place of a loop or block."""
    place = node.var.id if isinstance(node, For) else node.id
    made = outer_block(scope, node, scope.paths[place], _name(scope, [node]))
    return _with_init(scope, with_guard(made))


def _wrapped(scope: Scope, node: For | Block) -> Wrapped:
    made = wrapping(scope, node)
    place = node.var.id if isinstance(node, For) else node.id
    return Wrapped(scope.replaced(node, made), made, (place,))


def _wrapped_run(scope: Scope, blocks: Sequence[Block]) -> Wrapped:
    run = _run(scope, blocks)
    assert not isinstance(run, Answer)
    parent, first, last = run
    items = parent.body[first : last + 1]
    path = scope.paths[blocks[0].id]
    made = outer_block(scope, Seq(items), path[: path.index(parent) + 1], _name(scope, items))
    body = (*parent.body[:first], made, *parent.body[last + 1 :])
    new = body[0] if len(body) == 1 else replace(parent, body=body)
    return Wrapped(scope.replaced(parent, new), made, tuple(block.id for block in blocks))


def _run(scope: Scope, blocks: Sequence[Block]) -> tuple[Seq, int, int] | Answer:
    """The sequence in which the blocks stand, and the first and last position there."""
    paths = [scope.paths[block.id] for block in blocks]
    parent = paths[0][-1] if paths[0] else None
    if not isinstance(parent, Seq) or any(path[-1] is not parent for path in paths):
        message = "the blocks do not stand beside each other in one sequence"
        hint = "blockize the loop around them, or move them together with `compute_at`"
        return inapplicable(message, blocks[0].id, hint=hint)
    places = sorted(next(n for n, s in enumerate(parent.body) if s is b) for b in blocks)
    if places[-1] - places[0] + 1 != len(places):
        between = parent.body[places[0] : places[-1] + 1]
        other = next(s for s in between if not any(s is b for b in blocks))
        name = f"block `{other.name}`" if isinstance(other, Block) else "another statement"
        return inapplicable(f"{name} stands between the blocks", blocks[0].id)
    return parent, places[0], places[-1]


def _with_init(scope: Scope, made: Block) -> Block:
    """The initialisation moves out where updates of the same reduction come from other blocks."""
    outside = any(axis.kind is AxisKind.REDUCE for axis in made.axes)
    return (lifted(scope, made) or made) if outside else made


def _name(scope: Scope, items: Sequence[Stmt]) -> str:
    """The name of the only block with `_o`, else of the function's place."""
    inside = [block for item in items for block in outermost_blocks(item)]
    if len(inside) >= 1:
        return f"{inside[-1].name}_o"
    loop = next((item for item in items if isinstance(item, For)), None)
    return f"{loop.var.name}_block" if loop is not None else f"{scope.name}_block"
