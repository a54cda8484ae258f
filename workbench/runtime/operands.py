"""What a graph function mentions, as operands of a program: parameters, constants, dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from workbench.ir import (
    Arg,
    Constant,
    Dim,
    IRModule,
    ObjectType,
    ScalarType,
    ScalarValue,
    Shape,
    ShapeType,
    ShapeValue,
    StringValue,
    TensorType,
    TupleType,
    TupleValue,
    Type,
    Var,
    as_dim,
    as_expr,
    free_vars,
    substitute,
)
from workbench.runtime.program import (
    Check,
    Operand,
    Step,
    Storage,
    TupleOperand,
    Value,
    ValueRef,
)
from workbench.support import CompileError, Diagnostic, NodeId

Mark: TypeAlias = tuple[int, int, int, dict[str, ValueRef]]


class NotStatic(Exception):  # noqa: N818
    """Internal: the shapes here are not known from the arguments alone."""


@dataclass(slots=True)
class Scope:
    """One activation of a graph function while it is inlined, or an arm of a branch in it."""

    function: str
    root: NodeId | None
    callers: tuple[str, ...] = ()
    path: tuple[int, ...] = ()
    operands: dict[NodeId, Operand] = field(default_factory=dict[NodeId, Operand])
    symbols: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])


class Operands:
    """Values, steps and checks of a program that is made."""

    def __init__(self, module: IRModule) -> None:
        self.module = module
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.checks: list[Check] = []
        self.constants: dict[str, ValueRef] = {}

    def parameter(self, scope: Scope, node: NodeId, type_: Type) -> Operand:
        """The values that a parameter is."""
        match type_:
            case TensorType(shape=shape, dtype=dtype):
                _bind_variables(scope, shape or ())
                return self.add(Value(Storage.INPUT, shape, dtype))
            case TupleType(fields=fields):
                return TupleOperand(tuple(self.parameter(scope, node, item) for item in fields))
            case ShapeType(dims=dims) if dims is not None:
                _bind_variables(scope, dims)
                return ShapeValue(dims)
            case ScalarType():
                var = Var(node, "", type_)
                scope.symbols[node] = var
                return ScalarValue(var)
            case ObjectType():
                return self.add(Value(Storage.INPUT))
            case _:
                raise NotStatic

    def add(self, value: Value) -> ValueRef:
        """A new value."""
        self.values.append(value)
        return ValueRef(len(self.values) - 1)

    def leaf(self, scope: Scope, arg: Arg) -> Operand:
        """What an argument is."""
        match arg:
            case Var(id=id_):
                if id_ in scope.operands:
                    return scope.operands[id_]
                return ScalarValue(as_expr(self.dim(scope, arg)))
            case Constant(digest=digest, type=type_):
                return self._constant(digest, type_)
            case ShapeValue(dims=dims):
                return ShapeValue(self.dims(scope, dims))
            case ScalarValue(value=value):
                return ScalarValue(as_expr(self.dim(scope, value)))
            case StringValue():
                return arg
            case TupleValue(fields=fields):
                return TupleOperand(tuple(self.leaf(scope, item) for item in fields))
            case _:
                assert_never(arg)

    def _constant(self, digest: str, type_: TensorType) -> ValueRef:
        if digest not in self.module.pool:
            raise CompileError(
                Diagnostic("module/missing-constant", f"no constant `{digest}` in the pool")
            )
        if digest not in self.constants:
            value = Value(Storage.CONSTANT, type_.shape, type_.dtype, digest)
            self.constants[digest] = self.add(value)
        return self.constants[digest]

    def dim(self, scope: Scope, dim: Dim) -> Dim:
        """A dimension in symbols of the root function."""
        if isinstance(dim, int):
            return dim
        if any(id_ not in scope.symbols for id_ in free_vars(dim)):
            raise NotStatic
        used = free_vars(dim)
        if scope.root is None and all(scope.symbols[id_] is var for id_, var in used.items()):
            return as_dim(dim)
        known = {id_: as_expr(scope.symbols[id_]) for id_ in used}
        return as_dim(substitute(dim, known))

    def dims(self, scope: Scope, dims: Shape | None) -> Shape:
        """Dimensions in symbols of the root function."""
        if dims is None:
            raise NotStatic
        return tuple(self.dim(scope, dim) for dim in dims)

    def mark(self) -> Mark:
        """Where the program ends now."""
        return len(self.values), len(self.steps), len(self.checks), dict(self.constants)

    def take_back(self, mark: Mark) -> None:
        """Forget what was lowered since the mark."""
        del self.values[mark[0] :], self.steps[mark[1] :], self.checks[mark[2] :]
        self.constants = mark[3]


def _bind_variables(scope: Scope, dims: Shape) -> None:
    for dim in dims:
        if isinstance(dim, Var):
            scope.symbols.setdefault(dim.id, dim)
