"""Scalar expressions from Python syntax. Nothing is evaluated but arithmetic of numbers."""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable
from typing import Any, ClassVar

from workbench.ir import (
    Binary,
    BinaryOp,
    BufferType,
    Dim,
    DType,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    Not,
    PrimExpr,
    ScalarType,
    Select,
    Var,
    dtype_of,
    is_float,
)
from workbench.script.adapt import Weak, as_bool, strong, unify
from workbench.script.read_scalar_calls import ScalarCallReader

_BINARY: dict[type[ast.operator], BinaryOp] = {
    ast.Add: BinaryOp.ADD,
    ast.Sub: BinaryOp.SUB,
    ast.Mult: BinaryOp.MUL,
    ast.Div: BinaryOp.DIV,
    ast.FloorDiv: BinaryOp.FLOORDIV,
    ast.Mod: BinaryOp.FLOORMOD,
}
_BITWISE: dict[type[ast.operator], str] = {
    ast.BitAnd: "bitwise_and",
    ast.BitOr: "bitwise_or",
    ast.BitXor: "bitwise_xor",
    ast.LShift: "shift_left",
    ast.RShift: "shift_right",
    ast.Pow: "pow",
}
_COMPARE: dict[type[ast.cmpop], BinaryOp] = {
    ast.Eq: BinaryOp.EQ,
    ast.NotEq: BinaryOp.NE,
    ast.Lt: BinaryOp.LT,
    ast.LtE: BinaryOp.LE,
    ast.Gt: BinaryOp.GT,
    ast.GtE: BinaryOp.GE,
}
_NUMBERS: dict[BinaryOp, Callable[[Any, Any], Any]] = {
    BinaryOp.ADD: operator.add,
    BinaryOp.SUB: operator.sub,
    BinaryOp.MUL: operator.mul,
    BinaryOp.DIV: lambda a, b: a / b,
    BinaryOp.FLOORDIV: lambda a, b: a // b,
    BinaryOp.FLOORMOD: operator.mod,
    BinaryOp.MIN: min,
    BinaryOp.MAX: max,
    BinaryOp.EQ: operator.eq,
    BinaryOp.NE: operator.ne,
    BinaryOp.LT: operator.lt,
    BinaryOp.LE: operator.le,
    BinaryOp.GT: operator.gt,
    BinaryOp.GE: operator.ge,
}
"""Arithmetic of two Python numbers."""
_LEAST, _LIMIT = -(2**63), 2**64
_MAX_EXPONENT = 64
_LOGICAL = frozenset({BinaryOp.AND, BinaryOp.OR})


