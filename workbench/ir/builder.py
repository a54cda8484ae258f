"""Builders: graph functions binding by binding, with inferred types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import assert_never

import numpy as np

from workbench.ir.expr import ObjectType, ScalarType, TensorType, TupleType, Type, Var
from workbench.ir.externals import external_of, externals, with_externals
from workbench.ir.graph import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    MatchCast,
    PackedStyle,
    TupleItem,
    TupleValue,
)
from workbench.ir.module import IRModule
from workbench.ir.registry import infer_type, type_of
from workbench.ir.tensor import Attr, Attrs
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.ids import IdSource
from workbench.support.kinds import methods_check_kinds
from workbench.support.masked import unmasked
from workbench.support.spans import Span


@methods_check_kinds("attrs")
class GraphBuilder:
    """Collects parameters and bindings of one graph function, in one dataflow block.

    Reference: `tvm.relax.BlockBuilder`.
    """

    def __init__(self, module: IRModule | None = None) -> None:
        self.ids = IdSource()
        self.module = module or IRModule()
        self.params: list[Var] = []
        self.bindings: list[Binding] = []

    def symbol(self, name: str) -> Var:
        """A new symbolic dimension; use it in the type of a parameter."""
        return Var(self.ids.new(), name, ScalarType())

    def param(self, name: str, type_: Type) -> Var:
        """A new parameter."""
        var = Var(self.ids.new(), name, type_)
        self.params.append(var)
        return var

    def emit(
        self, value: GraphExpr, name: str = "", type_: Type | None = None, span: Span | None = None
    ) -> Var:
        """Bind `value`; its type is inferred unless given.

        Raises:
            CompileError: what the operator's type rule says.
        """
        inferred = type_ if type_ is not None else expression_type(value, self.module)
        var = Var(self.ids.new(), name or f"lv{len(self.bindings)}", inferred)
        self.bindings.append(Binding(var, value, span))
        return var

    def call_library(
        self,
        function: str | Callable[..., object],
        args: Sequence[Arg],
        out: Type | Sequence[Type],
        name: str = "",
        *,
        style: PackedStyle = PackedStyle.DPS,
        **attrs: Attr,
    ) -> Var:
        """Bind the call of a library function: a symbol, or any callable of this process.

        `out` is the type of the result, or those of several. A callable comes with the module
        (`externals`).
        """
        if not isinstance(function, str):
            found = external_of(function, externals(self.module))
            self.module = with_externals(self.module, (found,))
            function = found.symbol
        outs = (out,) if isinstance(out, Type) else tuple(out)
        items = tuple(sorted(attrs.items()))
        return self.emit(CallPacked(function, tuple(args), outs, style, items), name)

    def constant(self, array: object, name: str, span: Span | None = None) -> Var:
        """Put an array into the pool and bind it."""
        leaf, self.module = add_constant(self.module, array)
        return self.emit(Alias(leaf), name, span=span)

    def build(self, result: Arg, attrs: Attrs = (), *, private: bool = False) -> GraphFunction:
        """The function; everything that `result` mentions is an output of the dataflow block."""
        used = tuple(var.id for var in leaf_vars(result))
        bound = {binding.var.id for binding in self.bindings}
        outputs = tuple(i for i in dict.fromkeys(used) if i in bound)
        blocks = (
            (BindingBlock(tuple(self.bindings), dataflow=True, outputs=outputs),)
            if self.bindings
            else ()
        )
        return GraphFunction(
            tuple(self.params),
            blocks,
            result,
            type_of(result),
            attrs,
            private=private,
            next_id=self.ids.next,
        )


def expression_type(value: GraphExpr, module: IRModule) -> Type:
    """The type that a right side gives.

    Raises:
        CompileError: `op/unknown`, `module/unknown-function`, `type/no-field`, or what a type
        rule says.
    """
    match value:
        case CallOp():
            return infer_type(value)
        case CallTIR(out_types=outs) | CallTIRInplace(out_types=outs) | CallPacked(out_types=outs):
            return outs[0] if len(outs) == 1 else TupleType(tuple(outs))
        case CallFunction(callee=callee):
            function = module[callee]
            return function.return_type if isinstance(function, GraphFunction) else ObjectType()
        case Alias(value=leaf):
            return type_of(leaf)
        case TupleItem(value=leaf, index=index):
            return field_type(type_of(leaf), index)
        case MatchCast(type=type_):
            return type_
        case IfThenElse(then=then):
            return type_of(then.result)
        case _:
            assert_never(value)


def field_type(type_: Type, index: int) -> Type:
    """The type of field `index` of a tuple.

    Raises:
        CompileError: `type/no-field`.
    """
    if isinstance(type_, TupleType) and 0 <= index < len(type_.fields):
        return type_.fields[index]
    raise CompileError(
        Diagnostic("type/no-field", f"no field `{index}` in a value of type `{type_}`")
    )


def leaf_vars(arg: Arg) -> Iterator[Var]:
    """The variables of a leaf, those inside tuples included."""
    if isinstance(arg, Var):
        yield arg
    elif isinstance(arg, TupleValue):
        for item in arg.fields:
            yield from leaf_vars(item)


def add_constant(module: IRModule, array: object) -> tuple[Constant, IRModule]:
    """A constant leaf for `array` and the module whose pool holds it.

    Raises:
        CompileError: `module/no-constant` where it is no array of numbers, `call/masked-array`.
    """
    dense = np.asarray(unmasked(array))
    if dense.dtype.kind in "OUSMm" or dense.dtype.type is np.void:
        message = f"a constant is an array of numbers, found {found(array)}"
        raise CompileError(Diagnostic("module/no-constant", message))
    digest, pool = module.pool.with_array(dense)
    shape = tuple(int(extent) for extent in dense.shape)
    return Constant(digest, TensorType(shape, str(dense.dtype))), replace(module, pool=pool)
