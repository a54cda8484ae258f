"""Blocks to plain loops.

Rewrite::

    for i, k:                                for i:
        with block: vi, vk = i, k                C[i] = 0
            init: C[vi] = 0            =>        for k:
            C[vi] += A[vi, vk]                       C[i] = C[i] + A[i, k]

Axes are replaced by their values, predicates become branches, matched buffers their sources.
Reference: `tvm::tir::transform::LowerInitBlock`, `ConvertBlocksToOpaque`.
"""

from __future__ import annotations

from typing import Any, assert_never

from workbench.analysis.arith import Facts
from workbench.analysis.empty_reductions import Reduction, init_stays, reductions
from workbench.codegen.initialise import Level, place_init
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    BufferType,
    IntImm,
    Load,
    PrimExpr,
    Var,
    as_expr,
    binary,
)
from workbench.ir.tensor import (
    Allocate,
    AxisKind,
    Block,
    Evaluate,
    For,
    If,
    Let,
    MatchBuffer,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    While,
)
from workbench.ir.traverse import map_children
from workbench.support.ids import IdSource, NodeId


def lower(function: TensorFunction, ids: IdSource) -> Stmt:
    """The body of `function` without blocks; new loop variables are named by `ids`."""
    lowering = _Lowering(ids)
    lowering.reductions = {found.block.id: found for found in reductions(function)}
    body = lowering.statement(function.body)
    return _allocate(function.allocations, body)


def sequence(*statements: Stmt) -> Stmt:
    """Statements in order, without nested or empty sequences around them."""
    flat: list[Stmt] = []
    for statement in statements:
        flat.extend(statement.body if isinstance(statement, Seq) else (statement,))
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def conjunction(conditions: list[PrimExpr]) -> PrimExpr | None:
    """All conditions together, None where there are none."""
    result: PrimExpr | None = None
    for condition in conditions:
        result = condition if result is None else Binary(BinaryOp.AND, result, condition)
    return result


def _allocate(buffers: tuple[Var, ...], body: Stmt) -> Stmt:
    for buffer in reversed(buffers):
        body = Allocate(buffer, body)
    return body


