"""Frames: calls of graph functions of two steps, compared binding by binding, inner calls too.

What a value should be is known from the step before: by its id, or through the derivations of the
pass, moved into another function or put into another layout. Each binding is recomputed from what
the others should be, so that what is wrong is wrong by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workbench.analysis.uses import argument_vars
from workbench.interpret import Symbols, copied, read_leaf
from workbench.ir import (
    Binding,
    BindingBlock,
    CallFunction,
    CallOp,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorType,
    Var,
    operator,
)
from workbench.rewrite import Derivation, NodeRef, Relation, all_bindings
from workbench.session.engine import Engine
from workbench.session.flow import apart
from workbench.session.reductions import reduction_length
from workbench.session.verdict import Difference, Value, compare
from workbench.session.worker import Job
from workbench.support import CompileError, NodeId

Calls = tuple[tuple[NodeRef, str], ...]
"""Calls on the way to a value: where each is bound, and its callee."""
CONVERSION = "layout_transform"
MOST_CALLS = 100


@dataclass(frozen=True, slots=True)
class Wrong:
    """A binding that is wrong although what it reads is right.

    `upstream` are the values that feed it and that the step before did not have; where it was
    written over, those that read it.
    """

    ref: NodeRef
    difference: Difference
    calls: Calls = ()
    upstream: tuple[NodeRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """A call of a graph function of the new module: its arguments, and what values should be."""

    function: str
    arguments: tuple[Value, ...]
    expected: Mapping[NodeId, Value]
    old: Mapping[NodeId, Value] = field(default_factory=dict[NodeId, Any])
    """Values of the old function of that name, those that are gone included."""
    calls: Calls = ()


@dataclass
class Search:
    """Looks for the first wrong binding of `new`, made from `old` with these derivations."""

    engine: Engine
    old: IRModule
    new: IRModule
    derivations: tuple[Derivation, ...]
    job: Job
    signs: bool = False
    """Whether zeros of another sign are different."""

    def __post_init__(self) -> None:
        self.made: dict[NodeRef, list[tuple[Derivation, NodeRef]]] = defaultdict(list)
        for derivation in self.derivations:
            for result in derivation.results:
                self.made[result] += [(derivation, source) for source in derivation.sources]

    def entry(
        self, function: str, arguments: tuple[Value, ...], values: Mapping[NodeId, Value]
    ) -> Wrong | None:
        """The first wrong binding below the entry function; `values` are those of the old one."""
        expected = self._expected(function, values, {})
        return self.search(Frame(function, arguments, expected, values))

    def search(self, frame: Frame) -> Wrong | None:
        """The first wrong binding of a frame, in program order, or of a call in it."""
        self.job.checkpoint()
        function = self.new.graph_functions[frame.function]
        merged = self._merged(frame)
        found = self._differences(frame, function)
        for binding in in_order(function.blocks):
            for wrong in merged.get(binding.var.id, ()):
                return wrong
            if binding.var.id in found:
                difference, values = found[binding.var.id]
                ref = NodeRef(frame.function, binding.var.id)
                if difference.overwritten:
                    readers = tuple(_readers(frame, function, binding))
                    return Wrong(ref, difference, frame.calls, readers)
                inner = self._inner(frame, function, binding, values)
                upstream = tuple(_upstream(frame, function, binding))
                return inner or Wrong(ref, difference, frame.calls, upstream)
        return None

    def _differences(
        self, frame: Frame, function: GraphFunction
    ) -> dict[NodeId, tuple[Difference, Mapping[NodeId, Value]]]:
        """Bindings that are wrong by themselves, each with the values of the run that shows it."""
        found: dict[NodeId, tuple[Difference, Mapping[NodeId, Value]]] = {}
        vars_ = {b.var.id: b for b in all_bindings(function)}
        around = enclosing(function.blocks)
        for group in groups(function, frame.expected):
            self.job.checkpoint()
            kept = group | {outer for each in group for outer in around.get(each, ())}
            given = {i: copied(v) for i, v in frame.expected.items() if i not in kept}
            values = self.engine.values(
                self.new, _copies(frame.arguments), frame.function, given, self.job.native
            )
            for each in group & values.keys():
                binding = vars_[each]
                difference = self._compare(frame.expected[each], values[each], frame, binding)
                if difference is not None:
                    found[each] = difference, values
            found |= self._overwritten(frame, given, values, vars_)
        return found

    def _compare(
        self, expected: Value, found: Value, frame: Frame, binding: Binding
    ) -> Difference | None:
        length = max(1, reduction_length(self.new, binding.value))
        result = compare(expected, found, length, frame.function, binding.var)
        if result.state in {"wrong", "amber"}:
            return result.first
        return _signs(expected, found, frame.function, binding.var) if self.signs else None

    def _overwritten(
        self,
        frame: Frame,
        given: Mapping[NodeId, Value],
        values: Mapping[NodeId, Value],
        bindings: Mapping[NodeId, Binding],
    ) -> dict[NodeId, tuple[Difference, Mapping[NodeId, Value]]]:
        """Values that were right when they were bound, and that a later call wrote over."""
        found: dict[NodeId, tuple[Difference, Mapping[NodeId, Value]]] = {}
        for each, value in given.items():
            if each in bindings and each in values and not _same(value, frame.expected[each]):
                binding = bindings[each]
                result = compare(frame.expected[each], value, 1, frame.function, binding.var)
                if result.first is not None:
                    found[each] = replace(result.first, overwritten=True), values
        return found

    # --- calls -----------------------------------------------------------------------------------

    def _inner(
        self, frame: Frame, caller: GraphFunction, binding: Binding, values: Mapping[NodeId, Value]
    ) -> Wrong | None:
        """What is wrong inside a call of a graph function; None where it is the call itself."""
        call = binding.value
        if not isinstance(call, CallFunction) or len(frame.calls) >= MOST_CALLS:
            return None
        callee = self.new.graph_functions.get(call.callee)
        if callee is None:
            return None
        symbols = Symbols()
        for param, value in zip(caller.params, frame.arguments, strict=True):
            symbols.match(param.type, value, param.name)
        read = {**values, **{i: v for i, v in frame.expected.items() if i in values}}
        arguments = tuple(read_leaf(arg, read, symbols, self.new.pool) for arg in call.args)
        known = self._old_values(frame, binding, callee, call.callee, arguments)
        moved = self._moved(frame, caller, call.callee, binding)
        expected = self._expected(call.callee, known, moved)
        ref = NodeRef(frame.function, binding.var.id)
        calls = (*frame.calls, (ref, call.callee))
        return self.search(Frame(call.callee, arguments, expected, known, calls))

    def _old_values(
        self,
        frame: Frame,
        binding: Binding,
        callee: GraphFunction,
        name: str,
        arguments: tuple[Value, ...],
    ) -> Mapping[NodeId, Value]:
        """Values of the old function for the same arguments: that of the name, or called there."""
        old = self.old.graph_functions.get(name)
        if old is None or old.params != callee.params:
            before = bound(self.old, NodeRef(frame.function, binding.var.id))
            call = None if before is None else before.value
            name = call.callee if isinstance(call, CallFunction) else ""
            old = self.old.graph_functions.get(name)
        if old is None or old.params != callee.params:
            return {}
        values = self.engine.values(self.old, _copies(arguments), name, cancel=self.job.native)
        same = {b.var for b in all_bindings(callee)}
        bindings = (b.var for b in all_bindings(old) if b.var.id in values)
        return {var.id: values[var.id] for var in bindings if var in same}

    def _moved(
        self, frame: Frame, caller: GraphFunction, callee: str, binding: Binding
    ) -> dict[NodeRef, Value]:
        """Values of the old caller that the pass moved into the callee, for this call of it."""
        calls = [
            b.var.id
            for b in all_bindings(caller)
            if isinstance(b.value, CallFunction) and b.value.callee == callee
        ]
        rank = calls.index(binding.var.id)
        found: dict[NodeRef, Value] = {}
        for result, made in self.made.items():
            sources = [s for d, s in made if d.relation is Relation.MOVED]
            if result.function != callee or not sources:
                continue
            source = sources[rank] if len(sources) == len(calls) else sources[-1]
            if source.function == frame.function and source.id in frame.old:
                found[result] = frame.old[source.id]
        return found

    # --- what values should be -------------------------------------------------------------------

    def _expected(
        self, function: str, values: Mapping[NodeId, Value], moved: Mapping[NodeRef, Value]
    ) -> dict[NodeId, Value]:
        """What is known of the values of a new function: by id, moved there, in a layout."""
        found: dict[NodeId, Value] = {}
        for binding in all_bindings(self.new.graph_functions[function]):
            ref = NodeRef(function, binding.var.id)
            if ref in moved:
                found[ref.id] = moved[ref]
            elif ref.id in values:
                found[ref.id] = values[ref.id]
            else:
                found |= self._laid_out(ref, binding.var, values)
        return found

    def _laid_out(
        self, ref: NodeRef, var: Var, values: Mapping[NodeId, Value]
    ) -> dict[NodeId, Value]:
        """A value that is another one in a layout that the pass told, or that one itself."""
        for derivation, source in self.made.get(ref, ()):
            if source.function != ref.function or source.id not in values:
                continue
            if derivation.relation is Relation.LAYOUT and derivation.layout:
                return {ref.id: in_layout(values[source.id], derivation.layout)}
            if derivation.relation is Relation.SAME and len(derivation.sources) == 1:
                value = values[source.id]
                fits = isinstance(var.type, TensorType) and var.type.dtype == str(value.dtype)
                return {ref.id: value} if fits else {}
        return {}

    def _merged(self, frame: Frame) -> dict[NodeId, list[Wrong]]:
        """Values of the step before for which another is taken now, which is not the same."""
        found: dict[NodeId, list[Wrong]] = defaultdict(list)
        here = {b.var.id for b in all_bindings(self.new.graph_functions[frame.function])}
        old = self.old.graph_functions.get(frame.function)
        gone = {} if old is None else {b.var.id: b.var for b in all_bindings(old)}
        gone = {i: var for i, var in gone.items() if i not in here and i in frame.old}
        for source, result in _taken_instead(self.derivations, frame.function):
            if source in gone and result in frame.old:
                values = frame.old[source], frame.old[result]
                finding = compare(*values, 1, frame.function, gone[source])
                if finding.state == "wrong" and finding.first is not None:
                    ref = NodeRef(frame.function, source)
                    found[result].append(Wrong(ref, finding.first, frame.calls))
        return found


def _taken_instead(
    derivations: Iterable[Derivation], function: str
) -> Iterator[tuple[NodeId, NodeId]]:
    """Pairs of values of a function the second of which stands for the first."""
    for derivation in derivations:
        if derivation.relation is Relation.SAME:
            for source in derivation.sources:
                for result in derivation.results:
                    if source.function == result.function == function:
                        yield source.id, result.id


def bound(module: IRModule, ref: NodeRef) -> Binding | None:
    """The binding of a value, None where the module has none."""
    function = module.graph_functions.get(ref.function)
    bindings = () if function is None else all_bindings(function)
    return next((b for b in bindings if b.var.id == ref.id), None)


def in_order(blocks: tuple[BindingBlock, ...]) -> Iterator[Binding]:
    """Bindings in the order in which they are done: those of branches before the branch's value."""
    for block in blocks:
        for binding in block.bindings:
            if isinstance(binding.value, IfThenElse):
                yield from in_order(binding.value.then.blocks)
                yield from in_order(binding.value.otherwise.blocks)
            yield binding


