"""Ids of an edited script: what stayed the same keeps its id, everything else gets a new one.

In a graph function an id promises contents, so a binding keeps its id only if its right side is
the same up to ids and so are the values that it uses; the name decides among equal ones. In a
tensor function an id says "still this buffer, this loop", so definitions are aligned by kind and
name, then by kind and type.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from workbench.ir import (
    Binding,
    BindingBlock,
    Block,
    For,
    Function,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorFunction,
    Var,
    exact_key,
    map_children,
    structurally_equal,
)
from workbench.script.definitions import Definition, definitions
from workbench.support.ids import IdSource, NodeId
from workbench.support.spans import Span


def carry_module(module: IRModule, like: IRModule) -> IRModule:
    """`module` with the ids of `like` where values are the same."""
    names = {name for name, _ in module.functions}
    gone = [function for name, function in like.functions if name not in names]
    functions = tuple(
        (name, _carried(name, function, like, gone)) for name, function in module.functions
    )
    return dataclasses.replace(module, functions=functions)


def _carried(name: str, function: Function, like: IRModule, gone: list[Function]) -> Function:
    if name in like:
        return carry_function(name, function, like[name])
    renamed = next((old for old in gone if structurally_equal(old, function)), None)
    return carry_function(name, function, renamed) if renamed is not None else function


def carry_function(name: str, function: Function, like: Function) -> Function:
    """`function` with the ids of `like` where values are the same; others follow its `next_id`."""
    new, old = definitions(name, function), definitions(name, like)
    same_names = [d.key for d in new] == [d.key for d in old]
    if same_names and structurally_equal(function, like):
        return like
    carrier = _Carrier(function, like, new, old)
    match function, like:
        case TensorFunction(), TensorFunction():
            carrier.align()
        case GraphFunction(), GraphFunction():
            carrier.match_graph(function, like)
        case _:
            pass
    return carrier.renumbered()


class _Carrier:
    """Finds the old id of each new one, then renumbers."""

    def __init__(
        self, function: Function, like: Function, new: list[Definition], old: list[Definition]
    ) -> None:
        self.function = function
        self.new, self.old = new, old
        self.pairs: dict[NodeId, Definition] = {}
        """New id to the old definition."""
        self.taken: set[NodeId] = set()
        self.ids = IdSource(like.next_id)
        self.vars: dict[NodeId, Var] = {}
        self.new_by_id = {d.id: d for d in new}
        self._fresh: dict[NodeId, NodeId] = {}

    def pair(self, new: Definition, old: Definition) -> None:
        """Let a new definition have the id of an old one."""
        self.pairs[new.id] = old
        self.taken.add(old.id)

    # --- tensor functions -------------------------------------------------------------------

    def align(self) -> None:
        """Pair definitions by kind and name in order, then by kind and type where both changed."""
        a, b = [d.key for d in self.old], [d.key for d in self.new]
        opcodes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        for tag, i0, i1, j0, j1 in opcodes:
            if tag == "equal":
                for old, new in zip(self.old[i0:i1], self.new[j0:j1], strict=True):
                    self.pair(new, old)
        self._pair_moved()
        for tag, i0, i1, j0, j1 in opcodes:
            if tag == "replace":
                self._pair_renamed(self.old[i0:i1], self.new[j0:j1])

    def _pair_moved(self) -> None:
        """Names that occur once on both sides, anywhere."""
        free_old = _unique(d for d in self.old if d.id not in self.taken)
        free_new = _unique(d for d in self.new if d.id not in self.pairs)
        for key, new in free_new.items():
            if key in free_old:
                self.pair(new, free_old[key])

    def _pair_renamed(self, old: list[Definition], new: list[Definition]) -> None:
        """What was renamed in place: same kind, same type, same order."""
        left = [d for d in old if d.id not in self.taken]
        for item in (d for d in new if d.id not in self.pairs):
            match = next((d for d in left if d.shape == item.shape), None)
            if match is not None:
                left.remove(match)
                self.pair(item, match)

    # --- graph functions --------------------------------------------------------------------

    def match_graph(self, function: GraphFunction, like: GraphFunction) -> None:
        """Pair symbols and parameters by name, bindings by what they compute."""
        by_key = {d.key: d for d in self.old}
        for new in self.new:
            old = by_key.get(new.key)
            if new.kind == "symbol" and old is not None:
                self.pair(new, old)
        self._pair_params(function, like, by_key)
        self._pair_bindings(function, like)

    def _pair_params(
        self, function: GraphFunction, like: GraphFunction, by_key: dict[Any, Definition]
    ) -> None:
        params = {param.id for param in function.params}
        for new in (d for d in self.new if d.id in params):
            old = by_key.get(new.key)
            if old is not None and self._like_old(new.type) == old.type:
                self.pair(new, old)
        for param, other in zip(function.params, like.params, strict=False):
            if param.id in self.pairs or other.id in self.taken:
                continue
            if self._like_old(param.type) == other.type:
                old = next(d for d in self.old if d.id == other.id)
                self.pair(self.new_by_id[param.id], old)

    def _pair_bindings(self, function: GraphFunction, like: GraphFunction) -> None:
        candidates: dict[bytes, list[Binding]] = {}
        for binding in _arms_first(like.blocks):
            candidates.setdefault(exact_key(binding.value), []).append(binding)
        old_by_id = {d.id: d for d in self.old}
        for binding in _arms_first(function.blocks):
            new = self.new_by_id[binding.var.id]
            found = [
                old_by_id[old.var.id]
                for old in candidates.get(exact_key(self._like_old(binding.value)), ())
                if old.var.id not in self.taken and old.var.type == self._like_old(binding.var.type)
            ]
            if found:
                self.pair(new, next((old for old in found if old.name == new.name), found[0]))

    def _like_old(self, node: Any) -> Any:  # noqa: ANN401
        """A node in the variables of the old function; what has no partner matches nothing."""
        if isinstance(node, Var):
            old = self.pairs.get(node.id)
            if old is not None and old.var is not None:
                return old.var
            return Var(NodeId(-1 - node.id), node.name, node.type)
        if isinstance(node, BindingBlock):
            node = dataclasses.replace(node, outputs=tuple(map(self._old_id, node.outputs)))
        return map_children(node, self._like_old)

    def _old_id(self, new: NodeId) -> NodeId:
        old = self.pairs.get(new)
        return old.id if old is not None else NodeId(-1 - new)

    # --- renumbering ------------------------------------------------------------------------

    def renumbered(self) -> Function:
        """The function in its final ids."""
        result: Function = self._final(self.function)
        return dataclasses.replace(result, next_id=self.ids.next)

    def _final(self, node: Any) -> Any:  # noqa: ANN401
        match node:
            case Var():
                return self._final_var(node)
            case BindingBlock():
                block = map_children(node, self._final)
                ids = tuple(self._final_id(i) for i in node.outputs)
                return dataclasses.replace(block, outputs=ids)
            case Block():
                block = dataclasses.replace(
                    node, id=self._final_id(node.id), span=self._span(node.id, node.span)
                )
                return map_children(block, self._final)
            case Binding() | For():
                span = self._span(node.var.id, node.span)
                return map_children(dataclasses.replace(node, span=span), self._final)
            case _:
                return map_children(node, self._final)

    def _final_var(self, var: Var) -> Var:
        known = self.vars.get(var.id)
        if known is None:
            old = self.pairs.get(var.id)
            name = var.name
            if old is not None and old.var is not None and self._keeps_name(var.id, old):
                name = old.var.name
            type_ = self._final(var.type)
            known = Var(self._final_id(var.id), name, type_)
            self.vars[var.id] = known
        return known

    def _keeps_name(self, new: NodeId, old: Definition) -> bool:
        """A name that prints the same is the original one: `a/b` prints as `a_b`."""
        definition = self.new_by_id.get(new)
        return definition is not None and definition.name == old.name

    def _final_id(self, new: NodeId) -> NodeId:
        old = self.pairs.get(new)
        if old is not None:
            return old.id
        if new not in self._fresh:
            self._fresh[new] = self.ids.new()
        return self._fresh[new]

    def _span(self, new: NodeId, span: Span | None) -> Span | None:
        """Where the old one came from, if there is one."""
        old = self.pairs.get(new)
        return old.span if old is not None and old.span is not None else span


def _arms_first(blocks: tuple[BindingBlock, ...]) -> Iterator[Binding]:
    """All bindings, those in the branches of an `if` before it: what it is depends on them."""
    for block in blocks:
        for binding in block.bindings:
            if isinstance(binding.value, IfThenElse):
                yield from _arms_first(binding.value.then.blocks)
                yield from _arms_first(binding.value.otherwise.blocks)
            yield binding


def _unique(items: Iterable[Definition]) -> dict[Any, Definition]:
    found: dict[Any, list[Definition]] = {}
    for item in items:
        found.setdefault(item.key, []).append(item)
    return {key: group[0] for key, group in found.items() if len(group) == 1}
