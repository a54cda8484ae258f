"""What one instance of a block does to the elements that it updates, as expressions.

The body is run with its elements as they were before: stores, scalars and branches become one
expression for each element. Reference: King, "Symbolic Execution and Program Testing", 1976.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.ir import (
    Allocate,
    Block,
    BufferType,
    If,
    Let,
    Load,
    PrimExpr,
    Select,
    Seq,
    Stmt,
    Store,
    Var,
    substitute,
    transform,
    walk,
)
from workbench.ir.traverse import Node
from workbench.support import NodeId

Element = tuple[NodeId, tuple[PrimExpr, ...]]
State = dict[Element, PrimExpr]
"""The values of elements, of scalars under no index, in terms of what they were before."""


@dataclass(frozen=True, slots=True)
class Accumulator:
    """An element of `buffer` that a block updates: `after` in terms of loads of those before.

    `initial` is what its init stores, None where the block has no init.
    """

    buffer: Var
    indices: tuple[PrimExpr, ...]
    after: PrimExpr
    initial: PrimExpr | None

    @property
    def own(self) -> Load:
        """The element before."""
        return Load(self.buffer, self.indices)

    @property
    def type(self) -> BufferType:
        """The type of the buffer."""
        assert isinstance(self.buffer.type, BufferType)
        return self.buffer.type


def accumulators(block: Block) -> tuple[Accumulator, ...] | None:
    """The elements that a block updates, in the order of its first stores.

    None where the body does more than to compute scalars and to store one element of each buffer,
    or where its init does not set just these.
    """
    if block.match_buffers or block.allocations:
        return None
    run = _Run({}, {}, set())
    if not run.statement(block.body):
        return None
    values = [run.state[key] for key in run.written]
    if any(isinstance(n, Load) and n.buffer.id in run.scalars for v in values for n in walk(v)):
        return None  # a scalar that is read before it has a value
    initial = _initial(block)
    if initial is None or (block.init is not None and initial.keys() != run.written.keys()):
        return None
    found = tuple(
        Accumulator(run.written[key], key[1], run.state[key], initial.get(key))
        for key in run.written
    )
    alone = len({part.buffer.id for part in found}) == len(found)
    return found if found and alone else None


def _initial(block: Block) -> State | None:
    if block.init is None:
        return {}
    items = block.init.body if isinstance(block.init, Seq) else (block.init,)
    stores = [item for item in items if isinstance(item, Store)]
    found = {(store.buffer.id, store.indices): store.value for store in stores}
    return found if len(found) == len(items) else None


@dataclass(slots=True)
class _Run:
    """The values so far; `written` has the buffers of elements, `scalars` those that are local."""

    state: State
    written: dict[Element, Var]
    scalars: set[NodeId]

    def statement(self, stmt: Stmt) -> bool:
        """Run a statement; False where it is of another kind."""
        match stmt:
            case Seq(body=body):
                return all(self.statement(item) for item in body)
            case Store(buffer=buffer, indices=indices, value=value):
                key = buffer.id, tuple(self._now(index) for index in indices)
                self.state[key] = self._now(value)
                if buffer.id not in self.scalars:
                    self.written.setdefault(key, buffer)
                return True
            case Let(var=var, value=value, body=body):
                return self.statement(substitute(body, {var.id: self._now(value)}))
            case Allocate(buffer=Var(id=ident, type=BufferType(shape=())), body=body):
                self.scalars.add(ident)
                return self.statement(body)
            case If():
                return self._branch(stmt)
            case _:
                return False

    def _branch(self, stmt: If) -> bool:
        """Run both sides; what they leave behind is chosen between."""
        condition, before = self._now(stmt.condition), dict(self.state)
        if not self.statement(stmt.then):
            return False
        first, self.state = self.state, before
        if stmt.otherwise is not None and not self.statement(stmt.otherwise):
            return False
        for key in {**first, **self.state}:
            old = self._before(key)
            a, b = first.get(key, old), self.state.get(key, old)
            if a is not None and b is not None:
                self.state[key] = a if a == b else Select(condition, a, b)
        return True

    def _before(self, key: Element) -> PrimExpr | None:
        buffer = self.written.get(key)
        return None if buffer is None else Load(buffer, key[1])

    def _now(self, expr: PrimExpr) -> PrimExpr:
        """An expression with the values that elements and scalars have now."""

        def value(node: Node) -> Node:
            if not isinstance(node, Load):
                return node
            return self.state.get((node.buffer.id, node.indices), node)

        return transform(expr, value)
