"""Matching: where a pattern fits a graph function, and what came near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import assert_never

from workbench.analysis.patterns.language import (
    AnyOf,
    Anything,
    CallTo,
    ConstantValue,
    Item,
    Pattern,
    Several,
)
from workbench.analysis.uses import result_ids, users
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    CallOp,
    CallPacked,
    CallTIR,
    Constant,
    GraphExpr,
    GraphFunction,
    IRModule,
    TensorFunction,
    TensorType,
    TupleItem,
    Var,
)
from workbench.ir.registry import type_of
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern fits.

    `values` are the leaves of named patterns; `members` the bindings of all calls that the pattern
    describes, in program order; `root` is the binding where the pattern stands.
    """

    function: str
    root: Binding
    values: dict[str, Arg] = field(compare=False)
    members: tuple[Binding, ...]
    outputs: tuple[Var, ...]
    """Members that are read outside the match, the root among them; in program order."""

    def __getitem__(self, name: str) -> Arg:
        """The leaf that a named pattern stands for."""
        return self.values[name]

    @property
    def closed(self) -> bool:
        """Whether only the root is read outside: then one call can take the place of all."""
        return all(var.id == self.root.var.id for var in self.outputs)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A place where the outermost call fits and something below does not; `node` is that."""

    function: str
    root: Binding
    node: NodeId
    reason: str
    depth: int
    """How many calls fitted."""


def find(
    pattern: Pattern, module: IRModule, functions: tuple[str, ...] | None = None
) -> Iterator[Match | NearMiss]:
    """Every place where the pattern fits, in program order, and near misses between them.

    Looks at the graph functions that are no fused groups, or at those that are named. Matches may
    overlap; whoever rewrites decides.
    """
    for _, found in find_several((pattern,), module, functions):
        yield found


def find_several(
    patterns: Sequence[Pattern], module: IRModule, functions: tuple[str, ...] | None = None
) -> Iterator[tuple[int, Match | NearMiss]]:
    """What `find` gives for each of several patterns, with the pattern's position.

    In program order, for one value in the order of the patterns. Tries at a call of an operator
    only the patterns that begin with one.
    """
    by_op = _Beginnings(patterns)
    for name, function in module.graph_functions.items():
        if functions is None and dict(function.attrs).get("Primitive"):
            continue
        if functions is not None and name not in functions:
            continue
        matcher = _Matcher(module, name, function)
        for binding in function.bindings:
            for position in by_op.at(binding.value):
                found = matcher.at(patterns[position], binding)
                least = isinstance(patterns[position], Item)  # any field of a tuple is not near
                if isinstance(found, Match) or found.depth > least:
                    yield position, found


class _Beginnings:
    """Which patterns can stand at a value, by the operator that it calls."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._named: dict[str, list[int]] = {}
        self._others: list[int] = []
        for position, pattern in enumerate(patterns):
            if not isinstance(pattern, CallTo) or pattern.kind != "op":
                self._others.append(position)
                continue
            for target in pattern.target:
                self._named.setdefault(target, []).append(position)

    def at(self, value: GraphExpr) -> Sequence[int]:
        """Positions of patterns to try, in order."""
        named = self._named.get(value.op, ()) if isinstance(value, CallOp) else ()
        return sorted((*named, *self._others)) if self._others else named


def match_at(
    pattern: Pattern, module: IRModule, function: str, value: NodeId
) -> Match | NearMiss | None:
    """The match whose outermost value is `value`, or why there is none; None for no binding."""
    matcher = _Matcher(module, function, module.graph_functions[function])
    binding = matcher.bindings.get(value)
    return None if binding is None else matcher.at(pattern, binding)


@dataclass
class _State:
    """What is bound so far: leaves by pattern (identity), members by value, leaves by name."""

    leaves: dict[int, Arg] = field(default_factory=dict[int, Arg])
    members: dict[NodeId, Binding] = field(default_factory=dict[NodeId, Binding])
    names: dict[str, Arg] = field(default_factory=dict[str, Arg])

    def copy(self) -> _State:
        return _State(dict(self.leaves), dict(self.members), dict(self.names))


@dataclass(frozen=True, slots=True)
class _Miss:
    reason: str
    node: NodeId
    depth: int


