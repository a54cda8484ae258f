"""Graph functions: how operators are organised.

In A-normal form: every binding is one call on leaves. Reference: Relax (Lai et al., "Relax:
Composable Abstractions for End-to-End Dynamic Machine Learning", ASPLOS 2025).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.ir.describe import counted, nodes_of, parameter_list
from workbench.ir.expr import Dim, PrimExpr, Shape, TensorType, Type, Var
from workbench.ir.tensor import Attrs
from workbench.support.ids import NodeId
from workbench.support.slot_init import sets_slots
from workbench.support.spans import Span


@sets_slots
@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor of the module's constant pool, named by content hash."""

    digest: str
    type: TensorType


@sets_slots
@dataclass(frozen=True, slots=True)
class ShapeValue:
    """A shape as an argument."""

    dims: Shape


@sets_slots
@dataclass(frozen=True, slots=True)
class ScalarValue:
    """A scalar as an argument."""

    value: PrimExpr


@sets_slots
@dataclass(frozen=True, slots=True)
class StringValue:
    """A string as an argument."""

    text: str


@sets_slots
@dataclass(frozen=True, slots=True)
class TupleValue:
    """A tuple of leaves as an argument."""

    fields: tuple[Arg, ...]


Arg: TypeAlias = Var | Constant | ShapeValue | ScalarValue | StringValue | TupleValue
"""A leaf: what a call takes."""


@sets_slots
@dataclass(frozen=True, slots=True)
class CallOp:
    """Call of a registered operator, such as `matmul`."""

    op: str
    args: tuple[Arg, ...]
    attrs: Attrs = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class CallTIR:
    """Destination-passing call of a tensor function; `scalars` follow the outputs."""

    callee: str
    args: tuple[Arg, ...]
    out_types: tuple[TensorType, ...]
    scalars: tuple[Dim, ...] = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class CallTIRInplace:
    """Call of a tensor function that writes results over arguments.

    `inplace` says for each result which argument it is written over, by position, or -1: those
    results follow the arguments as in `CallTIR`, then `scalars`. The call is a value as any other:
    an argument that somebody needs afterwards, or that is not ours to write, is copied before.
    Reference: `relax.call_tir_inplace`, where such an argument changes for all who read it.
    """

    callee: str
    args: tuple[Arg, ...]
    out_types: tuple[TensorType, ...]
    inplace: tuple[int, ...]
    scalars: tuple[Dim, ...] = ()

    @property
    def fresh(self) -> tuple[TensorType, ...]:
        """Types of the results that get memory of their own."""
        pairs = zip(self.out_types, self.inplace, strict=True)
        return tuple(type_ for type_, index in pairs if index < 0)


class PackedStyle(enum.Enum):
    """How a library function is called; the value is the name in `R.`."""

    DPS = "call_dps_packed"
    PURE = "call_pure_packed"
    EFFECT = "call_packed"


@sets_slots
@dataclass(frozen=True, slots=True)
class CallPacked:
    """Call of a library function by symbol; destination-passing, or returning its value."""

    symbol: str
    args: tuple[Arg, ...]
    out_types: tuple[Type, ...]
    style: PackedStyle = PackedStyle.DPS
    attrs: Attrs = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class CallFunction:
    """Call of a graph function of the module."""

    callee: str
    args: tuple[Arg, ...]


@sets_slots
@dataclass(frozen=True, slots=True)
class Alias:
    """The value of a leaf under a name: a constant, a tuple, another binding."""

    value: Arg


@sets_slots
@dataclass(frozen=True, slots=True)
class TupleItem:
    """One field of a tuple."""

    value: Arg
    index: int


@sets_slots
@dataclass(frozen=True, slots=True)
class MatchCast:
    """`value` seen as `type`, checked at run time; binds the new symbolic dimensions of `type`."""

    value: Arg
    type: Type


@sets_slots
@dataclass(frozen=True, slots=True)
class Body:
    """A branch: blocks and the value it gives."""

    blocks: tuple[BindingBlock, ...]
    result: Arg


@sets_slots
@dataclass(frozen=True, slots=True)
class IfThenElse:
    """A choice between two branches on a scalar `bool` tensor."""

    condition: Arg
    then: Body
    otherwise: Body


GraphExpr: TypeAlias = (
    CallOp
    | CallTIR
    | CallTIRInplace
    | CallPacked
    | CallFunction
    | Alias
    | TupleItem
    | MatchCast
    | IfThenElse
)


@sets_slots
@dataclass(frozen=True, slots=True)
class Binding:
    """`var = value`. `span` says where it came from, as long as nobody rewrote it."""

    var: Var
    value: GraphExpr
    span: Span | None = field(default=None, compare=False, repr=False)


@sets_slots
@dataclass(frozen=True, slots=True)
class BindingBlock:
    """Bindings in order. A dataflow block is pure, and only its `outputs` are seen outside."""

    bindings: tuple[Binding, ...]
    dataflow: bool = False
    outputs: tuple[NodeId, ...] = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class GraphFunction:
    """A function over tensors.

    Symbolic dimensions that occur in the types of `params` are bound by the call.
    `attrs` has `Primitive` = 1 where fusion made the function.
    """

    params: tuple[Var, ...]
    blocks: tuple[BindingBlock, ...]
    result: Arg
    return_type: Type
    attrs: Attrs = ()
    private: bool = False
    pure: bool = True
    next_id: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)
    _digest: str | None = field(default=None, init=False, compare=False, repr=False)
    _sound: bool = field(default=False, init=False, compare=False, repr=False)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """All bindings of the function's own blocks, in program order (branches not entered)."""
        if len(self.blocks) == 1:
            return self.blocks[0].bindings
        return tuple([binding for block in self.blocks for binding in block.bindings])

    def __repr__(self) -> str:
        """One line; `module.script()` has the text."""
        bindings = counted(nodes_of(self, Binding), "binding")
        return f"GraphFunction{parameter_list(self.params)}: {bindings}"


def bindings_in(blocks: tuple[BindingBlock, ...]) -> Iterator[Binding]:
    """All bindings of blocks in program order, those inside branches behind their own."""
    for block in blocks:
        for binding in block.bindings:
            yield binding
            if isinstance(binding.value, IfThenElse):
                yield from bindings_in(binding.value.then.blocks)
                yield from bindings_in(binding.value.otherwise.blocks)
