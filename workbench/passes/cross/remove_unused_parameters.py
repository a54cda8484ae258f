"""RemoveUnusedParameters: private functions take and give only what is read.

Rewrite::

    pair = cls.f(x, y)       # f does not read y, nobody reads pair[1]
    a = pair[0]
    =>
    a = cls.f(x)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import CallSite, call_sites
from workbench.analysis.unused import UnusedFields, UnusedParams, unused_fields, unused_params
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    CallFunction,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
    TupleItem,
    TupleType,
    TupleValue,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    Refusal,
    Relation,
    Rule,
    Site,
    note,
)
from workbench.support import NodeId


@dataclass(frozen=True)
class _Unused(Site):
    """What a function takes in vain, and the calls of it."""

    params: UnusedParams | None = None
    fields: UnusedFields | None = None
    calls: tuple[CallSite, ...] = ()


@dataclass(frozen=True)
class RemoveUnusedParameters(Rule):
    """Drop parameters that a private function does not read, and results that nobody reads.

    Graph functions and tensor functions. What is only handed on to a parameter that is not read
    counts as not read. A parameter that alone says what a dimension is stays. Reference:
    `relax.transform.RemoveUnusedParameters`, `RemoveUnusedOutputs`.
    """

    name: ClassVar[str] = "remove-unused-parameters"
    absent: ClassVar[str] = "every parameter and result of private functions is read"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        calls = call_sites(module)
        for found in unused_params(module, calls):
            for var, reason in found.kept:
                yield note("unused/dimension", reason, found.function, var.id)
            if found.positions:
                names = ", ".join(f"`{var.name}`" for var in found.params)
                nodes = tuple(var.id for var in found.params)
                sites = calls[found.function]
                yield _Unused(found.function, nodes, f"{names} is not read", found, None, sites)
        for found in unused_fields(module, calls):
            nodes = tuple(var.id for var in found.values) or (NodeId(-1),)
            text = f"nobody reads field {', '.join(map(str, found.positions))}"
            sites = calls[found.function]
            yield _Unused(found.function, nodes, text, None, found, sites)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Unused)
        if site.params is not None:
            _drop_params(site.params, site.calls, editor, self.name)
        if site.fields is not None:
            _drop_fields(site.fields, site.calls, editor, self.name)


def _drop_params(
    found: UnusedParams, calls: tuple[CallSite, ...], editor: ModuleEditor, rule: str
) -> None:
    function = editor.function(found.function)
    gone = set(found.positions)
    params = tuple(p for n, p in enumerate(function.params) if n not in gone)
    if isinstance(function, TensorFunction):
        editor.set_function(found.function, replace(function, params=params))
    else:
        editor.set_signature(found.function, params)
    for place in calls:
        binding = editor.binding(place.caller, place.binding.var.id)
        assert binding is not None
        call = binding.value
        assert isinstance(call, CallFunction | CallTIR | CallTIRInplace)
        args = tuple(arg for n, arg in enumerate(call.args) if n not in gone)
        new = replace(call, args=args)
        if isinstance(new, CallTIRInplace):
            moved = tuple(n - sum(g < n for g in gone) for n in new.inplace)
            new = replace(new, inplace=moved)
        editor.replace_value(place.caller, binding.var.id, new, rule)


def _drop_fields(
    found: UnusedFields, calls: tuple[CallSite, ...], editor: ModuleEditor, rule: str
) -> None:
    function = editor.function(found.function)
    assert isinstance(function, GraphFunction)
    assert isinstance(function.result, TupleValue)
    gone = set(found.positions)
    kept = [n for n in range(len(function.result.fields)) if n not in gone]
    fields = tuple(function.result.fields[n] for n in kept)
    result: Arg = fields[0] if len(fields) == 1 else TupleValue(fields)
    editor.set_signature(found.function, result=result)
    for place, readers in zip(calls, found.readers, strict=True):
        _reread(place, readers, kept, editor, rule)


def _reread(
    place: CallSite,
    readers: tuple[Binding, ...],
    kept: list[int],
    editor: ModuleEditor,
    rule: str,
) -> None:
    """The call under a new id, as its value is another tuple; the fields keep theirs."""
    old = editor.binding(place.caller, place.binding.var.id)
    assert old is not None
    assert isinstance(old.var.type, TupleType)
    types = tuple(old.var.type.fields[n] for n in kept)
    type_ = types[0] if len(kept) == 1 else TupleType(types)
    var = editor.new_var(place.caller, old.var.name, type_)
    editor.insert_before(place.caller, old.var.id, Binding(var, old.value))
    editor.substitute(place.caller, old.var.id, var)
    editor.remove(place.caller, old.var.id)
    refs = (NodeRef(place.caller, old.var.id),), (NodeRef(place.caller, var.id),)
    editor.derive(rule, *refs, Relation.PART)
    for reader in readers:
        assert isinstance(reader.value, TupleItem)
        index = kept.index(reader.value.index)
        value = Alias(var) if len(kept) == 1 else TupleItem(var, index)
        editor.replace_value(place.caller, reader.var.id, value, rule)
