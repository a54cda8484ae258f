"""What a library can take of a module: matches of its patterns, and loops that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from workbench.analysis.contraction import LibraryForm, library_forms
from workbench.analysis.patterns import (
    LibraryPattern,
    Match,
    NearMiss,
    Objection,
    find_apart,
    library_patterns,
)
from workbench.ir import (
    Arg,
    Binding,
    BindingBlock,
    CallOp,
    CallPacked,
    CallTIR,
    Constant,
    GraphFunction,
    IRModule,
    PackedStyle,
    TensorFunction,
    TensorType,
    TupleValue,
    Var,
    find_library,
    type_of,
)
from workbench.passes.library_calls import algorithm_of, call_library
from workbench.passes.tensor_forms import tensor_form
from workbench.rewrite import FUSED, ModuleEditor, NodeRef, Relation, Site
from workbench.support import IdSource, NodeId

CODEGEN = "Codegen"
"""The attribute of a function that names the library it is meant for."""


@dataclass(frozen=True, slots=True)
class LibrarySite(Site):
    """A site with the match that a library takes; None where its loops tell."""

    match: Match | None = None
    offered: LibraryPattern | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a library does not take what came near one of its patterns."""

    function: str
    node: NodeId
    reason: str


def library_matches(
    module: IRModule, library: str, functions: tuple[str, ...] | None = None
) -> Iterator[LibrarySite | Declined]:
    """What the patterns of a library fit, earlier patterns first, each value taken once.

    Looks at graph functions that are no fused groups, or at those that are named. Then why not,
    for values that no pattern took, one reason a value.
    """
    patterns = library_patterns(library)
    judges = [partial(_objection, p) for p in patterns]
    declined: dict[NodeRef, NearMiss] = {}
    for position, found in find_apart([p.pattern for p in patterns], module, functions, judges):
        root = found.root.var.id
        if isinstance(found, NearMiss):
            ref = NodeRef(found.function, root)
            if ref not in declined or found.depth > declined[ref].depth:
                declined[ref] = found
            continue
        offered = patterns[position]
        members = [m.var.id for m in found.members if m.var.id != root]
        yield LibrarySite(found.function, (root, *members), f"`{offered.symbol}`", found, offered)
    for ref, missed in declined.items():
        yield Declined(ref.function, ref.id, missed.reason)


def _objection(offered: LibraryPattern, found: Match) -> Objection | None:
    """Why the library does not take a match; None where it does."""
    outside = [var.name for var in found.outputs if var.id != found.root.var.id]
    out = found.root.var.type
    if outside:
        names = ", ".join(f"`{name}`" for name in outside)
        reason = f"{names} is read outside of what `{offered.symbol}` computes"
    elif not isinstance(out, TensorType) or out.shape is None or out.dtype is None:
        reason = "the shape of the result is not known"
    else:
        reason = offered.reason(found)
    return Objection("pattern/unfit", reason) if reason else None


def library_form_of(module: IRModule, binding: Binding, library: str) -> LibraryForm | None:
    """The call of the library that could compute a call of a tensor function, or part of it."""
    call = binding.value
    algorithm = algorithm_of(module, call) if isinstance(call, CallTIR) else None
    return None if algorithm is None else _form_in(algorithm, library)


def _form_in(algorithm: TensorFunction, library: str) -> LibraryForm | None:
    for form in library_forms(algorithm):
        known = find_library(form.symbol)
        if known is not None and known.library == library:
            return form
    return None


def give_to_library(editor: ModuleEditor, site: LibrarySite, library: str, rule: str) -> None:
    """Replace a match, or a call of a tensor function, by the call of the library."""
    binding = editor.binding(site.function, site.nodes[0])
    assert binding is not None
    call = binding.value
    if site.match is None or site.offered is None:
        assert isinstance(call, CallTIR)
        algorithm = algorithm_of(editor.current, call)
        assert algorithm is not None
        form = _form_in(algorithm, library)
        assert form is not None
        call_library(editor, site.function, binding, algorithm, form, rule)
        return
    if len(site.nodes) == 1 and isinstance(call, CallOp):
        algorithm = tensor_form(call, binding.var.type)
        form = None if algorithm is None else _form_in(algorithm, library)
        if algorithm is not None and form is not None and form.symbol == site.offered.symbol:
            call_library(editor, site.function, binding, algorithm, form, rule)
            return
    call_offered(editor, site, binding, rule)
    members = site.nodes[1:]
    for member in members:
        editor.remove(site.function, member)
    if members:
        editor.derive(rule, site.refs, site.refs[:1], Relation.PART)


def call_offered(
    editor: ModuleEditor,
    site: LibrarySite,
    binding: Binding,
    rule: str,
    given: Mapping[NodeId, Arg] | None = None,
) -> None:
    """Give `binding` the library's value for a match; `given` are arguments by parameters."""
    match, offered, out = site.match, site.offered, binding.var.type
    assert match is not None
    assert offered is not None
    assert isinstance(out, TensorType)
    leaves = tuple(match[name] for name in offered.arguments)
    known = given or {}
    args = tuple(known.get(arg.id, arg) if isinstance(arg, Var) else arg for arg in leaves)
    attrs = dict(offered.attrs(match))
    operators = _operators(editor, match, leaves)
    if operators is not None:
        stem = offered.symbol.replace(".", "_")
        attrs["algorithm"] = editor.add_function(f"{stem}_operators", operators)
    items = tuple(sorted(attrs.items()))
    call = CallPacked(offered.symbol, args, (out,), PackedStyle.DPS, items)
    editor.replace_value(site.function, binding.var.id, call, rule)


def _operators(editor: ModuleEditor, match: Match, leaves: tuple[Arg, ...]) -> GraphFunction | None:
    """What the call computes as a function of its arguments; None where names of values hide it."""
    home = editor.base[match.function]
    ids = IdSource(home.next_id)
    params: list[Var] = []
    known: dict[Arg, Arg] = {member.var: member.var for member in match.members}
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Var) and leaf not in known:
            param = leaf
        else:
            param = Var(ids.new(), f"p{position}", type_of(leaf))
        params.append(param)
        known.setdefault(leaf, param)
    members: list[Binding] = []
    for member in match.members:
        call = member.value
        if not isinstance(call, CallOp) or any(_is_new(arg, known) for arg in call.args):
            return None
        args = tuple(known.get(arg, arg) for arg in call.args)
        members.append(Binding(member.var, replace(call, args=args)))
    root = match.root.var
    block = BindingBlock(tuple(members), dataflow=True, outputs=(root.id,))
    return GraphFunction(
        tuple(params), (block,), root, root.type, FUSED, private=True, next_id=ids.next
    )


def _is_new(arg: Arg, known: Mapping[Arg, Arg]) -> bool:
    return isinstance(arg, Var | Constant | TupleValue) and arg not in known
