"""Flows: the values of a graph function by call path, fused calls looked into.

A value is named by its *key*: `main/12` is value 12 of `main`, `main/12>7` is value 7 of the
fused function that call 12 calls. Bindings that only rename (aliases, fields of tuples) are
looked through. What the arms of an `if` compute are values like the others, which come before that
of the `if` and name their arm: `main/7?then` is one arm of value 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal

from workbench.analysis.calls import bindings_in
from workbench.analysis.uses import argument_vars
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
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    TensorFunction,
    TupleItem,
    TupleValue,
    Type,
    Var,
    fingerprint,
    function_digest,
    leaf_vars,
)
from workbench.rewrite import NodeRef
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class FlowValue:
    """One value: where it is bound, what feeds it, and what it lies in.

    `call` is the fused call around it, `arm` the innermost arm of an `if`. An `if` is fed by its
    condition and by what its arms give.
    """

    key: str
    ref: NodeRef
    name: str
    type: Type
    expr: GraphExpr | None
    inputs: tuple[str, ...] = ()
    call: str | None = None
    is_param: bool = False
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of an `if`: its key, that of the `if`, which one it is, and what it gives.

    `gives` has the name of the result; `results` the keys of the values that it stands for.
    """

    key: str
    branch: str
    word: Literal["then", "else"]
    gives: str
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FusedCall:
    """A call of a fused function: its key, its callee, its name and type, the arm around it."""

    key: str
    callee: str
    name: str
    type: Type
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class OtherName:
    """A binding that computes nothing: an item of a tuple, a tuple, another name of a value.

    `values` are the keys of the values that it names.
    """

    ref: NodeRef
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """The values of one graph function in the order in which they are computed."""

    function: str
    values: dict[str, FlowValue]
    calls: dict[str, FusedCall]
    outputs: tuple[str, ...]
    renamed: dict[str, str]
    """Keys of bindings that only rename, with the key of the value they stand for."""
    others: tuple[OtherName, ...] = ()
    arms: Mapping[str, Arm] = field(default_factory=dict[str, Arm])
    """The arms of every `if` by key, outer ones first."""


def shown_functions(module: IRModule) -> tuple[str, ...]:
    """Graph functions that are pictures of their own: all but the fused ones, `main` first."""
    names = [n for n, f in module.graph_functions.items() if not is_fused(f)]
    return tuple(sorted(names, key=lambda name: name != "main"))


def is_fused(function: GraphFunction) -> bool:
    """Whether fusion made the function."""
    return any(name == "Primitive" and bool(value) for name, value in function.attrs)


def flow(module: IRModule, name: str) -> Flow:
    """The flow of the graph function `name`."""
    builder = _Builder(module, name)
    function = module.graph_functions[name]
    environment: dict[NodeId, tuple[str, ...]] = {}
    for param in function.params:
        key = f"{name}/{param.id}"
        ref = NodeRef(name, param.id)
        builder.values[key] = FlowValue(key, ref, param.name, param.type, None, is_param=True)
        environment[param.id] = (key,)
    outputs = builder.enter(name, function, "", environment)
    others = tuple(builder.others)
    return Flow(name, builder.values, builder.calls, outputs, builder.renamed, others, builder.arms)


