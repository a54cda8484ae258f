"""Passes and rules: pure functions on modules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

from typing_extensions import override

from workbench.ir import GraphFunction, IRModule
from workbench.ir.describe import counted
from workbench.ir.node_kinds import kind_faults, module_kind_faults
from workbench.rewrite.derivation import Derivation, NodeRef, derivation_faults
from workbench.rewrite.editor import ModuleEditor, all_bindings
from workbench.rewrite.value_names import ValueNames
from workbench.support import CompileError, Diagnostic, NodeId, Severity
from workbench.support.collector import rare_collections
from workbench.support.found import found as found_words
from workbench.support.kinds import (
    ChecksArguments,
    checks_kinds,
    wrong_arguments,
    wrong_fields,
)
from workbench.support.slot_init import sets_slots
from workbench.support.spelling import near_value


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass gives: the new module, where its values come from, and what there is to say.

    `reassociates` marks a pass that reordered the updates of a floating-point reduction: results
    may then differ by rounding.
    """

    module: IRModule
    derivations: tuple[Derivation, ...] = ()
    remarks: tuple[Diagnostic, ...] = ()
    reassociates: bool = False

    def __repr__(self) -> str:
        """One line: the module and how much is known of what was done to it."""
        faults = result_kind_faults(self)
        if faults:
            return f"PassResult, not well formed: {faults[0].message}"
        made = counted(len(self.derivations), "derivation"), counted(len(self.remarks), "remark")
        functions = counted(len(self.module.functions), "function")
        return f"PassResult({self.module.name!r}, {functions}; {', '.join(made)})"


@dataclass(frozen=True, slots=True)
class Property:
    """A predicate on modules that passes require or establish; `holds` gives a fault or None."""

    name: str
    holds: Callable[[IRModule], Diagnostic | None]


def result_kind_faults(result: PassResult) -> tuple[Diagnostic, ...]:
    """What is of a wrong kind in a result, its module aside."""
    given: Any = result.module
    bare = replace(result, module=IRModule() if isinstance(given, IRModule) else given)
    return tuple(kind_faults(bare))


class Pass(ABC, metaclass=ChecksArguments):
    """A pure function `IRModule -> PassResult`; a frozen dataclass whose fields are its parameters.

    Reference: `tvm.transform.ModulePass`.
    """

    name: ClassVar[str]
    absent: ClassVar[str] = "changes nothing here"
    """Why the pass does nothing where it finds nothing to do, in the user's words."""
    requires: ClassVar[tuple[Property, ...]] = ()
    establishes: ClassVar[tuple[Property, ...]] = ()

    @abstractmethod
    def run(self, module: IRModule) -> PassResult:
        """Transform the module; the given one stays as it is."""

    def __call__(self, module: IRModule) -> PassResult:
        """Check what is required, run, check what is established.

        Raises:
            CompileError: `call/wrong-kind` for a parameter or the module, `pass/requirement`
            before, `pass/result`, `ir/wrong-kind` or `pass/broken-promise` after, or what the pass
            itself finds.
        """
        name = type(self).__name__
        if faults := (*wrong_fields(self), *wrong_arguments(name, module=(module, IRModule))):
            raise CompileError(faults)
        self._check(module, self.requires, "pass/requirement", "needs")
        with rare_collections():
            result = self.run(module)
        made: object = getattr(result, "module", None)
        if not isinstance(result, PassResult) or not isinstance(made, IRModule):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(result).__name__
            kind += f"({type(made).__name__})" if isinstance(result, PassResult) else ""  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CompileError(
                Diagnostic(
                    "pass/result",
                    f"`{type(self).__name__}` gave `{kind}`, expected a `PassResult`",
                    hint="end `run` with `return PassResult(module, ...)`",
                )
            )
        if not type(self).__module__.startswith("workbench."):
            self._check_nodes(module, result)
        self._check(result.module, self.establishes, "pass/broken-promise", "did not establish")
        return result

    def _check_nodes(self, module: IRModule, result: PassResult) -> None:
        """Ours are tested to make nodes that hold what they should; a user's may do anything."""
        faults = (*module_kind_faults(result.module), *result_kind_faults(result))
        if faults := faults or tuple(derivation_faults(result.derivations, module, result.module)):
            note = f"made by the pass `{type(self).__name__}`"
            raise CompileError(replace(fault, notes=(*fault.notes, note)) for fault in faults)

    def _check(
        self, module: IRModule, properties: tuple[Property, ...], code: str, verb: str
    ) -> None:
        faults = [(p, fault) for p in properties if (fault := p.holds(module)) is not None]
        if faults:
            raise CompileError(
                Diagnostic(
                    code,
                    f"`{self.name}` {verb} `{p.name}`: {fault.message}",
                    node=fault.node,
                    function=fault.function,
                    hint=fault.hint,
                )
                for p, fault in faults
            )


