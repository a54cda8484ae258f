"""Recognised reductions: stores `C[f] = C[f] op x` with an associative and commutative `op`.

Reference: Jouvelot and Dehbonei, "A Unified Semantic Approach for the Vectorization and
Parallelization of Generalized Reductions", ICS 1989; `tvm::tir::GetReducerAndCombinerLhsRhs`.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.analysis.dependence.operands import reads_of
from workbench.ir.expr import Binary, BinaryOp, Load, PrimExpr, Select, dtype_of, is_float
from workbench.ir.tensor import Store

_CLASSES = {
    BinaryOp.ADD: BinaryOp.ADD,
    BinaryOp.SUB: BinaryOp.ADD,
    BinaryOp.MUL: BinaryOp.MUL,
    BinaryOp.MIN: BinaryOp.MIN,
    BinaryOp.MAX: BinaryOp.MAX,
    BinaryOp.AND: BinaryOp.AND,
    BinaryOp.OR: BinaryOp.OR,
}
_MORE = frozenset({BinaryOp.GT, BinaryOp.GE})
_LESS = frozenset({BinaryOp.LT, BinaryOp.LE})
_WORDS = {
    BinaryOp.ADD: "sum",
    BinaryOp.MUL: "product",
    BinaryOp.MIN: "minimum",
    BinaryOp.MAX: "maximum",
    BinaryOp.AND: "conjunction",
    BinaryOp.OR: "disjunction",
}


@dataclass(frozen=True, slots=True)
class Update:
    """`own = own op operands`: the operation up to sign, and the accumulator as it is read."""

    op: BinaryOp
    own: Load

    @property
    def word(self) -> str:
        """What the reduction computes: `sum`, `maximum`."""
        return _WORDS[self.op]

    @property
    def rounds(self) -> bool:
        """Whether another order of the updates may give another result.

        In floating point that is so of all of them: `max(0.0, -0.0)` depends on the order as well.
        """
        return is_float(dtype_of(self.own))


def update_of(store: Store) -> Update | None:
    """The reduction that a store updates, None where it is none.

    The accumulator is read once, as an operand of a chain of one operation; neither the other
    operands nor the indices read its buffer.
    """
    own = Load(store.buffer, store.indices)
    op = _operation(store.value, own)
    if op is None:
        return None
    reads = reads_of(own.buffer.id, (store.value, *store.indices))
    allowed = 2 if isinstance(store.value, Select) else 1
    return Update(op, own) if reads == allowed else None


def _operation(value: PrimExpr, own: Load) -> BinaryOp | None:
    if isinstance(value, Select):
        return _extremum(value, own)
    if not isinstance(value, Binary) or value.op not in _CLASSES:
        return None
    op = _CLASSES[value.op]
    return op if _reaches(value, own, op) else None


def _reaches(value: PrimExpr, own: Load, op: BinaryOp) -> bool:
    """Whether the accumulator is an operand of the chain, not subtracted."""
    if value == own:
        return True
    if not isinstance(value, Binary) or _CLASSES.get(value.op) is not op:
        return False
    if _reaches(value.a, own, op):
        return True
    return value.op is not BinaryOp.SUB and _reaches(value.b, own, op)


def _extremum(value: Select, own: Load) -> BinaryOp | None:
    """`C if C > x else x` and its variants."""
    condition, a, b = value.condition, value.true_value, value.false_value
    if (
        not isinstance(condition, Binary)
        or own not in {a, b}
        or {a, b}
        != {
            condition.a,
            condition.b,
        }
    ):
        return None
    if condition.op not in _MORE | _LESS or is_float(dtype_of(own)):
        return None
    larger = condition.a if condition.op in _MORE else condition.b
    return BinaryOp.MAX if a == larger else BinaryOp.MIN
