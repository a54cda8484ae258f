"""Is this code what an intrinsic describes? Names, order of factors and places of boxes are free.

Reference: `tvm::tir::TensorizeComparator`. What differs first is said in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, permutations

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.spelling import element, short
from workbench.ir import (
    Allocate,
    Binary,
    BinaryOp,
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
    Var,
    While,
    dtype_of,
    free_vars,
    substitute,
)
from workbench.schedule.intrinsics.regions import Region, candidates, layout_fault
from workbench.support import NodeId

_COMMUTATIVE = frozenset({BinaryOp.ADD, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX})
_GUARDED = "leave the guard out with `loop_partition` or `pad_einsum`"
_NEST = "split and reorder until the nest is that of the description"
_INDEX_DTYPES = frozenset({"int64"})


class MismatchError(Exception):
    """The first difference, as a sentence, and what may help."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Match:
    """How the code is the description: where its parameters lie, what its dimensions are.

    `permuted` are the code's loops in the order of the description, for each nest whose order
    differs.
    """

    regions: dict[NodeId, Region]
    symbols: dict[NodeId, PrimExpr]
    permuted: tuple[tuple[tuple[NodeId, ...], tuple[NodeId, ...]], ...] = ()


@dataclass(slots=True)
class _State:
    """What is bound so far; copied where a guess may fail."""

    values: dict[NodeId, PrimExpr] = field(default_factory=dict[NodeId, PrimExpr])
    loops: frozenset[NodeId] = frozenset()
    regions: dict[NodeId, Region] = field(default_factory=dict[NodeId, Region])
    symbols: dict[NodeId, PrimExpr] = field(default_factory=dict[NodeId, PrimExpr])
    permuted: tuple[tuple[tuple[NodeId, ...], tuple[NodeId, ...]], ...] = ()

    def copy(self) -> _State:
        return _State(
            dict(self.values), self.loops, dict(self.regions), dict(self.symbols), self.permuted
        )

    def take(self, other: _State) -> None:
        self.values, self.loops, self.regions = other.values, other.loops, other.regions
        self.symbols, self.permuted = other.symbols, other.permuted


def match(parameters: tuple[Var, ...], description: Stmt, code: Stmt) -> Match:
    """How `code` is what `description` says of `parameters`; both without blocks.

    Raises:
        MismatchError: the first difference.
    """
    matcher = _Matcher(parameters)
    matcher.statement(description, code)
    return Match(matcher.state.regions, matcher.state.symbols, matcher.state.permuted)