@sets_slots
@dataclass(frozen=True, slots=True)
class Site:
    """A place where a rule applies.

    `nodes` are the values it rewrites, the first is the one to point at.
    """

    function: str
    nodes: tuple[NodeId, ...]
    note: str = ""

    @property
    def refs(self) -> tuple[NodeRef, ...]:
        """The nodes with their function."""
        return tuple([NodeRef(self.function, node) for node in self.nodes])


@sets_slots
@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that looked likely and where the rule does not apply, with the reason."""

    diagnostic: Diagnostic


@dataclass(frozen=True)
class Rule(Pass):
    """A pass cut in two: `sites` says where, `rewrite` does one.

    `only` restricts it to values of these names (`lv3`, `main.lv3`, or `main.y.then.lv3` for one
    in an arm: see `workbench.rewrite.value_names`); empty means everywhere.
    """

    only: tuple[str, ...] = field(default=(), kw_only=True)
    exclusive: ClassVar[bool] = False
    """Whether no value of a site may have been rewritten before: of overlapping sites the first
    in program order wins."""

    @abstractmethod
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        """Where the rule applies, and where not and why; touches nothing.

        Raises:
            CompileError: for parameters of the rule that do not fit the module.
        """

    @abstractmethod
    def rewrite(self, site: Site, editor: ModuleEditor) -> Refusal | None:
        """Rewrite one site, or leave it and say what only the rewriting could find."""

    @override
    def run(self, module: IRModule) -> PassResult:
        """Apply at all selected sites in program order, committing once.

        Raises:
            CompileError: `pass/unknown-value`, and as the rule's rewriting does.
        """
        editor = ModuleEditor(module)
        remarks: list[Diagnostic] = []
        names = _selected_ids(module, self.only)
        rewritten: list[Site] = []
        for found in _checked_sites(self, module):
            if isinstance(found, Refusal):
                remarks.append(found.diagnostic)
            elif self._selected(found, names):
                if not self.still_applies(found, editor):
                    remarks += self.left_out(found, editor)
                elif isinstance(refusal := self.rewrite(found, editor), Refusal):
                    remarks.append(refusal.diagnostic)
                else:
                    rewritten.append(found)
        made = self.finish(editor)
        if rewritten and made is module and _is_own(self):
            remarks.append(_did_nothing(self, rewritten))
        return PassResult(made, tuple(editor.derivations), tuple(remarks))

    def still_applies(self, site: Site, editor: ModuleEditor) -> bool:
        """Whether a site that applied to the original module does after the pending edits."""
        if self.exclusive:
            return not editor.any_edited(site.function, site.nodes)
        return not editor.any_removed(site.function, site.nodes)

    def left_out(self, site: Site, editor: ModuleEditor) -> tuple[Diagnostic, ...]:
        """What to say of a site that an earlier rewrite took away; by default nothing."""
        del site, editor
        return ()

    def finish(self, editor: ModuleEditor) -> IRModule:
        """Commit; a rule that cleans up after all its rewrites overrides this."""
        return editor.commit()

    def _selected(self, site: Site, names: frozenset[NodeRef]) -> bool:
        return not self.only or any(ref in names for ref in site.refs)


def _is_own(item: Pass) -> bool:
    """Whether a pass is a user's: ours are tested to do what they should."""
    return not type(item).__module__.startswith("workbench.")


def _checked_sites(rule: Rule, module: IRModule) -> Iterator[Site | Refusal]:
    """The sites of a rule; those of a user's that are not in the module become refusals.

    Raises:
        CompileError: `pass/result` for what is no site.
    """
    given: Any = rule.sites(module)
    if not _is_own(rule):
        yield from given
        return
    if not isinstance(given, Iterable):
        raise CompileError(_no_site(rule, given))
    for item in cast("Iterable[object]", given):
        if not isinstance(item, Site | Refusal) or (isinstance(item, Site) and wrong_fields(item)):
            raise CompileError(_no_site(rule, item))
        lacks = _lacks(module, item) if isinstance(item, Site) else ""
        yield _not_there(rule, lacks) if lacks else item


