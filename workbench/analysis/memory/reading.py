"""Reading a graph function as it runs: its values, and the steps that compute and need them.

Calls of other graph functions are looked into, other names of a value, tuples and their fields are
that value. Both arms of a branch are read, one after the other; what one that runs needs and what
the other needs are told apart by the arms that their steps stand in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from workbench.analysis.memory.sizes import Size, size_of
from workbench.analysis.memory.values import Arms, Join, Path, Step, Value, Values
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

Place: TypeAlias = "int | tuple[Place, ...] | None"
"""A value by number, a tuple of them, or nothing that has memory (a shape, a number)."""


class _Unknown(Exception):  # noqa: N818
    """Internal: what runs here is only known when it runs."""


DEEPEST_CALLS = 80
"""Calls within calls that are looked into."""
MOST_STEPS = 10_000
"""Steps after which no call is looked into: functions that call others twice double with each."""


@dataclass(slots=True)
class _Scope:
    """One activation of a graph function, or an arm of a branch in it.

    `arms` are those around, `begin` is the first step of the outermost branch.
    """

    function: str
    path: Path = ()
    ids: tuple[NodeId, ...] = ()
    callers: tuple[str, ...] = ()
    arms: Arms = ()
    begin: int = 0
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
        self.branches = 0
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
        self._step(scope, binding, path, ids, callee, operands, tuple(outputs), inplace)
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
        scope: _Scope,
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
        name = binding.var.name
        step = Step(name, path, ids, callee, operands, outputs, inplace, scope.arms)
        self.found.steps.append(step)

    def _python(
        self, scope: _Scope, binding: Binding, position: int, args: tuple[Arg, ...], why: str
    ) -> Place:
        """A step whose result gets its memory from whoever computes it, for the reason `why`."""
        path, ids = (*scope.path, position), (*scope.ids, binding.var.id)
        operands = self._read(scope, args)
        outputs: list[int] = []
        result = self._result(scope, binding.var.name, binding.var.type, path, ids, outputs)
        self._step(scope, binding, path, ids, "", operands, tuple(outputs))
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

    # --- branches -----------------------------------------------------------------------------

    def _branch(self, scope: _Scope, binding: Binding, position: int, value: IfThenElse) -> Place:
        mark = self._mark()
        try:
            return self._arms(scope, binding, position, value)
        except _Unknown as reason:
            self._take_back(mark)
            if scope.path:
                raise
            why = f"its branches run binding by binding: {reason}"
            return self._python(scope, binding, position, tuple(free_vars(value).values()), why)

    def _arms(self, scope: _Scope, binding: Binding, position: int, value: IfThenElse) -> Place:
        """A step that takes the condition, then both arms, each with a step that gives results."""
        path, ids = (*scope.path, position), (*scope.ids, binding.var.id)
        begin = scope.begin if scope.arms else len(self.found.steps)
        self._step(scope, binding, path, ids, "", self._read(scope, (value.condition,)), ())
        self.branches += 1
        number, outputs = self.branches, list[int]()
        then, given = self._arm(scope, value.then, path, ids, (number, 0), begin)
        result = self._result(scope, binding.var.name, binding.var.type, path, ids, outputs)
        if _flat(result) != outputs or len(given) != len(outputs):
            message = "it gives something else than tensors"
            raise _Unknown(message)
        at_then = len(self.found.steps)
        self._gives(then, binding, given, tuple(outputs))
        otherwise, other = self._arm(scope, value.otherwise, path, ids, (number, 1), begin)
        if len(other) != len(outputs):
            message = "its branches give different things"
            raise _Unknown(message)
        at_otherwise = len(self.found.steps)
        self._gives(otherwise, binding, other, ())
        self.found.joins[at_otherwise] = Join(at_then, at_otherwise, begin, tuple(outputs))
        for output, *from_ in zip(outputs, given, other, strict=True):
            self.found.values[output].last = at_otherwise
            self._owner(output, [self.found.values[one] for one in from_])
        return result

    def _gives(
        self,
        scope: _Scope,
        binding: Binding,
        operands: tuple[int, ...],
        outputs: tuple[int, ...],
    ) -> None:
        """The last step of an arm."""
        self._step(scope, binding, scope.path, scope.ids, "", operands, outputs)
        self.found.steps[-1] = replace(self.found.steps[-1], gives=True)

    def _arm(
        self,
        scope: _Scope,
        body: Body,
        path: Path,
        ids: tuple[NodeId, ...],
        arm: tuple[int, int],
        begin: int,
    ) -> tuple[_Scope, tuple[int, ...]]:
        """Reads an arm; gives its scope and the values that it gives."""
        inner = _Scope(
            scope.function,
            (*path, arm[1]),
            ids,
            scope.callers,
            (*scope.arms, arm),
            begin,
            scope.places,
            dict(scope.symbols),
        )
        self._blocks(inner, body.blocks)
        return inner, tuple(_flat(self._leaf(inner, body.result)))

    def _owner(self, output: int, given: list[Value]) -> None:
        """What a branch gives has memory of its own if an arm computes it, else names that."""
        value = self.found.values[output]
        if not all(map(_is_known, (value, *given))):
            value.why = "its shape is only known when it runs"
        elif any(one.owner == "planned" for one in given):
            value.owner = "planned"
        else:
            value.why = "no branch computes it in memory of this function"

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
        mark = self._mark()
        try:
            return self._inside(scope, binding, call, position)
        except _Unknown as reason:
            self._take_back(mark)
            why = f"`{call.callee}` runs binding by binding: {reason}"
            return self._python(scope, binding, position, call.args, why)

    def _mark(self) -> tuple[int, int, int]:
        return len(self.found.values), len(self.found.steps), len(self.read)

    def _take_back(self, mark: tuple[int, int, int]) -> None:
        """Forget what was read since the mark."""
        values, steps, read = mark
        while len(self.read) > read:
            value, value.last = self.read.pop()
            value.readers.pop()
        del self.found.values[values:], self.found.steps[steps:]
        joins = self.found.joins
        while joins and next(reversed(joins)) >= steps:
            joins.popitem()
        self.constants = {d: n for d, n in self.constants.items() if n < values}

    def _inside(self, scope: _Scope, binding: Binding, call: CallFunction, position: int) -> Place:
        function = self.module[call.callee]
        callers = (*scope.callers, scope.function)
        if not isinstance(function, GraphFunction) or call.callee in callers:
            message = f"`{call.callee}` calls itself"
            raise _Unknown(message)
        if len(callers) > DEEPEST_CALLS:
            message = f"calls are nested more than {DEEPEST_CALLS} deep"
            raise _Unknown(message)
        if len(self.found.steps) >= MOST_STEPS:
            message = f"there are {MOST_STEPS} steps before it"
            raise _Unknown(message)
        path, ids = (*scope.path, position), (*scope.ids, binding.var.id)
        inner = _Scope(call.callee, path, ids, callers, scope.arms, scope.begin)
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


def _is_known(value: Value) -> bool:
    """Whether shape and dtype are known without running it."""
    type_ = value.type
    return type_ is not None and type_.shape is not None and type_.dtype is not None
