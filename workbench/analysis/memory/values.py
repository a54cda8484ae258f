"""Lifetimes: which values of a graph function have memory of their own, and from when to when.

The function is read as it runs: calls of other graph functions are looked into, other names of a
value, tuples and their fields are that value, a branch is one step that reads what it mentions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from workbench.analysis.memory.sizes import Size, size_of
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
    PackedStyle,
    ScalarType,
    ScalarValue,
    Shape,
    ShapeType,
    ShapeValue,
    StringValue,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    free_vars,
    type_of,
)
from workbench.ir.dims import bind_dims, substitute_dim
from workbench.support import NodeId

Owner = Literal["parameter", "constant", "planned", "python"]
"""Who gives a value its memory: `planned` ones lie where the plan says."""
Path: TypeAlias = tuple[int, ...]
"""Positions of bindings: that of a call, then inside of the function that it calls."""
Place: TypeAlias = "int | tuple[Place, ...] | None"
"""A value by number, a tuple of them, or nothing that has memory (a shape, a number)."""


@dataclass(slots=True)
class Value:
    """A tensor. `call` is the step that writes it; `ids` name it from the outermost function on.

    Needed from step `first` to step `last`; `returned` ones stay with the caller. `why` says of
    one that gets its memory from Python why that is so.
    """

    name: str
    owner: Owner
    path: Path = ()
    output: int = 0
    ids: tuple[NodeId, ...] = ()
    size: Size | None = None
    type: TensorType | None = None
    first: int = 0
    last: int = 0
    returned: bool = False
    readers: list[int] = field(default_factory=list[int])
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A binding that computes. `callee` is a tensor function, else empty.

    `operands` are the values that it takes, by position of the parameter for a tensor function.
    `inplace` are, where the call says it, the operands that outputs are written over, or -1.
    """

    name: str
    path: Path
    ids: tuple[NodeId, ...]
    callee: str
    operands: tuple[int | None, ...]
    outputs: tuple[int, ...]
    inplace: tuple[int, ...] = ()


@dataclass(slots=True)
class Values:
    """The values and steps of a graph function; `unknown` says why they are not known in advance.

    `symbols` are the symbolic dimensions that the parameters bind, in order.
    """

    values: list[Value] = field(default_factory=list[Value])
    steps: list[Step] = field(default_factory=list[Step])
    symbols: tuple[Var, ...] = ()
    unknown: str = ""


class _Unknown(Exception):  # noqa: N818
    """Internal: what runs here is only known when it runs."""


@dataclass(slots=True)
class _Scope:
    """One activation of a graph function."""

    function: str
    path: Path = ()
    ids: tuple[NodeId, ...] = ()
    callers: tuple[str, ...] = ()
    places: dict[NodeId, Place] = field(default_factory=dict[NodeId, "Place"])
    symbols: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])


def values_of(module: IRModule, name: str) -> Values:
    """The values and steps of a graph function of a well-formed module."""
    function = module[name]
    assert isinstance(function, GraphFunction)
    reader = _Reader(module)
    try:
        reader.root(name, function)
    except _Unknown as reason:
        return Values(unknown=str(reason))
    return reader.found


