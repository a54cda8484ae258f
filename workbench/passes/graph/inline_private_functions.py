"""InlinePrivateFunctions: the bindings of a function where it is called.

Rewrite::

    y = cls.f(x)            # f(a) is b = exp(a), c = negative(b), c
    =>
    b = R.exp(x)
    y = R.negative(b)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import bindings_in, recursive
from workbench.analysis.effects import has_effect
from workbench.analysis.uses import callees
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
    PassResult,
    Refusal,
    Rule,
    Site,
    call_dimensions,
    has_static_params,
    in_rounds,
    inline_call,
    is_fused,
    note,
)
from workbench.support import Diagnostic, NodeId
from workbench.support.limits import at_least
from workbench.support.slot_init import sets_slots


@sets_slots
@dataclass(frozen=True, slots=True)
class _Call(Site):
    """A call, its callee and what the dimensions of it are there."""

    callee: str = ""
    dims: tuple[tuple[NodeId, Dim], ...] = ()


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
        return in_rounds(module, self._innermost)

    def _innermost(self, module: IRModule) -> PassResult:
        """Inline the functions that have no call to inline themselves."""
        found = list(self.sites(module))
        sites = [site for site in found if isinstance(site, _Call)]
        remarks = [refusal.diagnostic for refusal in found if isinstance(refusal, Refusal)]
        if not sites:
            return PassResult(module, (), tuple(remarks))
        outer = {site.function for site in sites}
        sizes = {name: _size(function) for name, function in module.graph_functions.items()}
        editor = ModuleEditor(module)
        for site in sites:
            if site.callee in outer:
                continue
            sizes[site.function] += sizes[site.callee]
            if sizes[site.function] > self.most:
                remarks.append(_too_large(site, self.most))
            else:
                self.rewrite(site, editor)
        current = editor.commit()
        gone = {site.callee for site in sites} - callees(current).keys()
        for name in sorted(gone):
            editor.remove_function(name)
        return PassResult(editor.commit(), tuple(editor.derivations), tuple(remarks))

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
                    yield _Call(name, (binding.var.id,), f"`{callee}`", callee)
                else:
                    yield self._judge(module, name, binding, reason)

    def _judge(
        self, module: IRModule, function: str, binding: Binding, reason: str
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
        return _Call(function, (binding.var.id,), f"`{call.callee}`", call.callee, given)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Call)
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        inline_call(editor, site.function, binding, dict(site.dims), self.name)


def _too_large(site: _Call, most: int) -> Diagnostic:
    text = f"`{site.function}` would have more than {most} bindings with `{site.callee}` inlined"
    return note("inline/call-stays", text, site.function, site.nodes[0]).diagnostic


def _size(function: GraphFunction) -> int:
    return sum(1 for _ in bindings_in(function.blocks))


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
