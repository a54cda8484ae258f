"""Right sides of bindings, and their types."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import ClassVar

from workbench.ir import (
    Alias,
    Arg,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    MatchCast,
    ScalarType,
    ScalarValue,
    StringValue,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    as_expr,
    infer_type,
    type_of,
)
from workbench.ir.builder import field_type
from workbench.script.call_result import result_type
from workbench.script.constants import as_array
from workbench.script.read_calls import PACKED, TENSOR_CALLS
from workbench.script.read_leaves import LEAVES, Value, metadata_number
from workbench.script.read_operators import OperatorReader
from workbench.support.diagnostics import CompileError

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "mod",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.USub: "negative",
}


class ValueReader(OperatorReader):
    """Reads right sides."""

    def value(self, node: ast.expr) -> Value:
        """A right side.

        Raises:
            CompileError: `script/not-supported`.
        """
        reader = self._value_readers.get(type(node))
        if reader is None:
            raise self.fault(
                node,
                "script/not-supported",
                f"`{ast.unparse(node)[:40]}` is not a value of graph functions",
            )
        return reader(self, node)

    def _literal_value(self, node: ast.Constant) -> Arg:
        if isinstance(node.value, str):
            return StringValue(node.value)
        return ScalarValue(self.expr(node))

    def _variable_value(self, node: ast.Name) -> Value:
        entry = self.lookup(node)
        if isinstance(entry, Var):
            return entry
        if isinstance(entry, str):
            return StringValue(entry)
        if isinstance(entry, bool | int | float):
            return ScalarValue(as_expr(entry))
        array = as_array(entry, None)
        if array is not None:
            return self.constants.add(array)
        raise self.fault(
            node, "script/type", f"a `{type(entry).__name__}` is not a value of graph functions"
        )

    def _tuple_value(self, node: ast.Tuple | ast.List) -> Arg:
        return TupleValue(self.leaves(node.elts))

    def _item(self, node: ast.Subscript) -> Value:
        if (number := metadata_number(node)) is not None:
            return self.metadata_constant(node, number)
        base = self.leaf(node.value)
        index = self.literal(node.slice)
        if not isinstance(index, int):
            raise self.fault(node.slice, "script/type", "a field of a tuple is named by its number")
        if not isinstance(type_of(base), TupleType):
            raise self.fault(
                node,
                "script/type",
                f"expected a tuple, found `{ast.unparse(node.value)[:40]}`",
                hint="`R.strided_slice` takes a part of a tensor",
            )
        return TupleItem(base, index)

    # --- operators as Python writes them ----------------------------------------------------

    def _arithmetic(self, node: ast.BinOp) -> Value:
        return self._infix(node, type(node.op), [node.left, node.right])

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.operand, ast.Constant):
            return ScalarValue(self.expr(node))
        return self._infix(node, type(node.op), [node.operand])

    def _comparison(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            raise self.fault(node, "script/not-supported", "tensors are compared two at a time")
        return self._infix(node, type(node.ops[0]), [node.left, *node.comparators])

    def _infix(self, node: ast.expr, kind: type[ast.AST], operands: list[ast.expr]) -> Value:
        if self._is_scalar(node):
            return ScalarValue(self.expr(node))
        name = _OPERATORS.get(kind)
        if name is None:
            raise self.fault(
                node, "script/not-supported", f"tensors have no operator `{kind.__name__}`"
            )
        args = self.leaves(operands)
        dtype = next((t.dtype for t in map(type_of, args) if isinstance(t, TensorType)), None)
        converted = tuple(self._as_tensor(arg, dtype) for arg in args)
        return CallOp(self.registered(node, name).name, converted)

    def _is_scalar(self, node: ast.expr) -> bool:
        """Whether an expression is arithmetic on symbolic dimensions and numbers alone."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                entry = self.scope.get(part.id)
                if isinstance(entry, Var) and not isinstance(entry.type, ScalarType):
                    return False
            elif isinstance(part, ast.Call) and (self.dialect(part.func) or "R.")[:2] == "R.":
                return False
        return True

    def _as_tensor(self, arg: Arg, dtype: str | None) -> Arg:
        """A number next to a tensor is a constant of its dtype."""
        if not isinstance(arg, ScalarValue) or isinstance(arg.value, Var):
            return arg
        number = getattr(arg.value, "value", None)
        array = as_array(number, dtype) if isinstance(number, int | float) else None
        return arg if array is None else self.constants.add(array)

    # --- calls ------------------------------------------------------------------------------

    def _call_value(self, node: ast.Call) -> Value:
        name = self.dialect(node.func)
        if name is None:
            return self.call_function(node)
        constructor = self.constructors.get(name)
        if constructor is not None:
            return constructor(self, node)
        if name in TENSOR_CALLS:
            return self.call_tir(node, inplace=name == TENSOR_CALLS[1])
        if name == "R.emit_te":
            return self.emit_te(node)
        if name in PACKED:
            return self.call_packed(node, PACKED[name])
        if name.startswith("R."):
            return self.call_operator(node, name[2:])
        return ScalarValue(self.expr(node))

    # --- types ------------------------------------------------------------------------------

    def inferred(self, node: ast.expr, value: Value) -> Type | None:
        """The type of a right side, None where only an annotation can say it."""
        if isinstance(value, LEAVES):
            return type_of(value)
        try:
            match value:
                case CallOp():
                    return infer_type(value)
                case CallTIR() | CallTIRInplace() | CallPacked():
                    types = value.out_types
                    return types[0] if len(types) == 1 else TupleType(tuple(types))
                case CallFunction(callee=callee, args=args):
                    signature = self.functions.signature(callee)
                    assert signature is not None
                    if signature.result is None:
                        return None
                    return result_type(
                        signature.params, signature.result, tuple(map(type_of, args))
                    )
                case TupleItem(value=base, index=index):
                    return field_type(type_of(base), index)
                case MatchCast(type=type_):
                    return type_
                case Alias(value=leaf):
                    return type_of(leaf)
                case _:
                    return None
        except CompileError as error:
            raise self.report.adopt(node, error) from None

    _value_readers: ClassVar[dict[type[ast.expr], Callable[..., Value]]] = {
        ast.Constant: _literal_value,
        ast.Name: _variable_value,
        ast.Tuple: _tuple_value,
        ast.List: _tuple_value,
        ast.Subscript: _item,
        ast.BinOp: _arithmetic,
        ast.UnaryOp: _unary,
        ast.Compare: _comparison,
        ast.Call: _call_value,
    }
