"""From graph functions to programs: calls inlined, tuples taken apart, who owns which memory.

A program's shapes depend on nothing but the shapes of its arguments. Where they do not (a shape
that a library decides, a symbol that a `match_cast` binds), `lower` gives None and the function
runs binding by binding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, assert_never

import numpy as np

from workbench.analysis.memory import DEEPEST_CALLS, MOST_STEPS
from workbench.interpret import dim_text
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
    Dim,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    ObjectType,
    PackedStyle,
    ScalarType,
    ScalarValue,
    Shape,
    ShapeType,
    ShapeValue,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleType,
    Type,
    Var,
    as_dim,
    as_expr,
    free_vars,
)
from workbench.ir.dims import bind_dims, unknown_of
from workbench.runtime.arrays import Array
from workbench.runtime.host_calls import library_call, operator_call
from workbench.runtime.operands import NotStatic, Operands, Scope
from workbench.runtime.program import (
    Check,
    HostCall,
    HostKind,
    HostStep,
    JumpStep,
    KernelStep,
    Operand,
    Place,
    Program,
    Storage,
    TupleOperand,
    Value,
    ValueRef,
    operand_values,
)
from workbench.support import CompileError, Diagnostic, NodeId


class Evaluator(Protocol):
    """What runs the parts of a program that have no fixed shape or are not straight-line code."""

    def branch_call(
        self,
        function: str,
        value: IfThenElse,
        names: Sequence[NodeId],
        dims: Mapping[NodeId, Dim],
    ) -> HostCall:
        """A callable on context, symbols and the values of `names`: the chosen branch's result.

        `dims` are the dimensions that bindings before it solved, as expressions of the symbols.
        """
        ...

    def function_call(self, callee: str) -> HostCall:
        """A callable on context, symbols and the arguments of a graph function."""
        ...


def lower(module: IRModule, name: str, evaluator: Evaluator) -> Program | None:
    """The program of a graph function; None where shapes depend on more than the arguments'.

    Raises:
        CompileError: `type/wrong-callee`, `module/unknown-function`, `module/missing-constant`.
    """
    function = module[name]
    assert isinstance(function, GraphFunction)
    try:
        return _Lowering(module, evaluator).program(name, function)
    except NotStatic:
        return None


class _Lowering(Operands):
    def __init__(self, module: IRModule, evaluator: Evaluator) -> None:
        super().__init__(module)
        self.evaluator = evaluator

    def program(self, name: str, function: GraphFunction) -> Program:
        scope = Scope(name, None)
        inputs = tuple(self.parameter(scope, param.id, param.type) for param in function.params)
        for param, operand in zip(function.params, inputs, strict=True):
            scope.operands[param.id] = operand
        for param in (*function.params, *function.params):
            _solve_variables(scope, param.type)
        self._blocks(scope, function.blocks)
        result = self.leaf(scope, function.result)
        for index in operand_values(result):
            if self.values[index].storage is Storage.ARENA:
                self.values[index].storage = Storage.OUTPUT
        return Program(
            name, inputs, tuple(self.values), tuple(self.steps), tuple(self.checks), result
        )

    # --- bindings -----------------------------------------------------------------------------

    def _blocks(self, scope: Scope, blocks: tuple[BindingBlock, ...]) -> None:
        bindings = (binding for block in blocks for binding in block.bindings)
        for position, binding in enumerate(bindings):
            var = binding.var
            root = var.id if scope.root is None else scope.root
            place = Place(scope.function, var.id, var.name, root, (*scope.path, position))
            scope.operands[var.id] = self._bind(scope, binding, place)

    def _bind(self, scope: Scope, binding: Binding, place: Place) -> Operand:
        value, type_ = binding.value, binding.var.type
        match value:
            case Alias(value=leaf):
                return self.leaf(scope, leaf)
            case CallTIR() | CallTIRInplace():
                return self._call_tir(scope, value, place)
            case CallOp(op=op, args=args):
                call = operator_call(value)
                return self._host(scope, HostKind.REFERENCE, op, call, args, type_, place)
            case CallPacked():
                return self._call_packed(scope, value, type_, place)
            case CallFunction():
                return self._call_function(scope, value, type_, place)
            case TupleItem(value=leaf, index=index):
                return self._item(scope, leaf, index, type_, place)
            case MatchCast(value=leaf, type=seen):
                return self._match_cast(scope, leaf, seen, place)
            case IfThenElse():
                return self._branch(scope, value, type_, place)
            case _:
                assert_never(value)

    def _call_tir(self, scope: Scope, call: CallTIR | CallTIRInplace, place: Place) -> Operand:
        if not isinstance(self.module[call.callee], TensorFunction):
            raise _wrong_callee(call.callee, "tensor", place)
        inputs = [self._kernel_operand(scope, arg) for arg in call.args]
        outputs = self._arena(scope, call.out_types, place)
        scalars = [ScalarValue(as_expr(self.dim(scope, dim))) for dim in call.scalars]
        operands = (*inputs, *outputs, *scalars)
        indices = tuple(ref.index for ref in outputs)
        inplace = call.inplace if isinstance(call, CallTIRInplace) else ()
        self.steps.append(KernelStep(call.callee, operands, indices, place, inplace))
        return outputs[0] if len(outputs) == 1 else TupleOperand(outputs)

    def _kernel_operand(self, scope: Scope, arg: Arg) -> ValueRef | ScalarValue:
        operand = self.leaf(scope, arg)
        if isinstance(operand, ScalarValue):
            return operand
        if not isinstance(operand, ValueRef) or self.values[operand.index].shape is None:
            raise NotStatic
        return operand

    def _arena(self, scope: Scope, types: tuple[Type, ...], place: Place) -> tuple[ValueRef, ...]:
        found: list[ValueRef] = []
        for output, type_ in enumerate(types):
            if not isinstance(type_, TensorType) or type_.dtype is None:
                raise NotStatic
            shape = self.dims(scope, type_.shape)
            value = Value(Storage.ARENA, shape, type_.dtype, path=place.path, output=output)
            found.append(self.add(value))
        return tuple(found)

    def _call_packed(self, scope: Scope, call: CallPacked, type_: Type, place: Place) -> Operand:
        function = library_call(self.module, call)
        if call.style is not PackedStyle.DPS:
            return self._host(
                scope, HostKind.LIBRARY, call.symbol, function, call.args, type_, place
            )
        operands = tuple(self.leaf(scope, arg) for arg in call.args)
        outputs = self._arena(scope, call.out_types, place)
        indices = tuple(ref.index for ref in outputs)
        self.steps.append(
            HostStep(HostKind.LIBRARY, call.symbol, function, operands, indices, None, None, place)
        )
        return outputs[0] if len(outputs) == 1 else TupleOperand(outputs)

    def _host(
        self,
        scope: Scope,
        kind: HostKind,
        label: str,
        call: HostCall,
        args: tuple[Arg, ...],
        type_: Type,
        place: Place,
    ) -> Operand:
        operands = tuple(self.leaf(scope, arg) for arg in args)
        result = self._host_result(scope, type_)
        self.steps.append(HostStep(kind, label, call, operands, (), result, type_, place))
        return result

    def _host_result(self, scope: Scope, type_: Type) -> Operand:
        """Values that a host call owns; unknown shapes stay unknown."""
        if isinstance(type_, TupleType):
            return TupleOperand(tuple(self._host_result(scope, item) for item in type_.fields))
        if isinstance(type_, TensorType) and type_.shape is not None:
            shape = self.dims(scope, type_.shape)
            return self.add(Value(Storage.HOST, shape, type_.dtype))
        dtype = type_.dtype if isinstance(type_, TensorType) else None
        return self.add(Value(Storage.HOST, None, dtype))

    def _item(self, scope: Scope, leaf: Arg, index: int, type_: Type, place: Place) -> Operand:
        operand = self.leaf(scope, leaf)
        if isinstance(operand, TupleOperand):
            return operand.fields[index]
        return self._host(scope, HostKind.CONTROL, "item", _item_of(index), (leaf,), type_, place)

    def _match_cast(self, scope: Scope, leaf: Arg, seen: Type, place: Place) -> Operand:
        operand = self.leaf(scope, leaf)
        if isinstance(operand, ValueRef) and isinstance(seen, TensorType):
            value = self.values[operand.index]
            solved: set[NodeId] = set()
            if value.shape is not None and seen.shape is not None:
                solved = self._bind_dims(scope, seen.shape, value.shape)
            wanted = self.dims(scope, seen.shape)
            if value.shape is None or value.dtype not in {seen.dtype, None}:
                return self._host(
                    scope, HostKind.CONTROL, "match_cast", _same, (leaf,), seen, place
                )
            self._equal(value.shape, wanted, f"`{place.name}`", place, (seen.shape or (), solved))
            return operand
        raise NotStatic

    def _equal(
        self, left: Shape, right: Shape, what: str, place: Place, seen: tuple[Shape, set[NodeId]]
    ) -> None:
        """Check `left` against `right`, which is declared as `seen`, some variables solved."""
        declared, solved = seen
        if len(left) != len(right):
            raise NotStatic
        for position, (a, b) in enumerate(zip(left, right, strict=True)):
            if a != b:
                dim = declared[position]
                shown = "" if isinstance(dim, int) else dim_text(dim)
                own = not isinstance(dim, int) and not solved.isdisjoint(free_vars(dim))
                where = f"dimension {position} of {what}"
                self.checks.append(Check(a, b, where, place, shown, own))

    # --- control ------------------------------------------------------------------------------

    def _branch(self, scope: Scope, value: IfThenElse, type_: Type, place: Place) -> Operand:
        mark = self.mark()
        try:
            return self._arms(scope, value, type_, place)
        except NotStatic:
            self.take_back(mark)
            if scope.root is not None:
                raise
        names = tuple(id_ for id_ in free_vars(value) if id_ in scope.operands)
        solved = {
            id_: dim
            for id_, dim in scope.symbols.items()
            if not (isinstance(dim, Var) and dim.id == id_)
        }
        call = self.evaluator.branch_call(scope.function, value, names, solved)
        operands = tuple(scope.operands[id_] for id_ in names)
        result = self._host_result(scope, type_)
        step = HostStep(
            HostKind.CONTROL, "if", call, operands, (), result, type_, place, inner=True
        )
        self.steps.append(step)
        return result

    def _arms(self, scope: Scope, value: IfThenElse, type_: Type, place: Place) -> Operand:
        """Both branches, with jumps around that which does not run."""
        results: list[tuple[int, Type]] = []
        whole = self._branch_result(scope, type_, place, results)
        jump = self._later()
        given = self._arm(scope, value.then, place, 0, results)
        ends = [self._later() for _ in results]
        leave = self._later()
        self.steps[jump] = JumpStep((self.leaf(scope, value.condition),), len(self.steps), place)
        other = self._arm(scope, value.otherwise, place, 1, results)
        other_ends = [self._later() for _ in results]
        self.steps[leave] = JumpStep((), len(self.steps), place)
        for n, (result, declared) in enumerate(results):
            self._owner(result, given[n], other[n])
            self.steps[ends[n]] = self._give(result, given[n], declared, place)
            self.steps[other_ends[n]] = self._give(result, other[n], declared, place)
        return whole

    def _later(self) -> int:
        """The position of a step that is not known yet."""
        self.steps.append(_NOT_YET)
        return len(self.steps) - 1

    def _branch_result(
        self, scope: Scope, type_: Type, place: Place, results: list[tuple[int, Type]]
    ) -> Operand:
        """Values that the arms give, who owns them is not known yet."""
        if isinstance(type_, TupleType):
            fields = (self._branch_result(scope, item, place, results) for item in type_.fields)
            return TupleOperand(tuple(fields))
        if not isinstance(type_, TensorType):
            raise NotStatic
        shape = None if type_.shape is None else self.dims(scope, type_.shape)
        value = Value(Storage.HOST, shape, type_.dtype, output=len(results))
        ref = self.add(value)
        results.append((ref.index, type_))
        value.path = place.path
        return ref

    def _arm(
        self, scope: Scope, body: Body, place: Place, arm: int, results: list[tuple[int, Type]]
    ) -> tuple[int, ...]:
        """The values that an arm gives."""
        inner = Scope(
            scope.function,
            place.root,
            scope.callers,
            (*place.path, arm),
            scope.operands,
            dict(scope.symbols),
        )
        self._blocks(inner, body.blocks)
        found = operand_values(self.leaf(inner, body.result))
        if len(found) != len(results):
            raise NotStatic
        return found

    def _owner(self, result: int, *given: int) -> None:
        """What a branch gives has memory of its own if an arm computes it, else names that."""
        values = [self.values[index] for index in (result, *given)]
        known = all(value.shape is not None and value.dtype is not None for value in values)
        if known and any(value.storage is Storage.ARENA for value in values):
            values[0].storage = Storage.ARENA
        else:
            values[0].path = ()

    def _give(self, result: int, given: int, type_: Type, place: Place) -> HostStep:
        """The step that makes what an arm gives the value of the branch."""
        operands = (ValueRef(given),)
        value, source = self.values[result], self.values[given]
        if value.storage is not Storage.ARENA:
            ref = ValueRef(result)
            return HostStep(HostKind.CONTROL, "if", _same, operands, (), ref, type_, place)
        assert value.shape is not None
        assert source.shape is not None
        self._equal(source.shape, value.shape, f"`{place.name}`", place, (value.shape, set()))
        return HostStep(
            HostKind.CONTROL, "if", _copy_to, operands, (result,), None, None, place, joins=True
        )

    def _call_function(
        self, scope: Scope, call: CallFunction, type_: Type, place: Place
    ) -> Operand:
        function = self.module[call.callee]
        if not isinstance(function, GraphFunction):
            raise _wrong_callee(call.callee, "graph", place)
        mark = self.mark()
        try:
            return self._inline(scope, call, function, place)
        except NotStatic:
            self.take_back(mark)
            operands = tuple(self.leaf(scope, arg) for arg in call.args)
            result = self._host_result(scope, type_)
            host = self.evaluator.function_call(call.callee)
            step = HostStep(
                HostKind.CONTROL, call.callee, host, operands, (), result, type_, place, inner=True
            )
            self.steps.append(step)
            return result

    def _inline(
        self, scope: Scope, call: CallFunction, function: GraphFunction, place: Place
    ) -> Operand:
        callers = (*scope.callers, scope.function)
        if call.callee in callers or len(call.args) != len(function.params):
            raise NotStatic
        if len(callers) > DEEPEST_CALLS or len(self.steps) >= MOST_STEPS:
            raise NotStatic
        inner = Scope(call.callee, place.root, callers, place.path)
        for param, arg in zip(function.params, call.args, strict=True):
            inner.operands[param.id] = self.leaf(scope, arg)
        for param in (*function.params, *function.params):  # what later ones tell is known then
            self._bind_parameter(inner, param.id, param.type, inner.operands[param.id])
        for param in function.params:
            self._check_parameter(inner, param, inner.operands[param.id], place)
        self._blocks(inner, function.blocks)
        return self.leaf(inner, function.result)

    def _bind_parameter(self, inner: Scope, node: NodeId, type_: Type, operand: Operand) -> None:
        match type_, operand:
            case TensorType(shape=dims), ValueRef(index=index) if dims is not None:
                self._bind_dims(inner, dims, self.values[index].shape)
            case ShapeType(dims=dims), ShapeValue(dims=actual) if dims is not None:
                self._bind_dims(inner, dims, actual)
            case ScalarType(), ScalarValue(value=value):
                inner.symbols[node] = as_dim(value)
            case TupleType(fields=fields), TupleOperand(fields=operands):
                for item, part in zip(fields, operands, strict=True):
                    self._bind_parameter(inner, node, item, part)
            case TensorType() | ObjectType(), ValueRef():
                pass
            case _:
                raise NotStatic

    def _bind_dims(self, inner: Scope, dims: Shape, actual: Shape | None) -> set[NodeId]:
        """Bind variables by extents; gives those that were solved for in an expression."""
        if actual is None or len(actual) != len(dims):
            raise NotStatic
        return bind_dims(dims, actual, inner.symbols)

    def _check_parameter(self, inner: Scope, param: Var, operand: Operand, place: Place) -> None:
        if isinstance(param.type, TensorType) and isinstance(operand, ValueRef):
            value = self.values[operand.index]
            if param.type.shape is not None and value.shape is not None:
                wanted = self.dims(inner, param.type.shape)
                seen = (param.type.shape, set[NodeId]())
                self._equal(value.shape, wanted, f"argument `{param.name}`", place, seen)


def _solve_variables(scope: Scope, type_: Type) -> None:
    """Variables that an argument tells though they stand in expressions only, as `n` in `n * 2`."""
    match type_:
        case TensorType(shape=dims) | ShapeType(dims=dims) if dims is not None:
            for dim in dims:
                unknown = unknown_of(dim, scope.symbols)
                if unknown is not None:
                    scope.symbols[unknown[0].id] = unknown[0]
        case TupleType(fields=fields):
            for item in fields:
                _solve_variables(scope, item)
        case _:
            return


def _item_of(index: int) -> HostCall:
    def item(whole: Sequence[object]) -> object:
        return whole[index]

    return item


def _same(value: object) -> object:
    return value


def _copy_to(value: Any, target: Array) -> None:  # noqa: ANN401
    np.copyto(target, value)


_NOT_YET = JumpStep((), 0, Place("", NodeId(0), "", NodeId(0)))


def _wrong_callee(callee: str, kind: str, place: Place) -> CompileError:
    return CompileError(
        Diagnostic(
            "type/wrong-callee",
            f"`{callee}` is called as a {kind} function, and is none",
            function=place.function,
            node=place.node,
        )
    )