@dataclass
class _Builder:
    module: IRModule
    function: str
    values: dict[str, FlowValue] = field(default_factory=dict[str, FlowValue])
    calls: dict[str, FusedCall] = field(default_factory=dict[str, FusedCall])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    others: list[OtherName] = field(default_factory=list[OtherName])
    arms: dict[str, Arm] = field(default_factory=dict[str, Arm])
    arm: str | None = None
    """The innermost arm around what is added now."""

    def enter(
        self,
        name: str,
        body: GraphFunction,
        prefix: str,
        environment: dict[NodeId, tuple[str, ...]],
    ) -> tuple[str, ...]:
        """Add the bindings of `body`; `environment` has the keys that each variable stands for."""
        self._blocks(name, body.blocks, prefix, environment)
        return tuple(self._leaf(body.result, environment))

    def _blocks(
        self,
        name: str,
        blocks: tuple[BindingBlock, ...],
        prefix: str,
        environment: dict[NodeId, tuple[str, ...]],
    ) -> None:
        for block in blocks:
            for binding in block.bindings:
                key = f"{prefix}>{binding.var.id}" if prefix else f"{name}/{binding.var.id}"
                environment[binding.var.id] = self._binding(name, binding, key, prefix, environment)

    def _binding(
        self,
        function: str,
        binding: Binding,
        key: str,
        prefix: str,
        environment: dict[NodeId, tuple[str, ...]],
    ) -> tuple[str, ...]:
        value = binding.value
        if (through := self._renaming(value, environment)) is not None:
            if through:
                self.renamed[key] = through[0]
            ref = NodeRef(function, binding.var.id)
            self.others.append(OtherName(ref, binding.var.name, through))
            return through
        callee = self._fused_callee(value)
        if isinstance(value, CallFunction) and callee is not None and not prefix:
            self.calls[key] = FusedCall(
                key, value.callee, binding.var.name, binding.var.type, self.arm
            )
            inner = {
                param.id: tuple(self._leaf(arg, environment))
                for param, arg in zip(callee.params, value.args, strict=False)
            }
            result = self.enter(value.callee, callee, key, inner)
            if result:
                self.renamed[key] = result[-1]
            return result
        is_constant = isinstance(value, Alias) and isinstance(value.value, Constant)
        inputs: tuple[str, ...] = ()
        if isinstance(value, IfThenElse):
            inputs = self._branch(function, value, key, prefix, environment)
        elif not is_constant:
            inputs = tuple(self._inputs(value, environment, key))
        ref = NodeRef(function, binding.var.id)
        self.values[key] = FlowValue(
            key,
            ref,
            binding.var.name,
            binding.var.type,
            value,
            inputs,
            prefix or None,
            arm=self.arm,
        )
        return (key,)

    def _branch(
        self,
        function: str,
        value: IfThenElse,
        key: str,
        prefix: str,
        environment: dict[NodeId, tuple[str, ...]],
    ) -> tuple[str, ...]:
        """Add what both arms compute; gives what feeds the `if` itself."""
        inputs = list(self._leaf(value.condition, environment, f"{key}#0"))
        around = self.arm
        sides: tuple[tuple[Literal["then", "else"], Body], ...]
        sides = ("then", value.then), ("else", value.otherwise)
        for word, body in sides:
            self.arm = f"{key}?{word}"
            self.arms[self.arm] = Arm(self.arm, key, word, "", ())
            self._blocks(function, body.blocks, prefix, environment)
            results = tuple(self._leaf(body.result, environment, f"{key}#{word}"))
            gives = body.result.name if isinstance(body.result, Var) else ""
            self.arms[self.arm] = Arm(self.arm, key, word, gives, results)
            inputs += results
            self.arm = around
        return tuple(inputs)

    def _fused_callee(self, value: GraphExpr) -> GraphFunction | None:
        if not isinstance(value, CallFunction) or value.callee not in self.module:
            return None
        callee = self.module[value.callee]
        return callee if isinstance(callee, GraphFunction) and is_fused(callee) else None

    def _renaming(
        self, value: GraphExpr, environment: dict[NodeId, tuple[str, ...]]
    ) -> tuple[str, ...] | None:
        """Keys that a renaming binding stands for; None for a binding that computes."""
        match value:
            case Alias(value=Var() | TupleValue() as leaf):
                return tuple(self._leaf(leaf, environment))
            case TupleItem(value=Var(id=var), index=index):
                known = environment.get(var, ())
                return (known[index],) if 0 <= index < len(known) > 1 else known
            case _:
                return None

    def _inputs(
        self, value: GraphExpr, environment: dict[NodeId, tuple[str, ...]], key: str
    ) -> Iterator[str]:
        for index, arg in enumerate(arguments(value)):
            yield from self._leaf(arg, environment, f"{key}#{index}")

    def _leaf(
        self, arg: Arg, environment: dict[NodeId, tuple[str, ...]], inline: str = ""
    ) -> Iterator[str]:
        match arg:
            case Var(id=var):
                yield from environment.get(var, ())
            case TupleValue(fields=fields):
                for index, item in enumerate(fields):
                    yield from self._leaf(item, environment, inline and f"{inline}.{index}")
            case Constant() if inline:
                ref = NodeRef(self.function, NodeId(-1))
                self.values[inline] = FlowValue(inline, ref, "", arg.type, Alias(arg), arm=self.arm)
                yield inline
            case _:
                return


