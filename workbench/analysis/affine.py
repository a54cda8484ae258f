"""Affine index expressions: coefficients of variables, and strides through a buffer."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.ir import (
    Binary,
    BinaryOp,
    BufferType,
    IntImm,
    Load,
    PrimExpr,
    Var,
    walk,
)
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Affine:
    """`sum(coefficient * variable) + constant`."""

    coefficients: tuple[tuple[NodeId, int], ...]
    constant: int

    def of(self, var: NodeId) -> int:
        """The coefficient of a variable."""
        return dict(self.coefficients).get(var, 0)


def affine(expr: PrimExpr) -> Affine | None:
    """The affine form of an index expression, None where it has none with constant coefficients."""
    found = _form(expr)
    if found is None:
        return None
    terms, constant = found
    return Affine(tuple(sorted((v, c) for v, c in terms.items() if c)), constant)


def _form(expr: PrimExpr) -> tuple[dict[NodeId, int], int] | None:
    match expr:
        case IntImm(value=value):
            return {}, value
        case Var(id=var):
            return {var: 1}, 0
        case Binary(op=BinaryOp.ADD | BinaryOp.SUB, a=a, b=b):
            left, right = _form(a), _form(b)
            sign = 1 if expr.op is BinaryOp.ADD else -1
            return None if left is None or right is None else _add(left, right, sign)
        case Binary(op=BinaryOp.MUL, a=a, b=b):
            left, right = _form(a), _form(b)
            return None if left is None or right is None else _multiply(left, right)
        case _:
            return None


Form = tuple[dict[NodeId, int], int]


def _add(a: Form, b: Form, sign: int) -> Form:
    terms = dict(a[0])
    for var, factor in b[0].items():
        terms[var] = terms.get(var, 0) + sign * factor
    return terms, a[1] + sign * b[1]


def _multiply(a: Form, b: Form) -> Form | None:
    if a[0] and b[0]:
        return None
    (terms, constant), factor = (a, b[1]) if a[0] or not b[0] else (b, a[1])
    return {v: c * factor for v, c in terms.items()}, constant * factor


def row_major_strides(type_: BufferType) -> tuple[int | None, ...]:
    """Strides in elements, None before a dimension that is symbolic."""
    strides: list[int | None] = []
    step: int | None = 1
    for extent in reversed(type_.shape):
        strides.append(step)
        step = step * extent if step is not None and isinstance(extent, int) else None
    return tuple(reversed(strides))


def step_of(load: Load, var: Var) -> int | None:
    """How many elements of memory the load moves when `var` grows by one.

    None where it is not affine, or where a symbolic dimension decides.

    Zero means that the same element is read (broadcast), one that reads are contiguous.
    """
    assert isinstance(load.buffer.type, BufferType)
    strides = load.buffer.type.strides or row_major_strides(load.buffer.type)
    uses = [n for n, i in enumerate(load.indices) if any(node == var for node in walk(i))]
    total = 0
    for n in uses:
        form, stride = affine(load.indices[n]), strides[n]
        if form is None or not isinstance(stride, int):
            return None
        total += form.of(var.id) * stride
    return total
