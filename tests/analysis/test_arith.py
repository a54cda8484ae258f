from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_arithmetic import bounds, simplify
from workbench.analysis.ranges import Interval
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    BufferType,
    Cast,
    IntImm,
    Load,
    Not,
    PrimExpr,
    ScalarType,
    Select,
    Var,
    binary,
    fold_int,
)
from workbench.support.ids import NodeId


def index(ident: int, name: str) -> Var:
    return Var(NodeId(ident), name, ScalarType())


I, J, K, N, M = (index(k, name) for k, name in enumerate("ijknm"))  # noqa: E741
LEAVES = st.one_of(st.sampled_from([I, J, K]), st.integers(-9, 9).map(IntImm))
ARITHMETIC = st.sampled_from([BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX])
DIVISIONS = st.sampled_from(
    [BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD]
)
COMPARISONS = st.sampled_from([BinaryOp.LT, BinaryOp.LE, BinaryOp.EQ, BinaryOp.GE, BinaryOp.NE])


def larger(inner: st.SearchStrategy[PrimExpr]) -> st.SearchStrategy[PrimExpr]:
    divisor = st.one_of(st.integers(1, 12), st.integers(-4, -1)).map(IntImm)
    condition = st.builds(Binary, COMPARISONS, inner, inner)
    logical = st.one_of(
        condition,
        st.builds(Binary, st.sampled_from([BinaryOp.AND, BinaryOp.OR]), condition, condition),
        st.builds(Not, condition),
    )
    return st.one_of(
        st.builds(Binary, ARITHMETIC, inner, inner),
        st.builds(Binary, DIVISIONS, inner, divisor),
        st.builds(Select, logical, inner, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=10)


def value(expr: PrimExpr, env: dict[NodeId, int]) -> int:
    match expr:
        case IntImm(value=number):
            return number
        case Var(id=ident):
            return env[ident]
        case Binary(op=op, a=a, b=b):
            result = fold_int(op, value(a, env), value(b, env))
            assert result is not None
            return result
        case Not(value=inner):
            return 1 - value(inner, env)
        case Select(condition=c, true_value=a, false_value=b):
            return value(a if value(c, env) else b, env)
        case _:
            raise AssertionError(expr)


RANGES = st.tuples(*[st.tuples(st.integers(-6, 6), st.integers(0, 6)) for _ in range(3)])


@given(EXPRESSIONS, RANGES)
def test_simplify_and_bounds_hold_for_every_value(
    expr: PrimExpr, ends: tuple[tuple[int, int], ...]
) -> None:
    variables = (I, J, K)
    ranges = {v.id: Interval(lo, lo + n) for v, (lo, n) in zip(variables, ends, strict=True)}
    simple = simplify(expr, ranges)
    interval = bounds(expr, ranges)
    for point in itertools.product(*[range(lo, lo + n + 1) for lo, n in ends]):
        env = {v.id: x for v, x in zip(variables, point, strict=True)}
        exact = value(expr, env)
        assert value(simple, env) == exact
        assert interval.lo is None or interval.lo <= exact
        assert interval.hi is None or exact <= interval.hi


@given(st.builds(Binary, COMPARISONS, EXPRESSIONS, EXPRESSIONS), EXPRESSIONS, RANGES)
def test_what_holds_under_a_condition(
    condition: PrimExpr, expr: PrimExpr, ends: tuple[tuple[int, int], ...]
) -> None:
    variables = (I, J, K)
    ranges = {v.id: Interval(lo, lo + n) for v, (lo, n) in zip(variables, ends, strict=True)}
    yes = Facts(ranges).assume(condition).simplify(expr)
    no = Facts(ranges).assume(condition, holds=False).simplify(expr)
    for point in itertools.product(*[range(lo, lo + n + 1) for lo, n in ends]):
        env = {v.id: x for v, x in zip(variables, point, strict=True)}
        assert value(yes if value(condition, env) else no, env) == value(expr, env)


@given(EXPRESSIONS, EXPRESSIONS, st.integers(0, 4), st.integers(0, 4))
def test_proofs_with_symbolic_extents(a: PrimExpr, b: PrimExpr, n: int, m: int) -> None:
    """Loops over symbolic extents: whatever is proved holds for every extent."""
    facts = Facts({N.id: Interval(0), M.id: Interval(0), K.id: Interval(0, 3)})
    facts = facts.with_range(I, loop_interval(IntImm(0), N))
    facts = facts.with_range(J, loop_interval(I, M))
    proved = facts.proves(Binary(BinaryOp.LE, a, b))
    if proved is None:
        return
    for i in range(n):
        for j in range(i, i + m):
            for k in range(4):
                env = {I.id: i, J.id: j, K.id: k, N.id: n, M.id: m}
                assert (value(a, env) <= value(b, env)) == proved


LOOPS = {I.id: Interval(0, 9), J.id: Interval(0, 15)}


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ((I * 16 + J) // 16, I),
        ((I * 16 + J) % 16, J),
        ((I * 32 + J * 2 + 1) // 32, I),
        ((I * 32 + J * 2 + 1) % 2, IntImm(1)),
        ((I * 16 + J) // 4 % 4, J // 4),
        ((I * 16 + J) // 4 // 4, I),
        (I + J - I, J),
        (binary(BinaryOp.MIN, I, J + 10), I),
        (binary(BinaryOp.MAX, I * 2, I), I * 2),
        (Select(I < 10, J, I), J),
        (binary(BinaryOp.TRUNCDIV, I * 8 + 3, 8), I),
        (Cast(I * 1, "int64"), I),
    ],
)
def test_normal_forms(expr: PrimExpr, expected: PrimExpr) -> None:
    assert simplify(expr, LOOPS) == expected


def symbolic() -> Facts:
    facts = Facts({N.id: Interval(0), M.id: Interval(0)})
    facts = facts.with_range(I, loop_interval(IntImm(0), N))
    return facts.with_range(J, loop_interval(IntImm(0), M))


@pytest.mark.parametrize(
    "claim",
    [
        I < N,
        I + J < N + M,
        I * M + J < N * M,
        N > 0,
        (I * M + J) // M < N,
        I * 2 + 1 < N * 2,
        J % 3 < 3,
        J % M >= 0,
    ],
)
def test_symbolic_claims_are_proved(claim: PrimExpr) -> None:
    assert symbolic().proves(claim) is True


@pytest.mark.parametrize("claim", [I + 1 < N, I * M + J + 1 < N * M, J < N, N > 1])
def test_false_claims_are_not_proved(claim: PrimExpr) -> None:
    assert symbolic().proves(claim) is None


def test_tiles_of_a_symbolic_extent() -> None:
    down = Facts({N.id: Interval(0), J.id: Interval(0, 7)})
    whole = down.with_range(I, loop_interval(IntImm(0), N // 8))
    assert whole.proves(I * 8 + J < N) is True
    up = down.with_range(I, loop_interval(IntImm(0), (N + 7) // 8))
    assert up.proves(I * 8 + J < N) is None
    assert up.proves(I * 8 < N) is True
    assert up.assume(I * 8 + J < N).proves(I * 8 + J < N) is True


def test_values_from_memory_may_overflow() -> None:
    loaded = Load(Var(NodeId(9), "x", BufferType((4,), "int64")), (IntImm(0),))
    assert simplify(loaded * 4 // 4, {}) != loaded
    assert simplify(loaded + 1 > loaded, {}) == (loaded + 1 > loaded)
    narrow = Cast(Load(Var(NodeId(9), "x", BufferType((4,), "uint8")), (IntImm(0),)), "int64")
    assert simplify(narrow * 4 // 4, {}) == narrow
    assert bounds(narrow * 2 + 1, {}) == Interval(1, 511)
    wide = Cast(Load(Var(NodeId(9), "x", BufferType((4,), "uint64")), (IntImm(0),)), "int64")
    assert bounds(wide, {}) == Interval(None, None)


def test_a_multiple_of_what_is_known_proves_the_last_row_of_a_whole_tile() -> None:
    tile, row, rows = index(0, "i_0"), index(1, "i_1"), index(2, "n")
    facts = Facts({tile.id: Interval(0, None), row.id: Interval(0, 5), rows.id: Interval(0, None)})
    whole = facts.assume(tile < rows // 6)
    assert whole.proves(tile * 6 + row < rows) is True
    assert facts.proves(tile * 6 + row < rows) is None
    assert whole.proves(tile * 6 + row + 1 < rows) is None
