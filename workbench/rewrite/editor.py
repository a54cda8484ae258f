"""The one place where a module changes: collect edits by id, commit them in one sweep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from workbench.ir import (
    Arg,
    Binding,
    BindingBlock,
    Body,
    Constant,
    ConstantPool,
    Function,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorFunction,
    Type,
    Var,
    add_constant,
    fingerprint,
    leaf_vars,
    map_children,
    structurally_equal,
)
from workbench.rewrite.derivation import Derivation, NodeRef, Relation
from workbench.support import IdSource, NodeId

N = TypeVar("N")


@dataclass
class _Pending:
    """Edits of one graph function, keyed by value id."""

    ids: IdSource
    values: dict[NodeId, GraphExpr] = field(default_factory=dict[NodeId, GraphExpr])
    removed: set[NodeId] = field(default_factory=set[NodeId])
    before: dict[NodeId, list[Binding]] = field(default_factory=dict[NodeId, list[Binding]])
    leaves: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])

    @property
    def touched(self) -> bool:
        return bool(self.values or self.removed or self.before or self.leaves)


class ModuleEditor:
    """Collects edits of a module and builds the new one on `commit`.

    Mutable inside, nothing outside ever is. Reads see pending edits. Untouched values keep their
    ids; every edit records a `Derivation`. Reference: `mlir::RewriterBase`.
    """

    def __init__(self, module: IRModule) -> None:
        self.base = module
        self._module = module
        self._pending: dict[str, _Pending] = {}
        self._bindings: dict[str, dict[NodeId, Binding]] = {}
        self.derivations: list[Derivation] = []

    # --- reading ---------------------------------------------------------------------------

    def function(self, name: str) -> Function:
        """The function as it stands, whole-function edits included, edits by id not yet."""
        return self._module[name]

    @property
    def current(self) -> IRModule:
        """The module with functions added so far; edits by id are not in it yet."""
        return self._module

    @property
    def pool(self) -> ConstantPool:
        """The constants, those added included."""
        return self._module.pool

    def binding(self, function: str, value: NodeId) -> Binding | None:
        """The binding of `value` as it is now, None where it is a parameter or removed."""
        pending = self._pending.get(function)
        if pending is not None and value in pending.removed:
            return None
        found = self._index(function).get(value)
        if found is not None and pending is not None and value in pending.values:
            return replace(found, value=pending.values[value])
        return found

    def is_removed(self, ref: NodeRef) -> bool:
        """Whether an earlier edit removed the value."""
        pending = self._pending.get(ref.function)
        return ref.function not in self._module or (
            pending is not None and ref.id in pending.removed
        )

    def is_edited(self, ref: NodeRef) -> bool:
        """Whether an earlier edit removed the value or gave it another right side."""
        pending = self._pending.get(ref.function)
        replaced = pending is not None and ref.id in pending.values
        return replaced or self.is_removed(ref)

    # --- edits of a graph function -----------------------------------------------------------

    def replace_value(
        self,
        function: str,
        value: NodeId,
        new: GraphExpr,
        rule: str,
        relation: Relation = Relation.SAME,
    ) -> None:
        """Give the binding another right side.

        The value keeps its id, so its contents must stay the same.
        """
        self._edits(function).values[value] = new
        ref = NodeRef(function, value)
        self.derivations.append(Derivation(rule, (ref,), (ref,), relation))

    def remove(self, function: str, value: NodeId) -> None:
        """Drop a binding that nothing uses any more."""
        self._edits(function).removed.add(value)

    def new_var(self, function: str, name: str, type_: Type) -> Var:
        """A variable with a free id of that function."""
        return Var(self._edits(function).ids.new(), name, type_)

    def insert_before(self, function: str, anchor: NodeId, binding: Binding) -> None:
        """Put a binding before the one of `anchor`, after those inserted there earlier."""
        self._edits(function).before.setdefault(anchor, []).append(binding)

    def substitute(self, function: str, value: NodeId, leaf: Arg) -> None:
        """Use `leaf` wherever `value` was used."""
        self._edits(function).leaves[value] = leaf

    # --- edits of the module -----------------------------------------------------------------

    def add_function(self, name: str, function: Function, *, share: bool = True) -> str:
        """Add a function under `name` or the next free `name1`; gives the name.

        An equal private function that is there already is used instead where `share`.
        """
        if share and (known := self._find_equal(function)) is not None:
            return known
        free, count = name, 0
        while free in self._module:
            count += 1
            free = f"{name}{count}"
        self._module = self._module.with_function(free, function)
        return free

    def _find_equal(self, function: Function) -> str | None:
        if isinstance(function, TensorFunction):
            wanted = fingerprint(function)
            same = (n for n, f in self._module.tensor_functions.items() if fingerprint(f) == wanted)
            return next((n for n in same if self._module[n].private == function.private), None)
        graphs = self._module.graph_functions.items()
        same = (n for n, f in graphs if f.private and structurally_equal(f, function))
        return next(same, None)

    def set_function(self, name: str, function: Function) -> None:
        """Replace a whole function; edits by id of it must not be pending."""
        self._module = self._module.with_function(name, function)
        self._bindings.pop(name, None)

    def remove_function(self, name: str) -> None:
        """Drop a function that nothing calls."""
        kept = tuple(item for item in self._module.functions if item[0] != name)
        self._module = replace(self._module, functions=kept)

    def add_constant(self, array: np.ndarray) -> Constant:
        """Put an array into the pool."""
        leaf, self._module = add_constant(self._module, array)
        return leaf

    def derive(
        self, rule: str, sources: Iterable[NodeRef], results: Iterable[NodeRef], relation: Relation
    ) -> None:
        """Record a derivation that the other edits do not imply."""
        self.derivations.append(Derivation(rule, tuple(sources), tuple(results), relation))

    def commit(self) -> IRModule:
        """The new module; the same object where nothing was edited."""
        for name, pending in self._pending.items():
            function = self._module[name]
            if isinstance(function, GraphFunction) and pending.touched:
                self._module = self._module.with_function(name, _rebuild(function, pending))
        self._pending.clear()
        self._bindings.clear()
        return self._module

    def _edits(self, function: str) -> _Pending:
        if function not in self._pending:
            self._pending[function] = _Pending(IdSource(self._module[function].next_id))
        return self._pending[function]

    def _index(self, function: str) -> dict[NodeId, Binding]:
        if function not in self._bindings:
            body = self._module[function]
            found = all_bindings(body) if isinstance(body, GraphFunction) else ()
            self._bindings[function] = {binding.var.id: binding for binding in found}
        return self._bindings[function]


def all_bindings(function: GraphFunction) -> Iterable[Binding]:
    """All bindings in program order, those inside branches included."""
    return _bindings_of(function.blocks)


def _bindings_of(blocks: tuple[BindingBlock, ...]) -> Iterable[Binding]:
    for block in blocks:
        for binding in block.bindings:
            yield binding
            if isinstance(binding.value, IfThenElse):
                yield from _bindings_of(binding.value.then.blocks)
                yield from _bindings_of(binding.value.otherwise.blocks)


def _rebuild(function: GraphFunction, pending: _Pending) -> GraphFunction:
    substitution = _Substitution(pending.leaves)
    blocks = tuple(_rebuild_block(block, pending, substitution) for block in function.blocks)
    return replace(
        function,
        blocks=_joined(blocks),
        result=substitution(function.result),
        next_id=pending.ids.next,
    )


def _rebuild_block(
    block: BindingBlock, pending: _Pending, substitution: _Substitution
) -> BindingBlock:
    bindings: list[Binding] = []
    for binding in block.bindings:
        added = pending.before.get(binding.var.id, ())
        bindings += [substitution(item) for item in added]
        if binding.var.id in pending.removed:
            continue
        value = pending.values.get(binding.var.id, binding.value)
        if isinstance(value, IfThenElse):
            value = replace(
                value,
                then=_rebuild_body(value.then, pending, substitution),
                otherwise=_rebuild_body(value.otherwise, pending, substitution),
            )
        value = substitution(value)
        bindings.append(
            binding if value is binding.value else replace(binding, value=value, span=None)
        )
    return replace(block, bindings=tuple(bindings), outputs=_outputs(block, pending))


def _rebuild_body(body: Body, pending: _Pending, substitution: _Substitution) -> Body:
    blocks = tuple(_rebuild_block(block, pending, substitution) for block in body.blocks)
    return Body(_joined(blocks), substitution(body.result))


def _joined(blocks: Iterable[BindingBlock]) -> tuple[BindingBlock, ...]:
    """Blocks without empty ones, two plain ones in a row as one: as their text says it."""
    found: list[BindingBlock] = []
    for block in blocks:
        if not block.bindings:
            continue
        if found and not found[-1].dataflow and not block.dataflow:
            found[-1] = replace(found[-1], bindings=(*found[-1].bindings, *block.bindings))
        else:
            found.append(block)
    return tuple(found)


def _outputs(block: BindingBlock, pending: _Pending) -> tuple[NodeId, ...]:
    """The outputs with removed values replaced by the ones that took their place."""
    found: dict[NodeId, None] = {}
    for value in block.outputs:
        leaf = pending.leaves.get(value)
        if leaf is not None:
            found.update((var.id, None) for var in leaf_vars(leaf))
        elif value not in pending.removed:
            found[value] = None
    bound = {b.var.id for b in block.bindings} - pending.removed
    bound |= {b.var.id for group in pending.before.values() for b in group}
    return tuple(value for value in found if value in bound)


class _Substitution:
    """Replaces used leaves, chains of replacements followed to the end."""

    def __init__(self, leaves: dict[NodeId, Arg]) -> None:
        self.leaves = leaves

    def __call__(self, node: N) -> N:
        return self._apply(node) if self.leaves else node

    def _apply(self, node: N) -> N:
        if isinstance(node, Var):
            leaf: Arg = node
            while isinstance(leaf, Var) and leaf.id in self.leaves:
                leaf = self.leaves[leaf.id]
            return leaf  # pyright: ignore[reportReturnType]
        if isinstance(node, Binding):
            value = self._apply(node.value)
            return node if value is node.value else replace(node, value=value)
        return map_children(node, self._apply)