def enclosing(
    blocks: tuple[BindingBlock, ...], around: tuple[NodeId, ...] = ()
) -> dict[NodeId, tuple[NodeId, ...]]:
    """For each binding inside branches, the bindings of the branches around it."""
    found: dict[NodeId, tuple[NodeId, ...]] = {}
    for block in blocks:
        for binding in block.bindings:
            found[binding.var.id] = around
            if isinstance(binding.value, IfThenElse):
                inside = (*around, binding.var.id)
                found |= enclosing(binding.value.then.blocks, inside)
                found |= enclosing(binding.value.otherwise.blocks, inside)
    return found


def groups(function: GraphFunction, wanted: Iterable[NodeId]) -> list[frozenset[NodeId]]:
    """Bindings of `wanted` in groups none of whose members feeds another."""
    return apart(in_order(function.blocks), set(wanted))


def in_layout(value: Value, layout: str) -> Value:
    """An array in another layout: what the conversion operator gives for it."""
    type_ = TensorType(tuple(value.shape), str(value.dtype))
    call = CallOp(CONVERSION, (Var(NodeId(0), "value", type_),), (("index_map", layout),))
    return operator(CONVERSION).reference(call, value)


def _upstream(frame: Frame, function: GraphFunction, binding: Binding) -> Iterator[NodeRef]:
    """Values that feed a binding and that the step before did not have, nearest first."""
    bindings = {b.var.id: b for b in all_bindings(function)}
    todo, seen = [binding], {binding.var.id}
    while todo:
        for var in argument_vars(todo.pop(0).value):
            if var.id in bindings and var.id not in seen and var.id not in frame.expected:
                seen.add(var.id)
                todo.append(bindings[var.id])
                yield NodeRef(frame.function, var.id)


