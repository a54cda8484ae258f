"""PartitionByAnnotation: give what is annotated to the library that the annotation names.

Rewrite::

    lv1 = cls.region(x, w)           # R.func_attr({"Codegen": "onednn"}): relu of a matmul
    =>
    lv1 = R.call_dps_packed("onednn.matmul", (x, w), out_ty=R.Tensor((64, 64), dtype="float32"),
                            attrs={"activation": "relu"})
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.patterns import library_patterns
from workbench.analysis.uses import constant_values
from workbench.ir import (
    Alias,
    Arg,
    Attrs,
    Binding,
    CallFunction,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    IRModule,
    TensorFunction,
)
from workbench.passes.library_calls import Functions
from workbench.passes.library_matches import (
    CODEGEN,
    Declined,
    LibrarySite,
    call_offered,
    give_to_library,
    library_form_of,
    library_matches,
)
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, all_bindings, note
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class _Region(LibrarySite):
    """A call of an annotated function, all of which one call of the library computes."""

    callee: str = ""


@dataclass(frozen=True)
class PartitionByAnnotation(Rule):
    """Let libraries compute the functions with the attribute `Codegen`, which names the library.

    A graph function goes as a whole, if a pattern of the library describes all of it; a tensor
    function by its loops, what these do besides becomes a function. `libraries` restricts it to
    those libraries; empty means all that are named. `AnnotateForLibrary` annotates values.
    Reference: `relax.transform.RunCodegen`.
    """

    name: ClassVar[str] = "partition-by-annotation"
    absent: ClassVar[str] = "nothing is annotated with `Codegen`"
    libraries: tuple[str, ...] = ()

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        regions: dict[str, LibrarySite] = {}
        annotated = [
            (name, function, library)
            for name, function in module.functions
            if isinstance(function, GraphFunction) and (library := self._library(function.attrs))
        ]
        by_library: dict[str, list[str]] = {}
        first: dict[int, str] = {}  # one function under several names is looked at once
        for name, function, library in annotated:
            if first.setdefault(id(function), name) == name:
                by_library.setdefault(library, []).append(name)
        matches = {library: _matches(module, library, n) for library, n in by_library.items()}
        for name, function, library in annotated:
            found = _whole(function, library, matches[library].get(first[id(function)], ()))
            if isinstance(found, str):
                text = f"`{library}` cannot compute `{name}`: {found}"
                yield note("partition/annotated", text, name)
            else:
                regions[name] = found
        for name, function in module.graph_functions.items():
            for binding in all_bindings(function):
                yield from self._call(module, name, binding, regions)

    def _library(self, attrs: Attrs) -> str:
        found = dict(attrs).get(CODEGEN)
        named = found if isinstance(found, str) else ""
        return named if not self.libraries or named in self.libraries else ""

    def _call(
        self, module: IRModule, function: str, binding: Binding, regions: dict[str, LibrarySite]
    ) -> Iterator[Site | Refusal]:
        call, value = binding.value, binding.var.id
        if isinstance(call, CallFunction) and call.callee in regions:
            region = regions[call.callee]
            yield _Region(function, (value,), region.note, region.offer, call.callee)
        elif isinstance(call, CallTIR) and (library := self._annotated(module, call.callee)):
            form = library_form_of(module, binding, library)
            if form is not None:
                yield LibrarySite(function, (value,), f"`{form.symbol}`")
                return
            text = f"`{library}` cannot compute `{call.callee}`: it has no such loops"
            yield note("partition/annotated", text, function, value)
        elif isinstance(call, CallTIRInplace) and (library := self._annotated(module, call.callee)):
            text = (
                f"`{library}` cannot compute `{call.callee}`: the call writes its result over an "
                "argument, and libraries write into memory of their own"
            )
            hint = f"let `{call.callee}` have an output of its own, and call it by `R.call_tir`"
            yield note("partition/annotated", text, function, value, hint)

    def _annotated(self, module: Functions, callee: str) -> str:
        function = module[callee]
        return self._library(function.attrs) if isinstance(function, TensorFunction) else ""

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, LibrarySite)
        if not isinstance(site, _Region):
            binding = editor.binding(site.function, site.nodes[0])
            assert binding is not None
            assert isinstance(binding.value, CallTIR)
            library = self._annotated(editor, binding.value.callee)
            give_to_library(editor, site, library, self.name)
            return
        call = editor.binding(site.function, site.nodes[0])
        region = editor.function(site.callee)
        assert isinstance(region, GraphFunction)
        assert call is not None
        assert isinstance(call.value, CallFunction)
        pairs = zip(region.params, call.value.args, strict=True)
        given: dict[NodeId, Arg] = {param.id: arg for param, arg in pairs}
        given |= constant_values(region)
        assert site.offer is not None
        call_offered(editor, site.function, call, site.offer, self.name, given)


def _matches(
    module: IRModule, library: str, names: list[str]
) -> dict[str, list[LibrarySite | Declined]]:
    """What the patterns of a library find in each of these functions."""
    found: dict[str, list[LibrarySite | Declined]] = {}
    if library_patterns(library):
        for item in library_matches(module, library, tuple(names)):
            found.setdefault(item.function, []).append(item)
    return found


def _whole(
    function: GraphFunction, library: str, found: Sequence[LibrarySite | Declined]
) -> LibrarySite | str:
    """The match that is all of an annotated function, or why there is none."""
    if not library_patterns(library):
        return "no library of that name has patterns"
    calls = {b.var.id for b in function.bindings if not isinstance(b.value, Alias)}
    for site in found:
        if isinstance(site, LibrarySite) and set(site.nodes) == calls:
            return site
    reasons = [item.reason for item in found if isinstance(item, Declined)]
    return reasons[0] if reasons else "no pattern of it describes all of the function"
