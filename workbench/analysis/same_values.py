"""Same values: bindings of a graph function whose value has another name already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from workbench.analysis.identity import exact_cast, is_copy, permutation
from workbench.analysis.same_type import is_surely, known_shape, same_type
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    CallOp,
    CallTIR,
    Constant,
    Dim,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    free_vars,
    type_of,
)
from workbench.ir.dims import substitute_dim
from workbench.support import NodeId

T = TypeVar("T")

ROW_MAJOR = frozenset({"reshape", "flatten", "expand_dims", "squeeze"})
"""Operators that keep all elements in row-major order."""
SAME_WHERE_TYPE_STAYS = ROW_MAJOR | {"astype", "broadcast_to", "repeat", "tile"}
"""Operators that give their operand back where the type of the result is the operand's."""


@dataclass(frozen=True, slots=True)
class Same:
    """`value` is `leaf`; `dims` are dimensions that a `match_cast` only gave another name."""

    value: Var
    leaf: Arg
    reason: str
    dims: tuple[tuple[NodeId, Dim], ...] = ()

    @property
    def alias(self) -> Alias:
        """The leaf as the right side of a binding."""
        return Alias(self.leaf)


@dataclass(frozen=True, slots=True)
class _View:
    """A value as another one seen in another way."""

    origin: Arg
    axes: tuple[int, ...] = ()


