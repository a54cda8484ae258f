"""Bodies of a factored reduction: what makes partial results, and what combines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from workbench.analysis.conjunctions import conjunction
from workbench.ir import (
    Binary,
    BinaryOp,
    Dim,
    FloatImm,
    IntImm,
    Intrinsic,
    Let,
    Load,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Stmt,
    Store,
    Var,
    dtype_of,
    is_float,
    substitute,
)
from workbench.schedule.blocks.accumulators import Accumulator
from workbench.schedule.blocks.combiner import Combiner, Presence
from workbench.schedule.scope import Scope
from workbench.support import NodeId

FLAG = "int8"
_NONE, _SOME, _RESET = (IntImm(value, FLAG) for value in (0, 1, 2))


@dataclass(frozen=True, slots=True)
class Partials:
    """Buffers of partial results: one an accumulator, and one a combiner that says what is there.

    `place` is the dimension that the factored loop has in them.
    """

    parts: tuple[Accumulator, ...]
    combiners: tuple[Combiner, ...]
    place: int
    buffers: tuple[Var, ...]
    flags: tuple[Var | None, ...]

    @property
    def all(self) -> tuple[Var, ...]:
        """All buffers."""
        return (*self.buffers, *(flag for flag in self.flags if flag is not None))

    def partial(
        self, factor: PrimExpr, known: Mapping[NodeId, PrimExpr], hidden: PrimExpr | None
    ) -> list[Store]:
        """The update of partial results with the operands where a condition holds."""
        stores: list[Store] = []
        for combiner, flag in zip(self.combiners, self.flags, strict=True):
            guard = conjunction(hidden, _in(combiner.guard, known))
            operands = [substitute(x, dict(known)) for x in combiner.operands]
            places = self._places(combiner, factor, known)
            own = [Load(self.buffers[n], at) for n, at in zip(combiner.parts, places, strict=True)]
            if flag is None:
                if guard is not None:
                    pairs = zip(operands, combiner.neutral, strict=True)
                    operands = [Select(guard, x, e) for x, e in pairs]
                values = list(combiner.apply(own, operands))
            else:
                there = Load(flag, places[0])
                first = Binary(BinaryOp.EQ, there, _NONE)
                pairs = zip(operands, combiner.apply(own, operands), strict=True)
                values = [Select(first, x, value) for x, value in pairs]
                own, values = [*own, there], [*values, _noted(combiner, there, operands)]
                if guard is not None:
                    pairs = zip(values, own, strict=True)
                    values = [Select(guard, value, old) for value, old in pairs]
            stores += [Store(x.buffer, x.indices, v) for x, v in zip(own, values, strict=True)]
        return stores

    def initial(self, factor: PrimExpr, known: Mapping[NodeId, PrimExpr]) -> list[Store]:
        """Partial results of nothing."""
        stores: list[Store] = []
        for combiner, flag in zip(self.combiners, self.flags, strict=True):
            places = self._places(combiner, factor, known)
            values = combiner.neutral or [_zero(self.parts[n].type.dtype) for n in combiner.parts]
            for n, at, value in zip(combiner.parts, places, values, strict=True):
                stores.append(Store(self.buffers[n], at, value))
            if flag is not None:
                stores.append(Store(flag, places[0], _NONE))
        return stores

    def whole(self, factor: PrimExpr) -> list[Store]:
        """The update of the elements with partial results."""
        stores: list[Store] = []
        for combiner, flag in zip(self.combiners, self.flags, strict=True):
            places = self._places(combiner, factor, {})
            found = [
                Load(self.buffers[n], at) for n, at in zip(combiner.parts, places, strict=True)
            ]
            own = [self.parts[n].own for n in combiner.parts]
            values = list(combiner.apply(own, found))
            if flag is not None:
                there = Load(flag, places[0])
                if combiner.presence is Presence.RESET:
                    again = Binary(BinaryOp.EQ, there, _RESET)
                    pairs = zip(found, values, strict=True)
                    values = [Select(again, new, value) for new, value in pairs]
                nothing = Binary(BinaryOp.EQ, there, _NONE)
                values = [Select(nothing, old, v) for old, v in zip(own, values, strict=True)]
            stores += [Store(x.buffer, x.indices, v) for x, v in zip(own, values, strict=True)]
        return stores

    def _places(
        self, combiner: Combiner, factor: PrimExpr, known: Mapping[NodeId, PrimExpr]
    ) -> list[tuple[PrimExpr, ...]]:
        found: list[tuple[PrimExpr, ...]] = []
        for n in combiner.parts:
            indices = [substitute(index, dict(known)) for index in self.parts[n].indices]
            found.append((*indices[: self.place], factor, *indices[self.place :]))
        return found


def partials(
    scope: Scope,
    names: Sequence[str],
    parts: tuple[Accumulator, ...],
    combiners: tuple[Combiner, ...],
    place: int,
    count: Dim,
) -> Partials:
    """New buffers for partial results, with a dimension of `count` more."""

    def new(part: Accumulator, name: str, dtype: str) -> Var:
        shape = part.type.shape
        more = (*shape[:place], count, *shape[place:])
        type_ = replace(part.type, shape=more, strides=(), dtype=dtype)
        return Var(scope.ids.new(), name, type_)

    buffers = tuple(
        new(part, name, part.type.dtype) for part, name in zip(parts, names, strict=True)
    )
    flags: list[Var | None] = []
    for combiner in combiners:
        first = combiner.parts[0]
        has = combiner.presence is not Presence.NONE
        name = scope.free_name(f"{names[first]}_has") if has else ""
        flags.append(new(parts[first], name, FLAG) if has else None)
    return Partials(parts, combiners, place, buffers, tuple(flags))


def together(scope: Scope, stores: Sequence[Store]) -> Stmt:
    """Stores of values that are computed before any of them is stored."""
    if len(stores) == 1:
        return stores[0]
    names = [
        scope.fresh(f"{store.buffer.name}_new", ScalarType(dtype_of(store.value)))
        for store in stores
    ]
    stmt: Stmt = Seq(
        tuple(replace(store, value=name) for store, name in zip(stores, names, strict=True))
    )
    for store, name in zip(reversed(stores), reversed(names), strict=True):
        stmt = Let(name, store.value, stmt)
    return stmt


def one_by_one(stores: Sequence[Store]) -> Stmt:
    """Stores that do not look at each other."""
    return stores[0] if len(stores) == 1 else Seq(tuple(stores))


def _noted(combiner: Combiner, there: Load, operands: Sequence[PrimExpr]) -> PrimExpr:
    """What is there after operands came."""
    if combiner.presence is Presence.FIRST:
        return _SOME
    watched = [Intrinsic("isnan", (operands[n],), "bool") for n in combiner.watched]
    again: PrimExpr = reduce(lambda a, b: Binary(BinaryOp.OR, a, b), watched[1:], watched[0])
    return Select(again, _RESET, Binary(BinaryOp.MAX, there, _SOME))


def _in(expr: PrimExpr | None, known: Mapping[NodeId, PrimExpr]) -> PrimExpr | None:
    return None if expr is None else substitute(expr, dict(known))


def _zero(dtype: str) -> PrimExpr:
    return FloatImm(0.0, dtype) if is_float(dtype) else IntImm(0, dtype)