def _no_site(rule: Rule, given: object) -> Diagnostic:
    title = type(rule).__name__
    return Diagnostic(
        "pass/result",
        f"`sites` of `{title}` must give `Site`s, got {found_words(given)}",
        hint="write `yield Site(function, (binding.var.id,))`, or `yield note(...)` for a refusal",
    )


def _lacks(module: IRModule, site: Site) -> str:
    """What of a site the module does not have, in words; empty for nothing."""
    if site.function not in module:
        return f"no function `{site.function}`"
    function = module[site.function]
    if not isinstance(function, GraphFunction):
        return ""
    ids = {var.id for var in (*function.params, *(b.var for b in all_bindings(function)))}
    gone = [node for node in site.nodes if node not in ids and node >= 0]
    return f"no value `{gone[0]}` in `{site.function}`" if gone else ""


def _not_there(rule: Rule, lacks: str) -> Refusal:
    text = f"`sites` of `{type(rule).__name__}` names a place that is not there: {lacks}"
    return Refusal(Diagnostic("pass/unknown-site", text, Severity.NOTE))


def _did_nothing(rule: Rule, sites: list[Site]) -> Diagnostic:
    text = f"`rewrite` of `{type(rule).__name__}` was called for {counted(len(sites), 'site')} "
    first = sites[0]
    return Diagnostic(
        "pass/no-effect",
        f"{text}and changed nothing",
        Severity.NOTE,
        node=first.nodes[0] if first.nodes else None,
        function=first.function,
        hint="edit by the `editor` that it gets, such as `editor.replace_value(...)`",
    )


def _selected_ids(module: IRModule, only: tuple[str, ...]) -> frozenset[NodeRef]:
    """The values that `only` names.

    Raises:
        CompileError: `pass/unknown-value` for a name that no value has.
    """
    if not only:
        return frozenset()
    names = ValueNames(module)
    unknown = [name for name in only if not names.find(name)]
    if unknown:
        raise CompileError(unknown_value(name, names) for name in unknown)
    return frozenset(value.ref for name in only for value in names.find(name))


def unknown_value(name: str, names: ValueNames) -> Diagnostic:
    """The fault of a name that no value has, with the names that look like it."""
    message = f"no value is named `{name}`"
    function, _, number = name.rpartition("/")
    if number.isdecimal() and (exact := names.exact(NodeRef(function, NodeId(int(number))))):
        hint = f"keys have ids in them, which are others once a script is read: write `{exact}`"
        return Diagnostic("pass/unknown-value", message, hint=hint)
    return Diagnostic("pass/unknown-value", message, hint=near_value(name, names.known()))


_USER_PASSES: dict[str, type[Pass]] = {}


_SHIPPED: dict[str, type[Pass]] = {}
"""The passes that we ship, by both names that each has."""


def ship_passes(kinds: Iterable[type[Pass]]) -> None:
    """Keep the names of these passes for them."""
    for kind in kinds:
        _SHIPPED[kind.__name__] = _SHIPPED[kind.name] = kind


@checks_kinds
def register_pass(kind: type[Pass]) -> type[Pass]:
    """Class decorator: offer a user's pass in the interface, like the built-in ones.

    A second one of the same class name takes the place of the first, as when a cell runs again.

    Raises:
        CompileError: `pass/name-taken` for the name of a pass that we ship, `call/wrong-kind`.
    """
    for name in (kind.__name__, getattr(kind, "name", "")):
        if _SHIPPED.get(name, kind) is not kind:
            raise CompileError(
                Diagnostic(
                    "pass/name-taken",
                    f"`{kind.__name__}` has the name `{name}` of a pass that is shipped",
                    hint="`apply` by name would not find yours: give the class, and the `name` in "
                    "it, another",
                )
            )
    _USER_PASSES.pop(kind.__name__, None)
    _USER_PASSES[kind.__name__] = kind
    return kind


def registered_passes() -> tuple[type[Pass], ...]:
    """The passes of users, in order of registration."""
    return tuple(_USER_PASSES.values())


def note(
    code: str, message: str, function: str, node: NodeId | None = None, hint: str = ""
) -> Refusal:
    """A refusal in one line."""
    return Refusal(
        Diagnostic(code, message, Severity.NOTE, node=node, function=function, hint=hint)
    )
