"""Graph functions as tokens."""

from __future__ import annotations

import math
from typing import Any, assert_never

import numpy as np

from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    ConstantPool,
    GraphFunction,
    IfThenElse,
    MatchCast,
    PackedStyle,
    ScalarValue,
    ShapeValue,
    StringValue,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    bindings_in,
    content_digest,
    walk,
)
from workbench.script.print_scalar import separated, write_expr
from workbench.script.print_tensor import symbols_of
from workbench.script.print_types import (
    open_signature,
    quote,
    write_attr,
    write_attr_dict,
    write_dims,
    write_type,
)
from workbench.script.tokens import Writer
from workbench.support.ids import NodeId


def write_graph_function(
    w: Writer, name: str, function: GraphFunction, pool: ConstantPool, module: str
) -> None:
    """A whole `R.function`."""
    _GraphPrinter(w, pool, module).function(name, function)


def graph_symbols(function: GraphFunction) -> list[Var]:
    """Symbolic dimensions of a graph function, in order of first occurrence."""
    bindings = list(bindings_in(function.blocks))
    bound = {var.id for var in (*function.params, *(b.var for b in bindings))}
    types: list[object] = [param.type for param in function.params]
    types.append(function.return_type)
    for binding in bindings:
        types.append(binding.var.type)
        if isinstance(binding.value, MatchCast):
            types.append(binding.value.type)
    return symbols_of(tuple(types), bound)