class _Reader:
    def __init__(self, module: IRModule) -> None:
        self.module = module
        self.found = Values()
        self.constants: dict[str, int] = {}
        self.read: list[tuple[Value, int]] = []
        """Values that steps read, with their last use before: to take a call back."""
        self.sizes: dict[tuple[int, Path | None], tuple[TensorType, TensorType, Size]] = {}
        """Types and sizes by the identity of a type, and where it stands if it is symbolic."""

    def root(self, name: str, function: GraphFunction) -> None:
        scope = _Scope(name)
        for param in function.params:
            for symbol in free_vars(param.type).values():
                scope.symbols.setdefault(symbol.id, symbol)
            if isinstance(param.type, ScalarType):
                scope.symbols[param.id] = param
            scope.places[param.id] = self._parameter(param, param.type)
        self.found.symbols = tuple(v for v in scope.symbols.values() if isinstance(v, Var))
        self._blocks(scope, function.blocks)
        for number in _flat(self._leaf(scope, function.result)):
            self.found.values[number].returned = True
            self.found.values[number].last = len(self.found.steps)

    def _parameter(self, param: Var, type_: Type) -> Place:
        if isinstance(type_, TupleType):
            return tuple(self._parameter(param, item) for item in type_.fields)
        if isinstance(type_, ShapeType | ScalarType):
            return None
        tensor = type_ if isinstance(type_, TensorType) else None
        return self._value(Value(param.name, "parameter", ids=(param.id,), type=tensor))

    def _value(self, value: Value) -> int:
        value.first = value.last = len(self.found.steps)
        self.found.values.append(value)
        return len(self.found.values) - 1

    # --- leaves -------------------------------------------------------------------------------

    def _leaf(self, scope: _Scope, arg: Arg) -> Place:
        match arg:
            case Var(id=id_):
                return scope.places.get(id_)
            case Constant(digest=digest, type=type_):
                if digest not in self.constants:
                    made = Value(f"constant {digest[:6]}", "constant", type=type_)
                    self.constants[digest] = self._value(made)
                return self.constants[digest]
            case TupleValue(fields=fields):
                return tuple(self._leaf(scope, item) for item in fields)
            case ShapeValue() | ScalarValue() | StringValue():
                return None
            case _:
                assert_never(arg)

    def _shape(self, scope: _Scope, shape: Shape | None) -> Shape:
        if shape is None:
            message = "a shape is only known when it runs"
            raise _Unknown(message)
        return tuple(self._dim(scope, dim) for dim in shape)

    def _dim(self, scope: _Scope, dim: Dim) -> Dim:
        if isinstance(dim, int):
            return dim
        for symbol in free_vars(dim).values():
            if symbol.id not in scope.symbols:
                message = f"the extent `{symbol.name}` is only known when it runs"
                raise _Unknown(message)
        return substitute_dim(dim, scope.symbols)

    # --- bindings -----------------------------------------------------------------------------

    def _blocks(self, scope: _Scope, blocks: tuple[BindingBlock, ...]) -> None:
        position = 0
        for block in blocks:
            for binding in block.bindings:
                scope.places[binding.var.id] = self._bind(scope, binding, position)
                position += 1

    def _bind(self, scope: _Scope, binding: Binding, position: int) -> Place:
        value = binding.value
        match value:
            case Alias(value=leaf):
                return self._leaf(scope, leaf)
            case CallTIR() | CallTIRInplace():
                return self._written(scope, binding, position, value)
            case CallPacked(style=PackedStyle.DPS):
                return self._written(scope, binding, position, value)
            case CallOp(args=args) | CallPacked(args=args):
                return self._python(scope, binding, position, args, _why(value))
            case CallFunction():
                return self._call(scope, binding, value, position)
            case TupleItem(value=leaf, index=index):
                whole = self._leaf(scope, leaf)
                if isinstance(whole, tuple):
                    return whole[index]
                why = "it is an item of what Python computed"
                return self._python(scope, binding, position, (leaf,), why)
            case MatchCast(value=leaf, type=seen):
                return self._match_cast(scope, binding, position, leaf, seen)
            case IfThenElse():
                return self._branch(scope, binding, position, value)
            case _:
                assert_never(value)

    def _written(
        self,
        scope: _Scope,
        binding: Binding,
        position: int,
        call: CallTIR | CallTIRInplace | CallPacked,
    ) -> Place:
        """A call that gets the memory of its outputs."""
        callee = "" if isinstance(call, CallPacked) else call.callee
        inplace = call.inplace if isinstance(call, CallTIRInplace) else ()
        args, out_types = call.args, call.out_types
        outputs: list[int] = []
        path, ids = (*scope.path, position), (*scope.ids, binding.var.id)
        operands = self._read(scope, args)
        for number, type_ in enumerate(out_types):
            tensor, size = self._size(scope, type_)
            name = binding.var.name if len(out_types) == 1 else f"{binding.var.name}[{number}]"
            made = Value(name, "planned", path, number, ids, size, tensor)
            outputs.append(self._value(made))
        self._step(binding, path, ids, callee, operands, tuple(outputs), inplace)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _size(self, scope: _Scope, type_: Type) -> tuple[TensorType, Size]:
        known = self.sizes.get((id(type_), scope.path))
        known = known or self.sizes.get((id(type_), None))
        if known is not None:
            return known[1], known[2]
        if not isinstance(type_, TensorType) or type_.dtype is None:
            message = "a type is only known when it runs"
            raise _Unknown(message)
        shape = self._shape(scope, type_.shape)
        fixed = all(isinstance(dim, int) for dim in type_.shape or ())
        tensor = type_ if fixed else TensorType(shape, type_.dtype)
        size = size_of(shape, type_.dtype)
        self.sizes[id(type_), None if fixed else scope.path] = type_, tensor, size
        return tensor, size

    def _read(self, scope: _Scope, args: tuple[Arg, ...]) -> tuple[int | None, ...]:
        """The values of arguments; one that is a tuple counts with all its fields."""
        found: list[int | None] = []
        for arg in args:
            place = self._leaf(scope, arg)
            found += _flat(place) if isinstance(place, tuple) else [place]
        return tuple(found)

    def _step(
        self,
        binding: Binding,
        path: Path,
        ids: tuple[NodeId, ...],
        callee: str,
        operands: tuple[int | None, ...],
        outputs: tuple[int, ...],
        inplace: tuple[int, ...] = (),
    ) -> None:
        now = len(self.found.steps)
        for number in operands:
            if number is not None:
                value = self.found.values[number]
                self.read.append((value, value.last))
                value.last = now
                value.readers.append(now)
        step = Step(binding.var.name, path, ids, callee, operands, outputs, inplace)
        self.found.steps.append(step)

    def _python(
        self, scope: _Scope, binding: Binding, position: int, args: tuple[Arg, ...], why: str
    ) -> Place:
        """A step whose result gets its memory from whoever computes it, for the reason `why`."""
        path, ids = (*scope.path, position), (*scope.ids, binding.var.id)
        operands = self._read(scope, args)
        outputs: list[int] = []
        result = self._result(scope, binding.var.name, binding.var.type, path, ids, outputs)
        self._step(binding, path, ids, "", operands, tuple(outputs))
        for number in outputs:
            self.found.values[number].why = why
        return result

    def _result(
        self,
        scope: _Scope,
        name: str,
        type_: Type,
        path: Path,
        ids: tuple[NodeId, ...],
        outputs: list[int],
    ) -> Place:
        if isinstance(type_, TupleType):
            return tuple(
                self._result(scope, f"{name}[{n}]", item, path, ids, outputs)
                for n, item in enumerate(type_.fields)
            )
        size, tensor = None, type_ if isinstance(type_, TensorType) else None
        if tensor is not None and tensor.shape is not None:
            shape = self._shape(scope, tensor.shape)
            if tensor.dtype is not None:
                size, tensor = size_of(shape, tensor.dtype), TensorType(shape, tensor.dtype)
        number = self._value(Value(name, "python", path, len(outputs), ids, size, tensor))
        outputs.append(number)
        return number

    def _branch(self, scope: _Scope, binding: Binding, position: int, value: IfThenElse) -> Place:
        if scope.path:
            message = "a branch in a function that is called"
            raise _Unknown(message)
        why = "which branch runs is known when it runs, so both run binding by binding"
        return self._python(scope, binding, position, tuple(free_vars(value).values()), why)

    def _match_cast(
        self, scope: _Scope, binding: Binding, position: int, leaf: Arg, seen: Type
    ) -> Place:
        place = self._leaf(scope, leaf)
        if not isinstance(place, int) or not isinstance(seen, TensorType):
            message = (
                f"`match_cast` of `{binding.var.name}` looks into something else than a tensor"
            )
            raise _Unknown(message)
        known = self.found.values[place].type
        shape = None if known is None else known.shape
        if shape is not None and seen.shape is not None and len(seen.shape) == len(shape):
            bind_dims(seen.shape, shape, scope.symbols)
        self._shape(scope, seen.shape)
        if known is None or known.shape is None or known.dtype not in {seen.dtype, None}:
            why = "its shape is only known when it runs"
            return self._python(scope, binding, position, (leaf,), why)
        return place

    # --- calls of graph functions ---------------------------------------------------------------

    def _call(self, scope: _Scope, binding: Binding, call: CallFunction, position: int) -> Place:
        found = self.found
        values, steps, read = len(found.values), len(found.steps), len(self.read)
        try:
            return self._inside(scope, binding, call, position)
        except _Unknown as reason:
            while len(self.read) > read:
                value, value.last = self.read.pop()
                value.readers.pop()
            del found.values[values:], found.steps[steps:]
            self.constants = {d: n for d, n in self.constants.items() if n < values}
            why = f"`{call.callee}` runs binding by binding: {reason}"
            return self._python(scope, binding, position, call.args, why)

    def _inside(self, scope: _Scope, binding: Binding, call: CallFunction, position: int) -> Place:
        function = self.module[call.callee]
        callers = (*scope.callers, scope.function)
        if not isinstance(function, GraphFunction) or call.callee in callers:
            message = f"`{call.callee}` calls itself"
            raise _Unknown(message)
        inner = _Scope(call.callee, (*scope.path, position), (*scope.ids, binding.var.id), callers)
        pairs = tuple(zip(function.params, call.args, strict=True))
        for param, arg in pairs:
            inner.places[param.id] = self._leaf(scope, arg)
        for param, arg in (*pairs, *pairs):  # what later ones tell is known then
            self._symbols(scope, inner, param, arg)
        self._blocks(inner, function.blocks)
        return self._leaf(inner, function.result)

    def _symbols(self, scope: _Scope, inner: _Scope, param: Var, arg: Arg) -> None:
        """What the symbolic dimensions of a parameter stand for."""
        if isinstance(arg, ScalarValue):
            inner.symbols[param.id] = self._dim(scope, arg.value)
            return
        place = inner.places[param.id]
        given = self.found.values[place].type if isinstance(place, int) else None
        dims = given.shape if given is not None else None
        if isinstance(param.type, ShapeType):
            type_ = type_of(arg)
            dims = self._shape(scope, type_.dims) if isinstance(type_, ShapeType) else None
            self._equal(inner, param.type.dims, dims)
        elif isinstance(param.type, TensorType):
            self._equal(inner, param.type.shape, dims)

    def _equal(self, inner: _Scope, params: Shape | None, given: Shape | None) -> None:
        if params is None:
            return
        if given is None or len(given) != len(params):
            message = "a shape is only known when it runs"
            raise _Unknown(message)
        bind_dims(params, given, inner.symbols)


def _why(call: CallOp | CallPacked) -> str:
    if isinstance(call, CallOp):
        return f"the numpy reference of `{call.op}` computes it"
    return f"`{call.symbol}` returns it wherever it put it"


def _flat(place: Place) -> list[int]:
    if isinstance(place, tuple):
        return [number for item in place for number in _flat(item)]
    return [] if place is None else [place]
