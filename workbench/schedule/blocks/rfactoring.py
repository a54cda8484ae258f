"""Factoring a reduction: partial results along one loop, combined by a second reduction.

Reference: Suriana, Adams and Kamil, "Parallel Associative Reductions in Halide", CGO 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.dependence import Answer, applies, illegal, inapplicable, unproved
from workbench.analysis.empty_reductions import Reduction
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    Dim,
    FloatImm,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    ScalarType,
    Select,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_dim,
    binary,
    free_vars,
    is_float,
    substitute,
    walk,
)
from workbench.ir.numbers import int_range
from workbench.schedule.blocks.init_twice import init_again
from workbench.schedule.blocks.nest import Nest, known_at, nest_of
from workbench.schedule.blocks.one_to_one import tells_apart
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.schedule.shared import may_share
from workbench.support import NodeId

_BITS = {"8": 8, "16": 16, "32": 32, "64": 64}


@dataclass(frozen=True, slots=True)
class Factored:
    """A reduction in two: the block of partial results, the one that combines, the function."""

    block: Block
    partial: NodeId
    buffer: NodeId
    loops: tuple[NodeId, ...]
    function: TensorFunction
    rounds: bool


@dataclass(frozen=True, slots=True)
class _Reduction:
    nest: Nest
    store: Store
    init: Store
    op: BinaryOp
    operand: PrimExpr

    @property
    def type(self) -> BufferType:
        assert isinstance(self.store.buffer.type, BufferType)
        return self.store.buffer.type


def identity(op: BinaryOp, dtype: str) -> PrimExpr:
    """The value that changes nothing: `op(identity, x) == x` for every `x` of the dtype."""
    if op in {BinaryOp.ADD, BinaryOp.OR}:
        return _number(0, dtype)
    if op in {BinaryOp.MUL, BinaryOp.AND}:
        return _number(1, dtype)
    least = op is BinaryOp.MAX
    if is_float(dtype):
        return FloatImm(float("-inf") if least else float("inf"), dtype)
    lowest, highest = int_range(dtype)
    return IntImm(lowest if least else highest, dtype)


def _number(value: int, dtype: str) -> PrimExpr:
    return FloatImm(float(value), dtype) if is_float(dtype) else IntImm(value, dtype)


_OPERATIONS = frozenset(
    {
        BinaryOp.ADD,
        BinaryOp.MUL,
        BinaryOp.MIN,
        BinaryOp.MAX,
        BinaryOp.AND,
        BinaryOp.OR,
    }
)


def factored(scope: Scope, loop: For, factor_axis: int) -> Factored:
    """The function with the reduction of the block under a loop factored by the loop.

    Raises:
        RefusedError: there is no reduction of a recognised operation, or the loop is not one of
            its loops alone.
        CompileError: `schedule/bad-axis`.
    """
    reduction = _reduction(scope, loop)
    rank = len(reduction.type.shape)
    if not -rank - 1 <= factor_axis <= rank:
        message = f"`factor_axis` is `{factor_axis}`, expected `{-rank - 1}` to `{rank}`"
        raise bad_parameter(scope, "schedule/bad-axis", message)
    place = factor_axis if factor_axis >= 0 else factor_axis + rank + 1
    return _Factoring(scope, reduction, loop, place).run()


def _reduction(scope: Scope, loop: For) -> _Reduction:
    inside = [b for b in scope.blocks if any(s is loop for s in scope.paths[b.id])]
    reducing = [b for b in inside if b.init is not None]
    if len(reducing) != 1:
        message = (
            f"there are `{len(reducing)}` reductions with an init under the loop "
            f"`{loop.var.name}`, expected one"
        )
        raise RefusedError(inapplicable(message, loop.var.id))
    (block,) = reducing
    nest = nest_of(scope, block)
    if not any(own is loop for own in nest.loops):
        message = f"the loop `{loop.var.name}` holds more than `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    _check_loops(nest, loop)
    found = _update(nest)
    if found is None:
        message = (
            f"`{block.name}` is no reduction of the form `{_written(block)} = "
            f"{_written(block)} op x` with an associative and commutative operation"
        )
        raise RefusedError(inapplicable(message, block.id))
    _check_operand(scope, found)
    _check_instances(found, known_at(scope.function, nest.around))
    return found


def _written(block: Block) -> str:
    store = block.body
    return f"{store.buffer.name}[...]" if isinstance(store, Store) else "C[...]"


def _update(nest: Nest) -> _Reduction | None:
    """The update `C[f] = C[f] op x` of a block and its init, None where there is none."""
    store, init = nest.block.body, nest.block.init
    if not isinstance(store, Store) or not isinstance(init, Store):
        return None
    value, own = store.value, Load(store.buffer, store.indices)
    if not isinstance(value, Binary) or value.op not in _OPERATIONS:
        return None
    if init.buffer != store.buffer or init.indices != store.indices:
        return None
    if value.a == own:
        return _Reduction(nest, store, init, value.op, value.b)
    return _Reduction(nest, store, init, value.op, value.a) if value.b == own else None


def _check_operand(scope: Scope, found: _Reduction) -> None:
    block, written = found.nest.block, found.store.buffer
    others = (found.operand, found.init.value, *found.store.indices)
    for part in others:
        for node in walk(part):
            if not isinstance(node, Load):
                continue
            if node.buffer.id == written.id:
                message = f"`{block.name}` reads `{written.name}` beside its update"
                raise RefusedError(illegal(message, block.id))
            if may_share(scope, node.buffer, written):
                message = f"`{block.name}` reads `{node.buffer.name}`, which may show elements of"
                raise RefusedError(unproved(f"{message} `{written.name}`", block.id))
    loops = {loop.var.id for loop in found.nest.loops}
    for part in others:
        for var in free_vars(part).values():
            if var.id in loops:
                message = f"`{block.name}` uses the loop `{var.name}` apart from its axes"
                raise RefusedError(unproved(message, block.id))


def _check_loops(nest: Nest, loop: For) -> None:
    """The loop reduces and does nothing else, and all loops of the reduction are in the nest."""
    block = nest.block
    reduced = {
        var for axis in block.axes if axis.kind is AxisKind.REDUCE for var in free_vars(axis.value)
    }
    if loop.var.id not in reduced:
        message = f"the loop `{loop.var.name}` is no reduction loop of `{block.name}`"
        raise RefusedError(inapplicable(message, block.id))
    for outer in nest.around:
        if isinstance(outer, For) and outer.var.id in reduced:
            message = f"the reduction loop `{outer.var.name}` holds more than `{block.name}`"
            raise RefusedError(inapplicable(message, block.id))
    for mixed in nest.mixed:
        message = (
            f"the loop `{mixed.var.name}` carries a reduction axis of `{block.name}` and another "
            "axis as well"
        )
        raise RefusedError(inapplicable(message, block.id))
    if any(axis.kind is AxisKind.SCAN for axis in block.axes):
        message = f"`{block.name}` is a scan, whose order counts"
        raise RefusedError(illegal(message, block.id))
    _check_bounds(nest, loop)


def _bounds(loop: For) -> set[NodeId]:
    return {*free_vars(loop.start), *free_vars(loop.extent)}


def _check_bounds(nest: Nest, loop: For) -> None:
    """No loop runs from or to what depends on a reduction loop; the factored one on none."""
    block = nest.block
    for carried in nest.carried:
        if any(carried.var.id in _bounds(other) for other in nest.loops):
            message = f"the extent of another loop depends on `{carried.var.name}`"
            raise RefusedError(unproved(message, block.id))
    if _bounds(loop) & {x.var.id for x in nest.loops}:
        message = f"the extent of the loop `{loop.var.name}` depends on other loops"
        raise RefusedError(unproved(message, block.id))


def _check_instances(found: _Reduction, facts: Facts) -> None:
    """Init runs once for each element, and each element has a nest of its own.

    `_Factoring._check_start` looks after the first update.

    Raises:
        RefusedError: where that is not proved.
    """
    nest, block = found.nest, found.nest.block
    reduced = [axis for axis in block.axes if axis.kind is AxisKind.REDUCE]
    if not tells_apart(nest.carried, [axis.value for axis in reduced], facts):
        if again := init_again(nest.carried, [axis.value for axis in reduced]):
            message = f"the init of `{block.name}` runs at {again[0]} and again at {again[1]}"
            raise RefusedError(illegal(message, block.id))
        message = f"it is not proved that the init of `{block.name}` runs once for each element"
        raise RefusedError(unproved(message, block.id))
    own = {axis.var.id for axis in reduced}
    for part in (*found.store.indices, found.init.value):
        if own & free_vars(part).keys():
            message = f"`{block.name}` uses a reduction axis where its result is stored"
            raise RefusedError(unproved(message, block.id))
    known = {axis.var.id: axis.value for axis in block.axes}
    places = [substitute(index, known) for index in found.store.indices]
    free = [loop for loop in nest.free if loop.extent != IntImm(1)]
    if not tells_apart(free, places, facts):
        message = (
            f"it is not proved that the loops around `{block.name}` that do not reduce lead to "
            f"different elements of `{found.store.buffer.name}`"
        )
        raise RefusedError(unproved(message, block.id))


@dataclass(slots=True)
class _Factoring:
    scope: Scope
    reduction: _Reduction
    loop: For
    place: int

    def run(self) -> Factored:
        found, scope = self.reduction, self.scope
        name = scope.free_name(f"{found.nest.block.name}_rf")
        shape = self._with(found.type.shape, self._count())
        same = found.store.buffer.name == found.nest.block.name
        named = name if same else scope.free_name(f"{found.store.buffer.name}_rf")
        buffer = Var(scope.ids.new(), named, replace(found.type, shape=shape, strides=()))
        partial = self._partial(name, buffer)
        whole, loops = self._whole(buffer)
        both = sequence([self._nested(partial), whole])
        inside = any(isinstance(stmt, For) for stmt in found.nest.around)
        if inside:  # each iteration has partial results of its own: the loops may be parallel
            both = Allocate(buffer, both)
        body = replace_statement(scope.function.body, found.nest.outermost, both)
        function = scope.with_body(left_to_analysis(body, found.nest.around))
        if not inside:
            function = replace(function, allocations=(*function.allocations, buffer))
        rounds = is_float(found.type.dtype)  # `min` and `max` choose between zeros of two signs
        return Factored(found.nest.block, partial.id, buffer.id, loops, function, rounds)

    def _count(self) -> Dim:
        """The iterations of the loop, also where its extent may be negative."""
        extent = self.loop.extent
        facts = known_at(self.scope.function, self.reduction.nest.around)
        return as_dim(extent if facts.proves(extent >= 0) else binary(BinaryOp.MAX, extent, 0))

    def _with(self, items: Sequence[Dim], new: Dim) -> tuple[Dim, ...]:
        return (*items[: self.place], new, *items[self.place :])

    # --- partial results ------------------------------------------------------------------

    def _partial(self, name: str, buffer: Var) -> Block:
        """The block that reduces along all other loops."""
        found, scope = self.reduction, self.scope
        old = found.nest.block
        axes, known, loops = self._axes(old)
        factor = axes[0].var
        indices = [substitute(index, known) for index in found.store.indices]
        place = (*indices[: self.place], factor, *indices[self.place :])
        neutral = identity(found.op, found.type.dtype)
        operand = substitute(found.operand, known)
        kept, hidden = self._predicate(loops)
        if hidden is not None:
            operand = Select(hidden, operand, neutral)
        value = Binary(found.op, Load(buffer, place), operand)
        return Block(
            scope.ids.new(),
            name,
            axes,
            Store(buffer, place, value),
            init=Store(buffer, place, neutral),
            predicate=kept,
            annotations=old.annotations,
        )

    def _axes(
        self, old: Block
    ) -> tuple[tuple[Axis, ...], dict[NodeId, PrimExpr], dict[NodeId, PrimExpr]]:
        """Axes of the partial block, that of the factor first; old axes and loops in them.

        Reduction axes that use the factor give way to one axis for each loop in them.
        """
        scope = self.scope
        factor = scope.fresh(f"v_{self.loop.var.name}", ScalarType())
        axes = [Axis(factor, AxisKind.SPATIAL, self.loop.extent, self.loop.var - self.loop.start)]
        loops: dict[NodeId, PrimExpr] = {self.loop.var.id: factor + self.loop.start}
        known: dict[NodeId, PrimExpr] = {}
        mine = {loop.var.id: loop for loop in self.reduction.nest.loops}
        for axis in old.axes:
            if self.loop.var.id not in free_vars(axis.value):
                var = Var(scope.ids.new(), axis.var.name, axis.var.type)
                axes.append(replace(axis, var=var))
                known[axis.var.id] = var
                if isinstance(axis.value, Var):
                    loops.setdefault(axis.value.id, var)
                continue
            for ident in free_vars(axis.value):
                loop = mine.get(ident)
                if loop is not None and ident not in loops:
                    var = scope.fresh(f"v_{loop.var.name}", ScalarType())
                    value = loop.var - loop.start
                    axes.append(Axis(var, AxisKind.REDUCE, loop.extent, value))
                    loops[ident] = var + loop.start
            known[axis.var.id] = substitute(axis.value, loops)
        return tuple(axes), known, loops

    def _predicate(self, loops: dict[NodeId, PrimExpr]) -> tuple[PrimExpr | None, PrimExpr | None]:
        """What of the predicate does not depend on the factor, and what does, over new axes."""
        parts = self._conditions()
        kept = [part for part in parts if self.loop.var.id not in free_vars(part)]
        hidden = [substitute(part, loops) for part in parts if self.loop.var.id in free_vars(part)]
        return conjunction(*kept), conjunction(*hidden)

    def _conditions(self) -> list[PrimExpr]:
        block = self.reduction.nest.block
        values = {a.var.id: a.value for a in block.axes}
        return [substitute(part, values) for part in conjuncts(block.predicate)]

    def _initialised(self, facts: Facts) -> PrimExpr | None:
        """The condition under which elements have an initial value, over the spatial loops.

        Raises:
            RefusedError: where it is not proved that every first update is run.
        """
        carried = self.reduction.nest.carried
        zeros = {loop.var.id: loop.start for loop in carried}
        moving, inside = set(zeros), facts
        for loop in carried:
            inside = inside.with_range(loop.var, loop_interval(loop.start, loop.extent))
        kept: list[PrimExpr] = []
        for part in self._conditions():
            if not moving & free_vars(part).keys():
                kept.append(part)
                continue
            first = facts.simplify(substitute(part, zeros))
            if inside.assume(part).proves(first) is not True:
                block = self.reduction.nest.block
                message = f"it is not proved that `{block.name}` runs its first update"
                raise RefusedError(unproved(message, block.id))
            kept += [] if first == IntImm(1, "bool") or self._always() else [first]
        counts = [Binary(BinaryOp.GT, loop.extent, IntImm(0)) for loop in carried]
        open_ones = [count for count in counts if facts.proves(count) is not True]
        if open_ones and not self._always():
            kept += open_ones
        return conjunction(*kept)

    def _always(self) -> bool:
        """Whether elements are initialised also where there is nothing to reduce."""
        block = self.reduction.nest.block
        return Reduction(block, self.scope.paths[block.id]).simple is not None

    def _check_start(self, facts: Facts) -> None:
        """The first update of the nest is the one that init precedes: reduction axes are zero.

        Raises:
            RefusedError: where that is not proved.
        """
        nest = self.reduction.nest
        starts = {loop.var.id: loop.start for loop in nest.carried}
        for axis in nest.block.axes:
            first = facts.simplify(substitute(axis.value, starts))
            if axis.kind is AxisKind.REDUCE and first != IntImm(0):
                name = f"the axis `{axis.var.name}` of `{nest.block.name}`"
                if isinstance(first, IntImm):
                    message = f"{name} begins at `{first.value}`, not at `0`, where its init runs"
                    raise RefusedError(inapplicable(message, nest.block.id))
                message = f"it is not proved that {name} begins at `0`, where its init runs"
                raise RefusedError(unproved(message, nest.block.id))

    def _nested(self, block: Block) -> Stmt:
        """The loops of the nest around another block."""
        stmt: Stmt = block
        for loop in reversed(self.reduction.nest.loops):
            stmt = replace(loop, body=stmt)
        return stmt

    def _facts(self) -> Facts:
        """What is known in the loops that carry no reduction."""
        nest = self.reduction.nest
        facts = known_at(self.scope.function, nest.around)
        for loop in nest.free:
            facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
        return facts

    # --- the whole ------------------------------------------------------------------------

    def _whole(self, buffer: Var) -> tuple[Stmt, tuple[NodeId, ...]]:
        """The nest that combines the partial results; keeps the block."""
        found, scope = self.reduction, self.scope
        old = found.nest.block
        loops = [*found.nest.free, self.loop]
        fresh = {loop.var.id: scope.fresh(loop.var.name, loop.var.type) for loop in loops}
        axes = [
            replace(axis, value=substitute(axis.value, dict(fresh)))
            for axis in old.axes
            if axis.kind is not AxisKind.REDUCE
        ]
        reduced = scope.fresh(f"v_{self.loop.var.name}", ScalarType())
        value = fresh[self.loop.var.id] - self.loop.start
        axes.append(Axis(reduced, AxisKind.REDUCE, self.loop.extent, value))
        indices = found.store.indices
        place = (*indices[: self.place], reduced, *indices[self.place :])
        own = Load(found.store.buffer, indices)
        facts = self._facts()
        self._check_start(facts)
        kept = self._initialised(facts)
        block = replace(
            old,
            axes=tuple(axes),
            body=replace(found.store, value=Binary(found.op, own, Load(buffer, place))),
            predicate=None if kept is None else substitute(kept, dict(fresh)),
            reads=None,
            writes=None,
        )
        stmt: Stmt = block
        for loop in reversed(loops):
            start, extent = (substitute(x, dict(fresh)) for x in (loop.start, loop.extent))
            stmt = For(fresh[loop.var.id], start, extent, stmt, LoopKind.SERIAL)
        return stmt, tuple(var.id for var in fresh.values())


def factoring_keeps(plan: Factored) -> Answer:
    """Legal by form: an associative and commutative operation, nothing else in the nest."""
    return applies(reassociates=plan.rounds)
