"""Factoring a reduction: partial results along one loop, combined by a second reduction.

Reference: Suriana, Adams and Kamil, "Parallel Associative Reductions in Halide", CGO 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.analysis.dependence import Answer, applies, inapplicable, unproved
from workbench.analysis.empty_reductions import Reduction
from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    Dim,
    For,
    IntImm,
    LoopKind,
    PrimExpr,
    ScalarType,
    Stmt,
    TensorFunction,
    Var,
    as_dim,
    binary,
    free_vars,
    substitute,
)
from workbench.schedule.blocks.bare_updates import reducing
from workbench.schedule.blocks.combiner import Presence
from workbench.schedule.blocks.factorable import Factorable, factorable, initialised, taken_apart
from workbench.schedule.blocks.loops_renamed import loops_renamed
from workbench.schedule.blocks.nest import known_at
from workbench.schedule.blocks.partials import Partials, one_by_one, partials, together
from workbench.schedule.buffers.declared import left_to_analysis
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.refusal import RefusedError
from workbench.schedule.scope import Scope, replace_statement, sequence
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Factored:
    """A reduction in two: the block of partial results, the one that combines, the function."""

    block: Block
    partial: NodeId
    loops: tuple[NodeId, ...]
    function: TensorFunction
    rounds: bool
    notes: tuple[str, ...] = ()


def factored(scope: Scope, loop: For, factor_axis: int) -> Factored:
    """The function with the reduction of the block under a loop factored by the loop.

    A loop that was fused is factored by its digit that reduces.

    Raises:
        RefusedError: there is no reduction of a recognised operation, or the loop is not one of
            its loops alone.
        CompileError: `schedule/bad-axis`.
    """
    fused = taken_apart(scope, loop)
    if fused is not None:
        plan = _factored(fused.scope, fused.digit, factor_axis, fused.loop)
        return replace(plan, function=fused.together(plan.function))
    return _factored(scope, loop, factor_axis, None)


def _factored(scope: Scope, loop: For, factor_axis: int, fused: For | None) -> Factored:
    """The same of a loop that is a digit of `fused`, or is not fused."""
    if not initialised(scope, loop):
        scope, loop = _with_axes(scope, loop)
    reduction = factorable(scope, loop)
    rank = min(len(part.type.shape) for part in reduction.parts)
    if not -rank - 1 <= factor_axis <= rank:
        message = f"`factor_axis` is `{factor_axis}`, expected `{-rank - 1}` to `{rank}`"
        raise bad_parameter(scope, "schedule/bad-axis", message)
    place = factor_axis if factor_axis >= 0 else factor_axis + rank + 1
    return _Factoring(scope, reduction, loop, place, fused).run()


def _with_axes(scope: Scope, loop: For) -> tuple[Scope, For]:
    """The function where an update without an init is a block of loops, and the loop in it.

    Raises:
        RefusedError: there is no such update.
    """
    changed = reducing(scope, loop)
    if changed is None:
        message = f"the loop `{loop.var.name}` holds no update `C[...] = C[...] op x` alone"
        hint = "take the loop around one block that reduces"
        raise RefusedError(inapplicable(message, loop.var.id, hint=hint))
    return changed, next(own for own in changed.loops if own.var.id == loop.var.id)


@dataclass(slots=True)
class _Factoring:
    scope: Scope
    reduction: Factorable
    loop: For
    place: int
    fused: For | None
    """The loop of which `loop` is a digit: no nest of which it is known where its init runs."""

    def run(self) -> Factored:
        found, scope = self.reduction, self.scope
        name = scope.free_name(f"{found.block.name}_rf")
        names = [
            name if written == found.block.name else scope.free_name(f"{written}_rf")
            for written in (part.buffer.name for part in found.parts)
        ]
        made = partials(scope, names, found.parts, found.combiners, self.place, self._count())
        partial = self._partial(name, made)
        whole, loops = self._whole(made)
        both = sequence([self._nested(partial), whole])
        inside = any(isinstance(stmt, For) for stmt in found.nest.around)
        if inside:  # each iteration has partial results of its own: the loops may be parallel
            for buffer in reversed(made.all):
                both = Allocate(buffer, both)
        body = replace_statement(scope.function.body, found.nest.outermost, both)
        function = scope.with_body(left_to_analysis(body, found.nest.around))
        if not inside:
            function = replace(function, allocations=(*function.allocations, *made.all))
        return Factored(found.block, partial.id, loops, function, found.rounds, _notes(made))

    def _count(self) -> Dim:
        """The iterations of the loop, also where its extent may be negative."""
        extent = self.loop.extent
        facts = known_at(self.scope.function, self.reduction.nest.around)
        return as_dim(extent if facts.proves(extent >= 0) else binary(BinaryOp.MAX, extent, 0))

    # --- partial results ------------------------------------------------------------------

    def _partial(self, name: str, made: Partials) -> Block:
        """The block that reduces along all other loops."""
        scope, old = self.scope, self.reduction.block
        axes, known, loops = self._axes(old)
        factor = axes[0].var
        kept, hidden = self._predicate(loops)
        return Block(
            scope.ids.new(),
            name,
            axes,
            together(scope, made.partial(factor, known, hidden)),
            init=one_by_one(made.initial(factor, known)),
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
            known[axis.var.id] = loops_renamed(axis.value, loops)
        return tuple(axes), known, loops

    def _predicate(self, loops: dict[NodeId, PrimExpr]) -> tuple[PrimExpr | None, PrimExpr | None]:
        """What of the predicate does not depend on the factor, and what does, over new axes."""
        parts = self._conditions()
        kept = [part for part in parts if self.loop.var.id not in free_vars(part)]
        moving = (part for part in parts if self.loop.var.id in free_vars(part))
        hidden = [loops_renamed(part, loops) for part in moving]
        if hidden:
            kept += self._inside(kept)
        return conjunction(*kept), conjunction(*hidden)

    def _inside(self, kept: Sequence[PrimExpr]) -> list[PrimExpr]:
        """That old axes stay inside of their extents where what the factor decides is hidden."""
        nest = self.reduction.nest
        facts = known_at(self.scope.function, nest.around)
        for loop in nest.loops:
            facts = facts.with_range(loop.var, loop_interval(loop.start, loop.extent))
        for part in kept:
            facts = facts.assume(part)
        values = [
            (axis.value, axis.extent)
            for axis in self.reduction.block.axes
            if self.loop.var.id not in free_vars(axis.value)
        ]
        bounds = [part for value, extent in values for part in (value >= 0, value < extent)]
        return [part for part in bounds if facts.proves(part) is not True]

    def _conditions(self) -> list[PrimExpr]:
        block = self.reduction.block
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
                block = self.reduction.block
                message = f"it is not proved that `{block.name}` runs its first update"
                raise RefusedError(unproved(message, block.id))
            kept += [] if first == IntImm(1, "bool") or self._always() else [first]
        counts = [Binary(BinaryOp.GT, loop.extent, IntImm(0)) for loop in carried]
        open_ones = [count for count in counts if facts.proves(count) is not True]
        if open_ones and not self._always():
            kept += open_ones
        return conjunction(*kept)

    def _always(self) -> bool:
        """Whether elements are initialised also where there is nothing to reduce.

        Not where one loop leads to elements and reduces: init runs where its first iteration does.
        """
        if self.fused is not None:
            return False
        block = self.reduction.block
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

    def _whole(self, made: Partials) -> tuple[Stmt, tuple[NodeId, ...]]:
        """The nest that combines the partial results; keeps the block."""
        found, scope = self.reduction, self.scope
        old = found.block
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
        facts = self._facts()
        if old.init is not None:
            self._check_start(facts)
        kept = self._initialised(facts)
        block = replace(
            old,
            axes=tuple(axes),
            body=together(scope, made.whole(reduced)),
            predicate=None if kept is None else substitute(kept, dict(fresh)),
            reads=None,
            writes=None,
        )
        stmt: Stmt = block
        for loop in reversed(loops):
            start, extent = (substitute(x, dict(fresh)) for x in (loop.start, loop.extent))
            stmt = For(fresh[loop.var.id], start, extent, stmt, LoopKind.SERIAL)
        return stmt, tuple(var.id for var in fresh.values())


def _notes(made: Partials) -> tuple[str, ...]:
    """What partial results say beside their values."""
    found: list[str] = []
    for combiner, flag in zip(made.combiners, made.flags, strict=True):
        names = " and ".join(f"`{made.parts[n].buffer.name}`" for n in combiner.parts)
        if flag is not None and combiner.presence is Presence.FIRST:
            found.append(f"no values leave {names} as they are: `{flag.name}` says what is there")
        elif flag is not None:
            found.append(f"a NaN makes {names} begin again: `{flag.name}` says where one was")
    return tuple(found)


def factoring_keeps(plan: Factored) -> Answer:
    """Legal by form: an associative combination of its operands, nothing else in the nest."""
    return applies(notes=plan.notes, reassociates=plan.rounds)
