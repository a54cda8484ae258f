"""From graph functions to programs: calls inlined, tuples taken apart, who owns which memory.

A program's shapes depend on nothing but the shapes of its arguments. Where they do not (a shape
that a library decides, a symbol that a `match_cast` binds), `lower` gives None and the function
runs binding by binding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from workbench.interpret import dim_text
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
    Constant,
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
    StringValue,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    as_dim,
    as_expr,
    free_vars,
    substitute,
)
from workbench.ir.dims import bind_dims, unknown_of
from workbench.runtime.host_calls import library_call, operator_call
from workbench.runtime.program import (
    Check,
    HostCall,
    HostKind,
    HostStep,
    KernelStep,
    Operand,
    Place,
    Program,
    Step,
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


class _NotStatic(Exception):  # noqa: N818
    """Internal: the shapes here are not known from the arguments alone."""


@dataclass(slots=True)
class _Scope:
    """One activation of a graph function while it is inlined."""

    function: str
    root: NodeId | None
    callers: tuple[str, ...] = ()
    path: tuple[int, ...] = ()
    operands: dict[NodeId, Operand] = field(default_factory=dict[NodeId, Operand])
    symbols: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])


def lower(module: IRModule, name: str, evaluator: Evaluator) -> Program | None:
    """The program of a graph function; None where shapes depend on more than the arguments'.

    Raises:
        CompileError: `type/wrong-callee`, `module/unknown-function`, `module/missing-constant`.
    """
    function = module[name]
    assert isinstance(function, GraphFunction)
    try:
        return _Lowering(module, evaluator).program(name, function)
    except _NotStatic:
        return None


class _Lowering:
    def __init__(self, module: IRModule, evaluator: Evaluator) -> None:
        self.module = module
        self.evaluator = evaluator
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.checks: list[Check] = []
        self.constants: dict[str, ValueRef] = {}

    def program(self, name: str, function: GraphFunction) -> Program:
        scope = _Scope(name, None)
        inputs = tuple(self._parameter(scope, param.id, param.type) for param in function.params)
        for param, operand in zip(function.params, inputs, strict=True):
            scope.operands[param.id] = operand
        for param in (*function.params, *function.params):
            _solve_variables(scope, param.type)
        self._blocks(scope, function.blocks)
        result = self._leaf(scope, function.result)
        for index in operand_values(result):
            if self.values[index].storage is Storage.ARENA:
                self.values[index].storage = Storage.OUTPUT
        return Program(
            name, inputs, tuple(self.values), tuple(self.steps), tuple(self.checks), result
        )

    # --- parameters and leaves ----------------------------------------------------------------

    def _parameter(self, scope: _Scope, node: NodeId, type_: Type) -> Operand:
        match type_:
            case TensorType(shape=shape, dtype=dtype):
                _bind_variables(scope, shape or ())
                return self._value(Value(Storage.INPUT, shape, dtype))
            case TupleType(fields=fields):
                return TupleOperand(tuple(self._parameter(scope, node, item) for item in fields))
            case ShapeType(dims=dims) if dims is not None:
                _bind_variables(scope, dims)
                return ShapeValue(dims)
            case ScalarType():
                var = Var(node, "", type_)
                scope.symbols[node] = var
                return ScalarValue(var)
            case ObjectType():
                return self._value(Value(Storage.INPUT))
            case _:
                raise _NotStatic

    def _value(self, value: Value) -> ValueRef:
        self.values.append(value)
        return ValueRef(len(self.values) - 1)

    def _leaf(self, scope: _Scope, arg: Arg) -> Operand:
        match arg:
            case Var(id=id_):
                if id_ in scope.operands:
                    return scope.operands[id_]
                return ScalarValue(as_expr(self._dim(scope, arg)))
            case Constant(digest=digest, type=type_):
                return self._constant(digest, type_)
            case ShapeValue(dims=dims):
                return ShapeValue(self._dims(scope, dims))
            case ScalarValue(value=value):
                return ScalarValue(as_expr(self._dim(scope, value)))
            case StringValue():
                return arg
            case TupleValue(fields=fields):
                return TupleOperand(tuple(self._leaf(scope, item) for item in fields))
            case _:
                assert_never(arg)

    def _constant(self, digest: str, type_: TensorType) -> ValueRef:
        if digest not in self.module.pool:
            raise CompileError(
                Diagnostic("module/missing-constant", f"no constant `{digest}` in the pool")
            )
        if digest not in self.constants:
            value = Value(Storage.CONSTANT, type_.shape, type_.dtype, digest)
            self.constants[digest] = self._value(value)
        return self.constants[digest]

    def _dim(self, scope: _Scope, dim: Dim) -> Dim:
        if isinstance(dim, int):
            return dim
        if any(id_ not in scope.symbols for id_ in free_vars(dim)):
            raise _NotStatic
        used = free_vars(dim)
        if scope.root is None and all(scope.symbols[id_] is var for id_, var in used.items()):
            return as_dim(dim)
        known = {id_: as_expr(scope.symbols[id_]) for id_ in used}
        return as_dim(substitute(dim, known))

    def _dims(self, scope: _Scope, dims: Shape | None) -> Shape:
        if dims is None:
            raise _NotStatic
        return tuple(self._dim(scope, dim) for dim in dims)

    # --- bindings -----------------------------------------------------------------------------

    def _blocks(self, scope: _Scope, blocks: tuple[BindingBlock, ...]) -> None:
        bindings = (binding for block in blocks for binding in block.bindings)
        for position, binding in enumerate(bindings):
            var = binding.var
            root = var.id if scope.root is None else scope.root
            place = Place(scope.function, var.id, var.name, root, (*scope.path, position))
            scope.operands[var.id] = self._bind(scope, binding, place)

    def _bind(self, scope: _Scope, binding: Binding, place: Place) -> Operand:
        value, type_ = binding.value, binding.var.type
        match value:
            case Alias(value=leaf):
                return self._leaf(scope, leaf)
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

    def _call_tir(self, scope: _Scope, call: CallTIR | CallTIRInplace, place: Place) -> Operand:
        if not isinstance(self.module[call.callee], TensorFunction):
            raise _wrong_callee(call.callee, "tensor", place)
        inputs = [self._kernel_operand(scope, arg) for arg in call.args]
        outputs = self._arena(scope, call.out_types, place)
        scalars = [ScalarValue(as_expr(self._dim(scope, dim))) for dim in call.scalars]
        operands = (*inputs, *outputs, *scalars)
        indices = tuple(ref.index for ref in outputs)
        inplace = call.inplace if isinstance(call, CallTIRInplace) else ()
        self.steps.append(KernelStep(call.callee, operands, indices, place, inplace))
        return outputs[0] if len(outputs) == 1 else TupleOperand(outputs)

    def _kernel_operand(self, scope: _Scope, arg: Arg) -> ValueRef | ScalarValue:
        operand = self._leaf(scope, arg)
        if isinstance(operand, ScalarValue):
            return operand
        if not isinstance(operand, ValueRef) or self.values[operand.index].shape is None:
            raise _NotStatic
        return operand

    def _arena(self, scope: _Scope, types: tuple[Type, ...], place: Place) -> tuple[ValueRef, ...]:
        found: list[ValueRef] = []
        for output, type_ in enumerate(types):
            if not isinstance(type_, TensorType) or type_.dtype is None:
                raise _NotStatic
            shape = self._dims(scope, type_.shape)
            value = Value(Storage.ARENA, shape, type_.dtype, path=place.path, output=output)
            found.append(self._value(value))
        return tuple(found)

    def _call_packed(self, scope: _Scope, call: CallPacked, type_: Type, place: Place) -> Operand:
        function = library_call(self.module, call)
        if call.style is not PackedStyle.DPS:
            return self._host(
                scope, HostKind.LIBRARY, call.symbol, function, call.args, type_, place
            )
        operands = tuple(self._leaf(scope, arg) for arg in call.args)
        outputs = self._arena(scope, call.out_types, place)
        indices = tuple(ref.index for ref in outputs)
        self.steps.append(
            HostStep(HostKind.LIBRARY, call.symbol, function, operands, indices, None, None, place)
        )
        return outputs[0] if len(outputs) == 1 else TupleOperand(outputs)

    def _host(
        self,
        scope: _Scope,
        kind: HostKind,
        label: str,
        call: HostCall,
        args: tuple[Arg, ...],
        type_: Type,
        place: Place,
    ) -> Operand:
        operands = tuple(self._leaf(scope, arg) for arg in args)
        result = self._host_result(scope, type_)
        self.steps.append(HostStep(kind, label, call, operands, (), result, type_, place))
        return result

    def _host_result(self, scope: _Scope, type_: Type) -> Operand:
        """Values that a host call owns; unknown shapes stay unknown."""
        if isinstance(type_, TupleType):
            return TupleOperand(tuple(self._host_result(scope, item) for item in type_.fields))
        if isinstance(type_, TensorType) and type_.shape is not None:
            shape = self._dims(scope, type_.shape)
            return self._value(Value(Storage.HOST, shape, type_.dtype))
        dtype = type_.dtype if isinstance(type_, TensorType) else None
        return self._value(Value(Storage.HOST, None, dtype))

    def _item(self, scope: _Scope, leaf: Arg, index: int, type_: Type, place: Place) -> Operand:
        operand = self._leaf(scope, leaf)
        if isinstance(operand, TupleOperand):
            return operand.fields[index]
        return self._host(scope, HostKind.CONTROL, "item", _item_of(index), (leaf,), type_, place)

    def _match_cast(self, scope: _Scope, leaf: Arg, seen: Type, place: Place) -> Operand:
        operand = self._leaf(scope, leaf)
        if isinstance(operand, ValueRef) and isinstance(seen, TensorType):
            value = self.values[operand.index]
            solved: set[NodeId] = set()
            if value.shape is not None and seen.shape is not None:
                solved = self._bind_dims(scope, seen.shape, value.shape)
            wanted = self._dims(scope, seen.shape)
            if value.shape is None or value.dtype not in {seen.dtype, None}:
                return self._host(
                    scope, HostKind.CONTROL, "match_cast", _same, (leaf,), seen, place
                )
            self._equal(value.shape, wanted, f"`{place.name}`", place, (seen.shape or (), solved))
            return operand
        raise _NotStatic

    def _equal(
        self, left: Shape, right: Shape, what: str, place: Place, seen: tuple[Shape, set[NodeId]]
    ) -> None:
        """Check `left` against `right`, which is declared as `seen`, some variables solved."""
        declared, solved = seen
        if len(left) != len(right):
            raise _NotStatic
        for position, (a, b) in enumerate(zip(left, right, strict=True)):
            if a != b:
                dim = declared[position]
                shown = "" if isinstance(dim, int) else dim_text(dim)
                own = not isinstance(dim, int) and not solved.isdisjoint(free_vars(dim))
                where = f"dimension {position} of {what}"
                self.checks.append(Check(a, b, where, place, shown, own))

    # --- control ------------------------------------------------------------------------------

    def _branch(self, scope: _Scope, value: IfThenElse, type_: Type, place: Place) -> Operand:
        if scope.root is not None:
            raise _NotStatic
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

    def _call_function(
        self, scope: _Scope, call: CallFunction, type_: Type, place: Place
    ) -> Operand:
        function = self.module[call.callee]
        if not isinstance(function, GraphFunction):
            raise _wrong_callee(call.callee, "graph", place)
        before = len(self.values), len(self.steps), len(self.checks), dict(self.constants)
        try:
            return self._inline(scope, call, function, place)
        except _NotStatic:
            del self.values[before[0] :], self.steps[before[1] :], self.checks[before[2] :]
            self.constants = before[3]
            operands = tuple(self._leaf(scope, arg) for arg in call.args)
            result = self._host_result(scope, type_)
            host = self.evaluator.function_call(call.callee)
            step = HostStep(
                HostKind.CONTROL, call.callee, host, operands, (), result, type_, place, inner=True
            )
            self.steps.append(step)
            return result

    def _inline(
        self, scope: _Scope, call: CallFunction, function: GraphFunction, place: Place
    ) -> Operand:
        callers = (*scope.callers, scope.function)
        if call.callee in callers or len(call.args) != len(function.params):
            raise _NotStatic
        inner = _Scope(call.callee, place.root, callers, place.path)
        for param, arg in zip(function.params, call.args, strict=True):
            inner.operands[param.id] = self._leaf(scope, arg)
        for param in (*function.params, *function.params):  # what later ones tell is known then
            self._bind_parameter(inner, param.id, param.type, inner.operands[param.id])
        for param in function.params:
            self._check_parameter(inner, param, inner.operands[param.id], place)
        self._blocks(inner, function.blocks)
        return self._leaf(inner, function.result)

    def _bind_parameter(self, inner: _Scope, node: NodeId, type_: Type, operand: Operand) -> None:
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
                raise _NotStatic

    def _bind_dims(self, inner: _Scope, dims: Shape, actual: Shape | None) -> set[NodeId]:
        """Bind variables by extents; gives those that were solved for in an expression."""
        if actual is None or len(actual) != len(dims):
            raise _NotStatic
        return bind_dims(dims, actual, inner.symbols)

    def _check_parameter(self, inner: _Scope, param: Var, operand: Operand, place: Place) -> None:
        if isinstance(param.type, TensorType) and isinstance(operand, ValueRef):
            value = self.values[operand.index]
            if param.type.shape is not None and value.shape is not None:
                wanted = self._dims(inner, param.type.shape)
                seen = (param.type.shape, set[NodeId]())
                self._equal(value.shape, wanted, f"argument `{param.name}`", place, seen)


def _bind_variables(scope: _Scope, dims: Shape) -> None:
    for dim in dims:
        if isinstance(dim, Var):
            scope.symbols.setdefault(dim.id, dim)


def _solve_variables(scope: _Scope, type_: Type) -> None:
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


def _wrong_callee(callee: str, kind: str, place: Place) -> CompileError:
    return CompileError(
        Diagnostic(
            "type/wrong-callee",
            f"`{callee}` is called as a {kind} function, and is none",
            function=place.function,
            node=place.node,
        )
    )
