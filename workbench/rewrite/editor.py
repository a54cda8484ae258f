"""The one place where a module changes: collect edits by id, commit them in one sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

import numpy as np

from workbench.analysis.calls import bindings_in
from workbench.analysis.memory import without_plan
from workbench.analysis.same_type import is_static
from workbench.analysis.uses import argument_vars
from workbench.ir import (
    Arg,
    Attrs,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallTIR,
    Constant,
    ConstantPool,
    Dim,
    Function,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorFunction,
    TensorType,
    Type,
    Var,
    content_digest,
    leaf_vars,
    map_children,
    type_of,
)
from workbench.ir.pool import Array, frozen_array
from workbench.ir.traverse import evolve
from workbench.rewrite.derivation import Derivation, NodeRef, Relation
from workbench.rewrite.dimensions import with_dims
from workbench.rewrite.summary import EqualFunctions
from workbench.support import CompileError, Diagnostic, IdSource, NodeId
from workbench.support.masked import unmasked

N = TypeVar("N")


@dataclass
class _Pending:
    """Edits of one graph function, keyed by value id."""

    ids: IdSource
    values: dict[NodeId, GraphExpr] = field(default_factory=dict[NodeId, GraphExpr])
    removed: set[NodeId] = field(default_factory=set[NodeId])
    before: dict[NodeId, list[Binding]] = field(default_factory=dict[NodeId, list[Binding]])
    leaves: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])
    dims: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])
    params: tuple[Var, ...] | None = None
    result: Arg | None = None
    attrs: Attrs | None = None

    @property
    def rebinds(self) -> bool:
        """Whether more than attributes changes, so that a memory plan does not fit any more."""
        edits = (self.values, self.removed, self.before, self.leaves, self.dims)
        return any(edits) or self.params is not None or self.result is not None

    @property
    def touched(self) -> bool:
        return self.rebinds or self.attrs is not None


class ModuleEditor:
    """Collects edits of a module and builds the new one on `commit`.

    Mutable inside, nothing outside ever is. Reads see pending edits. Untouched values keep their
    ids; every edit records a `Derivation`. Reference: `mlir::RewriterBase`.
    """

    def __init__(self, module: IRModule) -> None:
        self.base = module
        self._module: IRModule | None = module
        self._functions: dict[str, Function] = dict(module.functions)
        self._arrays: dict[str, Array] | None = None
        self._names: dict[str, int] = {}
        self._equal: EqualFunctions | None = None
        self._name_of: dict[int, str] | None = None
        self._pending: dict[str, _Pending] = {}
        self._bindings: dict[str, dict[NodeId, Binding]] = {}
        self.derivations: list[Derivation] = []

    # --- reading ---------------------------------------------------------------------------

    def function(self, name: str) -> Function:
        """The function as it stands, whole-function edits included, edits by id not yet."""
        return self._functions[name] if name in self._functions else self.current[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a function of that name, those added included."""
        return name in self._functions

    def __getitem__(self, name: str) -> Function:
        """The same as `function`; with `in`, what asks a module of a name can ask an editor."""
        return self.function(name)

    def name_of(self, function: Function) -> str | None:
        """The first name under which this very object is in the module, None where it is not."""
        if self._name_of is None:
            self._name_of = {id(found): name for name, found in reversed(self._functions.items())}
        return self._name_of.get(id(function))

    @property
    def current(self) -> IRModule:
        """The module with functions added so far; edits by id are not in it yet."""
        if self._module is None:
            pool = self.base.pool if self._arrays is None else ConstantPool(self._arrays)
            self._module = replace(self.base, functions=tuple(self._functions.items()), pool=pool)
        return self._module

    @property
    def pool(self) -> ConstantPool:
        """The constants, those added included."""
        return self.current.pool

    def array(self, digest: str) -> Array:
        """The constant of that digest, which may have been added just now."""
        return self.base.pool[digest] if self._arrays is None else self._arrays[digest]

    def binding(self, function: str, value: NodeId) -> Binding | None:
        """The binding of `value` as it is now, None where it is a parameter or removed."""
        pending = self._pending.get(function)
        if pending is not None and value in pending.removed:
            return None
        found = self._index(function).get(value)
        if found is not None and pending is not None and value in pending.values:
            return Binding(found.var, pending.values[value], found.span)
        return found

    def any_removed(self, function: str, values: Sequence[NodeId]) -> bool:
        """Whether an earlier edit removed one of the values."""
        if function not in self._functions:
            return bool(values)
        pending = self._pending.get(function)
        return pending is not None and not pending.removed.isdisjoint(values)

    def any_edited(self, function: str, values: Sequence[NodeId]) -> bool:
        """Whether an earlier edit removed one of the values or gave it another right side."""
        pending = self._pending.get(function)
        replaced = pending is not None and not pending.values.keys().isdisjoint(values)
        return replaced or self.any_removed(function, values)

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

    def set_signature(
        self,
        function: str,
        params: tuple[Var, ...] | None = None,
        result: Arg | None = None,
        attrs: Attrs | None = None,
    ) -> None:
        """Give a function other parameters, another result, other attributes: those given.

        Calls of it are the caller's affair.
        """
        pending = self._edits(function)
        pending.params = pending.params if params is None else params
        pending.result = pending.result if result is None else result
        pending.attrs = pending.attrs if attrs is None else attrs

    def bind_dimension(self, function: str, symbol: NodeId, dim: Dim) -> None:
        """Write `dim` wherever the symbolic dimension stands, in types and shapes."""
        self._edits(function).dims[symbol] = dim

    # --- edits of the module -----------------------------------------------------------------

    def add_function(
        self, name: str, function: Function, *, share: bool = True, caller: str = ""
    ) -> str:
        """Add a function under `name` or the next free `name1`; gives the name.

        An equal private function that is there already is used instead where `share`, unless it
        is the `caller`, which would call itself, or was edited and may come to call that.
        """
        if share and (known := self._find_equal(function, caller)) is not None:
            return known
        free, count = name, self._names.get(name, 0)
        while free in self._functions:
            count += 1
            free = f"{name}{count}"
        self._names[name] = count
        self._functions[free] = function
        self._module = None
        if self._equal is not None:
            self._equal.add(free, function)
        if self._name_of is not None:
            self._name_of.setdefault(id(function), free)
        return free

    def _find_equal(self, function: Function, caller: str) -> str | None:
        if self._equal is None:
            self._equal = EqualFunctions(self._functions)
        for name in self._equal.equal_to(function):
            edited = name == caller or (name in self.base and name in self._pending)
            if not edited or isinstance(function, TensorFunction):
                return name
        return None

    def set_function(self, name: str, function: Function) -> None:
        """Replace a whole function; edits by id of it must not be pending."""
        self._functions[name] = function
        self._forget(name)

    def remove_function(self, name: str) -> None:
        """Drop a function that nothing calls."""
        self._functions.pop(name, None)
        self._names.clear()
        self._forget(name)

    def _forget(self, name: str) -> None:
        """What was known of a function that changed as a whole."""
        self._bindings.pop(name, None)
        self._module = self._equal = self._name_of = None

    def add_constant(self, array: np.ndarray) -> Constant:
        """Put an array into the pool.

        Raises:
            CompileError: `call/masked-array`.
        """
        if self._arrays is None:
            self._arrays = dict(self.base.pool)
        dense = np.asarray(unmasked(array))
        digest = content_digest(dense)
        if digest not in self._arrays:
            self._arrays[digest] = frozen_array(dense)
            self._module = None
        return Constant(digest, TensorType(dense.shape, _dtype_name(dense.dtype)))

    def derive(
        self,
        rule: str,
        sources: Iterable[NodeRef],
        results: Iterable[NodeRef],
        relation: Relation,
        layout: str = "",
    ) -> None:
        """Record a derivation that the other edits do not imply."""
        self.derivations.append(Derivation(rule, tuple(sources), tuple(results), relation, layout))

    def commit(self) -> IRModule:
        """The new module; the same object where nothing was edited.

        Raises:
            CompileError: `pass/unknown-value` for an edit of a value that is not there.
        """
        for name, pending in self._pending.items():
            function = self._functions[name]
            if isinstance(function, GraphFunction) and pending.touched:
                self._check_known(name, pending)
                self._functions[name] = with_dims(_rebuild(function, pending), pending.dims)
                self._forget(name)
        self._pending.clear()
        self._bindings.clear()
        return self.current

    def _check_known(self, function: str, pending: _Pending) -> None:
        known = self._index(function).keys()
        edited = (pending.values.keys(), pending.removed, pending.before.keys())
        unknown = [value for values in edited for value in values - known]
        if unknown:
            raise CompileError(
                Diagnostic(
                    "pass/unknown-value",
                    f"an edit of `{function}` names a value that is not bound there: `{value}`",
                    function=function,
                    hint="values are named by the ids of their bindings, `binding.var.id`",
                )
                for value in unknown
            )

    def _edits(self, function: str) -> _Pending:
        if function not in self._pending:
            self._pending[function] = _Pending(IdSource(self.function(function).next_id))
        return self._pending[function]

    def _index(self, function: str) -> dict[NodeId, Binding]:
        if function not in self._bindings:
            body = self.function(function)
            found = all_bindings(body) if isinstance(body, GraphFunction) else ()
            self._bindings[function] = {binding.var.id: binding for binding in found}
        return self._bindings[function]


