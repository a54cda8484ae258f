"""Random small programs: stencils, reductions, gathers, guards, views, private buffers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferRegion,
    BufferType,
    Cast,
    FloatImm,
    For,
    If,
    IntImm,
    Let,
    Load,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    binary,
)
from workbench.ir.tensor import MatchBuffer, Range
from workbench.support import IdSource

SIZE = 64
"""Buffers of random programs are larger than anything that they touch."""


@dataclass
class Generator:
    """One program under construction; `affine` leaves out what is not quasi-affine."""

    rng: random.Random
    affine: bool = True
    symbolic: bool = False
    ids: IdSource = field(default_factory=IdSource)
    scope: list[Var] = field(default_factory=list)
    buffers: list[Var] = field(default_factory=list)
    loops: list[Var] = field(default_factory=list)
    symbols: list[Var] = field(default_factory=list)

    def scalar(self, name: str) -> Var:
        return Var(self.ids.new(), name, ScalarType())

    def buffer(self, name: str, rank: int, dtype: str = "float32") -> Var:
        return Var(self.ids.new(), name, BufferType((SIZE,) * rank, dtype))

    def program(self) -> TensorFunction:
        if self.symbolic:
            self.symbols = [self.scalar("n")]
        params = [self.buffer("A", 1), self.buffer("B", 2), self.buffer("C", 1)]
        shape = tuple(self.symbols)
        index = Var(self.ids.new(), "I", BufferType((*shape, SIZE), "int64"))
        self.buffers, self.index = list(params), index
        body = self.sequence(0)
        return TensorFunction((*params, index), body, next_id=self.ids.next)

    # --- expressions ----------------------------------------------------------------------

    def expr(self, depth: int = 0) -> PrimExpr:
        choice = self.rng.randrange(12)
        if choice < 5 and self.scope:
            return self.rng.choice(self.scope)
        if choice == 5 or not self.scope or depth > 2:
            return IntImm(self.rng.randrange(4))
        if choice < 8:
            op = self.rng.choice([BinaryOp.ADD, BinaryOp.ADD, BinaryOp.SUB])
            return binary(op, self.expr(depth + 1), self.expr(depth + 1))
        if choice == 8:
            return binary(BinaryOp.MUL, self.expr(depth + 1), IntImm(self.rng.randrange(-1, 4)))
        if choice == 9:
            ops = [BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD]
            return binary(self.rng.choice(ops), self.expr(depth + 1), IntImm(self.divisor()))
        if choice == 10:
            op = self.rng.choice([BinaryOp.MIN, BinaryOp.MAX])
            return binary(op, self.expr(depth + 1), self.expr(depth + 1))
        if self.affine:
            return Select(self.condition(depth + 1), self.expr(depth + 1), self.expr(depth + 1))
        if self.rng.randrange(2):
            return binary(BinaryOp.MUL, self.expr(depth + 1), self.expr(depth + 1))
        return Load(self.index, (*(IntImm(0) for _ in self.symbols), self.expr(depth + 1)))

    def divisor(self) -> int:
        return self.rng.choice([2, 3, 4, -2])

    def condition(self, depth: int = 0) -> PrimExpr:
        choice = self.rng.randrange(8)
        if choice == 0 and depth < 2:
            op = self.rng.choice([BinaryOp.AND, BinaryOp.OR])
            return Binary(op, self.condition(depth + 1), self.condition(depth + 1))
        ops = [BinaryOp.LT, BinaryOp.LE, BinaryOp.GT, BinaryOp.GE, BinaryOp.EQ, BinaryOp.NE]
        return Binary(self.rng.choice(ops), self.expr(depth + 1), self.expr(depth + 1))

    def load(self) -> PrimExpr:
        buffer = self.rng.choice(self.buffers)
        value: PrimExpr = Load(buffer, self.indices(buffer))
        if self.rng.randrange(6) == 0:
            value = Select(self.condition(1), value, FloatImm(0.0))
        return value

    def indices(self, buffer: Var) -> tuple[PrimExpr, ...]:
        assert isinstance(buffer.type, BufferType)
        return tuple(self.expr() for _ in buffer.type.shape)

    def value(self) -> PrimExpr:
        value = Cast(self.expr(1), "float32") if self.rng.randrange(4) == 0 else self.load()
        return binary(BinaryOp.ADD, value, self.load()) if self.rng.randrange(3) == 0 else value

    # --- statements -----------------------------------------------------------------------

    def sequence(self, depth: int) -> Stmt:
        count = self.rng.choice([1, 1, 2, 3 if depth else 2])
        body = tuple(self.statement(depth) for _ in range(count))
        return body[0] if len(body) == 1 else Seq(body)

    def statement(self, depth: int) -> Stmt:
        if (len(self.loops) < 2 and depth < 3) or (depth < 4 and self.rng.randrange(2)):
            kind = self.rng.randrange(10)
            if kind < 6 and len(self.loops) < 3:
                return self.loop(depth)
            if kind == 6:
                otherwise = self.sequence(depth + 1) if self.rng.randrange(2) else None
                return If(self.condition(), self.sequence(depth + 1), otherwise)
            if kind == 7:
                return self.let(depth)
            if kind == 8:
                return self.private(depth)
            return self.view(depth)
        return self.block() if self.rng.randrange(3) == 0 else self.store()

    def loop(self, depth: int) -> Stmt:
        var = self.scalar("ijklmnop"[len(self.loops)])
        start: PrimExpr = IntImm(0)
        extent: PrimExpr = IntImm(self.rng.randrange(1, 4))
        if self.rng.randrange(6) == 0:
            start = self.expr(1)
        if self.rng.randrange(4) == 0:
            extent = self.expr(1)
        if self.symbols and self.rng.randrange(2):
            extent = self.symbols[0]
        self.loops.append(var)
        self.scope.append(var)
        body = self.sequence(depth + 1)
        self.scope.remove(var)
        self.loops.pop()
        return For(var, start, extent, body)

    def let(self, depth: int) -> Stmt:
        var = self.scalar("s")
        value = self.expr()
        self.scope.append(var)
        body = self.sequence(depth + 1)
        self.scope.remove(var)
        return Let(var, value, body)

    def private(self, depth: int) -> Stmt:
        buffer = self.buffer("P", 1)
        self.buffers.append(buffer)
        body = self.sequence(depth + 1)
        self.buffers.remove(buffer)
        return Allocate(buffer, body)

    def view(self, depth: int) -> Stmt:
        source = self.buffers[1]
        view = self.buffer("V", 1)
        ranges = (Range(self.expr(1), IntImm(1)), Range(self.expr(1), IntImm(SIZE)))
        self.buffers.append(view)
        body = self.sequence(depth + 1)
        self.buffers.remove(view)
        match = MatchBuffer(view, BufferRegion(source, ranges))
        return Block(self.ids.new(), "view", (), body, match_buffers=(match,))

    def store(self) -> Store:
        buffer = self.rng.choice(self.buffers)
        indices = self.indices(buffer)
        value = self.value()
        if self.rng.randrange(3) == 0:
            op = self.rng.choice([BinaryOp.ADD, BinaryOp.ADD, BinaryOp.MAX])
            value = Binary(op, Load(buffer, indices), value)
        return Store(buffer, indices, value)

    def block(self) -> Stmt:
        """A reduction or a map over the loops around it."""
        axes: list[Axis] = []
        outer = self.scope
        self.scope = []
        for number in range(self.rng.randrange(1, 4)):
            self.scope = list(outer)
            value = (
                self.expr(1) if self.rng.randrange(4) == 0 or not outer else self.rng.choice(outer)
            )
            kind = self.rng.choice([AxisKind.SPATIAL, AxisKind.SPATIAL, AxisKind.REDUCE])
            axes.append(Axis(self.scalar(f"v{number}"), kind, IntImm(40), value))
        predicate = self.condition(1) if self.rng.randrange(3) == 0 else None
        self.scope = [axis.var for axis in axes]
        update = self.store()
        init = None
        if any(axis.kind is AxisKind.REDUCE for axis in axes):
            buffer, indices = update.buffer, update.indices
            if self.rng.randrange(2):
                value = Binary(BinaryOp.ADD, Load(buffer, indices), self.load())
                update = Store(buffer, indices, value)
            init = Store(buffer, indices, FloatImm(0.0))
        self.scope = outer
        return Block(self.ids.new(), "b", tuple(axes), update, init, predicate)