def _readers(frame: Frame, function: GraphFunction, binding: Binding) -> Iterator[NodeRef]:
    """Values that read a value: one of them wrote over it."""
    for each in all_bindings(function):
        if any(var.id == binding.var.id for var in argument_vars(each.value)):
            yield NodeRef(frame.function, each.var.id)


def _copies(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(copied(value) for value in values)


def _same(a: Value, b: Value) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return True
    return a.tobytes() == b.tobytes()


def _signs(expected: Value, found: Value, function: str, var: Var) -> Difference | None:
    """The first element that is zero in both, with another sign."""
    if isinstance(expected, tuple):
        return None
    a, b = np.asarray(expected), np.asarray(found)
    if a.dtype.kind != "f" or a.shape != b.shape:
        return None
    differs = np.argwhere((a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b)))
    if not len(differs):
        return None
    index = tuple(int(i) for i in differs[0])
    return Difference(function, var.id, var.name, index, a[index], b[index])


def locate(
    search: Search, function: str, arguments: tuple[Value, ...], values: Mapping[NodeId, Value]
) -> Wrong | None:
    """The first wrong binding, by the size of the error or else by the sign of zeros.

    None where no binding is wrong by itself, or where the functions cannot be run so.
    """
    try:
        return search.entry(function, arguments, values) or replace(search, signs=True).entry(
            function, arguments, values
        )
    except CompileError:
        return None
