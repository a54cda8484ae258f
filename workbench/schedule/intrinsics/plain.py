"""Code without blocks: the form in which descriptions and programs are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workbench.analysis.arith import Facts
from workbench.analysis.simplify import simplify_statement
from workbench.codegen.lower import lower
from workbench.ir import Allocate, Stmt, TensorFunction, Var
from workbench.support import IdSource


def plain(function: TensorFunction, body: Stmt, ids: IdSource, facts: Facts) -> Stmt:
    """A statement of a function as simplified loops over stores: axes are their values.

    Predicates that `facts` prove are gone, and so are loops of extent 1.
    """
    return simplify_statement(lower(replace(function, body=body, allocations=()), ids), facts)


def plain_function(function: TensorFunction, facts: Facts) -> Stmt:
    """The body of a function in that form, its allocations around it."""
    body = plain(function, function.body, IdSource(function.next_id), facts)
    return allocated(function.allocations, body)


def allocated(buffers: Iterable[Var], body: Stmt) -> Stmt:
    """`body` with buffers allocated around it."""
    for buffer in reversed(tuple(buffers)):
        body = Allocate(buffer, body)
    return body
