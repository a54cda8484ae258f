"""Random tensor functions: element-wise, reductions, stencils, stages, loops of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.generate.choices import Choices, chance, pick
from tests.generate.expressions import expression
from workbench.ir import (
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Block,
    BufferType,
    Dim,
    For,
    If,
    IntImm,
    Let,
    Load,
    LoopKind,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Shape,
    Stmt,
    Store,
    TensorFunction,
    TensorType,
    Var,
    While,
    as_expr,
    is_float,
)
from workbench.support import IdSource

_NAMES = ("a", "b", "c", "d")

Body = Callable[[list[PrimExpr]], tuple[Stmt, Stmt | None]]
"""Gives the update and the init of a block from its axes."""


@dataclass(slots=True)
class TensorBuilder:
    """One function under construction; dimensions of the caller become dimensions of its own."""

    choices: Choices
    ids: IdSource = field(default_factory=IdSource)
    params: list[Var] = field(default_factory=list[Var])
    allocations: list[Var] = field(default_factory=list[Var])
    stages: list[Stmt] = field(default_factory=list[Stmt])
    dims: dict[Dim, Dim] = field(default_factory=dict[Dim, Dim])

    def scalar(self, name: str) -> Var:
        return Var(self.ids.new(), name, ScalarType())

    def dim(self, dim: Dim) -> Dim:
        """A dimension of the caller: a number, or a symbol of this function."""
        if isinstance(dim, int) and not chance(self.choices, 6):
            return dim
        if dim not in self.dims:
            self.dims[dim] = self.scalar(f"n{len(self.dims)}")
        return self.dims[dim]

    def shape(self, shape: Shape) -> Shape:
        """All dimensions; those that are equal stay equal, so extents agree."""
        known = {dim: self.dims.get(dim, dim) for dim in shape}
        return tuple(known[d] if known[d] is not d else self.dim(d) for d in shape)

    def input(self, shape: Shape, dtype: str) -> Var:
        var = Var(self.ids.new(), _NAMES[len(self.params) % 4], BufferType(shape, dtype))
        self.params.append(var)
        return var

    def output(self, shape: Shape, dtype: str) -> Var:
        var = Var(self.ids.new(), "out", BufferType(shape, dtype))
        self.params.append(var)
        return var

    def temporary(self, shape: Shape, dtype: str) -> Var:
        var = Var(self.ids.new(), "t", BufferType(shape, dtype))
        self.allocations.append(var)
        return var

    def finish(self) -> TensorFunction:
        body = self.stages[0] if len(self.stages) == 1 else Seq(tuple(self.stages))
        return TensorFunction(
            tuple(self.params), body, tuple(self.allocations), next_id=self.ids.next
        )

    # --- loops --------------------------------------------------------------------------------

    def nest(self, name: str, shape: Shape, body: Body, *, reduce: int = 0) -> None:
        """A block over `shape` whose last `reduce` axes are reductions, in loops of some form."""
        axes = [self.scalar(f"v{i}") for i in range(len(shape))]
        update, init = body([*axes])
        bindings, loops, predicate = self._loops(shape, reduce)
        kinds = [AxisKind.SPATIAL] * (len(shape) - reduce) + [AxisKind.REDUCE] * reduce
        block: Stmt = Block(
            self.ids.new(),
            name,
            tuple(
                Axis(var, kind, as_expr(extent), value)
                for var, kind, extent, value in zip(axes, kinds, shape, bindings, strict=True)
            ),
            update,
            init,
            predicate,
        )
        for var, extent, kind in reversed(loops):
            block = For(var, IntImm(0), as_expr(extent), block, kind)
        self.stages.append(block)

    def _loops(
        self, shape: Shape, reduce: int
    ) -> tuple[list[PrimExpr], list[tuple[Var, Dim, LoopKind]], PrimExpr | None]:
        """Loops in some order, plain or split with a guard; and the values of the axes."""
        loops: list[tuple[Var, Dim, LoopKind]] = []
        bindings: list[PrimExpr] = []
        guards: list[PrimExpr] = []
        spatial = len(shape) - reduce
        for position, extent in enumerate(shape):
            if chance(self.choices, 4):
                factor = self.choices.integer(2, 3)
                outer, inner = self.scalar(f"i{position}_0"), self.scalar(f"i{position}_1")
                count = (as_expr(extent) + (factor - 1)) // factor
                loops += [(outer, count, LoopKind.SERIAL), (inner, factor, LoopKind.SERIAL)]
                bindings.append(outer * factor + inner)
                guards.append(bindings[-1] < as_expr(extent))
            else:
                var = self.scalar(f"i{position}")
                kind = self._kind() if position < spatial else LoopKind.SERIAL
                loops.append((var, extent, kind))
                bindings.append(var)
        if chance(self.choices, 3):
            loops.reverse()
        return bindings, loops, self._all(guards)

    def _kind(self) -> LoopKind:
        kinds = (LoopKind.SERIAL, LoopKind.PARALLEL, LoopKind.VECTORIZED, LoopKind.UNROLLED)
        return pick(self.choices, kinds)

    def _all(self, guards: list[PrimExpr]) -> PrimExpr | None:
        result: PrimExpr | None = None
        for guard in guards:
            result = guard if result is None else Binary(BinaryOp.AND, result, guard)
        return result


def random_tensor_function(
    choices: Choices, inputs: list[TensorType]
) -> tuple[TensorFunction, TensorType]:
    """A function of tensors of these types, and the type that it gives.

    All inputs have the shape and dtype of the first.
    """
    builder = TensorBuilder(choices)
    first = inputs[0]
    assert first.shape is not None
    assert first.dtype is not None
    shape = builder.shape(first.shape)
    params = [builder.input(shape, first.dtype) for _ in inputs]
    makers = [_elementwise, _stages, _stencil, _control_flow]
    if first.shape:
        makers += [_reduction, _transposition, _prefix_sum]
    out_shape, dtype = pick(choices, makers)(builder, params, first.shape)
    return builder.finish(), TensorType(out_shape, dtype)


def _shape_of(buffer: Var) -> Shape:
    assert isinstance(buffer.type, BufferType)
    return buffer.type.shape


def _dtype_of(buffer: Var) -> str:
    assert isinstance(buffer.type, BufferType)
    return buffer.type.dtype


def _elementwise(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    dtype = _dtype_of(params[0])
    out = b.output(_shape_of(params[0]), dtype)

    def body(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        leaves: list[PrimExpr] = [Load(p, tuple(v)) for p in params]
        value = expression(b.choices, leaves, v, dtype, 3)
        if chance(b.choices, 4):
            let = Var(b.ids.new(), "x", ScalarType(dtype))
            used = expression(b.choices, [let], v, dtype, 1)
            return Let(let, value, Store(out, tuple(v), used)), None
        return Store(out, tuple(v), value), None

    b.nest("elementwise", _shape_of(out), body)
    return shape, dtype


def _stages(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    """Two blocks with a buffer between them."""
    dtype = _dtype_of(params[0])
    inner = _shape_of(params[0])
    out = b.output(inner, dtype)
    middle = b.temporary(inner, dtype)

    def first(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        leaves: list[PrimExpr] = [Load(p, tuple(v)) for p in params]
        return Store(middle, tuple(v), expression(b.choices, leaves, v, dtype, 2)), None

    def second(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        leaves: list[PrimExpr] = [Load(middle, tuple(v)), Load(params[0], tuple(v))]
        return Store(out, tuple(v), expression(b.choices, leaves, v, dtype, 2)), None

    b.nest("first", inner, first)
    b.nest("second", inner, second)
    return shape, dtype


def _stencil(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    """Neighbours along the last axis, guarded at the border."""
    dtype = _dtype_of(params[0])
    out = b.output(_shape_of(params[0]), dtype)
    source = params[0]

    def body(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        if not v:
            return Store(out, (), Load(source, ())), None
        here, before = tuple(v), (*v[:-1], v[-1] - 1)
        neighbour = Select(v[-1] > 0, Load(source, before), Load(source, here))
        leaves: list[PrimExpr] = [neighbour, Load(source, here)]
        return Store(out, here, expression(b.choices, leaves, v, dtype, 2)), None

    b.nest("stencil", _shape_of(out), body)
    return shape, dtype


def _control_flow(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    """A branch in the body."""
    dtype = _dtype_of(params[0])
    out = b.output(_shape_of(params[0]), dtype)

    def body(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        leaves: list[PrimExpr] = [Load(p, tuple(v)) for p in params]
        then, other = (
            Store(out, tuple(v), expression(b.choices, leaves, v, dtype, 1)) for _ in range(2)
        )
        if not v:
            return then, None
        if chance(b.choices, 2):
            return Seq((then, If(v[-1] > 0, other))), None
        return If(v[0] < 2, then, other), None

    b.nest("branch", _shape_of(out), body)
    return shape, dtype


def _reduction(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    """A sum, maximum or minimum over the last axis."""
    source, dtype = params[0], _dtype_of(params[0])
    inner = _shape_of(source)
    out = b.output(inner[:-1], dtype)
    ops = (BinaryOp.MAX, BinaryOp.MIN) if dtype == "bool" else (BinaryOp.ADD, BinaryOp.MAX)
    op = pick(b.choices, ops)
    start = _neutral(op, dtype)

    def body(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        at = tuple(v[:-1])
        leaves: list[PrimExpr] = [Load(p, tuple(v)) for p in params]
        term = expression(b.choices, leaves, [], dtype, 1) if dtype != "bool" else leaves[0]
        update = Store(out, at, Binary(op, Load(out, at), term))
        return update, Store(out, at, start)

    b.nest("reduce", inner, body, reduce=1)
    return shape[:-1], dtype


def _neutral(op: BinaryOp, dtype: str) -> PrimExpr:
    if dtype == "bool":
        return as_expr(op is BinaryOp.MIN)
    if op is BinaryOp.ADD:
        return as_expr(0.0 if is_float(dtype) else 0, dtype)
    if dtype.startswith("u"):
        return as_expr(0, dtype)
    return as_expr(-100.0 if is_float(dtype) else -100, dtype)


def _transposition(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    source, dtype = params[0], _dtype_of(params[0])
    inner = _shape_of(source)
    out = b.output(inner[::-1], dtype)

    def body(v: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        return Store(out, tuple(v), Load(source, tuple(reversed(v)))), None

    b.nest("transpose", inner[::-1], body)
    return shape[::-1], dtype


def _prefix_sum(b: TensorBuilder, params: list[Var], shape: Shape) -> tuple[Shape, str]:
    """Running sums along the last axis, in a `while` with its counter in memory."""
    source, dtype = params[0], _dtype_of(params[0])
    if dtype == "bool":
        return _transposition(b, params, shape)
    inner = _shape_of(source)
    out = b.output(inner, dtype)
    counter = b.temporary((), "int64")
    total = b.temporary((), dtype)
    outer = [b.scalar(f"i{position}") for position in range(len(inner) - 1)]
    at = (*outer, Load(counter, ()))
    zero = as_expr(0.0 if is_float(dtype) else 0, dtype)
    step = Seq(
        (
            Store(total, (), Binary(BinaryOp.ADD, Load(total, ()), Load(source, at))),
            Store(out, at, Load(total, ())),
            Store(counter, (), Load(counter, ()) + 1),
        )
    )
    loop: Stmt = Seq(
        (
            Store(counter, (), IntImm(0)),
            Store(total, (), zero),
            While(Load(counter, ()) < as_expr(inner[-1]), step),
        )
    )
    for var, extent in zip(reversed(outer), reversed(inner[:-1]), strict=True):
        loop = For(var, IntImm(0), as_expr(extent), loop)
    b.stages.append(loop)
    return shape, dtype


def over_first(choices: Choices, type_: TensorType, *, both: bool) -> TensorFunction:
    """A function of two tensors that adds the second to the first; `both` gives their difference.

    For `call_tir_inplace`: the sum is written over the first.
    """
    assert type_.shape is not None
    builder = TensorBuilder(choices)
    shape, dtype = builder.shape(type_.shape), type_.dtype or "float32"
    first, second = builder.input(shape, dtype), builder.input(shape, dtype)
    out = builder.output(shape, dtype) if both else None

    def body(axes: list[PrimExpr]) -> tuple[Stmt, Stmt | None]:
        at = tuple(axes)
        a, b = Load(first, at), Load(second, at)
        stored: Stmt = Store(first, at, Binary(BinaryOp.ADD, a, b))
        if out is not None:
            stored = Seq((Store(out, at, Binary(BinaryOp.SUB, a, b)), stored))
        return stored, None

    builder.nest("over", shape, body)
    return builder.finish()