class _GraphPrinter:
    """Prints one function."""

    def __init__(self, w: Writer, pool: ConstantPool, module: str) -> None:
        self.w, self.pool, self.module = w, pool, module
        self.used: set[NodeId] = set()

    def function(self, name: str, function: GraphFunction) -> None:
        w = self.w
        self.used = _uses(function)
        symbols = graph_symbols(function)
        for var in (*symbols, *function.params):
            w.names.define(var)
        self._header(name, function)
        w.depth += 1
        for symbol in symbols:
            w.line()
            w.use(symbol)
            w.put(" = T.int64()")
            w.end()
        if function.attrs:
            w.line()
            w.put("R.func_attr(")
            write_attr_dict(w, function.attrs)
            w.put(")")
            w.end()
        if _calls_module(function):
            w.line()
            w.put(f"cls = {self.module}")
            w.end()
        self._blocks(function.blocks)
        w.line()
        w.put("return ", "keyword")
        self.arg(function.result)
        w.end()
        w.depth -= 1

    def _header(self, name: str, function: GraphFunction) -> None:
        w = self.w
        options = [
            *(["private=True"] if function.private else []),
            *([] if function.pure else ["pure=False"]),
        ]
        open_signature(w, "@R.function", options, name, function.params)
        w.put(") -> ")
        write_type(w, function.return_type, quoted=True)
        w.put(":")
        w.end()

    # --- bindings ---------------------------------------------------------------------------

    def _blocks(self, blocks: tuple[BindingBlock, ...]) -> None:
        for block in blocks:
            if block.dataflow:
                self._dataflow(block)
            else:
                self._bindings(block)

    def _bindings(self, block: BindingBlock) -> None:
        for binding in block.bindings:
            self._binding(binding)

    def _dataflow(self, block: BindingBlock) -> None:
        w = self.w
        w.line()
        w.put("with ", "keyword")
        w.put("R.dataflow():")
        w.end()
        w.depth += 1
        self._bindings(block)
        variables = {binding.var.id: binding.var for binding in block.bindings}
        w.line()
        w.put("R.output(")
        separated(w, [variables[i] for i in block.outputs if i in variables], w.use)
        w.put(")")
        w.end()
        w.depth -= 1

    def _binding(self, binding: Binding) -> None:
        w, var, value = self.w, binding.var, binding.value
        if isinstance(value, IfThenElse):
            self._if(var, value)
            return
        w.line()
        if not self._is_statement(binding):
            mark = len(w.tokens)
            self._value(value)
            right = w.tokens[mark:]
            del w.tokens[mark:]
            self._target(var, annotated=_implied_type(value) != var.type)
            w.tokens += right
        else:
            self._value(value)
        w.end()

    def _target(self, var: Var, *, annotated: bool = True) -> None:
        self.w.define(var)
        if annotated:
            self.w.put(": ")
            write_type(self.w, var.type)
        self.w.put(" = ", "operator")

    def _is_statement(self, binding: Binding) -> bool:
        """A call for its effect, whose value nobody names."""
        return (
            binding.var.name == "_"
            and binding.var.id not in self.used
            and isinstance(binding.value, CallPacked)
            and _implied_type(binding.value) == binding.var.type
        )

    def _if(self, var: Var, value: IfThenElse) -> None:
        w = self.w
        w.line()
        w.put("if ", "keyword")
        self.arg(value.condition)
        w.put(":")
        w.end()
        name = w.names.define(var)
        self._branch(name, var, value.then)
        w.line()
        w.put("else", "keyword")
        w.put(":")
        w.end()
        self._branch(name, var, value.otherwise)

    def _branch(self, name: str, var: Var, body: Body) -> None:
        w = self.w
        w.names.open()
        w.depth += 1
        self._blocks(body.blocks)
        w.line()
        w.put(name, "name", var.id)
        w.put(": ")
        write_type(w, var.type)
        w.put(" = ", "operator")
        self.arg(body.result)
        w.end()
        w.depth -= 1
        w.names.close()

    # --- values -----------------------------------------------------------------------------

    def _value(self, value: Any) -> None:  # noqa: ANN401
        w = self.w
        match value:
            case CallOp():
                self._call_op(value)
            case CallTIR() | CallTIRInplace():
                self._call_tir(value)
            case CallPacked():
                self._call_packed(value)
            case CallFunction(callee=callee, args=args):
                w.put(f"cls.{callee}(")
                separated(w, args, self.arg)
                w.put(")")
            case Alias(value=leaf):
                self.arg(leaf)
            case TupleItem(value=leaf, index=index):
                self.arg(leaf)
                w.put("[")
                w.put(str(index), "number")
                w.put("]")
            case MatchCast(value=leaf, type=type_):
                w.put("R.match_cast(")
                self.arg(leaf)
                w.put(", ")
                write_type(w, type_)
                w.put(")")
            case _:
                msg = f"no binding value: {value!r}"
                raise TypeError(msg)

    def _call_op(self, call: CallOp) -> None:
        w = self.w
        w.put(f"R.{call.op}(")
        separated(w, call.args, self.arg)
        for position, (name, value) in enumerate(call.attrs):
            w.put(", " if call.args or position else "")
            w.put(f"{name}=")
            write_attr(w, value)
        w.put(")")

    def _call_tir(self, call: CallTIR | CallTIRInplace) -> None:
        w = self.w
        name = "call_tir_inplace" if isinstance(call, CallTIRInplace) else "call_tir"
        w.put(f"R.{name}(cls.{call.callee}, ")
        self._tuple(call.args)
        w.put(", out_ty=")
        self._out_types(call.out_types)
        if isinstance(call, CallTIRInplace):
            w.put(", inplace_indices=")
            write_attr(w, call.inplace)
        if call.scalars:
            w.put(", tir_vars=R.shape(")
            write_dims(w, call.scalars, brackets="[]")
            w.put(")")
        w.put(")")

    def _call_packed(self, call: CallPacked) -> None:
        w = self.w
        w.put(f"R.{call.style.value}(")
        w.put(quote(call.symbol), "string")
        if call.style is PackedStyle.DPS:
            w.put(", ")
            self._tuple(call.args)
            w.put(", out_ty=")
            self._out_types(call.out_types)
        else:
            for arg in call.args:
                w.put(", ")
                self.arg(arg)
            w.put(", ty_args=(")
            separated(w, call.out_types, lambda type_: write_type(w, type_))
            w.put(",)" if len(call.out_types) == 1 else ")")
        if call.attrs:
            w.put(", attrs=")
            write_attr_dict(w, call.attrs)
        w.put(")")

    def _out_types(self, types: tuple[Type, ...]) -> None:
        if len(types) == 1:
            write_type(self.w, types[0])
            return
        self.w.put("[")
        separated(self.w, types, lambda type_: write_type(self.w, type_))
        self.w.put("]")

    def _tuple(self, args: tuple[Arg, ...]) -> None:
        self.w.put("(")
        separated(self.w, args, self.arg)
        self.w.put(",)" if len(args) == 1 else ")")

    def arg(self, arg: Arg) -> None:
        """A leaf."""
        w = self.w
        match arg:
            case Var():
                w.use(arg)
            case Constant():
                self._constant(arg)
            case ShapeValue(dims=dims):
                w.put("R.shape(")
                write_dims(w, dims, brackets="[]")
                w.put(")")
            case ScalarValue(value=value):
                w.put("R.prim_value(")
                write_expr(w, value)
                w.put(")")
            case StringValue(text=text):
                w.put("R.str(")
                w.put(quote(text), "string")
                w.put(")")
            case TupleValue(fields=fields):
                if fields:
                    self._tuple(fields)
                else:
                    w.put("R.tuple()")
            case _:
                assert_never(arg)

    def _constant(self, constant: Constant) -> None:
        w = self.w
        w.put("R.const(")
        if (text := scalar_text(constant, self.pool)) is not None:
            w.put(text, "number")
            w.put(", ")
            w.put(f'"{constant.type.dtype}"', "string")
        else:
            w.put(f'"{constant.digest}"', "string")
            w.put(", ")
            write_type(w, constant.type)
        w.put(")")


def scalar_text(constant: Constant, pool: ConstantPool) -> str | None:
    """The Python literal of a scalar constant, if the pool has it and it gives the bits back."""
    array = pool.get(constant.digest)
    if array is None or array.ndim or constant.type != TensorType((), str(array.dtype)):
        return None
    value = array.item()
    if not isinstance(value, bool | int | float):
        value = float(value)
    if content_digest(np.asarray(value).astype(array.dtype)) != constant.digest:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def _implied_type(value: object) -> Type | None:
    """The type that the text of a right side states already."""
    match value:
        case CallTIR() | CallTIRInplace() | CallPacked():
            types = value.out_types
            return types[0] if len(types) == 1 else TupleType(tuple(types))
        case _:
            return None


def _calls_module(function: GraphFunction) -> bool:
    calls = CallTIR | CallTIRInplace | CallFunction
    return any(isinstance(b.value, calls) for b in bindings_in(function.blocks))


def _uses(function: GraphFunction) -> set[NodeId]:
    """Ids that arguments and results mention."""
    used = {var.id for var in walk(function.result) if isinstance(var, Var)}
    for binding in bindings_in(function.blocks):
        used |= {node.id for node in walk(binding.value) if isinstance(node, Var)}
    return used