class _Matcher:
    """Matches patterns in one function; facts about it are computed once."""

    def __init__(self, module: IRModule, name: str, function: GraphFunction) -> None:
        self.module = module
        self.name = name
        self.function = function
        self.bindings = {b.var.id: b for b in function.bindings}
        self.order = {b.var.id: n for n, b in enumerate(function.bindings)}
        self.block = {
            b.var.id: n if block.dataflow else -1
            for n, block in enumerate(function.blocks)
            for b in block.bindings
        }
        self.users = users(function)
        self.results = result_ids(function)

    def at(self, pattern: Pattern, root: Binding) -> Match | NearMiss:
        if isinstance(pattern, Several):
            state = self._several(pattern, root)
        else:
            state = self._leaf(pattern, root.var, _State())
        if isinstance(state, _State):
            state = self._one_block(state, root)
        if isinstance(state, _Miss):
            return NearMiss(self.name, root, state.node, state.reason, state.depth)
        members = sorted(state.members.values(), key=lambda b: self.order[b.var.id])
        inside = set(state.members)
        outputs = tuple(b.var for b in members if self._read_outside(b.var.id, inside))
        return Match(self.name, root, state.names, tuple(members), outputs)

    def _one_block(self, state: _State, root: Binding) -> _State | _Miss:
        """All members must be in one dataflow block: nothing is moved across effects."""
        home = self.block[root.var.id]
        for value, binding in state.members.items():
            if self.block[value] != home or home == -1:
                reason = f"`{binding.var.name}` is not in one dataflow block with the others"
                return _Miss(reason, value, len(state.members))
        return state

    def _read_outside(self, value: NodeId, inside: set[NodeId]) -> bool:
        readers = self.users.get(value, ())
        return value in self.results or any(reader not in inside for reader in readers)

    def _several(self, pattern: Several, root: Binding) -> _State | _Miss:
        """The first pattern at the root, each other one at the first value below or after it."""
        first = self._leaf(pattern.outputs[0], root.var, _State())
        for wanted in pattern.outputs[1:]:
            if isinstance(first, _Miss):
                return first
            first = self._anywhere(wanted, first, root)
        return first

    def _anywhere(self, wanted: Pattern, state: _State, root: Binding) -> _State | _Miss:
        """A value that reads something that is matched already and fits."""
        candidates = {reader for value in self._touched(state) for reader in self._readers(value)}
        best: _Miss | None = None
        for candidate in sorted(candidates - set(state.members), key=lambda c: self.order[c]):
            found = self._leaf(wanted, self.bindings[candidate].var, state.copy())
            if isinstance(found, _State):
                return found
            best = found if best is None or found.depth > best.depth else best
        missing = _Miss("no other value fits the rest of the pattern", root.var.id, 1)
        return best or missing

    def _touched(self, state: _State) -> list[NodeId]:
        return [leaf.id for leaf in state.leaves.values() if isinstance(leaf, Var)]

    def _readers(self, value: NodeId) -> tuple[NodeId, ...]:
        return self.users.get(value, ())

    # --- one value ---------------------------------------------------------------------------

    def _leaf(self, pattern: Pattern, leaf: Arg, state: _State) -> _State | _Miss:
        known = state.leaves.get(id(pattern))
        resolved = self._resolved(leaf)
        node = resolved.id if isinstance(resolved, Var) else NodeId(-1)
        depth = len(state.members)
        if known is not None:
            same = known == resolved
            return state if same else _Miss("expected the same value at both places", node, depth)
        if (reason := self._restrictions(pattern, resolved)) is not None:
            return _Miss(reason, node, depth)
        found = self._structure(pattern, resolved, state, node)
        if isinstance(found, _State):
            found.leaves[id(pattern)] = resolved
            if pattern.name:
                found.names[pattern.name] = resolved
        return found

    def _structure(
        self, pattern: Pattern, leaf: Arg, state: _State, node: NodeId
    ) -> _State | _Miss:
        depth = len(state.members)
        match pattern:
            case AnyOf(choices=choices):
                return self._first(choices, leaf, state)
            case Anything():
                return state
            case ConstantValue():
                constant = self._constant(leaf)
                if constant is not None:
                    return state
                return _Miss(f"expected a constant, found {_shown_leaf(leaf)}", node, depth)
            case Item(value=value, index=index):
                binding = self.bindings.get(node)
                if binding is None or not isinstance(binding.value, TupleItem):
                    return _Miss("expected a field of a tuple", node, depth)
                if binding.value.index != index:
                    found = binding.value.index
                    return _Miss(f"expected field `{index}`, found `{found}`", node, depth)
                state.members[node] = binding
                return self._leaf(value, binding.value.value, state)
            case CallTo():
                return self._call(pattern, leaf, state, node)
            case _:
                return _Miss("this pattern stands for several values", node, depth)

    def _first(self, choices: tuple[Pattern, ...], leaf: Arg, state: _State) -> _State | _Miss:
        misses: list[_Miss] = []
        for choice in choices:
            found = self._leaf(choice, leaf, state.copy())
            if isinstance(found, _State):
                return found
            misses.append(found)
        return max(misses, key=lambda miss: miss.depth)

    def _call(self, pattern: CallTo, leaf: Arg, state: _State, node: NodeId) -> _State | _Miss:
        depth = len(state.members)
        binding = self.bindings.get(node)
        if binding is None:
            return _Miss(f"expected {_wanted(pattern)}, found {_found(leaf)}", node, depth)
        if (reason := self._not_target(pattern, binding)) is not None:
            return _Miss(reason, node, depth)
        state.members[node] = binding
        args = _args(binding.value)
        if pattern.args is None:
            return state
        if len(args) != len(pattern.args):
            text = f"expected `{len(pattern.args)}` arguments, found `{len(args)}`"
            return _Miss(text, node, depth + 1)
        return self._arguments(pattern, args, state)

    def _arguments(self, pattern: CallTo, args: tuple[Arg, ...], state: _State) -> _State | _Miss:
        assert pattern.args is not None
        orders = permutations(args) if pattern.any_order else (args,)
        best: _Miss | None = None
        for order in orders:
            attempt: _State | _Miss = state.copy()
            for wanted, arg in zip(pattern.args, order, strict=True):
                attempt = self._leaf(wanted, arg, attempt)
                if isinstance(attempt, _Miss):
                    break
            if isinstance(attempt, _State):
                return attempt
            best = attempt if best is None or attempt.depth > best.depth else best
        assert best is not None
        return best

    def _not_target(self, pattern: CallTo, binding: Binding) -> str | None:
        """Why a binding is no such call; None where it is."""
        value, name = binding.value, binding.var.name
        expected = f"expected {_wanted(pattern)}, found {_shown(value)} at `{name}`"
        match pattern.kind:
            case "op":
                if not isinstance(value, CallOp) or value.op not in pattern.target:
                    return expected
                attrs = dict(value.attrs)
                for key, wanted in pattern.attrs:
                    if attrs.get(key) != wanted:
                        found = attrs.get(key)
                        return f"expected `{key}={wanted}`, found `{key}={found}` at `{name}`"
                return None
            case "library":
                fits = isinstance(value, CallPacked) and value.symbol in pattern.target
                return None if fits else expected
            case "tensor":
                callee = self.module[value.callee] if isinstance(value, CallTIR) else None
                if not isinstance(callee, TensorFunction):
                    return expected
                fits = pattern.callee is None or pattern.callee(callee)
                return None if fits else expected
            case _:
                assert_never(pattern.kind)

    def _restrictions(self, pattern: Pattern, leaf: Arg) -> str | None:
        """Why a value is of the wrong type or has other uses; None where it fits."""
        type_ = type_of(leaf)
        shown = f"`{leaf.name}`" if isinstance(leaf, Var) else "the constant"
        tensor = type_ if isinstance(type_, TensorType) else None
        if pattern.dtype and (tensor is None or tensor.dtype != pattern.dtype):
            found = tensor.dtype if tensor is not None else type_
            return f"{shown} should hold `{pattern.dtype}`, holds `{found}`"
        shape = tensor.shape if tensor is not None else None
        if pattern.rank is not None and (shape is None or len(shape) != pattern.rank):
            return f"{shown} should have `{pattern.rank}` dimensions"
        if pattern.shape is not None and not _shape_fits(pattern.shape, shape):
            return f"{shown} should have the shape `{pattern.shape}`, has `{shape}`"
        if pattern.test is not None and not pattern.test(type_):
            return f"{shown} is not {pattern.wanted}"
        return self._use_count(pattern, leaf, shown)

    def _use_count(self, pattern: Pattern, leaf: Arg, shown: str) -> str | None:
        if pattern.uses is None or not isinstance(leaf, Var):
            return None
        count = len(self.users.get(leaf.id, ())) + (leaf.id in self.results)
        if count == pattern.uses:
            return None
        return f"{shown} is used `{count}` times, expected `{pattern.uses}`"

    def _resolved(self, leaf: Arg) -> Arg:
        """The value that a leaf stands for: names of other values are looked through."""
        while isinstance(leaf, Var):
            binding = self.bindings.get(leaf.id)
            if binding is None or not isinstance(binding.value, Alias):
                return leaf
            if not isinstance(binding.value.value, Var):
                return leaf
            leaf = binding.value.value
        return leaf

    def _constant(self, leaf: Arg) -> Constant | None:
        if isinstance(leaf, Constant):
            return leaf
        if isinstance(leaf, Var) and leaf.id in self.bindings:
            value = self.bindings[leaf.id].value
            if isinstance(value, Alias) and isinstance(value.value, Constant):
                return value.value
        return None


def _args(value: GraphExpr) -> tuple[Arg, ...]:
    return value.args if isinstance(value, CallOp | CallTIR | CallPacked) else ()


def _shape_fits(wanted: tuple[object, ...], shape: tuple[object, ...] | None) -> bool:
    if shape is None or len(shape) != len(wanted):
        return False
    return all(w is None or w == extent for w, extent in zip(wanted, shape, strict=True))


def _wanted(pattern: CallTo) -> str:
    if pattern.kind == "tensor":
        return f"a call of {pattern.wanted}"
    return "a call of " + " or ".join(f"`{name}`" for name in pattern.target)


def _shown(value: GraphExpr) -> str:
    match value:
        case CallOp(op=name) | CallPacked(symbol=name) | CallTIR(callee=name):
            return f"`{name}`"
        case _:
            return "another kind of value"


def _shown_leaf(leaf: Arg) -> str:
    return f"`{leaf.name}`" if isinstance(leaf, Var) else "another kind of value"


def _found(leaf: Arg) -> str:
    return f"`{leaf.name}`, which no call computes" if isinstance(leaf, Var) else "a constant"
