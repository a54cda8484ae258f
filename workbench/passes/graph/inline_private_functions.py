"""InlinePrivateFunctions: the bindings of a function where it is called.

Rewrite::

    y = cls.f(x)            # f(a) is b = exp(a), c = negative(b), c
    =>
    b = R.exp(x)
    y = R.negative(b)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import bindings_in, recursive
from workbench.analysis.effects import has_effect
from workbench.ir import (
    Binding,
    BindingBlock,
    CallFunction,
    Dim,
    GraphFunction,
    IfThenElse,
    IRModule,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    PassResult,
    Refusal,
    Rule,
    Site,
    call_dimensions,
    ends_with_result,
    has_static_params,
    inline_call,
    is_fused,
    note,
)
from workbench.support import Diagnostic, NodeId
from workbench.support.limits import at_least
from workbench.support.slot_init import sets_slots

MOST_BRANCHES = 24
"""Branches in branches that inlining makes; nodes are nested only so deep (`ir/too-deep`)."""


@sets_slots
@dataclass(frozen=True, slots=True)
class _Call(Site):
    """A call, its callee, what the dimensions of it are there, and whether in a dataflow block."""

    callee: str = ""
    dims: tuple[tuple[NodeId, Dim], ...] = ()
    dataflow: bool = False


@dataclass(frozen=True)
class InlinePrivateFunctions(Rule):
    """Put the bindings of private graph functions in the place of their calls.

    Functions that call others are inlined with these; those that nobody calls then go. Recursive
    functions and fused groups stay, and, in dataflow blocks, calls of functions that branch or have
    effects. A function does not grow beyond `most` bindings. Reference:
    `relax.transform.InlinePrivateFunctions`.
    """

    name: ClassVar[str] = "inline-private-functions"
    absent: ClassVar[str] = "no private graph function is called"
    most: int = at_least(0, default=100_000, kw_only=True)

    @override
    def run(self, module: IRModule) -> PassResult:
        if self.only:
            return super().run(module)
        found = list(self.sites(module))
        remarks = [refusal.diagnostic for refusal in found if isinstance(refusal, Refusal)]
        sites = [site for site in found if isinstance(site, _Call)]
        if not sites:
            return PassResult(module, (), tuple(remarks))
        taken = _Taken(module, self.most)
        for site in _innermost_first(sites):
            taken.decide(site)
        left = (taken.refused.get(site.refs) for site in sites)
        remarks += [told for told in left if told is not None]
        editor = ModuleEditor(module)
        stay = _staying(module, taken.calls)
        for site in sites:
            if site.function in stay and (site.function, site.nodes[0]) in taken.calls:
                self._inline(site, editor, taken)
        reached = _reached(editor.commit(), stay)
        for name in module.graph_functions:
            if name not in reached:
                editor.remove_function(name)
        derivations = tuple(editor.derivations)
        return PassResult(editor.commit(), derivations, tuple(remarks))

    def _inline(self, site: _Call, editor: ModuleEditor, taken: _Taken) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        dims = dict(site.dims)
        inline_call(editor, site.function, binding, dims, self.name, taken.has)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        loops = recursive(module)
        private = {
            name: _branches_or_acts(function, module)
            for name, function in module.graph_functions.items()
            if function.private and not is_fused(function)
        }
        static = {name for name, f in module.graph_functions.items() if has_static_params(f)}
        for name, function in module.graph_functions.items():
            if is_fused(function):
                continue
            for binding, dataflow in _calls(function.blocks, dataflow=False):
                call = binding.value
                if not isinstance(call, CallFunction) or call.callee not in private:
                    continue
                callee = call.callee
                reason = f"`{callee}` may call itself" if callee in loops else ""
                if dataflow and private[callee]:
                    reason = reason or f"`{callee}` branches or has an effect"
                if not reason and callee in static:  # most
                    about = f"`{callee}`"
                    yield _Call(name, (binding.var.id,), about, callee, dataflow=dataflow)
                else:
                    yield self._judge(module, name, binding, reason, dataflow)

    def _judge(
        self, module: IRModule, function: str, binding: Binding, reason: str, dataflow: bool
    ) -> Site | Refusal:
        call = binding.value
        assert isinstance(call, CallFunction)
        dims: Mapping[NodeId, Dim] | str = reason
        if not reason:
            callee = module[call.callee]
            assert isinstance(callee, GraphFunction)
            dims = call_dimensions(callee, call)
        if isinstance(dims, str):
            return note("inline/call-stays", dims, function, binding.var.id)
        given = tuple(dims.items())
        about = f"`{call.callee}`"
        return _Call(function, (binding.var.id,), about, call.callee, given, dataflow)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Call)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        inline_call(editor, site.function, binding, dict(site.dims), self.name)


class _Taken:
    """The calls that are inlined; decided of a function before of those that call it."""

    def __init__(self, module: IRModule, most: int) -> None:
        self.calls: dict[tuple[str, NodeId], str] = {}
        self.refused: dict[tuple[NodeRef, ...], Diagnostic] = {}
        functions = module.graph_functions.items()
        self._most = most
        self._sizes = {name: _size(function) for name, function in functions}
        self._branching = {n for n, function in functions if _branches_or_acts(function, module)}
        self._ending = {name for name, function in functions if ends_with_result(function)}
        self._arms: dict[str, dict[NodeId, int]] = {}
        self._depths: dict[str, int] = {}
        for name, function in functions:
            self._arms[name], self._depths[name] = _arms(function)

    def has(self, function: str, value: NodeId) -> bool:
        """Whether the call that gives this value is inlined."""
        return (function, value) in self.calls

    def decide(self, site: _Call) -> None:
        """Take a call, unless what its callee has become does not fit."""
        function, callee = site.function, site.callee
        # The last binding of the callee takes the place of the call, or an alias does.
        size = self._sizes[function] + self._sizes[callee] - (callee in self._ending)
        depth = self._arms[function][site.nodes[0]] + self._depths[callee]
        if site.dataflow and callee in self._branching:
            self._refuse(site, f"`{callee}` branches or has an effect")
        elif depth > MOST_BRANCHES:
            self._refuse(site, f"branches would be nested more than {MOST_BRANCHES} deep")
        elif size > self._most:
            text = (
                f"`{function}` would have more than {self._most} bindings with `{callee}` inlined"
            )
            self._refuse(site, text)
        else:
            self.calls[function, site.nodes[0]] = callee
            self._sizes[function] = size
            self._depths[function] = max(self._depths[function], depth)
            if callee in self._branching:
                self._branching.add(function)

    def _refuse(self, site: _Call, text: str) -> None:
        told = note("inline/call-stays", text, site.function, site.nodes[0])
        self.refused[site.refs] = told.diagnostic


def _innermost_first(sites: list[_Call]) -> list[_Call]:
    """The calls of a function before the calls to it; in program order otherwise."""
    by_caller: dict[str, list[_Call]] = {}
    for site in sites:
        by_caller.setdefault(site.function, []).append(site)
    ordered: list[_Call] = []
    seen: set[str] = set()
    for root in by_caller:
        pending = [(root, False)]
        while pending:
            name, below_done = pending.pop()
            own = by_caller.get(name, [])
            if below_done:
                ordered += own
            elif name not in seen:
                seen.add(name)
                pending.append((name, True))
                pending += [(site.callee, False) for site in reversed(own)]
    return ordered


def _staying(module: IRModule, taken: Mapping[tuple[str, NodeId], str]) -> set[str]:
    """The functions that are there behind it: those called by a call that stays, and the others."""
    dissolved = set(taken.values())
    functions = module.graph_functions
    first = {name for name in functions if name not in dissolved}
    called = [
        binding.value.callee
        for name in _reached(module, first)
        for binding in bindings_in(functions[name].blocks)
        if isinstance(binding.value, CallFunction) and (name, binding.var.id) not in taken
    ]
    return first.union(called)


def _reached(module: IRModule, first: Collection[str]) -> set[str]:
    """Graph functions that these call, at once or later, and these."""
    functions = module.graph_functions
    seen = set(first)
    pending = list(first)
    while pending:
        for binding in bindings_in(functions[pending.pop()].blocks):
            call = binding.value
            if isinstance(call, CallFunction) and call.callee not in seen:
                seen.add(call.callee)
                pending.append(call.callee)
    return seen


def _size(function: GraphFunction) -> int:
    return sum(1 for _ in bindings_in(function.blocks))


def _arms(function: GraphFunction) -> tuple[dict[NodeId, int], int]:
    """In how many branches each call of a function is, and how deep branches are nested."""
    calls: dict[NodeId, int] = {}
    pending, depth = [function.blocks], -1
    while pending:
        depth += 1
        below: list[tuple[BindingBlock, ...]] = []
        for binding in (binding for blocks in pending for b in blocks for binding in b.bindings):
            value = binding.value
            if isinstance(value, CallFunction):
                calls[binding.var.id] = depth
            elif isinstance(value, IfThenElse):
                below += [value.then.blocks, value.otherwise.blocks]
        pending = below
    return calls, depth


def _branches_or_acts(function: GraphFunction, module: IRModule) -> bool:
    values = [binding.value for binding in function.bindings]
    return any(isinstance(value, IfThenElse) or has_effect(value, module) for value in values)


def _calls(blocks: tuple[BindingBlock, ...], *, dataflow: bool) -> Iterator[tuple[Binding, bool]]:
    """Calls of graph functions, and whether they stand in a dataflow block."""
    for block in blocks:
        inside = dataflow or block.dataflow
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, CallFunction):
                yield binding, inside
            elif isinstance(value, IfThenElse):
                for body in (value.then, value.otherwise):
                    yield from _calls(body.blocks, dataflow=inside)