def arguments(value: GraphExpr) -> tuple[Arg, ...]:
    """The leaves that a right side takes, in order; of an `if` also what its arms take."""
    match value:
        case CallOp() | CallTIR() | CallTIRInplace() | CallPacked() | CallFunction():
            return value.args
        case IfThenElse(condition=condition):
            bodies = (value.then, value.otherwise)
            own = {b.var.id for body in bodies for b in bindings_in(body.blocks)}
            own.update(var.id for var in leaf_vars(condition))
            read = {var.id: var for var in argument_vars(value) if var.id not in own}
            return (condition, *read.values())
        case Alias(value=leaf) | TupleItem(value=leaf) | MatchCast(value=leaf):
            return (leaf,)


def own_code_of(module: IRModule, value: GraphExpr | None) -> object:
    """What a right side itself says: as `code_of`, but of an `if` without what its arms compute."""
    if isinstance(value, IfThenElse):
        return (value.condition, value.then.result, value.otherwise.result)
    return code_of(module, value)


def code_of(module: IRModule, value: GraphExpr | None) -> object:
    """Something equal for two right sides that say the same, the code of their callees included."""
    match value:
        case CallTIR(callee=callee) if callee in module:
            function = module[callee]
            same = fingerprint(function) if isinstance(function, TensorFunction) else ""
            return (value.args, value.out_types, value.scalars, same)
        case CallTIRInplace(callee=callee) if callee in module:
            return (value, _code_below(module, callee))
        case CallFunction(callee=callee) if callee in module:
            return (value, _code_below(module, callee))
        case IfThenElse(then=then, otherwise=otherwise):
            names = (*_callees(then.blocks), *_callees(otherwise.blocks))
            return (value, *(_code_below(module, name) for name in names))
        case _:
            return value


def _code_below(module: IRModule, callee: str) -> tuple[str, ...]:
    """Digests of a function and of all that it calls, in the order in which they are met."""
    met: dict[str, str] = {}
    todo = [callee]
    while todo:
        name = todo.pop()
        if name not in met and name in module:
            function = module[name]
            met[name] = function_digest(function)
            if isinstance(function, GraphFunction):
                todo += _callees(function.blocks)
    return tuple(met.values())


def _callees(blocks: tuple[BindingBlock, ...]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, CallTIR | CallTIRInplace | CallFunction):
                found.append(value.callee)
            elif isinstance(value, IfThenElse):
                found += [*_callees(value.then.blocks), *_callees(value.otherwise.blocks)]
    return found


def apart(
    bindings: Iterable[Binding],
    wanted: AbstractSet[NodeId],
    given: AbstractSet[NodeId] = frozenset(),
) -> list[frozenset[NodeId]]:
    """Bindings of `wanted` in groups none of whose members feeds another but through `given`."""
    found: list[set[NodeId]] = []
    feeds: dict[NodeId, frozenset[NodeId]] = {}
    for binding in bindings:
        value = binding.var.id
        if value in given:
            continue
        upstream: frozenset[NodeId] = frozenset()
        for var in argument_vars(binding.value):
            upstream |= feeds.get(var.id, frozenset())
        if value not in wanted:
            feeds[value] = upstream
            continue
        feeds[value] = frozenset({value})
        free = next((group for group in found if not group & upstream), None)
        if free is None:
            free = set[NodeId]()
            found.append(free)
        free.add(value)
    return [frozenset(group) for group in found]
