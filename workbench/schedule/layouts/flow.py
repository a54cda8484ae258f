"""How layouts flow through a tensor function: from one buffer to those that move with it.

Everything is read off the loops: an axis that a layout takes apart must be an index by itself
wherever it is used, then it is taken apart there too. So elementwise functions, broadcasts,
poolings, depthwise convolutions and concatenations follow the layout of their operand, and a
function of a user as well as an operator. Reference: Liu et al., "Optimizing CNN Model Inference on
CPUs" (NeoCPU), USENIX ATC 2019; `relax.transform.ConvertLayout` knows operators by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from workbench.analysis.affine import affine
from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.index_map import IndexMap, index_variables
from workbench.analysis.op_pattern import is_contraction
from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    Binary,
    BinaryOp,
    IntImm,
    Load,
    PrimExpr,
    Shape,
    TensorFunction,
    Var,
    as_expr,
    substitute,
    transform,
    walk,
)
from workbench.schedule.buffers.operands import plain_buffer
from workbench.schedule.layouts.relayout import digit_sizes
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo

Found = dict[NodeId, IndexMap]


def flow_forward(function: TensorFunction, given: Found) -> Found | str:
    """The layouts of all buffers, where some parameters have `given` ones; or why there are none.

    The first operand of a stage that has a layout decides; the others follow. The same object for
    the same question, to be read only.
    """
    key = frozenset(given.items())
    return _FLOWS.get(function, lambda: _shared(_flow(function, given)), key)


_FLOWS: IdentityMemo[TensorFunction, Found | str] = IdentityMemo()
"""Networks repeat their layers."""


def _shared(flow: Found | str) -> Found | str:
    if isinstance(flow, str):
        return flow
    return {buffer: shared(layout) for buffer, layout in flow.items()}


def _flow(function: TensorFunction, given: Found) -> Found | str:
    found = _stages(function)
    if found is None:
        return "its loops are no sequence of plain nests"
    known = {buffer: canonical(layout) for buffer, layout in given.items()}
    return _forward(found, known, fixed=frozenset())


def _stages(function: TensorFunction) -> tuple[Stage, ...] | None:
    """The stages, with reduction axes of extent 1 left out of the indices."""
    found = stages(function)
    return None if found is None else tuple(_without_unit_axes(stage) for stage in found)


def _without_unit_axes(stage: Stage) -> Stage:
    units: dict[NodeId, PrimExpr] = {
        axis.id: IntImm(0) for axis in stage.reduce if stage.extents[axis.id] == IntImm(1)
    }
    if not units:
        return stage

    def simplified(node: object) -> object:
        if isinstance(node, Load):
            return replace(node, indices=tuple(Facts().simplify(i) for i in node.indices))
        return node

    store = replace(stage.store, value=transform(substitute(stage.store.value, units), simplified))
    return replace(stage, store=store)


def _forward(found: Sequence[Stage], layouts: Found, fixed: frozenset[NodeId]) -> Found | str:
    written: set[NodeId] = set()
    for stage in found:
        if stage.buffer.id in fixed:
            written.add(stage.buffer.id)
            continue
        if stage.buffer.id in written:
            return f"`{stage.buffer.name}` is written several times"
        why = _follow(stage, layouts, written)
        if why:
            return why
        written.add(stage.buffer.id)
    return {buffer: layout for buffer, layout in layouts.items() if not is_identity(layout)}


def _follow(stage: Stage, layouts: Found, written: set[NodeId]) -> str:
    """Lay out what a stage writes as what it reads; a reason where that cannot be."""
    leading = [load for load in stage.loads if load.buffer.id in layouts]
    if not leading:
        return ""
    if not stage.writes_identity:
        return f"`{stage.block.name}` does not write its buffer element by element in order"
    reason = ""
    for load in leading:
        wanted = _output_layout(stage, load, layouts[load.buffer.id])
        if isinstance(wanted, str):
            reason = reason or wanted
            continue
        layouts[stage.buffer.id] = wanted
        return _require(stage, wanted, layouts, written)
    return reason


def _require(stage: Stage, out: IndexMap, layouts: Found, written: set[NodeId]) -> str:
    """Give what a stage reads the layouts that go with that of its output."""
    wanted: Found = {}
    for load in stage.loads:
        need = _operand_layout(stage, load, out)
        if isinstance(need, str):
            return need
        known = wanted.setdefault(load.buffer.id, need)
        if known != need:
            return f"`{load.buffer.name}` is read in two ways"
    for buffer, need in wanted.items():
        has = layouts.get(buffer)
        if buffer in written and (has is not None or not is_identity(need)) and has != need:
            return f"`{stage.block.name}` reads a buffer that has another layout already"
        layouts[buffer] = need
    return ""


def with_inner_buffers(function: TensorFunction, layouts: Found) -> Found:
    """The layouts, and those of inner buffers that can follow what they are computed from.

    Parameters keep theirs.
    """
    found = dict(layouts)
    inner = {buffer.id for buffer in function.allocations}
    if not inner:
        return found
    written: set[NodeId] = set()
    for stage in _stages(function) or ():
        buffer = stage.buffer
        if buffer.id in inner and buffer.id not in written and stage.writes_identity:
            followed = (_followed(stage, load, found) for load in stage.loads)
            layout = next((layout for layout in followed if layout is not None), None)
            if layout is not None:
                found[buffer.id] = layout
        elif buffer.id in inner:
            found.pop(buffer.id, None)
        written.add(buffer.id)
    return found


def _followed(stage: Stage, load: Load, layouts: Found) -> IndexMap | None:
    """The layout without padding that the output of a stage takes from a load of it."""
    layout = layouts.get(load.buffer.id)
    found = None if layout is None else _output_layout(stage, load, layout)
    if not isinstance(found, IndexMap):
        return None
    return found if found.inverse(plain_buffer(stage.buffer).shape).inside is None else None


# --- convolutions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blocking:
    """A convolution in a blocked layout: layouts of all its buffers, and what was blocked."""

    layouts: Found
    inputs: int
    """Input channels of a block, 1 where they stay as they are."""
    outputs: int
    """Output channels of a block."""


def blocked_convolution(function: TensorFunction, block: int) -> Blocking | str | None:
    """A convolution with its output channels in blocks, the innermost dimension.

    A block has `block` channels, or fewer where that does not divide them. Data takes
    `[n, c // b, y, x, c % b]`, weights take `[f // b, c // b, ky, kx, c % b, f % b]`. None where
    the function is no convolution, a reason where it is one that cannot be blocked.
    """
    found = _stages(function)
    if found is None:
        return None
    position = next((n for n, s in enumerate(found) if is_contraction(s)), None)
    roles = None if position is None else _roles(found[position])
    if position is None or roles is None:
        return None
    stage = found[position]
    outputs = _fitting(stage, roles.filters, block)
    if outputs < 4:
        return f"its output channels cannot be taken in blocks of 4 to {block}"
    inputs = _fitting(stage, roles.channels, block)
    inputs = inputs if inputs >= 4 else 1
    layouts = roles.layouts(stage, inputs, outputs)
    refused = _backward(found[:position], layouts)
    if refused:
        return refused
    fixed = frozenset(s.buffer.id for s in found[: position + 1])
    followed = _forward(found, layouts, fixed)
    return followed if isinstance(followed, str) else Blocking(followed, inputs, outputs)


def _fitting(stage: Stage, axis: Var, block: int) -> int:
    extent = stage.extents[axis.id]
    if not isinstance(extent, IntImm):
        return 1
    while block > 1 and extent.value % block:
        block //= 2
    return block


def _backward(before: Sequence[Stage], layouts: Found) -> str:
    """Lay out what earlier stages read as what they write, from the last to the first."""
    for stage in reversed(before):
        out = layouts.get(stage.buffer.id)
        if out is None:
            continue
        if stage.reduce or not stage.writes_identity:
            return f"`{stage.block.name}` does not follow the layout"
        why = _require(stage, out, layouts, set())
        if why:
            return why
    return ""


@dataclass(frozen=True, slots=True)
class _Roles:
    """The parts of a convolution: loads of data and weights, output and input channels."""

    data: Load
    weight: Load
    filters: Var
    channels: Var

    def layouts(self, stage: Stage, inputs: int, outputs: int) -> Found:
        """Layouts for blocks of so many input and output channels."""
        out = stage.store.indices
        found = {
            stage.buffer.id: _split(len(out), out.index(self.filters), outputs),
            self.weight.buffer.id: self._weight(inputs, outputs),
        }
        if inputs > 1:
            data = self.data.indices
            found[self.data.buffer.id] = _split(len(data), data.index(self.channels), inputs)
        return found

    def _weight(self, inputs: int, outputs: int) -> IndexMap:
        sizes = {self.channels.id: inputs, self.filters.id: outputs}
        initial = _variables(len(self.weight.indices))
        outer: list[PrimExpr] = []
        inner: dict[NodeId, PrimExpr] = {}
        for var, index in zip(initial, self.weight.indices, strict=True):
            size = sizes.get(index.id, 1) if isinstance(index, Var) else 1
            outer.append(_divided(BinaryOp.FLOORDIV, var, size) if size > 1 else var)
            if size > 1 and isinstance(index, Var):
                inner[index.id] = _divided(BinaryOp.FLOORMOD, var, size)
        digits = [inner[key] for key in sizes if key in inner]
        return IndexMap(initial, (*outer, *digits))


def _roles(stage: Stage) -> _Roles | None:
    """The parts of a stage that is a convolution with channels, or a product of that form.

    Weights move with one output axis only, that data does not move with, and that is not the
    innermost already; both move with a reduction axis that is an index by itself.
    """
    if len(stage.loads) != 2 or len(stage.spatial) < 4:
        return None
    for data, weight in (stage.loads, stage.loads[::-1]):
        if any(not isinstance(index, Var | IntImm) for index in weight.indices):
            continue
        of_weight, of_data = _axes(weight.indices), _axes(data.indices)
        filters = [axis for axis in stage.spatial if axis.id in of_weight]
        shared = [r for r in stage.reduce if r in data.indices and r in weight.indices]
        if len(filters) != 1 or filters[0].id in of_data or not shared:
            continue
        out = stage.store.indices
        if filters[0] in out and out[-1] != filters[0] and filters[0] in weight.indices:
            return _Roles(data, weight, filters[0], shared[0])
    return None


def _axes(indices: Sequence[PrimExpr]) -> frozenset[NodeId]:
    return frozenset(n.id for index in indices for n in walk(index) if isinstance(n, Var))


def _split(rank: int, dim: int, size: int) -> IndexMap:
    initial = _variables(rank)
    outer = [
        _divided(BinaryOp.FLOORDIV, var, size) if n == dim else var for n, var in enumerate(initial)
    ]
    return IndexMap(initial, (*outer, _divided(BinaryOp.FLOORMOD, initial[dim], size)))


def _divided(op: BinaryOp, var: Var, size: int) -> PrimExpr:
    return Binary(op, var, IntImm(size))


# --- from one access to another -----------------------------------------------------------------


def _variables(rank: int) -> tuple[Var, ...]:
    return index_variables([f"i{n}" for n in range(rank)])


def canonical(layout: IndexMap) -> IndexMap:
    """The same map of indices named `i0`, `i1`, so that equal maps are equal."""
    initial = _variables(len(layout.initial))
    return shared(IndexMap(initial, layout.apply(initial)))


def shared(layout: IndexMap) -> IndexMap:
    """An equal map, mostly one object: memos find it without comparing expressions."""
    known = _SHARED.get(layout)
    if known is None:
        while len(_SHARED) >= KEPT:
            _SHARED.pop(next(iter(_SHARED)), None)
        known = _SHARED[layout] = layout
    return known


KEPT = 1024
_SHARED: dict[IndexMap, IndexMap] = {}


def same_layout(a: IndexMap, b: IndexMap, shape: Shape) -> bool:
    """Whether two maps put all elements of a box of that shape into the same places."""
    return a is b or a == b or places(a, shape) == places(b, shape)


@lru_cache(maxsize=1024)
def places(layout: IndexMap, shape: Shape) -> tuple[PrimExpr, ...]:
    """Where the elements of a box lie, in normal form: dimensions of one element are 0."""
    facts = Facts()
    for var, extent in zip(layout.initial, shape, strict=True):
        facts = facts.with_range(var, loop_interval(IntImm(0), as_expr(extent)))
    return tuple(facts.simplify(value) for value in layout.final)


def is_identity(layout: IndexMap) -> bool:
    """Whether a layout leaves everything where it is."""
    return layout.final == layout.initial


def _output_layout(stage: Stage, load: Load, layout: IndexMap) -> IndexMap | str:
    """The layout of what a stage writes, if the buffer that it loads has `layout`."""
    out = stage.store.indices
    found = _carried(stage, load.indices, out, layout)
    if isinstance(found, str):
        return found
    back = _carried(stage, out, load.indices, found)
    if back != layout:
        return f"`{stage.block.name}` moves with `{load.buffer.name}` in another way"
    return found


def _operand_layout(stage: Stage, load: Load, out: IndexMap) -> IndexMap | str:
    """The layout of a buffer that goes with that of the output."""
    found = _carried(stage, stage.store.indices, load.indices, out)
    if isinstance(found, str):
        return found
    inverse = found.inverse(plain_buffer(load.buffer).shape)
    if inverse.inside is not None:
        return f"`{load.buffer.name}` would need padding"
    return found


def _carried(
    stage: Stage, source: Sequence[PrimExpr], target: Sequence[PrimExpr], layout: IndexMap
) -> IndexMap | str:
    """The layout of an access at `target` that goes with `layout` of the one at `source`."""
    spatial = {axis.id for axis in stage.spatial}
    taken = _taken_apart(layout)
    initial = _variables(len(target))
    places: dict[NodeId, Var] = {}
    for var, index in zip(layout.initial, source, strict=True):
        if var.id in taken:
            place = _place(stage, index, target, initial, tuple(digit_sizes(layout, var)))
            if isinstance(place, str):
                return place
        else:
            place = _moving_with(index, target, initial, spatial)
        if place is not None and place not in places.values():
            places[var.id] = place
    entries: list[PrimExpr] = []
    for value in layout.final:
        used = [node.id for node in walk(value) if isinstance(node, Var)]
        if all(var in places for var in used):
            entries.append(substitute(value, dict(places)))
        elif any(var in places for var in used):
            return f"`{stage.block.name}` moves with only a part of a dimension of the layout"
    return IndexMap(initial, _with_rest(entries, initial))


def _taken_apart(layout: IndexMap) -> set[NodeId]:
    """The indices that do not stand as they are in the new layout."""
    kept = [value.id for value in layout.final if isinstance(value, Var)]
    return {var.id for var in layout.initial if kept.count(var.id) != 1}


def _place(
    stage: Stage,
    index: PrimExpr,
    target: Sequence[PrimExpr],
    initial: tuple[Var, ...],
    sizes: tuple[int, ...],
) -> Var | str | None:
    """The dimension of `target` that moves as `index` does; None where none moves with its axis."""
    moved = affine(index)
    one = moved is not None and len(moved.coefficients) == 1 and moved.coefficients[0][1] == 1
    if moved is None or not one or not sizes:
        return f"`{stage.block.name}` computes the index of a dimension that the layout takes apart"
    axis = moved.coefficients[0][0]
    if axis not in {v.id for v in stage.spatial}:
        return f"`{stage.block.name}` combines elements along a dimension that is taken apart"
    using = [n for n, other in enumerate(target) if axis in _axes((other,))]
    if not using:
        return None
    form = affine(target[using[0]])
    same = form is not None and form.coefficients == ((axis, 1),)
    if len(using) > 1 or form is None or not same:
        return f"`{stage.block.name}` computes the index of a dimension that the layout takes apart"
    if any((form.constant - moved.constant) % size for size in sizes):
        return f"`{stage.block.name}` shifts a dimension by no multiple of a block"
    return initial[using[0]]


def _moving_with(
    index: PrimExpr, target: Sequence[PrimExpr], initial: tuple[Var, ...], spatial: set[NodeId]
) -> Var | None:
    """The first dimension of `target` that moves with a spatial axis of `index`."""
    own = _axes((index,)) & spatial
    for var, other in zip(initial, target, strict=True):
        if own & _axes((other,)):
            return var
    return None


def _with_rest(entries: list[PrimExpr], initial: tuple[Var, ...]) -> tuple[PrimExpr, ...]:
    """The entries with dimensions that they do not name, each behind the one before it."""
    found = list(entries)
    for n, var in enumerate(initial):
        if any(node == var for entry in found for node in walk(entry)):
            continue
        if n == 0:
            found.insert(0, var)
            continue
        at = next(i for i, e in enumerate(found) if any(x == initial[n - 1] for x in walk(e)))
        found.insert(at + 1, var)
    return tuple(found)