_dtype_name: Callable[[np.dtype], str] = cache(str)
"""The name of a dtype, which numpy puts together each time."""

_CALLS = (CallTIR, CallOp, CallFunction)


def all_bindings(function: GraphFunction) -> Iterable[Binding]:
    """All bindings in program order, those inside branches included."""
    return bindings_in(function.blocks)


def _rebuild(function: GraphFunction, pending: _Pending) -> GraphFunction:
    substitution = _Substitution(pending.leaves)
    blocks = tuple(_rebuild_block(block, pending, substitution) for block in function.blocks)
    result = substitution(function.result if pending.result is None else pending.result)
    if pending.leaves or pending.result is not None:
        blocks = expose(blocks, result)
    changes: dict[str, object] = {}
    if pending.params is not None:
        changes["params"] = pending.params
    attrs = function.attrs if pending.attrs is None else pending.attrs
    changes["attrs"] = without_plan(attrs) if pending.rebinds else attrs
    if pending.result is not None:
        changes["return_type"] = type_of(result)
    changes |= {"blocks": _joined(blocks), "result": result, "next_id": pending.ids.next}
    return evolve(function, changes)


def _rebuild_block(
    block: BindingBlock, pending: _Pending, substitution: _Substitution
) -> BindingBlock:
    bindings: list[Binding] = []
    before, removed, values = pending.before, pending.removed, pending.values
    for binding in block.bindings:
        ident = binding.var.id
        added = before.get(ident)
        if added is not None:
            bindings += [substitution(item) for item in added]
        if ident in removed:
            continue
        value = values.get(ident, binding.value)
        if isinstance(value, IfThenElse):
            value = replace(
                value,
                then=_rebuild_body(value.then, pending, substitution),
                otherwise=_rebuild_body(value.otherwise, pending, substitution),
            )
        value = substitution(value)
        bindings.append(binding if value is binding.value else Binding(binding.var, value))
    outputs = _outputs(block, bindings, pending)
    return BindingBlock(tuple(bindings), block.dataflow, outputs)


