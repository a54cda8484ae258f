"""Specialising functions for known extents, and all that they call with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from workbench.analysis.calls import bindings_in, named_functions, recursive
from workbench.ir import (
    Attrs,
    Binding,
    BindingBlock,
    Body,
    BufferType,
    CallFunction,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Dim,
    Function,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    ScalarType,
    ScalarValue,
    TensorFunction,
    TensorType,
    Type,
    Var,
    type_of,
)
from workbench.ir.call_types import Unifier
from workbench.ir.traverse import evolve
from workbench.rewrite import Derivation, NodeRef, PassResult, Relation
from workbench.rewrite.callees import with_callees
from workbench.rewrite.dimensions import Dimensions
from workbench.support import NodeId

Extents = tuple[tuple[NodeId, int], ...]
Key = tuple[str, Extents]
"""A function and what is known of its dimensions."""
C = TypeVar("C", CallTIR, CallTIRInplace, CallFunction)


class Specializing:
    """Makes the functions that a module needs once extents of some are known.

    Calls in functions that are made name a `Key` in text until all are there; then each gets a
    name: its old one where nobody needs the general function any more.
    """

    def __init__(self, module: IRModule, rule: str) -> None:
        self.module = module
        self.rule = rule
        self.made: dict[Key, Function] = {}
        self.pending: deque[Key] = deque()
        self.wanted: set[Key] = set()
        self.recursive = recursive(module)
        self.calls: dict[tuple[str, tuple[object, ...]], str] = {}

    def run(self, chosen: Mapping[str, Mapping[NodeId, Dim]]) -> PassResult:
        """The module with functions specialised for the extents that are given for each."""
        roots = {name: self.want(name, dims) for name, dims in chosen.items()}
        while self.pending:
            key = self.pending.popleft()
            self.made[key] = self._specialized(key)
        return self._assembled({key: name for name, key in roots.items()})

    def want(self, name: str, dims: Mapping[NodeId, Dim]) -> Key:
        """The key of a specialised function, which will be made."""
        known = sorted((i, n) for i, n in dims.items() if isinstance(n, int))
        key = (name, tuple(known))
        if key not in self.wanted:
            self.wanted.add(key)
            self.pending.append(key)
        return key

    def _specialized(self, key: Key) -> Function:
        name, extents = key
        function, dims = self.module[name], Dimensions(dict(extents))
        if isinstance(function, TensorFunction):
            made = dims.apply(function)
            return replace(made, attrs=self._attrs(function.attrs, list(made.params)))
        blocks = self._blocks(function.blocks, dims)
        return replace(dims.apply(replace(function, blocks=())), blocks=blocks)

    # --- graph functions ---------------------------------------------------------------------

    def _blocks(
        self, blocks: tuple[BindingBlock, ...], dims: Dimensions
    ) -> tuple[BindingBlock, ...]:
        return tuple(
            replace(block, bindings=tuple(self._binding(b, dims) for b in block.bindings))
            for block in blocks
        )

    def _binding(self, binding: Binding, dims: Dimensions) -> Binding:
        value = binding.value
        if isinstance(value, MatchCast):
            dims.values |= _named_again(value, dims)
        if isinstance(value, IfThenElse):
            new: GraphExpr = replace(
                value,
                condition=dims.apply(value.condition),
                then=self._body(value.then, dims),
                otherwise=self._body(value.otherwise, dims),
            )
        else:
            new = self._value(value, dims.apply(value))
        var = dims.apply(binding.var)
        same = new is value and var is binding.var
        return binding if same else Binding(var, new)

    def _body(self, body: Body, dims: Dimensions) -> Body:
        return Body(self._blocks(body.blocks, dims), dims.apply(body.result))

    def _value(self, old: GraphExpr, new: GraphExpr) -> GraphExpr:
        """A right side that calls what is made for its extents."""
        if new is old:
            return new
        match new:
            case CallTIR(args=args, out_types=outs, scalars=scalars):
                given = [*map(_argument, args), *outs, *scalars]
                return self._called(new, given)
            case CallTIRInplace(args=args, scalars=scalars):
                return self._called(new, [*map(_argument, args), *new.fresh, *scalars])
            case CallFunction(args=args):
                return self._called(new, [*map(_argument, args)])
            case CallPacked(args=args, out_types=outs, attrs=attrs):
                types = [type_of(arg) for arg in args]
                return replace(new, attrs=self._attrs(attrs, types, outs))
            case _:
                return new

    def _called(self, call: C, given: Sequence[object]) -> C:
        callee = self.module[call.callee]
        if call.callee in self.recursive:
            return call
        key = (call.callee, tuple(given))
        if key not in self.calls:
            dims = _dims(callee, given)
            self.calls[key] = _text(self.want(call.callee, dims)) if dims else call.callee
        name = self.calls[key]
        return call if name == call.callee else evolve(call, {"callee": name})

    def _attrs(
        self, attrs: Attrs, inputs: Sequence[object], outputs: Sequence[object] = ()
    ) -> Attrs:
        """Attributes whose `algorithm` is for the same extents.

        An algorithm that does more than what has the attributes begins with the same inputs.
        """
        name = dict(attrs).get("algorithm")
        if not isinstance(name, str) or name not in self.module:
            return attrs
        callee = self.module[name]
        whole = len(callee.params) == len(inputs) + len(outputs)
        dims = _dims(callee, (*inputs, *outputs) if whole else inputs)
        if not dims:
            return attrs
        text = _text(self.want(name, dims))
        return tuple((k, text if k == "algorithm" else v) for k, v in attrs)

    # --- names -------------------------------------------------------------------------------

    def _assembled(self, roots: Mapping[Key, str]) -> PassResult:
        """The module, every function that was made under its name, those gone that none calls."""
        functions = dict(self.module.functions)
        functions.update({name: self.made[key] for key, name in roots.items()})
        others = {key: f for key, f in self.made.items() if key not in roots}
        needed = _reached(functions, {_text(key): f for key, f in others.items()})
        before = _reached(dict(self.module.functions), {})
        for name in [n for n in functions if n in before and n not in needed]:
            del functions[name]
        names = {_text(key): name for key, name in roots.items()}
        for key, function in others.items():
            free, count = key[0], 0
            while free in functions:
                count += 1
                free = f"{key[0]}{count}"
            functions[free] = replace(function, private=True)
            names[_text(key)] = free
        order = {name: n for n, (name, _) in enumerate(self.module.functions)}
        named = [(name, with_callees(f, names)) for name, f in functions.items()]
        named.sort(key=lambda item: order.get(item[0], len(order)))
        module = replace(self.module, functions=tuple(named))
        return PassResult(module, tuple(self._derivations({**roots, **_keys(others, names)})))

    def _derivations(self, names: Mapping[Key, str]) -> list[Derivation]:
        """Each value of a function that was made comes from the one of its id."""
        found: list[Derivation] = []
        for (source, _), name in names.items():
            function = self.module[source]
            if isinstance(function, GraphFunction):
                for value in (*function.params, *(b.var for b in bindings_in(function.blocks))):
                    refs = (NodeRef(source, value.id),), (NodeRef(name, value.id),)
                    found.append(Derivation(self.rule, *refs, Relation.SAME))
        return found


def _keys(others: Mapping[Key, Function], names: Mapping[str, str]) -> dict[Key, str]:
    return {key: names[_text(key)] for key in others}


def _text(key: Key) -> str:
    """A key as the name of a callee, which no function has."""
    return f"{key[0]}?{key[1]}"


def _argument(arg: object) -> object:
    return arg.value if isinstance(arg, ScalarValue) else type_of(arg)  # pyright: ignore[reportArgumentType]


def _dims(callee: Function, given: Sequence[object]) -> dict[NodeId, Dim]:
    """The dimensions of a callee that a call fixes, scalar parameters left out.

    None where types do not fit; those of the first parameters are enough.
    """
    types = [_plain(item) for item in given]
    unifier = Unifier()
    params = callee.params[: len(types)]
    if unifier.call(params, types[: len(params)]):  # pyright: ignore[reportArgumentType]
        return {}
    own = {param.id for param in callee.params}
    return {i: n for i, n in unifier.values.items() if isinstance(n, int) and i not in own}


def _plain(item: object) -> object:
    """A parameter as what is given for it: the type of a tensor for a buffer."""
    match item:
        case Var(type=BufferType(shape=shape, dtype=dtype)):
            return TensorType(shape, dtype)
        case Var(type=ScalarType()):
            return item
        case Var(type=type_):
            return type_
        case _:
            return item


def _named_again(value: MatchCast, dims: Dimensions) -> dict[NodeId, Dim]:
    """Dimensions of a checked type that are numbers in the type of the value."""
    given: Type = dims.apply(type_of(value.value))
    wanted = value.type
    if not isinstance(given, TensorType) or not isinstance(wanted, TensorType):
        return {}
    pairs = zip(wanted.shape or (), given.shape or (), strict=False)
    return {
        dim.id: known
        for dim, known in pairs
        if isinstance(dim, Var) and isinstance(known, int) and dim.id not in dims.values
    }


def _reached(functions: Mapping[str, Function], more: Mapping[str, Function]) -> set[str]:
    """Names that the functions call, or name as algorithms, from the public ones on."""
    everything = {**functions, **more}
    pending = [name for name, function in functions.items() if not function.private]
    reached = set(pending)
    while pending:
        new = [
            n
            for n in named_functions(everything[pending.pop()])
            if n in everything and n not in reached
        ]
        reached.update(new)
        pending += dict.fromkeys(new)
    return reached
