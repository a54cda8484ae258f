"""Values of graph functions: leaves, operator calls, calls of functions and libraries."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from workbench.ir import (
    Alias,
    Arg,
    Attr,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    Constant,
    GraphExpr,
    GraphFunction,
    MatchCast,
    Operator,
    PackedStyle,
    ScalarType,
    ScalarValue,
    ShapeValue,
    StringValue,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    as_expr,
    find_operator,
    infer_type,
    operators,
    type_of,
)
from workbench.ir.builder import field_type
from workbench.script.call_result import result_type
from workbench.script.constants import Constants, as_array, is_digest
from workbench.script.context import Context, Functions, Signature, frozen
from workbench.script.read_types import TypeReader
from workbench.script.scope import ModuleName
from workbench.script.source import near
from workbench.script.vocabulary import DTYPES
from workbench.support.diagnostics import CompileError

Value: TypeAlias = "Arg | GraphExpr"

_LEAVES = (Var, Constant, ShapeValue, ScalarValue, StringValue, TupleValue)
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
_OUT = ("out_ty", "out_sinfo")
_TY = ("ty_args", "sinfo_args")
_PACKED = {f"R.{style.value}": style for style in PackedStyle}


class ValueReader(TypeReader):
    """Reads the right sides of bindings; a nested call becomes a binding of its own."""

    def __init__(self, context: Context, functions: Functions, constants: Constants) -> None:
        super().__init__(context)
        self.functions = functions
        self.constants = constants

    def emit(self, node: ast.expr, value: GraphExpr) -> Var:
        """Bind a nested call."""
        raise NotImplementedError

    # --- leaves -----------------------------------------------------------------------------

    def leaf(self, node: ast.expr) -> Arg:
        """An argument; what is more than a leaf is bound first."""
        value = self.value(node)
        return value if isinstance(value, _LEAVES) else self.emit(node, value)

    def leaves(self, nodes: list[ast.expr]) -> tuple[Arg, ...]:
        """Several arguments; all their faults are reported."""
        return tuple(self.report.collect(functools.partial(self.leaf, node) for node in nodes))

    def value(self, node: ast.expr) -> Value:
        """A right side."""
        reader = _READERS.get(type(node))
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
        if (number := _metadata_number(node)) is not None:
            return self._metadata(node, number)
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

    def _metadata(self, node: ast.Subscript, number: int) -> Arg:
        arrays = self.constants.metadata
        if arrays is not None and 0 <= number < len(arrays):
            return self.constants.add(arrays[number])
        raise self.fault(
            node,
            "script/missing-constant",
            f"the script does not contain constant `{number}` of its metadata",
            hint="print the script with its metadata (`show_meta=True`), or save the module",
        )

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
        return self._registered(node, name)[0](name, converted)

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
            return self._call_function(node)
        special = _CALLS.get(name)
        if special is not None:
            return special(self, node)
        if name in _PACKED:
            return self._packed(node, _PACKED[name])
        if name.startswith("R."):
            return self._operator(node, name[2:])
        return ScalarValue(self.expr(node))

    def _registered(self, node: ast.expr, name: str) -> tuple[Callable[..., CallOp], Operator]:
        found = find_operator(name)
        if found is None:
            known = [operator.name for operator in operators()]
            words = [word[2:] for word in (*_CALLS, *_PACKED)]
            raise self.fault(
                node,
                "script/unknown-operator",
                f"no operator `{name}` is registered",
                hint=near(name, (*known, *words)),
            )
        return CallOp, found

    def _operator(self, node: ast.Call, name: str) -> CallOp:
        _, operator = self._registered(node.func, name)
        parameters = operator.parameters
        attributes = [key for key, _ in operator.attributes]
        count = len(parameters) if parameters else len(node.args)
        given: dict[int, ast.expr] = dict(enumerate(node.args[:count]))
        attrs: dict[str, ast.expr] = dict(zip(attributes, node.args[count:], strict=False))
        if len(node.args) > count + len(attributes):
            raise self.fault(
                node.args[count + len(attributes)],
                "script/argument-count",
                f"`R.{name}` takes {count + len(attributes)} arguments, found {len(node.args)}",
            )
        for keyword in node.keywords:
            self._keyword(node, name, operator, keyword, given, attrs)
        if sorted(given) != list(range(len(given))):
            missing = next(i for i in range(len(given)) if i not in given)
            raise self.fault(
                node,
                "script/missing-argument",
                f"`R.{name}` needs `{parameters[missing]}`",
            )
        values = self.report.collect(
            (
                lambda: self._operator_arguments([given[i] for i in sorted(given)]),
                lambda: self._attributes(attrs),
            )
        )
        return CallOp(name, *values)  # pyright: ignore[reportArgumentType]

    def _keyword(
        self,
        node: ast.Call,
        name: str,
        operator: Operator,
        keyword: ast.keyword,
        given: dict[int, ast.expr],
        attrs: dict[str, ast.expr],
    ) -> None:
        word = keyword.arg or "**"
        known = dict(operator.attributes)
        if word in operator.parameters:
            given[operator.parameters.index(word)] = keyword.value
        elif word in known:
            attrs[word] = keyword.value
        elif not self._says_nothing(node, keyword):
            raise self.fault(
                keyword.value,
                "script/unknown-argument",
                f"`R.{name}` has no argument `{word}`",
                hint=near(word, (*operator.parameters, *known))
                or f"there are: {', '.join((*operator.parameters, *known)) or 'none'}",
            )

    def _says_nothing(self, node: ast.Call, keyword: ast.keyword) -> bool:
        """What TVM prints at some operators without need: `out_dtype=None`, an equal `out_layout`."""
        value = keyword.value
        if isinstance(value, ast.Constant) and value.value in (None, ""):
            return True
        if keyword.arg == "out_layout":
            layouts = [k.value for k in node.keywords if k.arg in {"layout", "data_layout"}]
            return any(ast.dump(value) == ast.dump(other) for other in layouts)
        return keyword.arg == "count_include_pad" and ast.unparse(value) == "False"

    def _operator_arguments(self, nodes: list[ast.expr]) -> tuple[Arg, ...]:
        return tuple(_as_shape(arg) for arg in self.leaves(nodes))

    def _attributes(self, nodes: dict[str, ast.expr]) -> tuple[tuple[str, Attr], ...]:
        values = self.report.collect(
            functools.partial(self._attribute, node) for node in nodes.values()
        )
        return frozen(dict(zip(nodes, values, strict=True)))

    def _attribute(self, node: ast.expr) -> Attr:
        name = self.dialect(node)
        if name is not None and name[2:] in DTYPES:
            return name[2:]
        return self.literal(node)

    # --- functions --------------------------------------------------------------------------

    def _call_function(self, node: ast.Call) -> Value:
        signature = self.callee(node.func)
        if not signature.is_graph:
            raise self.fault(
                node,
                "script/call",
                f"`{signature.name}` is a tensor function and needs memory for its results",
                hint=f"`R.call_tir(cls.{signature.name}, (x,), out_ty=R.Tensor(...))`",
            )
        if node.keywords:
            raise self.fault(node, "script/call", "functions take positional arguments")
        args = self.leaves(node.args)
        if len(args) != len(signature.params):
            raise self.fault(
                node,
                "script/argument-count",
                f"`{signature.name}` takes {len(signature.params)} arguments, found {len(args)}",
            )
        return CallFunction(signature.name, args)

    def callee(self, node: ast.expr) -> Signature:
        """The function that `cls.f`, `f` or `"f"` names."""
        name = None
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr) if self._is_module(owner):
                name = attr
            case ast.Name(id=known):
                name = known
                self._adopt(known)
            case ast.Constant(value=str() as text):
                name = text
            case _:
                raise self.fault(
                    node,
                    "script/call",
                    f"`{ast.unparse(node)[:40]}` is no function of the module",
                    hint="functions of the module are called as `cls.name`",
                )
        signature = self.functions.signature(name)
        if signature is None:
            raise self.fault(
                node,
                "script/unknown-function",
                f"the module has no function `{name}`",
                hint=near(name, self.functions.names()),
            )
        return signature

    def _is_module(self, name: str) -> bool:
        entry = self.scope.get(name)
        return isinstance(entry, ModuleName) or (
            entry is None and name in self.context.module_names
        )

    def _adopt(self, name: str) -> None:
        function = self.context.namespace.get(name)
        if isinstance(function, TensorFunction | GraphFunction):
            self.functions.adopt(name, function)

    # --- destination-passing and library calls ----------------------------------------------

    def _call_tir(self, node: ast.Call) -> Value:
        names = ("gvar", "args", "out", *_OUT, "tir_vars", "dtype")
        given = dict(zip(names, self.arguments(node, names, required=2), strict=True))
        callee_node, args_node = given["gvar"], given["args"]
        assert callee_node is not None and args_node is not None
        signature, args, outs, scalars = self.report.collect(
            (
                lambda: self._tensor_callee(callee_node),
                lambda: self._argument_tuple(args_node),
                lambda: self._out_types(node, given),
                lambda: self.dims_of(given["tir_vars"]),
            )
        )
        found = len(args) + len(outs) + len(scalars)  # pyright: ignore[reportArgumentType]
        expected = len(signature.params)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
        if found != expected:
            raise self.fault(
                node,
                "script/argument-count",
                f"`{signature.name}` takes {expected} buffers and scalars, found {len(args)} "  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType, reportUnknownMemberType]
                f"arguments, {len(outs)} results and {len(scalars)} scalars",  # pyright: ignore[reportArgumentType]
            )
        return CallTIR(signature.name, args, outs, scalars)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType, reportUnknownMemberType, reportUnknownArgumentType]

    def _tensor_callee(self, node: ast.expr) -> Signature:
        signature = self.callee(node)
        if signature.is_graph:
            raise self.fault(
                node,
                "script/call",
                f"`{signature.name}` is a graph function",
                hint=f"`cls.{signature.name}(...)` calls it",
            )
        return signature

    def _argument_tuple(self, node: ast.expr) -> tuple[Arg, ...]:
        """The arguments of a destination-passing call: a tuple, or a single value."""
        name = self.dialect(node.func) if isinstance(node, ast.Call) else None
        if name == "R.tuple" and isinstance(node, ast.Call):
            return self.leaves(node.args)
        if isinstance(node, ast.Tuple | ast.List):
            return self.leaves(list(node.elts))
        return (self.leaf(node),)

    def dims_of(self, node: ast.expr | None) -> tuple[Any, ...]:
        """The dimensions of `R.shape([...])` or a plain tuple; none for None."""
        if node is None:
            return ()
        if isinstance(node, ast.Call) and self.dialect(node.func) == "R.shape" and node.args:
            node = node.args[0]
        return self.dims(node)

    def _out_types(self, node: ast.Call, given: dict[str, ast.expr | None]) -> Any:  # noqa: ANN401
        out = given["out"] or given[_OUT[0]] or given[_OUT[1]]
        if out is None:
            raise self.fault(
                node,
                "script/missing-argument",
                f"`{ast.unparse(node.func)}` needs the type of its result",
                hint='`out_ty=R.Tensor((n, m), dtype="float32")`',
            )
        if (dtype := given.get("dtype")) is not None:
            return (TensorType(self.dims(out), self.dtype(dtype)),)
        items = out.elts if isinstance(out, ast.List | ast.Tuple) else [out]
        types = self.report.collect(functools.partial(self.type, item) for item in items)
        return tuple(types)

    def _packed(self, node: ast.Call, style: PackedStyle) -> Value:
        attributes = next((k.value for k in node.keywords if k.arg == "attrs"), None)
        attrs = frozen(self.dictionary(attributes)) if attributes is not None else ()
        rest = [k for k in node.keywords if k.arg != "attrs"]
        if style is PackedStyle.DPS:
            call = ast.copy_location(ast.Call(node.func, node.args, rest), node)
            names = ("func", "args", "out", *_OUT, "dtype")
            given = dict(zip(names, self.arguments(call, names, required=2), strict=True))
            symbol, args_node = given["func"], given["args"]
            assert symbol is not None and args_node is not None
            args, outs = self.report.collect(
                (
                    lambda: self._argument_tuple(args_node),
                    lambda: self._out_types(node, given),
                )
            )
            return CallPacked(self.string(symbol), args, outs, style, attrs)  # pyright: ignore[reportArgumentType]
        return self._effect(node, style, rest, attrs)

    def _effect(
        self,
        node: ast.Call,
        style: PackedStyle,
        keywords: list[ast.keyword],
        attrs: Any,  # noqa: ANN401
    ) -> Value:
        if not node.args:
            raise self.fault(node, "script/missing-argument", "a library call names its symbol")
        types: tuple[Type, ...] = ()
        for keyword in keywords:
            if keyword.arg not in _TY:
                raise self.fault(
                    keyword.value,
                    "script/unknown-argument",
                    f"`R.{style.value}` has no argument `{keyword.arg}`",
                    hint=near(keyword.arg or "", (*_TY, "attrs")),
                )
            value = keyword.value
            items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            types = tuple(self.report.collect(functools.partial(self.type, item) for item in items))
        symbol = self.string(node.args[0])
        return CallPacked(symbol, self.leaves(node.args[1:]), types, style, attrs)

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
        assert value is not None and type_ is not None
        return MatchCast(self.leaf(value), self.type(type_))

    # --- types ------------------------------------------------------------------------------

    def inferred(self, node: ast.expr, value: Value) -> Type | None:
        """The type of a right side, None where only an annotation can say it."""
        if isinstance(value, _LEAVES):
            return type_of(value)
        try:
            match value:
                case CallOp():
                    return infer_type(value)
                case CallTIR(out_types=types) | CallPacked(out_types=types):
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


def _as_shape(arg: Arg) -> Arg:
    """A tuple of numbers as an operator's argument is a shape."""
    if isinstance(arg, TupleValue) and arg.fields:
        values = [item.value for item in arg.fields if isinstance(item, ScalarValue)]
        if len(values) == len(arg.fields):
            return ShapeValue(tuple(getattr(v, "value", v) for v in values))
    return arg


