"""Combiners: how a reduction puts elements together, and what may be done with it.

A block updates one element or several at once. Those that look at each other belong together, as
the value and the index of a maximum do; the rest are reductions by themselves. What chooses by
comparisons is decided for all orders of values by `order_types`; sums and products are known.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workbench.analysis.conjunctions import conjunction, conjuncts
from workbench.ir import (
    Binary,
    BinaryOp,
    FloatImm,
    IntImm,
    Load,
    Not,
    PrimExpr,
    ScalarType,
    Select,
    Var,
    is_float,
    substitute,
    walk,
)
from workbench.ir.binary_op import COMPARISONS, LOGICAL
from workbench.ir.numbers import int_range
from workbench.schedule.blocks.accumulators import Accumulator
from workbench.schedule.blocks.order_types import Choice, Laws
from workbench.support import NodeId


class Presence(enum.Enum):
    """What partial results say beside their values.

    `NONE`: nothing, they begin with a value that changes no other one. `FIRST`: whether there is
    one. `RESET`: also whether a NaN was among them, after which the reduction began again.
    """

    NONE = enum.auto()
    FIRST = enum.auto()
    RESET = enum.auto()


class Order(enum.Enum):
    """Whether operands may change their order: always, but for the sign of zeros or for NaN."""

    FREE = enum.auto()
    ROUNDS = enum.auto()
    NAN = enum.auto()
    KEPT = enum.auto()


@dataclass(frozen=True, slots=True)
class Combiner:
    """Elements that are updated together: `after` in terms of variables `old` and `new`.

    `parts` are the positions of their accumulators, `operands` what `new` stands for where `guard`
    holds. `neutral` changes no element; it is there where `presence` is `NONE`. `rounds` where
    another grouping may give other bits. `watched` are the positions, in `parts`, of what may be
    NaN.
    """

    parts: tuple[int, ...]
    old: tuple[Var, ...]
    new: tuple[Var, ...]
    after: tuple[PrimExpr, ...]
    operands: tuple[PrimExpr, ...]
    guard: PrimExpr | None
    neutral: tuple[PrimExpr, ...]
    presence: Presence
    order: Order
    rounds: bool
    watched: tuple[int, ...] = ()

    def apply(self, own: Sequence[PrimExpr], operands: Sequence[PrimExpr]) -> tuple[PrimExpr, ...]:
        """The elements afterwards."""
        known: dict[NodeId, PrimExpr] = {}
        for names, values in ((self.old, own), (self.new, operands)):
            known |= {var.id: value for var, value in zip(names, values, strict=True)}
        return tuple(substitute(part, known) for part in self.after)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Accumulators that are no reduction: of no known form, not associative, or too many cases."""

    why: Literal["form", "laws", "cases"]
    parts: tuple[int, ...]


def combiners(found: Sequence[Accumulator]) -> tuple[Combiner, ...] | Unfit:
    """The accumulators of a block in groups that are associative, or which ones are not."""
    made: list[Combiner] = []
    for group in _groups(found):
        one = _arithmetic(found, group) or _choosing(found, group)
        if isinstance(one, Unfit):
            return one
        made.append(one)
    return tuple(made)


def _groups(found: Sequence[Accumulator]) -> Iterator[tuple[int, ...]]:
    """Positions of accumulators that look at each other, directly or by way of others."""
    owns = [part.own for part in found]
    rest = list(range(len(found)))
    seen = [
        {n for n, own in enumerate(owns) if any(node == own for node in walk(part.after))}
        for part in found
    ]
    while rest:
        group = {rest[0]}
        while more := {
            n
            for n in rest
            if n not in group and (seen[n] & group or any(n in seen[m] for m in group))
        }:
            group |= more
        yield tuple(sorted(group))
        rest = [n for n in rest if n not in group]


# --- one operation ----------------------------------------------------------------------------


_OPERATIONS = frozenset(
    {BinaryOp.ADD, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX, BinaryOp.AND, BinaryOp.OR}
)


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


