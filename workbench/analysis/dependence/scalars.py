"""Scalars that are bound once: do they decide more than what is stored?"""

from __future__ import annotations

from workbench.analysis.dependence.operands import operands
from workbench.ir.expr import Load, PrimExpr, Select, Var
from workbench.ir.tensor import Let, Seq, Stmt, Store
from workbench.ir.traverse import free_vars
from workbench.support.ids import NodeId


def only_stored(stmt: Let) -> bool:
    """Whether a scalar decides nothing but values that are stored right after it is computed.

    Then it is an operand of the stores: nothing that happens under it can change whether they run,
    or which elements they touch.
    """
    return _straight(stmt.body, stmt.var.id)


def _straight(stmt: Stmt, var: NodeId) -> bool:
    match stmt:
        case Seq(body=body):
            return all(_straight(item, var) for item in body)
        case Let(value=value, body=body):
            return var not in free_vars(value) and _straight(body, var)
        case Store(indices=indices, value=value):
            return _plain(value, var) and not any(var in free_vars(index) for index in indices)
        case _:
            return False


def _plain(value: PrimExpr, var: NodeId) -> bool:
    """Whether a value uses a variable neither to choose nor to find an element."""
    match value:
        case Var():
            return True
        case Load() | Select():
            return var not in free_vars(value)
        case _:
            return all(_plain(part, var) for part in operands(value))
