"""Fault sites: what a checked kernel can report instead of crashing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from workbench.ir.expr import Binary, BinaryOp, Cast, FloatImm, IntImm, Load, PrimExpr, Var
from workbench.support.ids import NodeId

FaultKind: TypeAlias = Literal["bounds", "division", "allocation"]


@dataclass(frozen=True, slots=True)
class FaultSite:
    """A check in generated code.

    `node` is the buffer that is accessed or allocated, or written by the division's statement. At a
    fault of kind `bounds` the details are index and extent, of kind `allocation` the bytes.
    """

    node: NodeId
    kind: FaultKind
    message: str


class FaultTable:
    """The sites of one kernel, one a check; a status of k names `sites[k - 1]`.

    Numbers depend on no name: kernels that are equal up to renaming share their code.
    """

    def __init__(self) -> None:
        self.sites: list[FaultSite] = []

    def status(self, site: FaultSite) -> int:
        """The status that reports `site`."""
        self.sites.append(site)
        return len(self.sites)


def bounds_site(buffer: Var, indices: tuple[PrimExpr, ...], dim: int, *, store: bool) -> FaultSite:
    """The site of an access whose index `dim` may leave its dimension."""
    listed = ", ".join(text(index) for index in indices)
    verb = "write to" if store else "read of"
    message = f"{verb} `{buffer.name}[{listed}]` is out of bounds in dimension {dim}"
    return FaultSite(buffer.id, "bounds", message)


def text(expr: PrimExpr) -> str:
    """A short text of an index expression."""
    match expr:
        case Var(name=name):
            return name
        case IntImm(value=value) | FloatImm(value=value):
            return str(value)
        case Binary(op=op, a=a, b=b):
            if op.value.isalpha() and op not in {BinaryOp.AND, BinaryOp.OR}:
                return f"{op.value}({text(a)}, {text(b)})"
            return f"{_operand(a)} {op.value} {_operand(b)}"
        case Load(buffer=buffer, indices=indices):
            return f"{buffer.name}[{', '.join(text(i) for i in indices)}]"
        case Cast(value=value):
            return text(value)
        case _:
            return "..."


def _operand(expr: PrimExpr) -> str:
    return f"({text(expr)})" if isinstance(expr, Binary) else text(expr)
