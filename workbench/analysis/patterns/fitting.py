"""Fitting: whether one value is what a pattern asks of it alone, and in words why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from workbench.analysis.homes import Home, bindings_at_home
from workbench.analysis.patterns.language import CallTo, Pattern
from workbench.analysis.patterns.matches import Match
from workbench.analysis.uses import result_ids, users
from workbench.ir import (
    Alias,
    Arg,
    Binding,
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
    TensorFunction,
    TensorType,
    TupleItem,
    Type,
    Var,
    find_operator,
)
from workbench.ir.registry import type_of
from workbench.support import NodeId


class Place:
    """A graph function in which is looked, branches included; facts are computed once."""

    def __init__(self, module: IRModule, name: str, function: GraphFunction) -> None:
        self.module = module
        self.name = name
        self.bindings: dict[NodeId, Binding] = {}
        self.order: dict[NodeId, int] = {}
        self.homes: dict[NodeId, Home] = {}
        self._named: dict[NodeId, Var] = {}
        for home, binding in bindings_at_home(function):
            value = binding.var.id
            self.order[value] = len(self.bindings)
            self.bindings[value] = binding
            named = binding.value
            if isinstance(named, Alias) and isinstance(named.value, Var):
                self._named[value] = named.value
            self.homes[value] = home
        self._function = function
        self._users: dict[NodeId, tuple[NodeId, ...]] | None = None
        self.results = result_ids(function)
        self.taken: set[NodeId] = set()

    @property
    def named(self) -> Mapping[NodeId, Var]:
        """Values that are other names of others."""
        return self._named

    @property
    def users(self) -> dict[NodeId, tuple[NodeId, ...]]:
        """The bindings that read each value."""
        if self._users is None:  # without the lock of `cached_property`: places are many
            self._users = users(self._function)
        return self._users

    def take(self, match: Match) -> bool:
        """Take the values of a match, unless another took one of them; whether it did."""
        values = [member.var.id for member in match.members]
        if not self.taken.isdisjoint(values):
            return False
        self.taken.update(values)
        return True

    def computed(self, leaf: Arg) -> GraphExpr | None:
        """The right side whose value a leaf is; None where no binding has it."""
        found = self.resolved(leaf)
        binding = self.bindings.get(found.id) if isinstance(found, Var) else None
        return None if binding is None else binding.value

    def resolved(self, leaf: Arg) -> Arg:
        """The value that a leaf stands for: names of other values are looked through."""
        while isinstance(leaf, Var):
            named = self._named.get(leaf.id)
            if named is None:
                return leaf
            leaf = named
        return leaf

    def constant(self, leaf: Arg) -> Constant | None:
        """The constant that a leaf is, or that it names."""
        if isinstance(leaf, Constant):
            return leaf
        if isinstance(leaf, Var) and leaf.id in self.bindings:
            value = self.bindings[leaf.id].value
            if isinstance(value, Alias) and isinstance(value.value, Constant):
                return value.value
        return None

    def restrictions(self, pattern: Pattern, leaf: Arg) -> str | None:
        """Why a value is of the wrong type or has other uses; None where it fits."""
        uses = None if pattern.uses is None else self._use_count(pattern.uses, leaf)
        if not pattern.asks_type:
            return uses
        fault = _type_fault(pattern, type_of(leaf))
        return uses if fault is None else f"{shown_leaf(leaf)} {fault}"

    def _use_count(self, wanted: int, leaf: Arg) -> str | None:
        if not isinstance(leaf, Var):
            return None
        count = len(self.users.get(leaf.id, ())) + (leaf.id in self.results)
        if count == wanted:
            return None
        return f"{shown_leaf(leaf)} is used `{count}` times, expected `{wanted}`"

    def not_target(self, pattern: CallTo, leaf: Arg) -> str | None:
        """Why no such call, whatever its attributes, computes a value; None where one does."""
        binding = self.bindings.get(leaf.id) if isinstance(leaf, Var) else None
        if binding is None:
            return f"expected {_wanted_call(pattern)}, found {_uncomputed(leaf)}"
        value = binding.value
        match pattern.kind:
            case "op":
                if isinstance(value, CallOp) and value.op in pattern.target:
                    return None
            case "library":
                if isinstance(value, CallPacked) and value.symbol in pattern.target:
                    return None
            case "tensor":
                callee = self.module[value.callee] if isinstance(value, CallTIR) else None
                asked = pattern.callee
                if isinstance(callee, TensorFunction) and (asked is None or asked(callee)):
                    return None
            case _:
                assert_never(pattern.kind)
        return f"expected {_wanted_call(pattern)}, found {_shown(value)} at `{binding.var.name}`"

    def other_attribute(self, pattern: CallTo, binding: Binding) -> str | None:
        """The first attribute that a call has another value for, defaults included."""
        call = binding.value
        if not pattern.attrs or not isinstance(call, CallOp):
            return None
        operator = find_operator(call.op)
        defaults = () if operator is None else operator.attributes
        given = {**dict(defaults), **dict(call.attrs)}
        for key, wanted in pattern.attrs:
            if given.get(key) != wanted:
                found = f"found `{key}={given.get(key)}` at `{binding.var.name}`"
                return f"expected `{key}={wanted}`, {found}"
        return None


def _type_fault(pattern: Pattern, type_: Type) -> str | None:
    """What a value of this type lacks, to be said of the value."""
    tensor = type_ if isinstance(type_, TensorType) else None
    if pattern.dtype and (tensor is None or tensor.dtype != pattern.dtype):
        found = tensor.dtype if tensor is not None else type_
        return f"should hold `{pattern.dtype}`, holds `{found}`"
    shape = tensor.shape if tensor is not None else None
    if pattern.rank is not None and (shape is None or len(shape) != pattern.rank):
        return f"should have `{pattern.rank}` dimensions"
    if pattern.shape is not None and not _shape_fits(pattern.shape, shape):
        return f"should have the shape `{pattern.shape}`, has `{shape}`"
    if pattern.test is not None and not pattern.test(type_):
        return f"is not {pattern.wanted}"
    return None


def _shape_fits(wanted: tuple[object, ...], shape: tuple[object, ...] | None) -> bool:
    if shape is None or len(shape) != len(wanted):
        return False
    return all(w is None or w == extent for w, extent in zip(wanted, shape, strict=True))


def _wanted_call(pattern: CallTo) -> str:
    """The calls that a pattern is for."""
    if pattern.kind == "tensor":
        return f"a call of {pattern.wanted}"
    return "a call of " + " or ".join(f"`{name}`" for name in pattern.target)


def _shown(value: GraphExpr) -> str:
    match value:
        case CallOp(op=name) | CallPacked(symbol=name) | CallTIR(callee=name):
            return f"`{name}`"
        case CallFunction(callee=name):
            return f"the graph function `{name}`"
        case CallTIRInplace(callee=name):
            return f"`{name}`, over its arguments,"
        case TupleItem(index=index):
            return f"field `{index}` of a tuple"
        case IfThenElse():
            return "a branch"
        case MatchCast():
            return "a check"
        case Alias(value=Constant()):
            return "a constant"
        case Alias():
            return "another name of a value"
        case _:
            assert_never(value)


def _uncomputed(leaf: Arg) -> str:
    return f"`{leaf.name}`, which no call computes" if isinstance(leaf, Var) else "a constant"


def shown_leaf(leaf: Arg) -> str:
    """A leaf in a message."""
    return f"`{leaf.name}`" if isinstance(leaf, Var) else "the constant"
