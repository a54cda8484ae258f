"""Well-formedness of scalar expressions: scopes, dtypes, ranks of accesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from workbench.ir.dot import DOT_LENGTH, dot_fault
from workbench.ir.dtypes import DTYPES, dtype_hint
from workbench.ir.expr import (
    COMPARISONS,
    LOGICAL,
    Binary,
    BinaryOp,
    BufferType,
    Cast,
    DType,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    PrimExpr,
    ScalarType,
    Select,
    Type,
    Var,
    is_float,
)
from workbench.ir.faults import Faults
from workbench.support.ids import NodeId
from workbench.support.spans import Span

_ON_BOOL = COMPARISONS | LOGICAL | {BinaryOp.MIN, BinaryOp.MAX}


@dataclass(slots=True)
class ScalarChecker:
    """Checks expressions; `scope` has the types of visible variables, `node` the current block."""

    faults: Faults
    scope: dict[NodeId, Type] = field(default_factory=dict[NodeId, Type])
    node: NodeId | None = None

    def define(self, var: Var) -> None:
        """Make a variable visible."""
        self.scope[var.id] = var.type
        dtype = getattr(var.type, "dtype", None)
        if isinstance(var.type, BufferType | ScalarType) and dtype not in DTYPES:
            message = f"`{var.name}` has dtype `{dtype}`, which does not exist"
            self.faults.add("type/unknown-dtype", message, var.id, hint=dtype_hint(dtype))

    def integer(self, expr: PrimExpr, what: str, span: Span | None) -> None:
        """`expr` must be an integer."""
        dtype = self.dtype(expr, span)
        if dtype is not None and (is_float(dtype) or dtype == "bool"):
            message = f"{what} must be an integer, got `{dtype}`"
            self.faults.add("type/not-integer", message, self.node, span)

    def boolean(self, expr: PrimExpr, what: str, span: Span | None) -> None:
        """`expr` must be a boolean."""
        dtype = self.dtype(expr, span)
        if dtype not in {None, "bool"}:
            message = f"{what} must be `bool`, got `{dtype}`"
            self.faults.add("type/not-bool", message, self.node, span)

    def access(self, buffer: Var, indices: tuple[PrimExpr, ...], span: Span | None) -> None:
        """`buffer[indices]` must name one element of a visible buffer."""
        self._visible(buffer, span)
        if not isinstance(buffer.type, BufferType):
            message = f"`{buffer.name}` is indexed, but is no buffer"
            self.faults.add("type/not-a-buffer", message, self.node, span)
        elif len(indices) != len(buffer.type.shape):
            self.faults.add(
                "type/rank-mismatch",
                f"`{buffer.name}` has {len(buffer.type.shape)} dimensions, "
                f"got {len(indices)} indices",
                self.node,
                span,
            )
        for index in indices:
            self.integer(index, f"an index of `{buffer.name}`", span)

    def _visible(self, var: Var, span: Span | None) -> None:
        if var.id not in self.scope:
            self.faults.undefined(var, self.node, span)
        elif self.scope[var.id] is not var.type and self.scope[var.id] != var.type:
            self.faults.add(
                "ir/stale-variable",
                f"`{var.name}` is used as `{var.type}`, but defined as `{self.scope[var.id]}`",
                self.node,
                span,
            )

    def dtype(self, expr: PrimExpr, span: Span | None) -> DType | None:
        """The dtype of an expression, None where it has none because of a fault."""
        match expr:
            case Var():
                return self._var(expr, span)
            case IntImm(dtype=dtype) | FloatImm(dtype=dtype):
                self._known(dtype, span)
                return dtype
            case Binary():
                return self._binary(expr, span)
            case Not(value=value):
                self.boolean(value, "the operand of `not`", span)
                return "bool"
            case Select(condition=condition, true_value=a, false_value=b):
                self.boolean(condition, "the condition of a choice", span)
                return self._agree(a, b, "the sides of a choice", span)
            case Cast(value=value, dtype=dtype):
                self.dtype(value, span)
                self._known(dtype, span)
                return dtype
            case Intrinsic(args=args, dtype=dtype):
                dtypes = tuple(self.dtype(arg, span) for arg in args)
                if expr.name in DOT_LENGTH and (fault := dot_fault(expr.name, dtype, dtypes)):
                    self.faults.add("type/dot-operands", fault, self.node, span)
                return dtype
            case Load(buffer=buffer, indices=indices):
                self.access(buffer, indices, span)
                return buffer.type.dtype if isinstance(buffer.type, BufferType) else None
            case _:
                assert_never(expr)

    def _known(self, dtype: DType, span: Span | None) -> None:
        if dtype not in DTYPES:
            message, hint = f"there is no dtype `{dtype}`", dtype_hint(dtype)
            self.faults.add("type/unknown-dtype", message, self.node, span, hint=hint)

    def _var(self, var: Var, span: Span | None) -> DType | None:
        self._visible(var, span)
        if isinstance(var.type, ScalarType):
            return var.type.dtype
        message = f"`{var.name}` is used as a scalar, but is `{type(var.type).__name__}`"
        self.faults.add("type/not-a-scalar", message, self.node, span)
        return None

    def _agree(self, a: PrimExpr, b: PrimExpr, what: str, span: Span | None) -> DType | None:
        left, right = self.dtype(a, span), self.dtype(b, span)
        if left is not None and right is not None and left != right:
            self.faults.add(
                "type/dtype-mismatch",
                f"{what} must have one dtype, got `{left}` and `{right}`",
                self.node,
                span,
                hint="cast one of them",
            )
        return left or right

    def _binary(self, expr: Binary, span: Span | None) -> DType | None:
        dtype = self._agree(expr.a, expr.b, f"the operands of `{expr.op.value}`", span)
        if expr.op in LOGICAL and dtype not in {None, "bool"}:
            message = f"the operands of `{expr.op.value}` must be `bool`, got `{dtype}`"
            self.faults.add("type/not-bool", message, self.node, span)
        if dtype == "bool" and expr.op not in _ON_BOOL:
            message = f"`{expr.op.value}` is no operation of `bool`"
            self.faults.add(
                "type/bool-arithmetic", message, self.node, span, hint="cast to an integer"
            )
        return "bool" if expr.op in COMPARISONS | LOGICAL else dtype