class _Matcher:
    """Walks through both at once."""

    def __init__(self, parameters: tuple[Var, ...]) -> None:
        self.parameters = {param.id: param for param in parameters}
        self.facts = Facts()
        self.state = _State()

    # --- statements ----------------------------------------------------------------------------

    def statement(self, wanted: Stmt, found: Stmt) -> None:
        """Compare statements."""
        match wanted, found:
            case For(), _:
                self._nest(wanted, found)
            case Store(), Store():
                self._store(wanted, found)
            case Seq(body=first), Seq(body=second):
                self._sequence(first, second)
            case If(), If():
                self._branch(wanted, found)
            case _:
                message = f"expected {_kind(wanted)}, found {_kind(found)}"
                raise MismatchError(message, _GUARDED if isinstance(found, If) else "")

    def _sequence(self, wanted: tuple[Stmt, ...], found: tuple[Stmt, ...]) -> None:
        if len(wanted) != len(found):
            message = f"expected {len(wanted)} statements in a row, found {len(found)}"
            raise MismatchError(message)
        for first, second in zip(wanted, found, strict=True):
            self.statement(first, second)

    def _branch(self, wanted: If, found: If) -> None:
        self.expression(wanted.condition, found.condition)
        self.statement(wanted.then, found.then)
        if (wanted.otherwise is None) is not (found.otherwise is None):
            raise MismatchError("expected a branch with the same sides, found another")
        if wanted.otherwise is not None and found.otherwise is not None:
            self.statement(wanted.otherwise, found.otherwise)

    def _store(self, wanted: Store, found: Store) -> None:
        target = Load(wanted.buffer, wanted.indices)
        self._access(target, Load(found.buffer, found.indices), "written")
        self.expression(wanted.value, found.value)

    # --- loops ---------------------------------------------------------------------------------

    def _nest(self, wanted: For, found: Stmt) -> None:
        """Perfect nests, their loops in any order in which their extents agree.

        Loops whose extent is a variable may be missing: they run once.
        """
        ours, body = _perfect(wanted)
        theirs, code = _perfect(found)
        first: MismatchError | None = None
        for pairs in self._orders(ours, theirs):
            order = tuple(loop for _, loop in pairs)
            tried = self.state.copy()
            before, self.state = self.state, tried
            try:
                self._bind_once(ours, pairs)
                self._bind_loops(pairs)
                self.statement(body, code)
            except MismatchError as error:
                first = first or error
                self.state = before
                continue
            if order != theirs:
                pair = tuple(x.var.id for x in theirs), tuple(x.var.id for x in order)
                self.state.permuted = (*self.state.permuted, pair)
            return
        raise first or MismatchError(f"expected {_loops(ours)}, found {_loops(theirs)}", _NEST)

    def _orders(
        self, ours: tuple[For, ...], theirs: tuple[For, ...]
    ) -> Iterator[tuple[tuple[For, For], ...]]:
        """Loops of the description with those of the code that they may be."""
        missing = len(ours) - len(theirs)
        free = [loop for loop in ours if not isinstance(loop.extent, IntImm)]
        for once in combinations(free, missing) if missing >= 0 else ():
            kept = [loop for loop in ours if all(loop is not other for other in once)]
            for order in permutations(theirs):
                pairs = tuple(zip(kept, order, strict=True))
                if all(self._may_be(a, b) for a, b in pairs):
                    yield pairs

    def _may_be(self, wanted: For, found: For) -> bool:
        """Whether a loop may be the other one, by its extent."""
        if not isinstance(wanted.extent, IntImm):
            return True
        return isinstance(found.extent, IntImm) and found.extent.value == wanted.extent.value

    def _bind_once(self, ours: tuple[For, ...], pairs: tuple[tuple[For, For], ...]) -> None:
        """Loops of the description that the code does not have."""
        for loop in ours:
            if all(loop is not kept for kept, _ in pairs):
                self._unify(loop.extent, IntImm(1), f"loop `{loop.var.name}`", "the statement")
                self.state.values[loop.var.id] = self._value(loop.start)

    def _bind_loops(self, pairs: tuple[tuple[For, For], ...]) -> None:
        self.state.loops |= {found.var.id for _, found in pairs}
        for wanted, found in pairs:
            self._unify(wanted.extent, found.extent, f"loop `{wanted.var.name}`", found.var.name)
            shift = found.start - self._value(wanted.start)
            self.state.values[wanted.var.id] = found.var - self.facts.simplify(shift)

    def _unify(self, wanted: PrimExpr, found: PrimExpr, what: str, name: str) -> None:
        """Extents that agree; one that is a variable becomes the one that is found."""
        unbound = self._unbound(wanted)
        rest = None if unbound is None else self._solved(wanted, unbound, found)
        if unbound is not None and rest is not None:
            if not self.state.loops.isdisjoint(free_vars(rest)):
                message = f"expected the same extent of `{name}` in all iterations"
                raise MismatchError(f"{message}, found {short(found)}")
            self.state.values[unbound.id] = rest
            self.state.symbols[unbound.id] = rest
            return
        if self.facts.poly(self._value(wanted)) != self.facts.poly(found):
            message = f"expected {what} of extent {short(wanted)}, found `{name}` of {short(found)}"
            raise MismatchError(message)

    def _unbound(self, expr: PrimExpr) -> Var | None:
        """The only variable of an extent that is not known yet."""
        unknown = [v for i, v in free_vars(expr).items() if i not in self.state.values]
        return unknown[0] if len(unknown) == 1 else None

    def _solved(self, wanted: PrimExpr, unknown: Var, found: PrimExpr) -> PrimExpr | None:
        """The value of the variable in `c * unknown + rest == found`."""
        poly = self.facts.poly(self._value(wanted))
        step = poly.coefficient(unknown)
        if not step.is_const or not step.terms:
            return None
        rest = (self.facts.poly(found) - poly.without(unknown)).divided(step.constant)
        return None if rest is None else rest.to_expr()

    # --- expressions ---------------------------------------------------------------------------

    def expression(self, wanted: PrimExpr, found: PrimExpr) -> None:
        """Compare values; indices agree where they are equal as polynomials."""
        if _is_index(wanted) and _is_index(found):
            self._same_index(wanted, found)
            return
        match wanted, found:
            case Load(), Load():
                self._access(wanted, found, "read")
            case Binary(), Binary():
                self._binary(wanted, found)
            case (Cast(), Cast()) | (Intrinsic(), Intrinsic()):
                self._call(wanted, found)
            case Select(), Select():
                self.expression(wanted.condition, found.condition)
                self.expression(wanted.true_value, found.true_value)
                self.expression(wanted.false_value, found.false_value)
            case Not(value=first), Not(value=second):
                self.expression(first, second)
            case ((IntImm() | FloatImm()), _) if wanted == found:
                pass
            case Var(), Var() if self._value(wanted) == found:
                pass
            case _:
                raise _differ(wanted, found)

    def _same_index(self, wanted: PrimExpr, found: PrimExpr) -> None:
        if self.facts.poly(self._value(wanted)) != self.facts.poly(found):
            raise _differ(wanted, found)

    def _call(self, wanted: Cast | Intrinsic, found: PrimExpr) -> None:
        """The same function of the same arguments."""
        match wanted, found:
            case Cast(), Cast() if wanted.dtype == found.dtype:
                self.expression(wanted.value, found.value)
            case Intrinsic(), Intrinsic() if (
                wanted.name == found.name
                and wanted.dtype == found.dtype
                and len(wanted.args) == len(found.args)
            ):
                for first, second in zip(wanted.args, found.args, strict=True):
                    self.expression(first, second)
            case _:
                raise _differ(wanted, found)

    def _binary(self, wanted: Binary, found: Binary) -> None:
        if wanted.op is not found.op:
            raise _differ(wanted, found)
        orders = [(found.a, found.b)]
        if wanted.op in _COMMUTATIVE:
            orders.append((found.b, found.a))
        failed: list[MismatchError] = []
        for a, b in orders:
            before, self.state = self.state, self.state.copy()
            try:
                self.expression(wanted.a, a)
                self.expression(wanted.b, b)
            except MismatchError as error:
                failed.append(error)
                self.state = before
                continue
            return
        raise failed[0]

    # --- buffers -------------------------------------------------------------------------------

    def _access(self, wanted: Load, found: Load, verb: str) -> None:
        """An element of a parameter, or of another buffer of the description."""
        own, other = wanted.buffer, found.buffer
        assert isinstance(own.type, BufferType)
        assert isinstance(other.type, BufferType)
        if own.type.dtype != other.type.dtype:
            raise MismatchError(
                f"expected `{own.name}` of {own.type.dtype} where "
                f"{element(other, found.indices)} is {verb}, found {other.type.dtype}"
            )
        if own.id not in self.parameters:
            message = f"`{own.name}` of the description is no parameter"
            raise MismatchError(message)
        index = tuple(self.facts.poly(self._value(i)) for i in wanted.indices)
        code = tuple(self.facts.poly(i) for i in found.indices)
        boxes = list(candidates(other, index, code, self.state.loops))
        if not boxes:
            raise MismatchError(
                f"expected {element(own, wanted.indices)} to be {verb}, found "
                f"{element(other, found.indices)}, which moves otherwise with the loops"
            )
        self._place(own, other, boxes, found)

    def _place(self, own: Var, other: Var, boxes: list[Region], found: Load) -> None:
        known = self.state.regions.get(own.id)
        if known is not None:
            if known.source.id != other.id:
                raise MismatchError(
                    f"expected `{own.name}` to be `{known.source.name}` as before, "
                    f"found {element(other, found.indices)}"
                )
            if known not in boxes:
                raise MismatchError(
                    f"expected `{own.name}` in one box of `{other.name}`, "
                    f"found {element(other, found.indices)} outside of it"
                )
            return
        faults = [layout_fault(own, box, self.state.symbols) for box in boxes]
        fitting = next((n for n, fault in enumerate(faults) if not fault), None)
        if fitting is None:
            hint = f"`transform_layout` makes another layout of `{boxes[0].source.name}`"
            raise MismatchError(faults[0], hint)
        self.state.regions[own.id] = boxes[fitting]

    def _value(self, expr: PrimExpr) -> PrimExpr:
        """An index of the description in terms of the code."""
        return substitute(expr, self.state.values)


