"""Terms whose values are not known: functions of which only the arguments are.

Where two versions of a program compute the same function of the same arguments they have the same
value, whatever it is. Reference: uninterpreted functions with congruence, as of Ackermann,
"Solvable Cases of the Decision Problem", 1954.
"""

from __future__ import annotations

from typing import NamedTuple

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.terms import Term, TermKind, Terms
from workbench.ir.expr import PrimExpr, Var
from workbench.ir.traverse import substitute
from workbench.support.ids import NodeId


class Unknown(NamedTuple):
    """A function, equal for equal ones, and what it is computed from."""

    function: object
    arguments: tuple[Linear, ...]


def unknown(
    terms: Terms, key: int, role: str, instance: tuple[Linear, ...] | None
) -> Unknown | None:
    """A term as a function of its arguments, None where they are not known.

    What may change in between is a function of the whole `instance` of the statement in one role.
    """
    term = terms[key]
    if term.division is not None:
        dividend, divisor, rest = term.division
        return Unknown(("division", rest), (dividend, divisor))
    if term.factors:
        return _product(terms, term)
    if not term.stable:
        named = term.expr is not None or bool(term.variables)
        return _at(role, term, instance) if named and instance is not None else None
    return None if term.expr is None else _computed(term, term.expr)


def _at(role: str, term: Term, instance: tuple[Linear, ...]) -> Unknown:
    """What may have another value at another instance: an expression, or a variable."""
    variables = tuple(var for var, _ in term.variables)
    return Unknown(("at", role, term.expr, variables), instance)


def _product(terms: Terms, term: Term) -> Unknown:
    symbols = tuple(f for f in term.factors if terms[f].kind is TermKind.SYMBOL)
    rest = tuple(Linear.of(f) for f in term.factors if f not in symbols)
    return Unknown(("product", symbols, len(rest)), rest)


def _computed(term: Term, expr: PrimExpr) -> Unknown | None:
    """An expression with its variables numbered."""
    numbered: dict[NodeId, PrimExpr] = {}
    forms: list[Linear] = []
    for number, (var, form) in enumerate(term.variables):
        if form is None:
            return None
        numbered[var.id] = Var(NodeId(-number - 1), "", var.type)
        forms.append(form)
    return Unknown(("expression", substitute(expr, numbered)), tuple(forms))