def _metadata_number(node: ast.Subscript) -> int | None:
    match node:
        case ast.Subscript(
            value=ast.Subscript(value=ast.Name(id="metadata")),
            slice=ast.Constant(value=int() as number),
        ):
            return number
        case _:
            return None


_READERS: dict[type[ast.expr], Callable[[ValueReader, Any], Value]] = {
    ast.Constant: ValueReader._literal_value,  # pyright: ignore[reportPrivateUsage]
    ast.Name: ValueReader._variable_value,  # pyright: ignore[reportPrivateUsage]
    ast.Tuple: ValueReader._tuple_value,  # pyright: ignore[reportPrivateUsage]
    ast.List: ValueReader._tuple_value,  # pyright: ignore[reportPrivateUsage]
    ast.Subscript: ValueReader._item,  # pyright: ignore[reportPrivateUsage]
    ast.BinOp: ValueReader._arithmetic,  # pyright: ignore[reportPrivateUsage]
    ast.UnaryOp: ValueReader._unary,  # pyright: ignore[reportPrivateUsage]
    ast.Compare: ValueReader._comparison,  # pyright: ignore[reportPrivateUsage]
    ast.Call: ValueReader._call_value,  # pyright: ignore[reportPrivateUsage]
}
_CALLS: dict[str, Callable[[ValueReader, ast.Call], Value]] = {
    "R.call_tir": ValueReader._call_tir,  # pyright: ignore[reportPrivateUsage]
    "R.const": ValueReader._const,  # pyright: ignore[reportPrivateUsage]
    "R.shape": ValueReader._shape_value,  # pyright: ignore[reportPrivateUsage]
    "R.prim_value": ValueReader._prim_value,  # pyright: ignore[reportPrivateUsage]
    "R.str": ValueReader._text_value,  # pyright: ignore[reportPrivateUsage]
    "R.dtype": ValueReader._text_value,  # pyright: ignore[reportPrivateUsage]
    "R.tuple": ValueReader._tuple_call,  # pyright: ignore[reportPrivateUsage]
    "R.match_cast": ValueReader._match_cast,  # pyright: ignore[reportPrivateUsage]
}
