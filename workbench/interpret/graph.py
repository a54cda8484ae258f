"""Graph functions: run binding by binding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never, cast

import numpy as np

import workbench.ops
from workbench.interpret.filled import check_filled
from workbench.interpret.foreign import as_array, foreign_fault
from workbench.interpret.kept import check_kept
from workbench.interpret.matching import Symbols, Value, called_note, mismatch_code, read_leaf
from workbench.interpret.tensor import call_tensor_function, fresh_array, run_tensor_function
from workbench.ir.expr import ScalarType, TensorType, Type, Var
from workbench.ir.externals import library_name, library_of, why_missing_in
from workbench.ir.graph import (
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
    GraphExpr,
    GraphFunction,
    IfThenElse,
    MatchCast,
    PackedStyle,
    TupleItem,
)
from workbench.ir.module import IRModule
from workbench.ir.registry import library_keywords, operator
from workbench.ir.tensor import TensorFunction
from workbench.ir.traverse import walk
from workbench.support.amounts import counted
from workbench.support.diagnostics import FOREIGN_FAULTS, CompileError, Diagnostic
from workbench.support.ids import NodeId

assert workbench.ops is not None  # operators register themselves

MAX_CALL_DEPTH = 100


def run(module: IRModule, *arrays: Value, function: str = "main") -> Value:
    """The result of a graph function; a tensor function writes its outputs and gives None.

    Raises:
        CompileError: `run/wrong-argument`, and what goes wrong on the way, with function and
            node: `run/out-of-bounds`, `run/division-by-zero`, `run/too-deep`,
            `run/type-mismatch`, `run/wrong-result`, `library/raised`, `op/reference-raised` and
            the like, the same codes as those of native code.
    """
    target = module[function]
    if isinstance(target, TensorFunction):
        count = sum(not isinstance(param.type, ScalarType) for param in target.params)
        run_tensor_function(target, arrays[:count], arrays[count:], function)
        return None
    return _Frame(module, function, target).call(arrays)


def values(
    module: IRModule, arrays: Sequence[Value], function: str = "main"
) -> dict[NodeId, Value]:
    """Parameters and every binding that ran, by id; those of branches that ran included.

    Raises:
        CompileError: as `run`, and `run/not-a-graph-function`.
    """
    target = module[function]
    if isinstance(target, TensorFunction):
        raise CompileError(
            Diagnostic("run/not-a-graph-function", f"`{function}` is a tensor function")
        )
    if not has_library_calls(module):
        frame = _Frame(module, function, target)
        frame.call(arrays)
        return frame.values
    frame = _Frame(module, function, target, watched=True)
    frame.call([copied(as_argument(array)) for array in arrays])
    return frame.seen


def copied(value: Value) -> Value:
    """A copy of an array, of a tuple item by item; other values as they are."""
    if isinstance(value, tuple):
        return tuple(copied(item) for item in cast("tuple[Value, ...]", value))
    return np.copy(value) if isinstance(value, np.ndarray) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def has_library_calls(module: IRModule) -> bool:
    """Whether a graph function calls a library function, which may write over its arguments."""
    return any(
        isinstance(node, CallPacked)
        for function in module.graph_functions.values()
        for node in walk(function)
    )


def as_argument(value: Value) -> Value:
    """Foreign arrays (DLPack, lists, numbers) as numpy arrays; tuples item by item."""
    if isinstance(value, tuple):
        items = cast("tuple[Value, ...]", value)
        return tuple(as_argument(item) for item in items)
    if isinstance(value, np.generic | int | float | str):
        return cast("Value", value)
    if isinstance(value, np.ndarray):
        return as_array(value)
    return as_array(value) if hasattr(value, "__dlpack__") else np.asarray(value)


@dataclass(slots=True)
class _Frame:
    """One activation of a graph function."""

    module: IRModule
    name: str
    function: GraphFunction
    depth: int = 0
    symbols: Symbols = field(default_factory=Symbols)
    values: dict[NodeId, Value] = field(default_factory=dict[NodeId, Any])
    seen: dict[NodeId, Value] = field(default_factory=dict[NodeId, Any])
    """Where `watched`, values as they were when they were bound: a library may write over them."""
    watched: bool = False

    def call(self, arguments: Sequence[Value]) -> Value:
        params = self.function.params
        if len(arguments) != len(params):
            raise CompileError(
                Diagnostic(
                    "run/wrong-argument",
                    f"expected {counted(len(params), 'argument')}, got {len(arguments)}",
                    function=self.name,
                )
            )
        converted = [
            _as_array(param.type, as_argument(value))
            for param, value in zip(params, arguments, strict=True)
        ]
        code = "run/type-mismatch" if self.depth else "run/wrong-argument"
        for param, value in zip(params, converted, strict=True):
            self.symbols.bind(param.type, value, f"`{param.name}`")
        for _ in range(2):  # the second time, dimensions computed from later parameters are known
            for param, value in zip(params, converted, strict=True):
                self._match(param, value, code)
        return self._body(self.function.blocks, self.function.result)

    def _match(self, var: Var, value: Value, code: str) -> None:
        try:
            self.symbols.match(var.type, value, f"`{var.name}`", code)
        except CompileError as error:
            raise self._located(error, var.id) from None
        if isinstance(var.type, ScalarType):
            self.symbols[var.id] = value.item() if hasattr(value, "item") else value
        self.values[var.id] = value
        if self.watched:
            self.seen[var.id] = copied(value)

    def _body(self, blocks: tuple[BindingBlock, ...], result: Arg) -> Value:
        for block in blocks:
            for binding in block.bindings:
                self._bind(binding)
        return self.leaf(result)

    def _bind(self, binding: Binding) -> None:
        try:
            value = self.expression(binding.value, binding.var)
        except CompileError as error:
            raise self._located(error, binding.var.id, binding) from None
        try:
            self._match(binding.var, value, mismatch_code(binding.value))
        except CompileError as error:
            called = called_note(binding.value, binding.var.name, self.name)
            noted = (replace(d, notes=(*d.notes, *called)) for d in error.diagnostics)
            raise CompileError(noted) from None

    def _located(
        self, error: CompileError, node: NodeId, binding: Binding | None = None
    ) -> CompileError:
        """The same faults, those that have no place yet placed at `node`, with what is called."""
        if binding is None:
            return CompileError(_at(d, self.name, node) for d in error.diagnostics)
        name = binding.var.name
        called = called_note(binding.value, name, self.name)
        inner = f"called for `{name}` in `{self.name}`"
        return CompileError(
            replace(d, notes=(*d.notes, inner))
            if d.function
            else replace(
                _at(d, self.name, node), notes=(*d.notes, *called), span=d.span or binding.span
            )
            for d in error.diagnostics
        )

    def leaf(self, arg: Arg) -> Value:
        return read_leaf(arg, self.values, self.symbols, self.module.pool)

    def expression(self, value: GraphExpr, var: Var) -> Value:
        match value:
            case CallOp():
                return self._call_op(value)
            case CallTIR():
                return self._call_tir(value)
            case CallTIRInplace():
                return self._call_inplace(value)
            case CallPacked():
                return self._call_packed(value)
            case CallFunction(callee=callee, args=args):
                return self._call_function(callee, args)
            case Alias(value=leaf):
                return self.leaf(leaf)
            case TupleItem(value=leaf, index=index):
                return self.leaf(leaf)[index]
            case MatchCast(value=leaf, type=type_):
                seen = self.leaf(leaf)
                self.symbols.match(type_, seen, f"`{var.name}`", mismatch_code(value))
                return seen
            case IfThenElse(condition=condition, then=then, otherwise=otherwise):
                return self._branch(then if bool(self.leaf(condition)) else otherwise)
            case _:
                assert_never(value)

    def _branch(self, body: Body) -> Value:
        return self._body(body.blocks, body.result)

    def _call_op(self, call: CallOp) -> Value:
        reference = operator(call.op).reference
        arguments = [self.leaf(arg) for arg in call.args]
        try:
            with np.errstate(all="ignore"):
                return _as_values(reference(call, *arguments))
        except CompileError:
            raise
        except FOREIGN_FAULTS as error:  # the edge: code that is not ours may raise anything
            raise foreign_fault("op/reference-raised", f"operator `{call.op}`", error) from error

    def _call_tir(self, call: CallTIR) -> Value:
        inputs = [self.leaf(arg) for arg in call.args]
        outputs = self._outputs(call.out_types)
        self._call_tensor(call, [*inputs, *outputs])
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _call_inplace(self, call: CallTIRInplace) -> Value:
        """Results are written over copies: arguments are values as all others."""
        inputs = [self.leaf(arg) for arg in call.args]
        for index in call.inplace:
            if index >= 0:
                inputs[index] = np.array(inputs[index])
        fresh = self._outputs(call.fresh)
        self._call_tensor(call, [*inputs, *fresh])
        rest = iter(fresh)
        results = [inputs[index] if index >= 0 else next(rest) for index in call.inplace]
        return results[0] if len(results) == 1 else tuple(results)

    def _call_tensor(self, call: CallTIR | CallTIRInplace, buffers: list[Value]) -> None:
        callee = self.module[call.callee]
        if not isinstance(callee, TensorFunction):
            raise CompileError(
                Diagnostic("type/wrong-callee", f"`{call.callee}` is no tensor function")
            )
        arguments = [*buffers, *(self.symbols.number(dim) for dim in call.scalars)]
        if len(arguments) != len(callee.params):
            raise CompileError(
                Diagnostic(
                    "run/wrong-argument",
                    f"`{call.callee}` takes {counted(len(callee.params), 'argument')}, "
                    f"got {len(arguments)}",
                )
            )
        call_tensor_function(callee, arguments, call.callee)

    def _outputs(self, types: tuple[Type, ...]) -> list[Value]:
        return [self._output(type_) for type_ in types]

    def _output(self, type_: Type) -> Value:
        if isinstance(type_, TensorType) and type_.shape is not None and type_.dtype is not None:
            return fresh_array(self.symbols.shape(type_.shape), type_.dtype)
        raise CompileError(
            Diagnostic("run/unknown-output", "an output needs a tensor type with shape and dtype")
        )

    def _call_packed(self, call: CallPacked) -> Value:
        library = library_of(self.module, call.symbol)
        why = why_missing_in(self.module, call.symbol)
        if library is None or why:
            raise CompileError(
                Diagnostic("library/unavailable", f"cannot call `{call.symbol}`: {why}")
            )
        inputs = [self.leaf(arg) for arg in call.args]
        outputs = self._outputs(call.out_types) if call.style is PackedStyle.DPS else []
        pure = call.style is not PackedStyle.EFFECT
        given = [copied(item) for item in inputs] if pure else inputs
        name = library_name(self.module, call.symbol)
        try:
            with np.errstate(all="ignore"):
                returned = library.function(*given, *outputs, **library_keywords(call))
        except CompileError:
            raise
        except FOREIGN_FAULTS as error:  # the edge: code that is not ours may raise anything
            raise foreign_fault("library/raised", f"library function `{name}`", error) from error
        if pure:
            check_kept(call.symbol, inputs, given)
        if call.style is not PackedStyle.DPS:
            return _as_values(returned)
        check_filled(name, returned, outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _call_function(self, callee: str, args: tuple[Arg, ...]) -> Value:
        function = self.module[callee]
        if not isinstance(function, GraphFunction):
            raise CompileError(Diagnostic("type/wrong-callee", f"`{callee}` is a tensor function"))
        if self.depth >= MAX_CALL_DEPTH:
            raise CompileError(
                Diagnostic(
                    "run/too-deep",
                    f"more than {MAX_CALL_DEPTH} nested calls",
                    hint="a recursion ends by an `if` that gives a value without the call",
                )
            )
        frame = _Frame(self.module, callee, function, self.depth + 1)
        return frame.call([self.leaf(arg) for arg in args])


def _at(fault: Diagnostic, function: str, node: NodeId) -> Diagnostic:
    return fault if fault.function else replace(fault, function=function, node=node)


def _as_array(type_: Type, value: Value) -> Value:
    """Numbers given for arrays become arrays of the declared dtype."""
    dtype = getattr(type_, "dtype", None)
    if isinstance(value, int | float) and dtype is not None and not isinstance(type_, ScalarType):
        return np.asarray(value, dtype=dtype)
    return value


def _as_values(value: Value) -> Value:
    """What was returned: numpy scalars, lists and arrays of other libraries as numpy's."""
    if isinstance(value, list | tuple):
        items = cast("Sequence[Value]", value)
        return tuple(_as_values(item) for item in items)
    if hasattr(value, "__dlpack__"):
        return as_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