def _rebuild_body(body: Body, pending: _Pending, substitution: _Substitution) -> Body:
    blocks = tuple(_rebuild_block(block, pending, substitution) for block in body.blocks)
    result = substitution(body.result)
    if pending.leaves:
        blocks = expose(blocks, result)
    return Body(_joined(blocks), result)


def expose(blocks: tuple[BindingBlock, ...], result: Arg) -> tuple[BindingBlock, ...]:
    """The blocks, whose dataflow blocks give out what is read behind them."""
    read = {var.id for var in leaf_vars(result)}
    found: list[BindingBlock] = []
    for block in reversed(blocks):
        shown = set(block.outputs)
        more = [b.var.id for b in block.bindings if b.var.id in read and b.var.id not in shown]
        if block.dataflow and more:
            block = replace(block, outputs=(*block.outputs, *more))
        found.append(block)
        for binding in block.bindings:
            read.update(var.id for var in argument_vars(binding.value))
    return tuple(reversed(found))


def _joined(blocks: Iterable[BindingBlock]) -> tuple[BindingBlock, ...]:
    """Blocks without empty ones, two plain ones in a row as one: as their text says it."""
    found: list[list[BindingBlock]] = []
    for block in blocks:
        if not block.bindings:
            continue
        if found and not found[-1][0].dataflow and not block.dataflow:
            found[-1].append(block)
        else:
            found.append([block])
    return tuple(_one_block(row) for row in found)


def _one_block(row: list[BindingBlock]) -> BindingBlock:
    if len(row) == 1:
        return row[0]
    return replace(row[0], bindings=tuple(b for block in row for b in block.bindings))


def _outputs(block: BindingBlock, bindings: list[Binding], pending: _Pending) -> tuple[NodeId, ...]:
    """The outputs with removed values replaced by the ones that took their place."""
    if not block.outputs:
        return ()
    found: dict[NodeId, None] = {}
    moved = False
    for value in block.outputs:
        leaf = pending.leaves.get(value)
        if leaf is not None:
            moved = True
            found.update((var.id, None) for var in leaf_vars(leaf))
        elif value not in pending.removed:
            found[value] = None
    if not moved:
        return tuple(found)
    bound = {b.var.id for b in bindings}
    return tuple([value for value in found if value in bound])


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
            changed = node if value is node.value else Binding(node.var, value, node.span)
            return changed  # pyright: ignore[reportReturnType]
        if isinstance(node, _CALLS) and _only_args(node):
            return node if self._stay(node.args) else evolve(node, {"args": self._args(node.args)})
        return map_children(node, self._apply)

    def _stay(self, args: tuple[Arg, ...]) -> bool:
        """Whether arguments are values that nobody replaced, as those of most calls are."""
        leaves = self.leaves
        for arg in args:  # noqa: SIM110
            if not isinstance(arg, Var) or arg.id in leaves:
                return False
        return True

    def _args(self, args: tuple[Arg, ...]) -> tuple[Arg, ...]:
        return tuple([self._apply(arg) for arg in args])


def _only_args(call: CallTIR | CallOp | CallFunction) -> bool:
    """Whether a call names values by its arguments alone, and none by a dimension."""
    if not isinstance(call, CallTIR):
        return True
    return not call.scalars and all(map(is_static, call.out_types))
