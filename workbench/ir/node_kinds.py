"""The structural check: does each field of each node hold what its annotation says?

Passes are anybody's code, and nothing stops one from making `CallOp("exp", (3,))`. All that walks
over nodes (hashes, printer, verifier, analyses) relies on their kinds, so this is asked first. The
annotations are compiled once for each class.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from workbench.ir import graph
from workbench.ir.expr import Dim, PrimExpr, Type, Var
from workbench.ir.graph import Arg, Binding, GraphExpr
from workbench.ir.module import Function, IRModule
from workbench.ir.tensor import Block, Stmt
from workbench.support.diagnostics import Diagnostic
from workbench.support.exact_kinds import Exact, Fields, compiled
from workbench.support.found import found
from workbench.support.ids import NodeId
from workbench.support.spans import Span

MOST_FAULTS = 8
"""Faults of one function that are told."""

_ATTR = Exact(
    "a number, a text, a truth value, a tuple or `None`",
    {int, float, str, bool, type(None)},
)
_ATTR.items = _ATTR
_WORDS: dict[frozenset[object], str] = {
    frozenset(get_args(Arg)): "a leaf (`Var`, `Constant`, `ScalarValue`, `TupleValue`, ...)",
    frozenset(get_args(GraphExpr)): "a right side (`CallOp`, `CallTIR`, `Alias`, ...)",
    frozenset(get_args(Stmt)): "a statement (`For`, `Block`, `Seq`, `Store`, ...)",
    frozenset(get_args(PrimExpr)): "a scalar expression (`Var`, `IntImm`, `Binary`, ...)",
    frozenset(get_args(Dim)): "a dimension (an `int`, or a scalar expression)",
    frozenset(get_args(Type)): "a type (`TensorType`, `BufferType`, `ScalarType`, ...)",
    frozenset(
        {int, float, str, bool, tuple[_ATTR, ...]}
    ): "a number, a text, a truth value, a tuple",
    frozenset(get_args(Function)): "a `GraphFunction` or a `TensorFunction`",
}


@functools.cache
def fields_of(kind: type) -> Fields:
    """What the fields of a node class hold."""
    return compiled(kind, {**vars(graph), "Attr": _ATTR}, _WORDS)


def module_kind_faults(module: IRModule) -> tuple[Diagnostic, ...]:
    """Where a module holds something of another kind than its annotations say.

    Functions that were found to be sound, by this, are not looked at again.

    Reference: `mlir::verify`, which checks the structure of operations before their invariants.
    """
    functions: list[Any] = []
    faults = list(_node_faults(module, "", None, functions))
    if faults:
        return tuple(faults)
    for name, function in module.functions:
        if function._sound:  # pyright: ignore[reportPrivateUsage]
            continue
        if is_sound(function):
            object.__setattr__(function, "_sound", True)
        else:
            faults += function_kind_faults(name, function)
    return tuple(faults)


def is_sound(root: Any) -> bool:  # noqa: ANN401
    """Whether all below a node holds what its annotations say; as fast as it goes."""
    pending, seen = [root], {id(root)}
    while pending:
        node = pending.pop()
        fields = fields_of(node.__class__)
        for value, exact in zip(fields.values(node), fields.exact, strict=True):
            kind: type[Any] = value.__class__
            if kind in exact.plain:
                continue
            below = (value,) if kind in exact.nodes else _below(value, exact)
            if below is None:
                return False
            for child in below:
                if id(child) not in seen:
                    seen.add(id(child))
                    pending.append(child)
    return True


def _below(value: Any, exact: Exact) -> Iterable[Any] | None:  # noqa: ANN401
    """The nodes in a tuple, or in what is of a class below; None where it does not fit."""
    below: list[Any] = []
    if value.__class__ is not tuple or exact.items is None:
        return below if exact.takes(value, below) else None
    nodes = exact.items.nodes
    for item in value:
        if item.__class__ in nodes:
            below.append(item)
        elif not exact.items.takes(item, below):
            return None
    return below


def function_kind_faults(name: str, function: Function) -> list[Diagnostic]:
    """The faults of one function, called `name` in messages, with their places."""
    return kind_faults(function, name)


def kind_faults(root: Any, function: str = "") -> list[Diagnostic]:  # noqa: ANN401
    """The same for any dataclass, such as what a pass gives."""
    faults: list[Diagnostic] = []
    seen: set[int] = set()
    pending: list[tuple[Any, Any]] = [(root, None)]
    while pending and len(faults) < MOST_FAULTS:
        node, owner = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        kind: type[Any] = node.__class__
        if kind is Binding or kind is Block:
            owner = node
        below: list[Any] = []
        faults += _node_faults(node, function, owner, below)
        pending += [(child, owner) for child in reversed(below)]
    return faults


def _node_faults(node: Any, function: str, owner: Any, below: list[Any]) -> list[Diagnostic]:  # noqa: ANN401
    """The faults of one node; the nodes in it are appended to `below`."""
    wrong: list[Diagnostic] = []
    fields = fields_of(node.__class__)
    for name, value, exact in zip(fields.names, fields.values(node), fields.exact, strict=True):
        if not exact.takes(value, below):
            place = f"{type(node).__name__}.{name}"
            wrong.append(_fault(exact.misfit(value, place), function, owner or node))
    return wrong


def _fault(misfit: tuple[str, Any, str], function: str, owner: Any) -> Diagnostic:  # noqa: ANN401
    path, part, words = misfit
    node, name = _place(owner)
    span = getattr(owner, "span", None)
    return Diagnostic(
        "ir/wrong-kind",
        f"`{path}`{f' of `{name}`' if name else ''} is {found(part)}, expected {words}",
        function=function or None,
        node=node,
        span=span if isinstance(span, Span) else None,
        hint=next(_hints(part, words), ""),
    )


def _place(owner: Any) -> tuple[NodeId | None, str]:  # noqa: ANN401
    """The id and the name of a binding, a block or a variable, as far as it has them."""
    named = owner.var if isinstance(owner, Binding) else owner
    ident = getattr(named, "id", None)
    name = getattr(named, "name", "")
    return (
        NodeId(ident) if type(ident) is int else None,
        name if isinstance(name, str) and isinstance(named, Var | Block) else "",
    )


def _hints(part: Any, words: str) -> Iterator[str]:  # noqa: ANN401
    """How the value is written that was probably meant."""
    leaf, number = words.startswith("a leaf"), isinstance(part, numbers.Number)
    if isinstance(part, list):
        yield "nodes are values: they hold tuples, no lists"
    elif leaf and number:
        yield "a number as an argument is `ScalarValue(as_expr(...))`"
    elif leaf and isinstance(part, str):
        yield "a text as an argument is `StringValue(...)`, a value is its `Var`"
    elif leaf and isinstance(part, tuple):
        yield "several values as one argument are `TupleValue(...)`"
    elif leaf and isinstance(part, Binding):
        yield "the value of a binding is its `var`"
    elif words.startswith("a right side") and isinstance(part, Arg):
        yield "another name for a value is `Alias(...)`"
    elif words.startswith("a scalar expression") and number:
        yield "a number as an expression is `as_expr(...)`"
    elif number and type(part).__module__ == "numpy":
        yield "`.item()` makes a number of Python"
