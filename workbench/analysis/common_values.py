"""Common values: bindings of a graph function that compute what an earlier one computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.analysis.effects import has_effect
from workbench.analysis.uses import argument_vars
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
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    ObjectType,
    TensorFunction,
    TupleItem,
    TupleValue,
    Var,
    exact_key,
    fingerprint,
)
from workbench.support import NodeId


@dataclass
class _Walk:
    """Values by what computes them; what a branch computes is forgotten behind it."""

    module: IRModule
    seen: dict[object, Var] = field(default_factory=dict[object, Var])
    first: dict[NodeId, Var] = field(default_factory=dict[NodeId, Var])
    touched: dict[NodeId, int] = field(default_factory=dict[NodeId, int])
    """How many effects an object or an argument of theirs has seen."""
    given: frozenset[NodeId] = frozenset()
    """Values that some effect is given: nothing else is taken for them, nor they for others."""
    effects: int = 0
    prints: dict[str, str] = field(default_factory=dict[str, str])

    def blocks(self, blocks: tuple[BindingBlock, ...], new: list[object]) -> Iterator[Pair]:
        for block in blocks:
            for binding in block.bindings:
                yield from self.binding(binding, new)

    def binding(self, binding: Binding, new: list[object]) -> Iterator[Pair]:
        value = binding.value
        if isinstance(value, IfThenElse):
            for body in (value.then, value.otherwise):
                inside: list[object] = []
                yield from self.blocks(body.blocks, inside)
                for key in inside:
                    del self.seen[key]
        if has_effect(value, self.module):
            self.effects += 1
            self.touched.update((var.id, self.effects) for var in argument_vars(value))
            return
        key = self.key(value)
        if key is None or binding.var.id in self.given:
            return
        key = (key, binding.var.type)
        earlier = self.seen.setdefault(key, binding.var)
        if earlier is binding.var:
            new.append(key)
        else:
            self.first[binding.var.id] = earlier
            yield binding, earlier

    # --- what computes a value ---------------------------------------------------------------

    def key(self, value: GraphExpr) -> object:
        """What two values that are the same share; None for what is never taken for another."""
        match value:
            case CallOp(op=op, args=args, attrs=attrs):
                return op, attrs and exact_key(attrs), self.leaves(args)
            case CallTIR(callee=callee, args=args, out_types=out, scalars=scalars):
                return self.callee(callee), out, scalars, self.leaves(args)
            case CallTIRInplace(callee=callee, args=args, out_types=out, scalars=scalars):
                return self.callee(callee), out, value.inplace, scalars, self.leaves(args)
            case CallPacked(symbol=symbol, args=args, out_types=out, style=style, attrs=attrs):
                return symbol, style, out, attrs and exact_key(attrs), self.leaves(args)
            case CallFunction(callee=callee, args=args):
                return "call", callee, self.leaves(args)
            case TupleItem(value=leaf, index=index):
                return index, self.leaf(leaf)
            case Alias(value=Constant() | TupleValue() as leaf):
                return "is", self.leaf(leaf)
            case Alias() | MatchCast() | IfThenElse():
                return None

    def callee(self, name: str) -> str:
        """The fingerprint of a tensor function: equal ones are one, whatever they are called."""
        if name not in self.prints:
            function = self.module[name]
            known = isinstance(function, TensorFunction)
            self.prints[name] = fingerprint(function) if known else name
        return self.prints[name]

    def leaves(self, args: tuple[Arg, ...]) -> tuple[object, ...]:
        return tuple(self.leaf(arg) for arg in args)

    def leaf(self, arg: Arg) -> object:
        if isinstance(arg, TupleValue):
            return self.leaves(arg.fields)
        if not isinstance(arg, Var):
            return arg
        first = self.first.get(arg.id, arg)
        if isinstance(first.type, ObjectType):
            return first.id, self.effects
        return first.id, self.touched.get(first.id, 0)


Pair = tuple[Binding, Var]
"""A binding, and the earlier value that it computes again."""


def common_values(module: IRModule, function: GraphFunction) -> Iterator[Pair]:
    """The pure bindings that compute again what a value that is visible there holds.

    In program order; the earlier value is none that is found itself. Linear in the bindings.
    """
    given = frozenset(
        var.id
        for value in _values(function.blocks)
        if has_effect(value, module)
        for var in argument_vars(value)
    )
    return _Walk(module, given=given).blocks(function.blocks, [])


def _values(blocks: tuple[BindingBlock, ...]) -> Iterator[GraphExpr]:
    for block in blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, IfThenElse):
                yield from _values(value.then.blocks)
                yield from _values(value.otherwise.blocks)
            else:
                yield value
