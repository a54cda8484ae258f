"""Leaves of graph functions: constants, shapes, scalars, strings, tuples."""

from __future__ import annotations

import ast
import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeAlias

from workbench.ir import (
    Arg,
    Constant,
    GraphExpr,
    MatchCast,
    ScalarValue,
    Shape,
    ShapeValue,
    StringValue,
    TensorType,
    TupleValue,
    Var,
)
from workbench.script.constants import Constants, as_array, is_digest
from workbench.script.context import Context, Functions
from workbench.script.read_types import TypeReader

Value: TypeAlias = "Arg | GraphExpr"
"""A right side of a binding."""
LEAVES = (Var, Constant, ShapeValue, ScalarValue, StringValue, TupleValue)


class LeafReader(TypeReader):
    """Reads leaves; a nested call becomes a binding of its own."""

    def __init__(self, context: Context, functions: Functions, constants: Constants) -> None:
        super().__init__(context)
        self.functions = functions
        self.constants = constants

    @abstractmethod
    def emit(self, node: ast.expr, value: GraphExpr) -> Var:
        """Bind a nested call."""

    @abstractmethod
    def value(self, node: ast.expr) -> Value:
        """A right side."""

    def leaf(self, node: ast.expr) -> Arg:
        """An argument; what is more than a leaf is bound first."""
        value = self.value(node)
        return value if isinstance(value, LEAVES) else self.emit(node, value)

    def leaves(self, nodes: list[ast.expr]) -> tuple[Arg, ...]:
        """Several arguments; all their faults are reported."""
        return tuple(self.report.collect(functools.partial(self.leaf, node) for node in nodes))

    def dims_of(self, node: ast.expr | None) -> Shape:
        """The dimensions of `R.shape([...])` or a plain tuple; none for None."""
        if node is None:
            return ()
        if isinstance(node, ast.Call) and self.dialect(node.func) == "R.shape" and node.args:
            node = node.args[0]
        return self.dims(node)

    def metadata_constant(self, node: ast.Subscript, number: int) -> Arg:
        """`metadata["ir.GenericConst"][0]`, as TVM writes constants.

        Raises:
            CompileError: `script/missing-constant`.
        """
        arrays = self.constants.metadata
        if arrays is not None and 0 <= number < len(arrays):
            return self.constants.add(arrays[number])
        raise self.fault(
            node,
            "script/missing-constant",
            f"the script does not contain constant `{number}` of its metadata",
            hint="print the script with its metadata (`show_meta=True`), or save the module",
        )

    # --- constructors of leaves -------------------------------------------------------------

    def _const(self, node: ast.Call) -> Value:
        value_node, dtype_node = self.arguments(node, ("value", "dtype"), required=1)
        assert value_node is not None
        if isinstance(value_node, ast.Constant) and isinstance(value_node.value, str):
            return self._by_digest(node, value_node.value, dtype_node)
        dtype = self._const_dtype(dtype_node)
        raw: object = None
        if isinstance(value_node, ast.Name) and self.scope.get(value_node.id) is None:
            raw = self.context.namespace.get(value_node.id)
        array = as_array(raw if raw is not None else self.literal(value_node), dtype)
        if array is None:
            raise self.fault(value_node, "script/type", "expected numbers, found something else")
        return self.constants.add(array)

    def _const_dtype(self, node: ast.expr | None) -> str | None:
        if node is None:
            return None
        if isinstance(node, ast.Call) and self.dialect(node.func) == "R.Tensor":
            return self.tensor(node).dtype
        return self.dtype(node)

    def _by_digest(self, node: ast.Call, digest: str, type_node: ast.expr | None) -> Value:
        if not is_digest(digest):
            raise self.fault(
                node.args[0], "script/type", f"expected numbers or a content hash, found `{digest}`"
            )
        if type_node is None:
            raise self.fault(node, "script/missing-argument", "`R.const` of a hash needs its type")
        type_ = self.type(type_node)
        if not isinstance(type_, TensorType):
            raise self.fault(type_node, "script/type", "a constant is a tensor")
        if not self.constants.has(digest):
            raise self.fault(
                node.args[0],
                "script/missing-constant",
                f"the constant `{digest}` is not there",
                hint="`save` keeps the constants beside the text; `parse(text, like=module)` "
                "takes them from a module",
            )
        return Constant(digest, type_)

    def _shape_value(self, node: ast.Call) -> Value:
        (dims,) = self.arguments(node, ("dims",), required=1)
        return ShapeValue(self.dims_of(dims))

    def _prim_value(self, node: ast.Call) -> Value:
        (value,) = self.arguments(node, ("value",), required=1)
        assert value is not None
        return ScalarValue(self.expr(value))

    def _text_value(self, node: ast.Call) -> Value:
        (value,) = self.arguments(node, ("value",), required=1)
        assert value is not None
        return StringValue(self.string(value))

    def _tuple_call(self, node: ast.Call) -> Value:
        return TupleValue(self.leaves(node.args))

    def _match_cast(self, node: ast.Call) -> Value:
        value, type_ = self.arguments(node, ("value", "ty"), required=2)
        assert value is not None
        assert type_ is not None
        return MatchCast(self.leaf(value), self.type(type_))

    constructors: ClassVar[dict[str, Callable[..., Value]]] = {
        "R.const": _const,
        "R.shape": _shape_value,
        "R.prim_value": _prim_value,
        "R.str": _text_value,
        "R.dtype": _text_value,
        "R.tuple": _tuple_call,
        "R.match_cast": _match_cast,
    }
    """Calls that make leaves."""


def metadata_number(node: ast.Subscript) -> int | None:
    """The number of `metadata["..."][number]`, None for anything else."""
    match node:
        case ast.Subscript(
            value=ast.Subscript(value=ast.Name(id="metadata")),
            slice=ast.Constant(value=int() as number),
        ):
            return number
        case _:
            return None
