"""Graph functions binding by binding: for single values, and for shapes known only at run time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never
from weakref import WeakValueDictionary

import numpy as np

from workbench.interpret import (
    Symbols,
    called_note,
    copied,
    evaluate,
    fresh_array,
    mismatch_code,
    new_array,
    read_leaf,
)
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Dim,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    PackedStyle,
    ScalarType,
    ShapeType,
    TensorType,
    TupleItem,
    TupleType,
    Type,
    Var,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.runtime.arrays import (
    Constants,
    direct,
    is_array,
    is_fields,
)
from workbench.runtime.context import Context
from workbench.runtime.host_calls import (
    checked_result,
    keeping_arguments,
    library_call,
    operator_call,
    placed,
    wrong_result,
)
from workbench.runtime.kernel_call import call_kernel
from workbench.runtime.kernels import Kernel
from workbench.runtime.native import NativeRuntime
from workbench.runtime.program import HostCall, Place
from workbench.support import CompileError, Diagnostic, NodeId

Value = Any
MAX_CALL_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Machine:
    """What all activations of an executable share."""

    module: IRModule
    kernels: Mapping[str, Kernel]
    constants: Constants
    native: NativeRuntime


@dataclass(slots=True)
class Activation:
    """One call of a graph function. `given` holds values to take instead of computing them.

    Where `seen` is a dict, values are kept there as they were when they were bound, and memory
    that a call should write is filled with what shows when it does not.
    """

    machine: Machine
    context: Context
    name: str
    depth: int = 0
    given: Mapping[NodeId, Value] = field(default_factory=dict[NodeId, Any])
    symbols: Symbols = field(default_factory=Symbols)
    values: dict[NodeId, Value] = field(default_factory=dict[NodeId, Any])
    seconds: dict[NodeId, float] = field(default_factory=dict[NodeId, float])
    seen: dict[NodeId, Value] | None = None
    copies: bool = False
    """Whether calls may write over arrays, so that `seen` needs copies."""
    outputs: WeakValueDictionary[int, Any] = field(default_factory=WeakValueDictionary[int, Any])
    """Arrays that were allocated here and in inner calls for calls to fill, by identity."""

    def call(self, arguments: Sequence[Value]) -> Value:
        """The result for checked arguments.

        Raises:
            CompileError: as the calls in the function do.
        """
        function = self.machine.module[self.name]
        assert isinstance(function, GraphFunction)
        for param, value in zip(function.params, arguments, strict=True):
            self.symbols.bind(param.type, value, f"`{param.name}`")
        for _ in range(2):  # the second time, dimensions computed from later parameters are known
            for param, value in zip(function.params, arguments, strict=True):
                self._bind_value(param, value)
        self.blocks(function.blocks)
        return self.leaf(function.result)

    def blocks(self, blocks: tuple[BindingBlock, ...]) -> None:
        """Run bindings in order."""
        for block in blocks:
            for binding in block.bindings:
                self._binding(binding)

    def _binding(self, binding: Binding) -> None:
        node = binding.var.id
        if node in self.given:
            self._bind_value(binding.var, self.given[node])
            return
        place = Place(self.name, node, binding.var.name, node)
        start = time.perf_counter()
        try:
            value = self.expression(binding.value, binding.var, place)
            self._bind_value(binding.var, value, mismatch_code(binding.value))
        except CompileError as error:
            called = called_note(binding.value, place.name, place.function)
            raise placed(error, place, called) from error.__cause__
        self.seconds[node] = time.perf_counter() - start

    def _bind_value(self, var: Var, value: Value, code: str = "run/type-mismatch") -> None:
        self.symbols.match(var.type, value, f"`{var.name}`", code)
        if isinstance(var.type, ScalarType):
            self.symbols[var.id] = value.item() if hasattr(value, "item") else value
        self.values[var.id] = value
        if self.seen is not None:
            self.seen[var.id] = copied(value) if self.copies else value

    def leaf(self, arg: Arg) -> Value:
        """The value of a leaf, as `read_leaf`."""
        return read_leaf(arg, self.values, self.symbols, self.machine.constants)

    def expression(self, value: GraphExpr, var: Var, place: Place) -> Value:
        """The value of a right side.

        Raises:
            CompileError: `run/too-deep`, `run/unknown-output`, and as the calls do.
        """
        match value:
            case CallOp(op=op, args=args):
                return self._host(op, operator_call(value), args, var.type)
            case CallTIR():
                return self._call_tir(value, place)
            case CallTIRInplace():
                return self._call_inplace(value, place)
            case CallPacked():
                return self._call_packed(value, var.type)
            case CallFunction(callee=callee, args=args):
                return self._call_function(callee, [self.leaf(arg) for arg in args])
            case Alias(value=leaf) | MatchCast(value=leaf):
                return self.leaf(leaf)
            case TupleItem(value=leaf, index=index):
                return self.leaf(leaf)[index]
            case IfThenElse(condition=condition, then=then, otherwise=otherwise):
                body = then if bool(self.leaf(condition)) else otherwise
                self.blocks(body.blocks)
                return self.leaf(body.result)
            case _:
                assert_never(value)

    def _call_tir(self, call: CallTIR, place: Place) -> Value:
        kernel = self.machine.kernels[call.callee]
        inputs = [self.leaf(arg) for arg in call.args]
        inputs = [direct(value) if is_array(value) else value for value in inputs]
        outputs = self._outputs(call.out_types)
        scalars = [self.symbols.number(dim) for dim in call.scalars]
        arguments = [*inputs, *outputs, *scalars]
        call_kernel(kernel, arguments, self.machine.native, self.context, place)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _call_inplace(self, call: CallTIRInplace, place: Place) -> Value:
        """Results are written over copies: values that are seen one by one all stay."""
        kernel = self.machine.kernels[call.callee]
        inputs = [self.leaf(arg) for arg in call.args]
        inputs = [direct(value) if is_array(value) else value for value in inputs]
        for index in call.inplace:
            if index >= 0:
                inputs[index] = np.array(inputs[index])
        fresh = self._outputs(call.fresh)
        scalars = [self.symbols.number(dim) for dim in call.scalars]
        arguments = [*inputs, *fresh, *scalars]
        call_kernel(kernel, arguments, self.machine.native, self.context, place)
        rest = iter(fresh)
        results = [inputs[index] if index >= 0 else next(rest) for index in call.inplace]
        for result in results:
            self.outputs[id(result)] = result
        return results[0] if len(results) == 1 else tuple(results)

    def _outputs(self, types: Sequence[Type]) -> list[Value]:
        return [self._output(type_) for type_ in types]

    def _output(self, type_: Type) -> Value:
        if not isinstance(type_, TensorType) or type_.shape is None or type_.dtype is None:
            raise CompileError(
                Diagnostic(
                    "run/unknown-output",
                    "a call in destination-passing style needs the shape and dtype of its result",
                )
            )
        shape = self.symbols.shape(type_.shape)
        if self.seen is not None:
            return fresh_array(shape, type_.dtype)
        output = new_array(shape, numpy_dtype(type_.dtype))
        self.outputs[id(output)] = output
        return output

    def _call_packed(self, call: CallPacked, type_: Type) -> Value:
        function = library_call(self.machine.module, call, guarded=self.seen is None)
        if self.seen is not None and call.style is not PackedStyle.EFFECT:
            function = keeping_arguments(call, function)
        if call.style is not PackedStyle.DPS:
            return self._host(call.symbol, function, call.args, type_)
        outputs = self._outputs(call.out_types)
        function(*(self.leaf(arg) for arg in call.args), *outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _host(self, label: str, call: HostCall, args: tuple[Arg, ...], type_: Type) -> Value:
        return self._checked(label, call(*(self.leaf(arg) for arg in args)), type_)

    def _checked(self, label: str, value: Value, type_: Type) -> Value:
        match type_:
            case TensorType(shape=dims, dtype=dtype):
                known = dims is not None and all(self.symbols.known(d) is not None for d in dims)
                shape = self.symbols.shape(dims) if known and dims is not None else None
                return checked_result(label, value, dtype, shape, type_.rank)
            case TupleType(fields=fields):
                items = tuple(value) if is_fields(value) else ()
                if len(items) != len(fields):
                    raise wrong_result(label, f"a tuple of {len(fields)}", value)
                return tuple(
                    self._checked(label, item, field)
                    for item, field in zip(items, fields, strict=True)
                )
            case ShapeType():
                return tuple(int(extent) for extent in value)
            case _:
                return value

    def _call_function(self, callee: str, arguments: Sequence[Value]) -> Value:
        if self.depth >= MAX_CALL_DEPTH:
            raise CompileError(
                Diagnostic(
                    "run/too-deep",
                    f"more than {MAX_CALL_DEPTH} nested calls",
                    hint="a recursion ends by an `if` that gives a value without the call",
                )
            )
        seen = None if self.seen is None else dict[NodeId, Value]()
        inner = Activation(
            self.machine, self.context, callee, self.depth + 1, seen=seen, outputs=self.outputs
        )
        return inner.call(arguments)


@dataclass(frozen=True, slots=True)
class StepwiseEvaluator:
    """Gives lowering the calls that run parts of a program binding by binding."""

    machine: Machine

    def branch_call(
        self,
        function: str,
        value: IfThenElse,
        names: Sequence[NodeId],
        dims: Mapping[NodeId, Dim],
    ) -> HostCall:
        """A callable on context, symbols and the values of `names`: the branch's result."""

        def call(context: Context, symbols: Mapping[NodeId, Any], *values: Value) -> Value:
            activation = Activation(self.machine, context, function)
            activation.symbols.update(symbols)
            activation.symbols.update((id_, evaluate(dim, symbols)) for id_, dim in dims.items())
            activation.values.update(zip(names, values, strict=True))
            body = value.then if bool(activation.leaf(value.condition)) else value.otherwise
            activation.blocks(body.blocks)
            return activation.leaf(body.result)

        return call

    def function_call(self, callee: str) -> HostCall:
        """A callable on context, symbols and the arguments of a graph function."""

        def call(context: Context, _symbols: Mapping[NodeId, Any], *values: Value) -> Value:
            return Activation(self.machine, context, callee).call(values)

        return call