def _arithmetic(found: Sequence[Accumulator], group: tuple[int, ...]) -> Combiner | None:
    """`own = own op x op y` with a known operation; what is subtracted is added."""
    part = found[group[0]]
    guard, after = _guarded((part.own,), part.own, part.after)
    if len(group) > 1 or not isinstance(after, Binary):
        return None
    op = BinaryOp.ADD if after.op is BinaryOp.SUB else after.op
    terms = list(_terms(after, op)) if op in _OPERATIONS else []
    others = [(term, positive) for term, positive in terms if term != part.own]
    if (part.own, True) not in terms or len(others) != len(terms) - 1:
        return None
    dtype = part.type.dtype
    (old,), (new,) = _names("a", (dtype,)), _names("x", (dtype,))
    neutral = identity(op, dtype)
    rounds = is_float(dtype)  # `min` and `max` choose between zeros of two signs
    return Combiner(
        group,
        (old,),
        (new,),
        (Binary(op, old, new),),
        (_joined(op, others, neutral),),
        guard,
        (neutral,),
        Presence.NONE,
        Order.FREE,
        rounds,
    )


def _terms(
    value: PrimExpr, op: BinaryOp, *, positive: bool = True
) -> Iterator[tuple[PrimExpr, bool]]:
    """The operands of a chain of one operation, and whether they are added."""
    if isinstance(value, Binary) and value.op in {op, _INVERSE.get(op, op)}:
        yield from _terms(value.a, op, positive=positive)
        yield from _terms(value.b, op, positive=positive is (value.op is op))
    else:
        yield value, positive


_INVERSE = {BinaryOp.ADD: BinaryOp.SUB}


def _joined(op: BinaryOp, terms: Sequence[tuple[PrimExpr, bool]], neutral: PrimExpr) -> PrimExpr:
    """Operands put together, without the element that they are added to."""
    first, positive = terms[0]
    joined = first if positive else Binary(_INVERSE[op], neutral, first)
    for term, positive in terms[1:]:
        joined = Binary(op if positive else _INVERSE[op], joined, term)
    return joined


# --- choices by comparisons -------------------------------------------------------------------


def _choosing(found: Sequence[Accumulator], group: tuple[int, ...]) -> Combiner | Unfit:
    """Elements that are chosen by comparing them with operands."""
    parts = [found[n] for n in group]
    owns = tuple(part.own for part in parts)
    guards = [_guarded(owns, part.own, part.after) for part in parts]
    guard = guards[0][0]
    dtypes = tuple(part.type.dtype for part in parts)
    abstract = _Abstract(owns, _names("a", dtypes), _names("x", dtypes))
    after = [abstract.value(value, n) for n, (_, value) in enumerate(guards)]
    if any(own is None for own in after) or any(other != guard for other, _ in guards):
        return Unfit("form", group)
    if len(abstract.operands) < len(group):
        return Unfit("form", group)
    choice = Choice(abstract.old, abstract.new, dtypes, tuple(x for x in after if x is not None))
    if not choice.decidable:
        return Unfit("cases", group)
    for signs in (True, False) if choice.exact else (False,):
        laws = Laws(choice, signs)
        decided = _presence(laws)
        if decided is not None:
            presence, neutral = decided
            return Combiner(
                group,
                abstract.old,
                abstract.new,
                choice.after,
                tuple(abstract.operands[n] for n in range(len(group))),
                guard,
                neutral,
                presence,
                _order(choice, presence),
                rounds=not signs and bool(choice.may_be_nan),
                watched=choice.may_be_nan,
            )
    return Unfit("laws", group)


def _presence(laws: Laws) -> tuple[Presence, tuple[PrimExpr, ...]] | None:
    """With what partial results give the same as one after the other; None where nothing does."""
    neutral = laws.neutral()
    if neutral is not None and laws.associative(nan_before=not laws.ignores_nan(), nan=True):
        return Presence.NONE, neutral
    if laws.associative(nan_before=True, nan=True):
        return Presence.FIRST, ()
    if laws.resets() and laws.associative(nan_before=False, nan=False):
        return Presence.RESET, ()
    return None