class ScalarReader(ScalarCallReader):
    """Reads scalar expressions and dimensions."""

    # --- entry points -----------------------------------------------------------------------

    def expr(self, node: ast.expr, dtype: DType | None = None) -> PrimExpr:
        """An expression; a bare number gets `dtype` (default: `int64`, `float32`, `bool`)."""
        return strong(self.weak(node), dtype)

    def whole(self, node: ast.expr) -> PrimExpr:
        """An integer expression: an index, an extent.

        Raises:
            CompileError: `script/type`.
        """
        value = self.expr(node)
        if is_float(dtype_of(value)):
            raise self.fault(
                node, "script/type", f"expected a whole number, found a `{dtype_of(value)}`"
            )
        return value

    def condition(self, node: ast.expr) -> PrimExpr:
        """An expression of dtype `bool`; a number is compared with zero."""
        return as_bool(self.expr(node))

    def dim(self, node: ast.expr) -> Dim:
        """A dimension: an integer, an expression, or a string with one.

        Raises:
            CompileError: `script/bad-dimension`.
        """
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._quoted_dim(node, node.value)
        value = self.weak(node)
        if isinstance(value, IntImm):
            return value.value
        if isinstance(value, float):
            raise self.fault(node, "script/bad-dimension", f"a dimension is whole, found `{value}`")
        if isinstance(value, int):
            return int(value)
        if is_float(dtype_of(value)):
            raise self.fault(
                node, "script/bad-dimension", f"a dimension is whole, found a `{dtype_of(value)}`"
            )
        return value

    def _quoted_dim(self, node: ast.Constant, text: str) -> Dim:
        try:
            inner = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise self.fault(
                node, "script/bad-dimension", f"`{text}` is not an expression"
            ) from None
        for part in ast.walk(inner):
            ast.copy_location(part, node)
        before, self.implicit_symbols = self.implicit_symbols, True
        try:
            return self.dim(inner)
        finally:
            self.implicit_symbols = before

    def dims(self, node: ast.expr) -> tuple[Dim, ...]:
        """A shape: a tuple or list of dimensions, or a single one.

        Raises:
            CompileError: `script/bad-dimension`.
        """
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(
                self.report.collect(functools.partial(self.dim, item) for item in node.elts)
            )
        if isinstance(node, ast.Name) and self.scope.get(node.id) is None:
            value = self.context.namespace.get(node.id)
            if isinstance(value, tuple | list):
                return tuple(self._namespace_dim(node, item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return (self.dim(node),)

    def extents(self, node: ast.expr) -> tuple[Dim, ...]:
        """The shape of a tensor or a buffer, whose dimensions are 0 or more.

        Raises:
            CompileError: `script/bad-dimension`.
        """
        dims = self.dims(node)
        for dim in dims:
            if isinstance(dim, int) and dim < 0:
                raise self.fault(
                    node,
                    "script/bad-dimension",
                    f"a dimension is 0 or more, found `{dim}`",
                    hint='a dimension that is not known is a symbol: `n = T.int64()`, or `"n"`',
                )
        return dims

    def _namespace_dim(self, node: ast.expr, value: object) -> int:
        try:
            return operator.index(value)  # pyright: ignore[reportArgumentType]
        except TypeError:
            raise self.fault(
                node, "script/bad-dimension", f"a dimension is whole, found `{value!r}`"
            ) from None

    # --- dispatch ---------------------------------------------------------------------------

    def weak(self, node: ast.expr) -> Weak:
        """An expression, or a Python number.

        Raises:
            CompileError: `script/not-supported`.
        """
        reader = self._readers.get(type(node))
        if reader is None:
            raise self.fault(
                node,
                "script/not-supported",
                f"`{type(node).__name__}` is not part of scalar expressions",
            )
        return reader(self, node)

    def _constant(self, node: ast.Constant) -> Weak:
        if isinstance(node.value, bool | int | float):
            return self._limited(node, node.value)
        raise self.fault(
            node, "script/type", f"expected a number, found `{ast.unparse(node)[:40]}`"
        )

    def _name(self, node: ast.Name) -> Weak:
        entry = self.lookup(node)
        if isinstance(entry, Var):
            return self._variable(node, entry)
        if isinstance(entry, bool | int | float):
            return entry
        try:
            return operator.index(entry)  # pyright: ignore[reportArgumentType]
        except TypeError:
            raise self.fault(
                node,
                "script/type",
                f"expected a number, found `{node.id}` of type `{type(entry).__name__}`",
            ) from None

    def _variable(self, node: ast.Name, var: Var) -> PrimExpr:
        match var.type:
            case ScalarType():
                return var
            case BufferType(shape=()):
                return Load(var, ())
            case BufferType(shape=shape):
                raise self.fault(
                    node,
                    "script/type",
                    f"`{node.id}` is a buffer and needs {len(shape)} indices here",
                )
            case _:
                raise self.fault(
                    node, "script/type", f"expected a scalar, found the value `{node.id}`"
                )

    # --- operators --------------------------------------------------------------------------

    def _pair(self, a: ast.expr, b: ast.expr) -> tuple[Weak, Weak]:
        left = right = None
        error = None
        try:
            left = self.weak(a)
        except self.Faulty as fault:
            error = fault
        right = self.weak(b)
        if error is not None:
            raise error
        return left, right  # pyright: ignore[reportReturnType]

    def _bin_op(self, node: ast.BinOp) -> Weak:
        a, b = self._pair(node.left, node.right)
        op = _BINARY.get(type(node.op))
        if op is not None:
            return self.combine(node, op, a, b)
        name = _BITWISE.get(type(node.op))
        if name is None:
            raise self.fault(node, "script/not-supported", "this operator is not part of scripts")
        if isinstance(a, int | float) and isinstance(b, int | float) and name == "pow":
            return self._power(node, a, b)
        left, right = unify(a, b)
        if name != "pow" and is_float(dtype_of(left)):
            raise self.fault(node, "script/type", f"`{name}` needs whole numbers")
        return Intrinsic(name, (left, right), dtype_of(left))

    def _power(self, node: ast.expr, a: float, b: float) -> Weak:
        if abs(b) > _MAX_EXPONENT or (a == 0 and b < 0):
            raise self.fault(node, "script/type", f"`{a} ** {b}` is too large")
        return self._limited(node, a**b)

    def _limited(self, node: ast.expr, value: Any) -> Weak:  # noqa: ANN401
        """A Python number that some dtype can hold."""
        if isinstance(value, complex) or (isinstance(value, int) and not _LEAST <= value < _LIMIT):
            raise self.fault(node, "script/type", "no dtype holds this number")
        return value

    def combine(self, node: ast.expr, op: BinaryOp, a: Weak, b: Weak) -> Weak:
        """`a op b`: two Python numbers give one, nothing else is folded.

        Raises:
            CompileError: `script/division-by-zero`, `script/type`.
        """
        if isinstance(a, int | float) and isinstance(b, int | float):
            if op in _NUMBERS:
                try:
                    return self._limited(node, _NUMBERS[op](a, b))
                except ZeroDivisionError:
                    raise self.fault(node, "script/division-by-zero", "division by zero") from None
            return Binary(op, *unify(strong(a), strong(b)))
        if op in _LOGICAL:
            return Binary(op, as_bool(strong(a)), as_bool(strong(b)))
        return Binary(op, *unify(a, b))

    def _unary_op(self, node: ast.UnaryOp) -> Weak:
        value = self.weak(node.operand)
        match node.op:
            case ast.USub():
                return -value if isinstance(value, int | float) else _negated(value)
            case ast.Not():
                return not value if isinstance(value, int | float) else Not(as_bool(value))
            case ast.Invert() if not isinstance(value, float) and not is_float(_kind(value)):
                value = strong(value)
                return Intrinsic("bitwise_not", (value,), dtype_of(value))
            case ast.UAdd():
                return value
            case _:
                raise self.fault(node, "script/not-supported", "`~` needs an integer")

    def _bool_op(self, node: ast.BoolOp) -> Weak:
        op = BinaryOp.AND if isinstance(node.op, ast.And) else BinaryOp.OR
        values = self.report.collect(functools.partial(self.weak, item) for item in node.values)
        return functools.reduce(lambda a, b: self.combine(node, op, a, b), values)

    def _compare(self, node: ast.Compare) -> Weak:
        operands = self.report.collect(
            functools.partial(self.weak, item) for item in (node.left, *node.comparators)
        )
        parts: list[Weak] = []
        for op, a, b in zip(node.ops, operands, operands[1:], strict=False):
            kind = _COMPARE.get(type(op))
            if kind is None:
                raise self.fault(
                    node, "script/not-supported", "`is` and `in` are not part of scripts"
                )
            parts.append(self.combine(node, kind, a, b))
        return functools.reduce(lambda a, b: self.combine(node, BinaryOp.AND, a, b), parts)

    def _if_exp(self, node: ast.IfExp) -> Weak:
        condition = self.condition(node.test)
        return Select(condition, *unify(*self._pair(node.body, node.orelse)))

    def _subscript(self, node: ast.Subscript) -> Weak:
        buffer = self.buffer(node.value)
        return Load(buffer, self.indices(node, buffer))

    def buffer(self, node: ast.expr) -> Var:
        """A buffer by name.

        Raises:
            CompileError: `script/type`.
        """
        entry = self.lookup(node) if isinstance(node, ast.Name) else None
        if isinstance(entry, Var) and isinstance(entry.type, BufferType):
            return entry
        raise self.fault(
            node, "script/type", f"expected a buffer, found `{ast.unparse(node)[:40]}`"
        )

    def indices(self, node: ast.Subscript, buffer: Var) -> tuple[PrimExpr, ...]:
        """The indices of a subscript, as many as the buffer has dimensions.

        Raises:
            CompileError: `script/rank`.
        """
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        values = tuple(self.report.collect(functools.partial(self.whole, part) for part in parts))
        assert isinstance(buffer.type, BufferType)
        if len(values) != len(buffer.type.shape):
            raise self.fault(
                node,
                "script/rank",
                f"`{buffer.name}` has {len(buffer.type.shape)} dimensions, "
                f"found {len(values)} indices",
            )
        return values

    _readers: ClassVar[dict[type[ast.expr], Callable[..., Weak]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.BinOp: _bin_op,
        ast.UnaryOp: _unary_op,
        ast.BoolOp: _bool_op,
        ast.Compare: _compare,
        ast.IfExp: _if_exp,
        ast.Subscript: _subscript,
        ast.Call: ScalarCallReader.call,
    }


def _negated(value: PrimExpr) -> PrimExpr:
    """`-x`; of a float as a product, which has the right sign for zero."""
    dtype = dtype_of(value)
    if is_float(dtype):
        return Binary(BinaryOp.MUL, value, FloatImm(-1.0, dtype))
    return Binary(BinaryOp.SUB, IntImm(0, dtype), value)


def _kind(value: Weak) -> DType:
    return "int64" if isinstance(value, int | float) else dtype_of(value)