@dataclass
class _Walk:
    """What is known of the values so far, by id; each fact is about the final names."""

    callees: Mapping[str, TensorFunction]
    roots: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])
    tuples: dict[NodeId, tuple[Arg, ...]] = field(default_factory=dict[NodeId, tuple[Arg, ...]])
    items: dict[NodeId, tuple[Var, int]] = field(default_factory=dict[NodeId, tuple[Var, int]])
    kept: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])
    """First operand of calls whose first result is that operand."""
    reshaped: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])
    permuted: dict[NodeId, _View] = field(default_factory=dict[NodeId, _View])
    cast: dict[NodeId, Arg] = field(default_factory=dict[NodeId, Arg])
    symbols: set[NodeId] = field(default_factory=set[NodeId])
    dims: dict[NodeId, Dim] = field(default_factory=dict[NodeId, Dim])

    # --- the walk ----------------------------------------------------------------------------

    def blocks(self, blocks: tuple[BindingBlock, ...]) -> Iterator[Same]:
        for block in blocks:
            for binding in block.bindings:
                yield from self.binding(binding)

    def binding(self, binding: Binding) -> Iterator[Same]:
        value = binding.value
        if isinstance(value, IfThenElse):
            yield from self.blocks(value.then.blocks)
            yield from self.blocks(value.otherwise.blocks)
            return
        found = self.same(binding)
        if isinstance(value, MatchCast):
            self.symbols.update(free_vars(value.type))
        if found is not None:
            self.roots[binding.var.id] = found.leaf
            self.dims.update(found.dims)
            yield found

    def same(self, binding: Binding) -> Same | None:
        """The leaf that a binding is, if it is one; else what it is in terms of others is noted."""
        found = self.leaf(binding)
        if found is None:
            return None
        leaf, reason = found
        if isinstance(binding.value, MatchCast):
            dims = self.renamed(type_of(leaf), binding.value.type)
            return None if dims is None else Same(binding.var, leaf, reason, dims)
        if not is_surely(self.type(leaf), self.type(binding.var)):
            return None
        return Same(binding.var, leaf, reason)

    def leaf(self, binding: Binding) -> tuple[Arg, str] | None:
        match binding.value:
            case Alias(value=value):
                return self.alias(binding.var, self.root(value))
            case MatchCast(value=value):
                return self.root(value), f"{_name(self.root(value))} is of that type already"
            case TupleItem(value=value, index=index):
                return self.item(binding.var, self.root(value), index)
            case CallOp():
                return self.operator(binding.var, binding.value)
            case CallTIR(callee=callee, args=(value,)) if is_copy(self.callees.get(callee)):
                leaf = self.root(value)
                return leaf, f"`{callee}` copies {_name(leaf)}"
            case _:
                return None

    def type(self, arg: Arg) -> Type:
        """The type of a leaf, dimensions under the names that they had first."""
        return _renamed(type_of(arg), self.dims)

    def root(self, arg: Arg) -> Arg:
        if isinstance(arg, Var):
            return self.roots.get(arg.id, arg)
        if isinstance(arg, TupleValue):
            return TupleValue(tuple(self.root(item) for item in arg.fields))
        return arg

    # --- names and tuples --------------------------------------------------------------------

    def alias(self, var: Var, leaf: Arg) -> tuple[Arg, str] | None:
        if isinstance(leaf, Var):
            return leaf, f"another name of `{leaf.name}`"
        if not isinstance(leaf, TupleValue):
            return None
        self.tuples[var.id] = leaf.fields
        whole = self.whole(leaf.fields)
        return None if whole is None else (whole, f"all fields of `{whole.name}`")

    def whole(self, fields: tuple[Arg, ...]) -> Var | None:
        """The tuple that has exactly these fields."""
        found = [self.items.get(f.id) if isinstance(f, Var) else None for f in fields]
        if not found or found[0] is None:
            return None
        whole = found[0][0]
        complete = isinstance(whole.type, TupleType) and len(whole.type.fields) == len(fields)
        ordered = all(f is not None and f == (whole, n) for n, f in enumerate(found))
        return whole if complete and ordered else None

    def item(self, var: Var, leaf: Arg, index: int) -> tuple[Arg, str] | None:
        if isinstance(leaf, TupleValue):
            return leaf.fields[index], f"field {index} of the tuple"
        if not isinstance(leaf, Var):
            return None
        if leaf.id in self.tuples:
            return self.tuples[leaf.id][index], f"field {index} of `{leaf.name}`"
        if index == 0 and leaf.id in self.kept:
            return self.kept[leaf.id], f"`{leaf.name}` keeps its operand"
        self.items[var.id] = (leaf, index)
        return None

    # --- operators ---------------------------------------------------------------------------

    def operator(self, var: Var, call: CallOp) -> tuple[Arg, str] | None:
        if not call.args:
            return None
        operand = self.root(call.args[0])
        if call.op == "nn.dropout":
            self.kept[var.id] = operand
            return None
        if call.op == "concat" and isinstance(operand, TupleValue) and len(operand.fields) == 1:
            return operand.fields[0], "one tensor alone"
        if call.op == "permute_dims":
            return self.permute(var, call, operand)
        if call.op not in SAME_WHERE_TYPE_STAYS:
            return None
        if same_type(self.type(operand), self.type(var)):
            return operand, f"`{call.op}` changes nothing"
        return self.round_trip(var, call, operand)

    def round_trip(self, var: Var, call: CallOp, operand: Arg) -> tuple[Arg, str] | None:
        origin: Arg | None = None
        if call.op in ROW_MAJOR:
            origin = _of(self.reshaped, operand, operand)
            self.reshaped[var.id] = origin
        elif call.op == "astype":
            origin = _of(self.cast, operand, operand)
            exact = [x for x in (origin, operand) if exact_cast(type_of(x), var.type)]
            self.cast.update((var.id, x) for x in exact[:1])
        if origin is None or not same_type(self.type(origin), self.type(var)):
            return None
        return origin, f"`{call.op}` takes back what was done to {_name(origin)}"

    def permute(self, var: Var, call: CallOp, operand: Arg) -> tuple[Arg, str] | None:
        shape = known_shape(type_of(operand))
        axes = None if shape is None else permutation(call, len(shape))
        if axes is None:
            return None
        before = _of(self.permuted, operand, _View(operand, tuple(range(len(axes)))))
        whole = tuple(before.axes[axis] for axis in axes)
        if whole == tuple(range(len(axes))):
            return before.origin, f"the order of dimensions is that of {_name(before.origin)}"
        self.permuted[var.id] = _View(before.origin, whole)
        return None

    # --- dimensions --------------------------------------------------------------------------

    def renamed(self, given: Type, wanted: Type) -> tuple[tuple[NodeId, Dim], ...] | None:
        """What the new dimensions of a checked type stand for; None where it may fail."""
        names: dict[NodeId, Dim] = {}
        if isinstance(given, TensorType) and isinstance(wanted, TensorType):
            pairs = zip(wanted.shape or (), given.shape or (), strict=False)
            for dim, known in pairs:
                if isinstance(dim, Var) and dim.id not in self.symbols and dim.id not in names:
                    names[dim.id] = substitute_dim(known, self.dims)
        new = [s for s in free_vars(wanted) if s not in self.symbols and s not in names]
        known = _renamed(_renamed(wanted, names), self.dims)
        if new or not is_surely(_renamed(given, self.dims), known):
            return None
        return tuple(names.items())


def _renamed(type_: Type, names: dict[NodeId, Dim]) -> Type:
    if not names or not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    return TensorType(tuple(substitute_dim(dim, names) for dim in type_.shape), type_.dtype)


def same_values(module: IRModule, function: GraphFunction) -> Iterator[Same]:
    """The bindings whose value is a leaf that was there before, in program order.

    The leaves are final: none is a value that is found itself. Linear in the bindings.
    """
    walk = _Walk(module.tensor_functions)
    for param in function.params:
        walk.symbols.update(free_vars(param.type))
    return walk.blocks(function.blocks)


def _of(known: dict[NodeId, T], leaf: Arg, default: T) -> T:
    return known.get(leaf.id, default) if isinstance(leaf, Var) else default


def _name(leaf: Arg) -> str:
    if isinstance(leaf, Var):
        return f"`{leaf.name}`"
    return "the constant" if isinstance(leaf, Constant) else "the value"