def _is_index(expr: PrimExpr) -> bool:
    if dtype_of(expr) not in _INDEX_DTYPES:
        return False
    return not any(isinstance(expr, kind) for kind in (Load, Cast, Intrinsic, Select))


def _perfect(stmt: Stmt) -> tuple[tuple[For, ...], Stmt]:
    loops: list[For] = []
    while isinstance(stmt, For):
        loops.append(stmt)
        stmt = stmt.body
    return tuple(loops), stmt


def _loops(loops: tuple[For, ...]) -> str:
    shown = ", ".join(f"`{x.var.name}` of {short(x.extent)}" for x in loops)
    count = "one loop" if len(loops) == 1 else f"{len(loops) or 'no'} loops"
    return f"{count} around the statement ({shown})" if loops else count


def _differ(wanted: PrimExpr, found: PrimExpr) -> MismatchError:
    return MismatchError(f"expected `{short(wanted)}`, found `{short(found)}`")


def _kind(stmt: Stmt) -> str:
    match stmt:
        case Store(buffer=buffer, indices=indices, value=value):
            return f"`{element(buffer, indices)} = {short(value)}`"
        case For(var=var):
            return f"a loop (`{var.name}`)"
        case If(condition=condition):
            return f"a branch on `{short(condition)}`"
        case Seq(body=body):
            return f"{len(body)} statements in a row"
        case Let(var=var):
            return f"a binding of `{var.name}`"
        case Allocate(buffer=buffer):
            return f"a buffer `{buffer.name}`"
        case While():
            return "a `while` loop"
        case Evaluate():
            return "an evaluation"
        case _:
            return "a block"
