"""Values of scalar expressions at one instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.ir.expr import (
    LOGICAL,
    Binary,
    BinaryOp,
    Cast,
    IntImm,
    Intrinsic,
    Not,
    PrimExpr,
    Select,
    Var,
    fold_int,
    is_float,
)
from workbench.support.ids import NodeId


@dataclass(slots=True)
class Instance:
    """One instance: evaluates integer and boolean expressions there, each binding once.

    `values` has loop variables and symbols, `bindings` axes and scalars that are bound once.
    """

    values: Mapping[NodeId, int]
    bindings: Mapping[NodeId, PrimExpr]
    bound: dict[NodeId, int | None] = field(default_factory=dict[NodeId, "int | None"])

    def moved(self, var: NodeId, value: int) -> Instance:
        """Where one variable has another value."""
        return Instance({**self.values, var: value}, self.bindings)

    def value(self, node: PrimExpr) -> int | None:
        """The value of an expression.

        None where it depends on memory, or does not fit into 64 bits.
        """
        if isinstance(node, Binary):
            return binary(node.op, self.value(node.a), self.value(node.b))
        if isinstance(node, Var):
            known = self.values.get(node.id)
            return self._bound(node.id) if known is None else known
        return node.value if isinstance(node, IntImm) else self._rare(node)

    def _rare(self, node: PrimExpr) -> int | None:
        match node:
            case Not(value=inner):
                found = self.value(inner)
                return None if found is None else int(not found)
            case Select(condition=condition, true_value=a, false_value=b):
                chosen = self.value(condition)
                return None if chosen is None else self.value(a if chosen else b)
            case Cast(value=inner, dtype=dtype) if not is_float(dtype):
                found = self.value(inner)
                return found if dtype != "bool" or found is None else int(found != 0)
            case Intrinsic(name=name, args=args):
                return _intrinsic(name, [self.value(arg) for arg in args])
            case _:
                return None

    def _bound(self, ident: NodeId) -> int | None:
        if ident in self.bound:
            return self.bound[ident]
        definition = self.bindings.get(ident)
        found = None if definition is None else self.value(definition)
        self.bound[ident] = found
        return found


def binary(op: BinaryOp, a: int | None, b: int | None) -> int | None:
    """`a op b`; a conjunction may be decided by one side."""
    if a is None or b is None:
        known = a if b is None else b
        decides = 0 if op is BinaryOp.AND else 1
        return known if op in LOGICAL and known == decides else None
    found = fold_int(BinaryOp.TRUNCDIV if op is BinaryOp.DIV else op, a, b)
    return found if found is None or abs(found) < 1 << 63 else None


def _intrinsic(name: str, args: list[int | None]) -> int | None:
    known = [arg for arg in args if arg is not None]
    if len(known) < len(args):
        return None
    match name, known:
        case "likely", [a]:
            return a
        case "abs", [a]:
            return abs(a)
        case "shift_left", [a, b] if 0 <= b < 32:
            return a << b
        case "shift_right", [a, b] if 0 <= b < 64:
            return a >> b
        case "bitwise_and", [a, b]:
            return a & b
        case _:
            return None
