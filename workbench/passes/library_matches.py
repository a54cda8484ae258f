"""What a library can take of a module: matches of its patterns, and loops that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, partial

from workbench.analysis.contraction import LibraryForm, contraction_form, library_form
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
    Attr,
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
    libraries_that_compute,
    type_of,
)
from workbench.passes.library_calls import algorithm_of, call_library
from workbench.passes.tensor_forms import tensor_form
from workbench.rewrite import FUSED, ModuleEditor, NodeRef, Relation, Site
from workbench.support import IdSource, NodeId
from workbench.support.slot_init import sets_slots

CODEGEN = "Codegen"
"""The attribute of a function that names the library it is meant for."""


@dataclass(frozen=True, eq=False)
class Offer:
    """A match that a pattern of a library found, and what the library makes of it."""

    match: Match
    pattern: LibraryPattern
    home: GraphFunction

    @cached_property
    def call(self) -> OfferedCall:
        """The call of the library: once for all calls of the function in which the match is."""
        leaves = tuple([self.match[name] for name in self.pattern.arguments])
        attrs = dict(self.pattern.attrs(self.match))
        return OfferedCall(leaves, attrs, _operators(self.match, leaves, self.home))


@sets_slots
@dataclass(frozen=True, slots=True)
class OfferedCall:
    """What a library is called with for a match.

    `leaves` are the arguments, as the function has them in which the match is; `operators` what
    the call computes as a function of them, None where names hide it.
    """

    leaves: tuple[Arg, ...]
    attrs: dict[str, Attr]
    operators: GraphFunction | None


@sets_slots
@dataclass(frozen=True, slots=True)
class LibrarySite(Site):
    """A site with the match that a library takes; None where its loops tell."""

    offer: Offer | None = None


@sets_slots
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
        home = module[found.function]
        assert isinstance(home, GraphFunction)
        offer = Offer(found, patterns[position], home)
        members = [m.var.id for m in found.members if m.var.id != root]
        text = f"`{offer.pattern.symbol}`"
        yield LibrarySite(found.function, (root, *members), text, offer)
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
    contraction = contraction_form(algorithm)
    if contraction is None:
        return None
    for known in libraries_that_compute(contraction.symbol):
        if known.library == library:
            form = library_form(algorithm, known.symbol)
            if form is not None:
                return form
    return None


def give_to_library(editor: ModuleEditor, site: LibrarySite, library: str, rule: str) -> None:
    """Replace a match, or a call of a tensor function, by the call of the library."""
    binding = editor.binding(site.function, site.nodes[0])
    assert binding is not None
    call = binding.value
    if site.offer is None:
        assert isinstance(call, CallTIR)
        algorithm = algorithm_of(editor, call)
        assert algorithm is not None
        form = _form_in(algorithm, library)
        assert form is not None
        call_library(editor, site.function, binding, algorithm, form, rule)
        return
    if len(site.nodes) == 1 and isinstance(call, CallOp):
        algorithm = tensor_form(call, binding.var.type)
        form = None if algorithm is None else _form_in(algorithm, library)
        if algorithm is not None and form is not None and form.symbol == site.offer.pattern.symbol:
            call_library(editor, site.function, binding, algorithm, form, rule)
            return
    call_offered(editor, site.function, binding, site.offer, rule)
    members = site.nodes[1:]
    for member in members:
        editor.remove(site.function, member)
    if members:
        refs = site.refs
        editor.derive(rule, refs, refs[:1], Relation.PART)


def call_offered(
    editor: ModuleEditor,
    function: str,
    binding: Binding,
    offer: Offer,
    rule: str,
    given: Mapping[NodeId, Arg] | None = None,
) -> None:
    """Give `binding` the library's value for a match; `given` are arguments by parameters."""
    out, symbol = binding.var.type, offer.pattern.symbol
    assert isinstance(out, TensorType)
    made = offer.call
    args, attrs, operators = made.leaves, made.attrs, made.operators
    if given:
        args = tuple([given.get(a.id, a) if isinstance(a, Var) else a for a in args])
    if operators is not None:
        stem = symbol.replace(".", "_")
        known = editor.add_function(f"{stem}_operators", operators)
        attrs = {**attrs, "algorithm": known}
    items = tuple(sorted(attrs.items()))
    call = CallPacked(symbol, args, (out,), PackedStyle.DPS, items)
    editor.replace_value(function, binding.var.id, call, rule)


def _operators(match: Match, leaves: tuple[Arg, ...], home: GraphFunction) -> GraphFunction | None:
    ids = IdSource(home.next_id)
    params: list[Var] = []
    known = {member.var.id for member in match.members}
    others: dict[Arg, Var] = {}
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Var) and leaf.id not in known:
            known.add(leaf.id)
            params.append(leaf)
        else:
            params.append(Var(ids.new(), f"p{position}", type_of(leaf)))
            others.setdefault(leaf, params[-1])
    members: list[Binding] = []
    for member in match.members:
        call = member.value
        if not isinstance(call, CallOp):
            return None
        args = _placed(call.args, known, others)
        if args is None:
            return None
        if args is not call.args:
            member = Binding(member.var, CallOp(call.op, args, call.attrs))
        members.append(member)
    root = match.root.var
    block = BindingBlock(tuple(members), dataflow=True, outputs=(root.id,))
    return GraphFunction(
        tuple(params), (block,), root, root.type, FUSED, private=True, next_id=ids.next
    )


def _placed(
    args: tuple[Arg, ...], known: AbstractSet[NodeId], others: Mapping[Arg, Var]
) -> tuple[Arg, ...] | None:
    """The arguments, `others` as parameters; the same where all stay, None where one lacks."""
    placed: list[Arg] = []
    same = True
    for arg in args:
        if _is_known(arg, known):
            placed.append(arg)
        elif arg in others:
            placed.append(others[arg])
            same = False
        else:
            return None
    return args if same else tuple(placed)


def _is_known(arg: Arg, known: AbstractSet[NodeId]) -> bool:
    """Whether a leaf can stay: a value of the function, or what needs no parameter."""
    if isinstance(arg, Var):
        return arg.id in known
    return not isinstance(arg, Constant | TupleValue)
