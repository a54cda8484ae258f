"""Symbolic dimensions as polynomials: when are two of them surely equal, when surely different."""

from __future__ import annotations

from collections.abc import Container
from typing import TypeAlias

from workbench.ir.expr import (
    Binary,
    BinaryOp,
    Dim,
    IntImm,
    PrimExpr,
    Shape,
    Var,
    as_dim,
    binary,
)
from workbench.ir.graph import Arg, Constant, ScalarValue, ShapeValue, StringValue, TupleValue
from workbench.ir.traverse import free_vars, map_children
from workbench.support.ids import NodeId

Monomial: TypeAlias = tuple[PrimExpr, ...]
Polynomial: TypeAlias = dict[Monomial, int]
"""Coefficients by product of atoms (variables and what is no polynomial), in a fixed order."""


def polynomial(dim: Dim) -> Polynomial:
    """`dim` as a sum of products."""
    match dim:
        case int():
            return {(): dim} if dim else {}
        case IntImm(value=value):
            return {(): value} if value else {}
        case Binary(op=BinaryOp.ADD, a=a, b=b):
            return _sum(polynomial(a), polynomial(b), 1)
        case Binary(op=BinaryOp.SUB, a=a, b=b):
            return _sum(polynomial(a), polynomial(b), -1)
        case Binary(op=BinaryOp.MUL, a=a, b=b):
            return product(polynomial(a), polynomial(b))
        case _:
            return {(dim,): 1}


def _sum(a: Polynomial, b: Polynomial, sign: int) -> Polynomial:
    result = dict(a)
    for monomial, factor in b.items():
        result[monomial] = result.get(monomial, 0) + sign * factor
    return {monomial: factor for monomial, factor in result.items() if factor}


def product(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            key = tuple(sorted((*left, *right), key=repr))
            result[key] = result.get(key, 0) + x * y
    return {monomial: factor for monomial, factor in result.items() if factor}


def same_dim(a: Dim, b: Dim) -> bool | None:
    """Whether two dimensions are equal: yes, no (for some value of their variables), or unknown.

    Unknown where division, `min`, `max` or a choice occurs in one of them.
    """
    if a == b:
        return True
    difference = _sum(polynomial(a), polynomial(b), -1)
    if not difference:
        return True
    atoms = (atom for monomial in difference for atom in monomial)
    return None if any(not isinstance(atom, Var) for atom in atoms) else False


def same_shape(a: Shape, b: Shape) -> bool | None:
    """Whether two shapes are equal: yes, no, or unknown."""
    if len(a) != len(b):
        return False
    answers = [same_dim(x, y) for x, y in zip(a, b, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True


def substitute_dim(dim: Dim, values: dict[NodeId, Dim]) -> Dim:
    """`dim` with variables replaced by dimensions."""
    if isinstance(dim, int):
        return dim
    if isinstance(dim, Var):
        return values.get(dim.id, dim)

    def replace_var(node: PrimExpr) -> PrimExpr:
        if isinstance(node, Var):
            found = values.get(node.id, node)
            return IntImm(found) if isinstance(found, int) else found
        return map_children(node, replace_var)

    return replace_var(dim)


def unknown_of(dim: Dim, known: Container[NodeId]) -> tuple[Var, int] | None:
    """The one variable of `dim` that is not known, and its factor: `n` and 2 for `n * 2 + m`.

    None where no variable or several are unknown, or where the one is under a division or beside
    another variable in a product: then an extent does not tell its value.
    """
    if isinstance(dim, int):
        return None
    if isinstance(dim, Var):
        return None if dim.id in known else (dim, 1)
    unknown = [var for var in free_vars(dim).values() if var.id not in known]
    if len(unknown) != 1:
        return None
    terms = polynomial(dim)
    own = [m for m in terms if any(unknown[0].id in free_vars(atom) for atom in m)]
    return (unknown[0], terms[own[0]]) if own == [(unknown[0],)] else None


def bind_dims(dims: Shape, extents: Shape, known: dict[NodeId, Dim]) -> set[NodeId]:
    """Bind the variables of `dims` that are not known by the extents that are given for them.

    Gives those that were solved for in an expression: `n` is `m` where `n * 2` is given `m * 2`,
    and `m // 2` where it is given `m`, at least 0; whether that fits is left to who compares.
    """
    for dim, extent in zip(dims, extents, strict=True):
        if isinstance(dim, Var):
            known.setdefault(dim.id, extent)
    solved: set[NodeId] = set()
    for dim, extent in zip(dims, extents, strict=True):
        unknown = unknown_of(dim, known)
        if unknown is not None:
            var, factor = unknown
            rest = substitute_dim(dim, {**known, var.id: 0})
            known[var.id] = _divided(extent, rest, factor)
            solved.add(var.id)
    return solved


def _divided(extent: Dim, rest: Dim, factor: int) -> Dim:
    """`max((extent - rest) // factor, 0)`, without division and choice where it needs none."""
    terms = _sum(polynomial(extent), polynomial(rest), -1)
    if any(count % factor for count in terms.values()):
        value = binary(BinaryOp.FLOORDIV, _expr(terms), factor)
    else:
        value = _expr({atoms: count // factor for atoms, count in terms.items()})
    extents = all(isinstance(atom, Var) for atoms in terms for atom in atoms)
    if extents and all(count * factor > 0 for count in terms.values()):
        return as_dim(value)
    return as_dim(binary(BinaryOp.MAX, value, 0))


def _expr(terms: Polynomial) -> PrimExpr:
    """A polynomial as an expression."""
    total: PrimExpr = IntImm(0)
    for atoms, count in terms.items():
        part: PrimExpr = IntImm(count)
        for atom in atoms:
            part = binary(BinaryOp.MUL, atom, part)
        total = binary(BinaryOp.ADD, total, part)
    return total


def leaves(arg: Arg) -> tuple[Var | Constant | ShapeValue | ScalarValue | StringValue, ...]:
    """What stands in `arg`, tuples looked through."""
    if isinstance(arg, TupleValue):
        return tuple(leaf for item in arg.fields for leaf in leaves(item))
    return (arg,)