def _order(choice: Choice, presence: Presence) -> Order:
    for signs, nan, order in (
        (True, True, Order.FREE),
        (False, True, Order.ROUNDS),
        (False, False, Order.NAN),
    ):
        laws = Laws(choice, signs)
        if signs and not choice.exact:
            continue
        alone = presence is Presence.NONE or laws.symmetric(nan=nan)
        if alone and laws.commutative(nan=nan):
            return order
    return Order.KEPT


def _names(letter: str, dtypes: tuple[str, ...]) -> tuple[Var, ...]:
    """Variables that stand for elements or operands; their ids are those of no function."""
    first = -1 if letter == "a" else -1 - len(dtypes)
    return tuple(
        Var(NodeId(first - n), f"{letter}{n}", ScalarType(dtype)) for n, dtype in enumerate(dtypes)
    )


def _guarded(owns: Sequence[Load], own: Load, after: PrimExpr) -> tuple[PrimExpr | None, PrimExpr]:
    """Conditions without which an element stays what it is, and what it becomes under them.

    Conditions that look at elements belong to the choice.
    """
    if not isinstance(after, Select) or after.false_value != own:
        return None, after
    parts = conjuncts(after.condition)
    looking = [part for part in parts if _looks(owns, part)]
    guards = [part for part in parts if not _looks(owns, part)]
    rest = conjunction(*looking)
    if rest is not None:
        return conjunction(*guards), Select(rest, after.true_value, own)
    more, inner = _guarded(owns, own, after.true_value)
    return conjunction(*guards, more), inner


def _looks(owns: Sequence[Load], expr: PrimExpr) -> bool:
    return any(node == own for node in walk(expr) for own in owns)


@dataclass(slots=True)
class _Abstract:
    """Choices with variables for elements and operands; collects the operands by position."""

    owns: tuple[Load, ...]
    old: tuple[Var, ...]
    new: tuple[Var, ...]
    operands: dict[int, PrimExpr] = field(default_factory=dict[int, PrimExpr])

    def value(self, expr: PrimExpr, place: int) -> PrimExpr | None:
        """What element `place` becomes; None where it is no choice between it and an operand."""
        if expr == self.owns[place]:
            return self.old[place]
        if not _looks(self.owns, expr):
            return self._operand(expr, place)
        match expr:
            case Select(condition=condition, true_value=a, false_value=b):
                when = self._condition(condition)
                yes, no = self.value(a, place), self.value(b, place)
                if when is None or yes is None or no is None:
                    return None
                return Select(when, yes, no, expr.lazy)
            case Binary(op=BinaryOp.MIN | BinaryOp.MAX as op, a=a, b=b):
                yes, no = self.value(a, place), self.value(b, place)
                return None if yes is None or no is None else Binary(op, yes, no)
            case _:
                return None

    def _operand(self, expr: PrimExpr, place: int) -> Var | None:
        """The operand of an element, which is the same wherever it stands."""
        return self.new[place] if self.operands.setdefault(place, expr) == expr else None

    def _condition(self, expr: PrimExpr) -> PrimExpr | None:
        match expr:
            case Not(value=value):
                inner = self._condition(value)
                return None if inner is None else Not(inner)
            case Binary(op=op, a=a, b=b) if op in COMPARISONS:
                return self._comparison(op, a, b)
            case Binary(op=op, a=a, b=b) if op in LOGICAL:
                left, right = self._condition(a), self._condition(b)
                return None if left is None or right is None else Binary(op, left, right)
            case _:
                return None

    def _comparison(self, op: BinaryOp, a: PrimExpr, b: PrimExpr) -> PrimExpr | None:
        """An element against its own operand."""
        for place, own in enumerate(self.owns):
            if own == a and not _looks(self.owns, b):
                other = self._operand(b, place)
                return None if other is None else Binary(op, self.old[place], other)
            if own == b and not _looks(self.owns, a):
                other = self._operand(a, place)
                return None if other is None else Binary(op, other, self.old[place])
        return None