class _Lowering:
    """Carries the values of axes, the sources of matched buffers and the path from the root."""

    def __init__(self, ids: IdSource) -> None:
        self.ids = ids
        self.values: dict[NodeId, PrimExpr] = {}
        self.sources: dict[NodeId, MatchBuffer] = {}
        self.path: list[Level] = []
        self.reductions: dict[NodeId, Reduction] = {}

    def statement(self, stmt: Stmt) -> Stmt:
        match stmt:
            case Block():
                return self._block(stmt)
            case For():
                return self._for(stmt)
            case Store(buffer=buffer, indices=indices, value=value):
                target = self._access(buffer, tuple(self.expr(i) for i in indices))
                return Store(target.buffer, target.indices, self.expr(value))
            case Evaluate(value=value):
                return Evaluate(self.expr(value))
            case _:
                return self._nested(stmt)

    def _nested(self, stmt: Seq | If | While | Let | Allocate) -> Stmt:
        level = Level(stmt)
        self.path.append(level)
        match stmt:
            case Seq(body=body):
                result = sequence(*[self._child(level, k, item) for k, item in enumerate(body)])
            case If(condition=condition, then=then, otherwise=otherwise):
                other = None if otherwise is None else self.statement(otherwise)
                result = If(self.expr(condition), self.statement(then), other)
            case While(condition=condition, body=body):
                result = While(self.expr(condition), self.statement(body))
            case Let(var=var, value=value, body=body):
                result = Let(var, self.expr(value), self.statement(body))
            case Allocate(buffer=buffer, body=body):
                result = Allocate(self._typed(buffer), self.statement(body))
            case _:
                assert_never(stmt)
        self.path.pop()
        return result

    def _child(self, level: Level, position: int, item: Stmt) -> Stmt:
        level.position = position
        return self.statement(item)

    def _for(self, stmt: For) -> Stmt:
        start, extent = self.expr(stmt.start), self.expr(stmt.extent)
        level = Level(stmt, start, extent)
        self.path.append(level)
        body = self.statement(stmt.body)
        self.path.pop()
        loop = For(stmt.var, start, extent, body, stmt.kind, stmt.thread, stmt.annotations)
        return sequence(*level.before, loop)

    def _block(self, block: Block) -> Stmt:
        for axis in block.axes:
            self.values[axis.var.id] = self.expr(axis.value)
        for match in block.match_buffers:
            self._match(match)
        predicate = None if block.predicate is None else self.expr(block.predicate)
        statements: list[Stmt] = []
        if block.init is not None:
            statements.extend(self._init(block, block.init, predicate))
        self.path.append(Level(block))
        statements.append(self.statement(block.body))
        self.path.pop()
        body = _allocate(tuple(self._typed(b) for b in block.allocations), sequence(*statements))
        return body if predicate is None else If(predicate, body)

    def _init(self, block: Block, init: Stmt, predicate: PrimExpr | None) -> list[Stmt]:
        """The initialisation as far out as it can go, else under a guard in place.

        It stays where it uses memory of the block, which does not live outside of it.
        Where there may be no instance and the nest is simple, it runs before the loops as well.
        """
        lowered = _Lowering(self.ids)
        lowered.values, lowered.sources = self.values, self.sources
        initial = lowered.statement(init)
        starts = [self.values[a.var.id] for a in block.axes if a.kind is AxisKind.REDUCE]
        reduction = self.reductions.get(block.id)
        may_be_empty = reduction is not None and reduction.may_be_empty
        simple = reduction.simple if reduction is not None and may_be_empty else None
        stays = init_stays(block) or (may_be_empty and simple is None)
        body = lowered.statement(block.body)
        if not stays and place_init(
            initial, body, starts, predicate, self.path, self.ids, self.sources
        ):
            return []
        if simple is not None:
            outermost = next(p for p in self.path if p.stmt is simple.outermost)
            outermost.before.append(lowered.statement(simple.init(self.ids)))
        if any(isinstance(start, IntImm) and start.value for start in starts):
            return []  # no instance is a first one
        first = [binary(BinaryOp.EQ, start, 0) for start in starts if not isinstance(start, IntImm)]
        guard = conjunction(first)
        return [initial if guard is None else If(guard, initial)]

    # --- expressions ----------------------------------------------------------------------

    def expr(self, expr: PrimExpr) -> PrimExpr:
        """An expression with axes and matched buffers replaced."""
        return self._rewrite(expr) if self.values or self.sources else expr

    def _rewrite(self, node: Any) -> Any:  # noqa: ANN401
        match node:
            case Var(id=ident):
                return self.values.get(ident, node)
            case Load(buffer=buffer, indices=indices):
                return self._access(buffer, tuple(self._rewrite(i) for i in indices))
            case _:
                return map_children(node, self._rewrite)

    def _typed(self, buffer: Var) -> Var:
        """A buffer whose extents mention axes, in terms of loops."""
        kind = buffer.type
        assert isinstance(kind, BufferType)
        shape = tuple(d if isinstance(d, int) else self.expr(d) for d in kind.shape)
        if shape == kind.shape:
            return buffer
        return Var(buffer.id, buffer.name, BufferType(shape, kind.dtype, kind.scope, kind.strides))

    def _match(self, match: MatchBuffer) -> None:
        """Bind a matched buffer; strides that are variables get those of the source."""
        self.sources[match.buffer.id] = match
        kind, source = match.buffer.type, match.source.buffer
        assert isinstance(kind, BufferType)
        actual = _row_major(source)[len(_row_major(source)) - len(kind.strides) :]
        for stride, value in zip(kind.strides, actual, strict=True):
            if isinstance(stride, Var):
                self.values[stride.id] = value

    def _access(self, buffer: Var, indices: tuple[PrimExpr, ...]) -> Load:
        """An access with matched buffers resolved; leading dimensions of a region are points."""
        while (match := self.sources.get(buffer.id)) is not None:
            ranges = match.source.ranges
            lead = len(ranges) - len(indices)
            starts = [self.expr(r.start) for r in ranges]
            moved = [
                binary(BinaryOp.ADD, s, i) for s, i in zip(starts[lead:], indices, strict=True)
            ]
            buffer, indices = match.source.buffer, (*starts[:lead], *moved)
        return Load(self._typed(buffer), indices)


def _row_major(buffer: Var) -> tuple[PrimExpr, ...]:
    kind = buffer.type
    assert isinstance(kind, BufferType)
    if kind.strides:
        return tuple(as_expr(stride) for stride in kind.strides)
    result: list[PrimExpr] = []
    step: PrimExpr = IntImm(1)
    for extent in reversed(kind.shape):
        result.append(step)
        step = binary(BinaryOp.MUL, step, extent)
    facts = Facts()
    return tuple(facts.simplify(stride) for stride in reversed(result))
