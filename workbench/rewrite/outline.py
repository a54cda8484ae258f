"""Outlining: move bindings of a graph function into a function of their own.

Rewrite::

    a = conv(x, w)
    b = relu(a)
    =>
    b = cls.fused(x, w)          # a private function with the two bindings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_

from workbench.analysis.uses import all_vars, own_vars
from workbench.ir import (
    Alias,
    Arg,
    Attrs,
    Binding,
    BindingBlock,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphExpr,
    GraphFunction,
    TupleItem,
    TupleType,
    TupleValue,
    Var,
    type_of,
)
from workbench.ir.traverse import evolve
from workbench.rewrite.derivation import Derivation, NodeRef, Relation
from workbench.rewrite.editor import ModuleEditor
from workbench.support import CompileError, Diagnostic, IdSource, NodeId

FUSED: Attrs = (("Primitive", 1),)
"""Attributes of a fused group: later passes leave its inside alone."""


def is_fused(function: GraphFunction) -> bool:
    """Whether somebody fused the function: then passes leave its inside alone."""
    return bool(dict(function.attrs).get("Primitive"))


@dataclass(frozen=True, slots=True)
class Outlined:
    """Name of the new function, and the values of the caller that hold its results."""

    callee: str
    values: tuple[NodeId, ...]


def outline(
    editor: ModuleEditor,
    function: str,
    members: Sequence[Binding],
    name: str,
    *,
    rule: str,
    attrs: Attrs = FUSED,
    outputs: Sequence[Var] = (),
) -> Outlined:
    """Put `members`, in program order, into a private function called `name` and call it.

    `outputs` are the members that are read outside (default: the last one). Members keep their
    ids in the new function, outputs keep theirs in the caller too. What is read before the last
    member is computed must be no output.

    Raises:
        CompileError: `rewrite/outline` for bindings that a function cannot hold.
    """
    caller = editor.function(function)
    assert isinstance(caller, GraphFunction)
    results = tuple(outputs) or (members[-1].var,)
    made, args = _function(caller, members, results, attrs, function)
    callee = editor.add_function(name, made, caller=function)
    _call(editor, function, members, results, callee, args, rule)
    inside = editor.function(callee)
    assert isinstance(inside, GraphFunction)
    for old, new in zip(members, inside.bindings, strict=True):
        source, result = NodeRef(function, old.var.id), NodeRef(callee, new.var.id)
        editor.derivations.append(Derivation(rule, (source,), (result,), Relation.MOVED))
    return Outlined(callee, tuple([var.id for var in results]))


def _function(
    caller: GraphFunction,
    members: Sequence[Binding],
    results: Sequence[Var],
    attrs: Attrs,
    function: str,
) -> tuple[GraphFunction, tuple[Arg, ...]]:
    """The members as a function of what they read from outside, and the arguments for it."""
    ids = IdSource(caller.next_id)
    args, params, bindings = _over_params(members, ids, function)
    result: Arg = results[0] if len(results) == 1 else TupleValue(tuple(results))
    block = BindingBlock(bindings, dataflow=True, outputs=tuple([var.id for var in results]))
    made = GraphFunction(
        params, (block,), result, type_of(result), attrs, private=True, next_id=ids.next
    )
    return made, args


def _over_params(
    members: Sequence[Binding], ids: IdSource, function: str
) -> tuple[tuple[Arg, ...], tuple[Var, ...], tuple[Binding, ...]]:
    """What the members read from outside, the parameters for it, and the members over these."""
    inside = {member.var.id for member in members}
    if all(isinstance(m.value, _CALLS) and all_vars(m.value.args) for m in members):
        read = [var for member in members for var in own_vars(member.value)]
        outer = tuple({var.id: var for var in read if var.id not in inside}.values())
        return outer, outer, tuple(members)
    params: dict[Arg, Var] = {}

    def leaf(arg: Arg) -> Arg:
        if isinstance(arg, Var):  # most are
            return arg if arg.id in inside else params.setdefault(arg, arg)
        match arg:
            case Constant():
                if arg not in params:
                    params[arg] = Var(ids.new(), f"c{len(params)}", arg.type)
                return params[arg]
            case TupleValue(fields=fields):
                return TupleValue(tuple(leaf(item) for item in fields))
            case _:
                return arg

    bindings = tuple([_inside(member, leaf, function) for member in members])
    return tuple(params), tuple(params.values()), bindings


def _inside(member: Binding, leaf: Callable[[Arg], Arg], function: str) -> Binding:
    """A member with the leaves of the new function; the same one where those stay."""
    value = _with_leaves(member, leaf, function)
    return member if value is member.value else Binding(member.var, value, member.span)


_CALLS = (CallTIR, CallOp, CallFunction, CallPacked, CallTIRInplace)


def _with_leaves(member: Binding, leaf: Callable[[Arg], Arg], function: str) -> GraphExpr:
    value = member.value
    if isinstance(value, _CALLS):
        args = tuple(map(leaf, value.args))
        same = all(map(is_, args, value.args))
        return value if same else evolve(value, {"args": args})
    match value:
        case TupleItem() | Alias():
            return evolve(value, {"value": leaf(value.value)})
        case _:
            raise CompileError(
                Diagnostic(
                    "rewrite/outline",
                    f"`{member.var.name}` is `{type(value).__name__}`, which stays where it is",
                    function=function,
                    node=member.var.id,
                )
            )


def _call(
    editor: ModuleEditor,
    function: str,
    members: Sequence[Binding],
    results: Sequence[Var],
    callee: str,
    args: tuple[Arg, ...],
    rule: str,
) -> None:
    """Call the new function where the last member stood."""
    kept = {var.id for var in results}
    last = members[-1].var.id
    if len(results) == 1 and last in kept:
        editor.replace_value(function, last, CallFunction(callee, args), rule)
    else:
        fields = TupleType(tuple(var.type for var in results))
        whole = editor.new_var(function, f"{members[-1].var.name}_all", fields)
        editor.insert_before(function, last, Binding(whole, CallFunction(callee, args)))
        _unpack(editor, function, results, whole, last, rule)
    for member in members:
        if member.var.id not in kept:
            editor.remove(function, member.var.id)


def _unpack(
    editor: ModuleEditor, function: str, results: Sequence[Var], whole: Var, last: NodeId, rule: str
) -> None:
    for index, var in enumerate(results):
        if var.id == last:
            editor.replace_value(function, last, TupleItem(whole, index), rule)
        else:
            editor.remove(function, var.id)
            editor.insert_before(function, last, Binding(var, TupleItem(whole, index)))
