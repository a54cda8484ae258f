"""What a small program does, instance by instance: the truth that answers are compared with.

It walks the program as the interpreter does, and shares no code with the analysis.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from workbench.ir import (
    Allocate,
    AxisKind,
    Binary,
    Block,
    BufferType,
    Cast,
    Evaluate,
    FloatImm,
    For,
    If,
    IntImm,
    Intrinsic,
    Let,
    Load,
    Not,
    PrimExpr,
    Select,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    fold_int,
)
from workbench.ir.expr import BinaryOp

COMPARE = {
    BinaryOp.EQ: operator.eq,
    BinaryOp.NE: operator.ne,
    BinaryOp.LT: operator.lt,
    BinaryOp.LE: operator.le,
    BinaryOp.GT: operator.gt,
    BinaryOp.GE: operator.ge,
}
Element = tuple[int, tuple[int, ...]]
"""A buffer in memory, by number, and coordinates."""


@dataclass(frozen=True)
class Event:
    """One instance of a statement: values of the loops around it, and what it touches."""

    statement: int
    loops: tuple[tuple[int, int], ...]
    values: Mapping[int, float]
    reads: frozenset[tuple[Element, bool]]
    writes: frozenset[tuple[Element, bool]]
    update: str

    def value(self, loop: int) -> int | None:
        return dict(self.loops).get(loop)


class OutOfRangeError(Exception):
    """A block axis takes a value outside of its extent: no valid program."""


@dataclass
class Machine:
    """Runs a function on memory that starts with `memory`, and records events."""

    symbols: dict[int, float]
    memory: dict[Element, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1_000_000))

    def run(self, function: TensorFunction) -> list[Event]:
        self.leaves: dict[int, int] = {}
        self.number(function.body)
        self.values = dict(self.symbols)
        self.views: dict[int, tuple[int, tuple[int, ...], int]] = {}
        self.storage: dict[int, int] = {}
        self.loops: list[tuple[int, int]] = []
        self.controls: list[set[tuple[Element, bool]]] = []
        self.touched: set[tuple[Element, bool]] = set()
        self.statement(function.body)
        return self.events

    def number(self, stmt: Stmt) -> None:
        match stmt:
            case Store() | Evaluate() | While():
                self.leaves[id(stmt)] = len(self.leaves)
            case Seq(body=body):
                for item in body:
                    self.number(item)
            case If(then=then, otherwise=otherwise):
                self.number(then)
                if otherwise is not None:
                    self.number(otherwise)
            case Block(init=init, body=body):
                if init is not None:
                    self.number(init)
                self.number(body)
            case For(body=body) | Let(body=body) | Allocate(body=body):
                self.number(body)

    # --- expressions ----------------------------------------------------------------------

    def element(self, buffer: Var, indices: Sequence[PrimExpr]) -> Element:
        at = tuple(int(self.eval(index)) for index in indices)
        ident = int(buffer.id)
        while ident in self.views:
            source, starts, rank = self.views[ident]
            dropped = len(starts) - rank
            shifted = (s + i for s, i in zip(starts[dropped:], at, strict=True))
            ident, at = source, (*starts[:dropped], *shifted)
        return self.storage.get(ident, ident), at

    def eval(self, expr: PrimExpr) -> float:
        match expr:
            case IntImm(value=value) | FloatImm(value=value):
                return value
            case Var(id=ident):
                return self.values[ident]
            case Load(buffer=buffer, indices=indices):
                element = self.element(buffer, indices)
                self.touched.add((element, expr == self.own))
                return self.memory.get(element, 0)
            case Select(condition=condition, true_value=a, false_value=b):
                return self.eval(a if self.eval(condition) else b)
            case Not(value=value):
                return int(not self.eval(value))
            case Cast(value=value):
                return self.eval(value)
            case Binary(op=op, a=a, b=b):
                return self.binary(op, a, b)
            case Intrinsic(name="isnan", args=(value,)):
                return int(math.isnan(self.eval(value)))
            case _:
                raise AssertionError(expr)

    own: PrimExpr | None = None

    def binary(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> float:
        left = self.eval(a)
        if op is BinaryOp.AND and not left:
            return 0
        if op is BinaryOp.OR and left:
            return 1
        right = self.eval(b)
        if isinstance(left, int) and isinstance(right, int):
            found = fold_int(op, left, right)
            assert found is not None
            return found
        if op in COMPARE:
            return int(COMPARE[op](left, right))
        return {BinaryOp.ADD: left + right, BinaryOp.MUL: left * right}.get(op, left)

    # --- statements -----------------------------------------------------------------------

    def control(self, expr: PrimExpr) -> float:
        self.touched = set()
        value = self.eval(expr)
        self.controls[-1] |= self.touched
        return value

    def statement(self, stmt: Stmt) -> None:  # noqa: C901, PLR0912 one case a node
        self.controls.append(set())
        match stmt:
            case Store():
                self.store(stmt)
            case Evaluate(value=value):
                self.record(stmt, value, None)
            case Seq(body=body):
                for item in body:
                    self.statement(item)
            case For(var=var, start=start, extent=extent, body=body):
                low, many = int(self.control(start)), int(self.control(extent))
                for value in range(low, low + many):
                    self.values[var.id] = value
                    self.loops.append((var.id, value))
                    self.statement(body)
                    self.loops.pop()
            case If(condition=condition, then=then, otherwise=otherwise):
                if self.control(condition):
                    self.statement(then)
                elif otherwise is not None:
                    self.statement(otherwise)
            case Let(var=var, value=value, body=body):
                self.values[var.id] = self.control(value)
                self.statement(body)
            case Allocate(buffer=buffer, body=body):
                self.storage[buffer.id] = next(self.numbers)
                self.statement(body)
            case Block():
                self.block(stmt)
            case While():
                raise AssertionError(stmt)
        self.controls.pop()

    def store(self, store: Store) -> None:
        self.record(store, store.value, store)

    def record(self, leaf: Store | Evaluate, value: PrimExpr, store: Store | None) -> None:
        self.touched = set()
        self.own = Load(store.buffer, store.indices) if store is not None else None
        result = self.eval(value)
        writes = frozenset[tuple[Element, bool]]()
        update = ""
        if store is not None:
            target = self.element(store.buffer, store.indices)
            update = reduction(store)
            writes = frozenset({(target, bool(update))})
            self.memory[target] = result
        reads = {(e, own and bool(update)) for e, own in self.touched}
        for controls in self.controls:
            reads |= controls
        self.own = None
        self.events.append(
            Event(
                self.leaves[id(leaf)],
                tuple(self.loops),
                dict(self.values),
                frozenset(reads),
                writes,
                update,
            )
        )

    def block(self, block: Block) -> None:
        for axis in block.axes:
            self.values[axis.var.id] = self.control(axis.value)
        if block.predicate is not None and not self.control(block.predicate):
            return
        for axis in block.axes:
            if not 0 <= self.values[axis.var.id] < self.control(axis.extent):
                raise OutOfRangeError
        for buffer in block.allocations:
            self.storage[buffer.id] = next(self.numbers)
        for match in block.match_buffers:
            starts = tuple(int(self.eval(r.start)) for r in match.source.ranges)
            type_ = match.buffer.type
            assert isinstance(type_, BufferType)
            rank = len(type_.shape)
            self.views[match.buffer.id] = (match.source.buffer.id, starts, rank)
        first = all(self.values[a.var.id] == 0 for a in block.axes if a.kind is AxisKind.REDUCE)
        if block.init is not None and first:
            self.statement(block.init)
        self.statement(block.body)


def reduction(store: Store) -> str:
    """The operation of `C[f] = C[f] op x`, as generated programs write it; else empty."""
    value = store.value
    own = Load(store.buffer, store.indices)
    if not isinstance(value, Binary) or value.a != own:
        return ""
    if value.op not in {BinaryOp.ADD, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX}:
        return ""
    return "" if reads_buffer((value.b, *store.indices), store.buffer) else value.op.value


def reads_buffer(parts: Sequence[PrimExpr], buffer: Var) -> bool:
    pending: list[object] = list(parts)
    while pending:
        node = pending.pop()
        if isinstance(node, Load):
            if node.buffer.id == buffer.id:
                return True
            pending += node.indices
        elif isinstance(node, Binary):
            pending += [node.a, node.b]
        elif isinstance(node, Select):
            pending += [node.condition, node.true_value, node.false_value]
        elif isinstance(node, Cast | Not):
            pending.append(node.value)
    return False


def conflicts(a: Event, b: Event) -> Iterator[bool]:
    """For each element that both touch, one writing: whether both are one kind of update."""
    for one, other in ((a.writes, b.writes | b.reads), (a.reads, b.writes)):
        for element, own in one:
            for also, theirs in other:
                if element == also:
                    yield own and theirs and a.update == b.update != ""


def carried(events: Sequence[Event], loop: int) -> bool:
    """Whether two iterations of a loop conflict, with the same iterations of all loops around."""
    groups: dict[object, list[Event]] = {}
    for event in events:
        ids = [ident for ident, _ in event.loops]
        if loop in ids:
            groups.setdefault(event.loops[: ids.index(loop)], []).append(event)
    return any(
        a.value(loop) != b.value(loop) and any(True for _ in conflicts(a, b))
        for group in groups.values()
        for n, a in enumerate(group)
        for b in group[n + 1 :]
    )


def reversed_pairs(events: Sequence[Event], time: Mapping[int, object], *, commuting: bool) -> bool:
    """Whether a new order, a key of each event by position, reverses a dependence."""
    for n, a in enumerate(events):
        for m in range(n + 1, len(events)):
            if time[n] >= time[m] and any(  # pyright: ignore[reportOperatorIssue]
                both == commuting for both in conflicts(a, events[m])
            ):
                return True
    return False
