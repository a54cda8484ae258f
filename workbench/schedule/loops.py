"""Loop primitives: split, reorder, and the kinds of loops.

Each is a pure function of a tensor function.

A block's axes say how its instances may be reordered (spatial freely, reductions too, as one
associative and commutative reduction), so legality is asked of the blocks under a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.ir import (
    Allocate,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    For,
    If,
    IntImm,
    Let,
    Load,
    LoopKind,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    map_children,
    substitute,
    walk,
)
from workbench.support import CompileError, Diagnostic, IdSource, NodeId

ZERO = IntImm(0)


def find_loop(function: TensorFunction, loop: NodeId) -> For:
    """The loop whose variable has the id.

    Raises:
        CompileError: `schedule/no-such-loop`.
    """
    for node in walk(function.body):
        if isinstance(node, For) and node.var.id == loop:
            return node
    raise refuse("schedule/no-such-loop", "the loop is gone: another primitive replaced it", loop)


def refuse(code: str, message: str, node: NodeId | None = None, hint: str = "") -> CompileError:
    """An error that names a loop or block."""
    return CompileError(Diagnostic(code, message, node=node, hint=hint))


def split(
    function: TensorFunction, loop: NodeId, factors: Sequence[int | None]
) -> tuple[TensorFunction, tuple[Var, ...]]:
    """Replace a loop by nested ones; at most one factor is None and is computed.

    ::

        for i in range(20): B(i)
        =>  split(i, [None, 8])
        for i_0, i_1 in T.grid(3, 8): where i_0 * 8 + i_1 < 20: B(i_0 * 8 + i_1)

    Called `split` in Halide and TVM, `divide_loop` in Exo.

    Raises:
        CompileError: `schedule/no-such-loop`, `schedule/bad-factor`.
    """
    old = find_loop(function, loop)
    sizes = _sizes(old, factors)
    ids = IdSource(function.next_id)
    fresh = tuple(Var(ids.new(), f"{old.var.name}_{n}", old.var.type) for n in range(len(sizes)))
    value: PrimExpr = fresh[0]
    for var, size in zip(fresh[1:], sizes[1:], strict=True):
        value = value * size + var
    exact = _covers_exactly(sizes, old.extent)
    body = substitute(old.body, {old.var.id: value + old.start})
    if not exact:
        body = _guarded(body, value < old.extent)
    for var, size in zip(reversed(fresh), reversed(sizes), strict=True):
        extent = IntImm(size) if isinstance(size, int) else size
        body = For(var, ZERO, extent, body)
    body = replace(body, kind=old.kind, annotations=old.annotations)
    return _replaced(function, old, body, ids), fresh


def _covers_exactly(sizes: Sequence[int | PrimExpr], extent: PrimExpr) -> bool:
    total = 1
    for size in sizes:
        value = size.value if isinstance(size, IntImm) else size
        if not isinstance(value, int):
            return False
        total *= value
    return isinstance(extent, IntImm) and total == extent.value


def _sizes(loop: For, factors: Sequence[int | None]) -> list[int | PrimExpr]:
    known = [f for f in factors if f is not None]
    if len(factors) < 2 or len(known) < len(factors) - 1 or any(f < 1 for f in known):
        raise refuse(
            "schedule/bad-factor",
            "`split` needs two or more positive factors, at most one of them None, "
            f"got `{list(factors)}`",
            loop.var.id,
        )
    product = 1
    for factor in known:
        product *= factor
    extent = loop.extent
    if len(known) == len(factors):
        if not isinstance(extent, IntImm) or product < extent.value:
            message = f"factors `{list(factors)}` do not cover the extent of `{loop.var.name}`"
            raise refuse("schedule/bad-factor", message, loop.var.id, "use None for one of them")
        return list(known)
    rest = (extent + (product - 1)) // product
    return [f if f is not None else rest for f in factors]


def _guarded(body: Stmt, condition: PrimExpr) -> Stmt:
    """The predicate on every outermost block, or a branch where there is none."""
    if not any(isinstance(node, Block) for node in walk(body)):
        return If(condition, body)
    if isinstance(body, Block):
        whole = (
            condition if body.predicate is None else Binary(BinaryOp.AND, body.predicate, condition)
        )
        return replace(body, predicate=whole)
    return map_children(
        body, lambda child: _guarded(child, condition) if _is_stmt(child) else child
    )


def _is_stmt(node: object) -> bool:
    return isinstance(node, For | Block | Seq | Store | If | While | Let | Allocate)


def reorder(function: TensorFunction, loops: Sequence[NodeId]) -> TensorFunction:
    """Put loops of one perfect nest into the given order, from outermost to innermost.

    Called `reorder` in Halide and TVM, `reorder_loops` in Exo.

    Raises:
        CompileError: `schedule/no-such-loop`, `schedule/not-nested`, `schedule/illegal`.
    """
    if not loops:
        return function
    if len(set(loops)) != len(loops):
        raise refuse("schedule/not-nested", "a loop is named twice", loops[0])
    wanted = [find_loop(function, loop) for loop in loops]
    outermost = next(n for n in walk(function.body) if isinstance(n, For) and n.var.id in loops)
    nest: list[For] = []
    node: Stmt = outermost
    while isinstance(node, For):
        nest.append(node)
        node = node.body
    missing = [f for f in wanted if f not in nest]
    if missing:
        message = f"`{missing[0].var.name}` is not in one perfect nest with `{outermost.var.name}`"
        raise refuse("schedule/not-nested", message, missing[0].var.id)
    last = max(nest.index(f) for f in wanted)
    inner = nest[last].body
    _check_reorder(wanted, nest[: last + 1], inner)
    queue = iter(wanted)
    order = [next(queue) if loop in wanted else loop for loop in nest[: last + 1]]
    body = inner
    for loop in reversed(order):
        body = replace(loop, body=body)
    return _replaced(function, outermost, body, None)


def _check_reorder(wanted: list[For], nest: list[For], inner: Stmt) -> None:
    moved = {f.var.id for f in wanted}
    for loop in nest:
        bounds = [v for e in (loop.start, loop.extent) for v in walk(e) if isinstance(v, Var)]
        if any(v.id in moved for v in bounds):
            message = f"the extent of `{loop.var.name}` depends on a loop that would move"
            raise refuse("schedule/illegal", message, loop.var.id)
    blocks = [n for n in walk(inner) if isinstance(n, Block)]
    if len(blocks) != 1:
        raise refuse("schedule/unproved", "the nest holds several blocks or none", wanted[0].var.id)
    for axis in blocks[0].axes:
        if axis.kind in {AxisKind.SCAN, AxisKind.OPAQUE}:
            used = [v for v in walk(axis.value) if isinstance(v, Var) and v.id in moved]
            if used:
                message = f"`{axis.var.name}` is {axis.kind.value}: its instances run in order"
                raise refuse("schedule/illegal", message, used[0].id)


def set_kind(function: TensorFunction, loop: NodeId, kind: LoopKind) -> TensorFunction:
    """Make a loop parallel, vectorised, unrolled or serial.

    Raises:
        CompileError: `schedule/no-such-loop`, `schedule/illegal`, `schedule/unproved`,
        `schedule/bad-extent`.
    """
    found = find_loop(function, loop)
    if kind in {LoopKind.PARALLEL, LoopKind.VECTORIZED}:
        _check_independent(found, kind)
    if kind in {LoopKind.VECTORIZED, LoopKind.UNROLLED} and not isinstance(found.extent, IntImm):
        message = f"the extent of `{found.var.name}` is not constant"
        raise refuse("schedule/bad-extent", message, loop, "split it by a constant first")
    if kind is LoopKind.VECTORIZED and any(isinstance(n, For) for n in walk(found.body)):
        message = f"`{found.var.name}` is not the innermost loop"
        raise refuse("schedule/not-innermost", message, loop, "reorder it to the inside first")
    return _replaced(function, found, replace(found, kind=kind), None)


def _check_independent(loop: For, kind: LoopKind) -> None:
    """Iterations are independent where the variable drives spatial axes only."""
    blocks = [n for n in walk(loop.body) if isinstance(n, Block)]
    name = loop.var.name
    if not blocks:
        raise refuse(
            "schedule/unproved", f"there is no block under `{name}` to say so", loop.var.id
        )
    for block in blocks:
        driven = [a for a in block.axes if any(v == loop.var for v in walk(a.value))]
        for axis in driven:
            if axis.kind is not AxisKind.SPATIAL:
                message = (
                    f"`{name}` drives the {axis.kind.value} axis `{axis.var.name}` "
                    f"of `{block.name}`: its iterations update one element"
                )
                hint = "rfactor first" if axis.kind is AxisKind.REDUCE else ""
                raise refuse("schedule/illegal", message, loop.var.id, hint)
        if not driven:
            message = f"every iteration of `{name}` runs the same instances of `{block.name}`"
            raise refuse("schedule/illegal", message, loop.var.id)
    if kind is LoopKind.PARALLEL:
        _check_no_exchange(loop, blocks)


def _check_no_exchange(loop: For, blocks: list[Block]) -> None:
    """No block under a parallel loop reads what another one writes.

    Unless it is private to the iteration.
    """
    local = {n.buffer.id for n in walk(loop.body) if isinstance(n, Allocate)}
    writers = {n.buffer.id: b for b in blocks for n in walk(b) if isinstance(n, Store)}
    for block in blocks:
        for node in walk(block):
            if isinstance(node, Load) and node.buffer.id in writers:
                other = writers[node.buffer.id]
                if other is not block and node.buffer.id not in local:
                    message = (
                        f"`{block.name}` reads `{node.buffer.name}`, which `{other.name}` writes"
                    )
                    raise refuse("schedule/unproved", message, loop.var.id)


def _replaced(
    function: TensorFunction, old: For, new: Stmt, ids: IdSource | None
) -> TensorFunction:
    body = _swap(function.body, old, new)
    return replace(function, body=body, next_id=function.next_id if ids is None else ids.next)


def _swap(node: Stmt, old: For, new: Stmt) -> Stmt:
    if isinstance(node, For) and node.var.id == old.var.id:
        return new
    return map_children(node, lambda child: _swap(child, old, new) if _is_stmt(child) else child)
