"""Modules with as many bindings as are asked for, each with work for a pass."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench import passes
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    Constant,
    ConstantPool,
    GraphBuilder,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorType,
    TupleItem,
    TupleType,
    TupleValue,
    Type,
    Var,
    content_digest,
)
from workbench.support import IdSource

SQUARE = TensorType((8, 8), "float32")
LARGE = TensorType((512, 512), "float32")
PICTURE = TensorType((1, 16, 14, 14), "float32")
INTO_BLOCKS = "lambda i0, i1: (i0 // 4, i1, i0 % 4)"
OUT_OF_BLOCKS = "lambda i0, i1, i2: (i0 * 4 + i2, i1)"


def chain(size: int, type_: TensorType = SQUARE) -> IRModule:
    """Products, sums and activations, one after the other."""
    builder = GraphBuilder()
    x, w = builder.param("x", type_), builder.param("w", type_)
    y = x
    for number in range(size):
        step = (CallOp("matmul", (y, w)), CallOp("add", (y, x)), CallOp("nn.relu", (y,)))[
            number % 3
        ]
        y = builder.emit(step, type_=type_)
    return builder.module.with_function("main", builder.build(y))


def layers_apart(size: int) -> IRModule:
    """Products, biases and activations as tensor functions, none like another: widths grow."""
    builder = GraphBuilder()
    y = builder.param("x", TensorType((4, 8), "float32"))
    for number in range(size // 3):
        wide, type_ = 8 + number, TensorType((4, 9 + number), "float32")
        w = builder.param(f"w{number}", TensorType((wide, wide + 1), "float32"))
        b = builder.param(f"b{number}", TensorType((wide + 1,), "float32"))
        y = builder.emit(CallOp("matmul", (y, w)), type_=type_)
        y = builder.emit(CallOp("add", (y, b)), type_=type_)
        y = builder.emit(CallOp("nn.relu", (y,)), type_=type_)
    module = builder.module.with_function("main", builder.build(y))
    return passes.LegalizeOps()(module).module


def symbolic(size: int) -> IRModule:
    """Sums of values of symbolic shape."""
    builder = GraphBuilder()
    type_ = TensorType((builder.symbol("n"), 8), "float32")
    x = y = builder.param("x", type_)
    for _ in range(size):
        y = builder.emit(CallOp("add", (y, x)), type_=type_)
    module = builder.module.with_function("main", builder.build(y))
    return passes.LegalizeOps()(module).module


def calls(size: int) -> IRModule:
    """Calls of private functions, one of two bindings for every four calls."""
    builder = GraphBuilder()
    x = y = builder.param("x", SQUARE)
    for number in range(size):
        y = builder.emit(CallFunction(f"f{number // 4}", (y, x)), type_=SQUARE)
    functions = [(f"f{n}", _inner()) for n in range(-(-size // 4))]
    return IRModule((*functions, ("main", builder.build(y))))


@cache
def _inner() -> GraphFunction:
    inner = GraphBuilder()
    a, _ = inner.param("a", SQUARE), inner.param("b", SQUARE)
    doubled = inner.emit(CallOp("add", (a, a)), type_=SQUARE)
    return inner.build(inner.emit(CallOp("nn.relu", (doubled,)), type_=SQUARE), private=True)


def nested_calls(size: int) -> IRModule:
    """Functions of ten bindings and a call of the next one."""
    functions: list[tuple[str, GraphFunction]] = []
    count = -(-size // 11)
    for number in range(count):
        builder = GraphBuilder()
        y = builder.param("x", SQUARE)
        for _ in range(10):
            y = builder.emit(CallOp("nn.relu", (y,)), type_=SQUARE)
        if number + 1 < count:
            y = builder.emit(CallFunction(f"f{number + 1}", (y,)), type_=SQUARE)
        name = f"f{number}" if number else "main"
        functions.append((name, builder.build(y, private=number > 0)))
    return IRModule(tuple(functions))


def branches(size: int) -> IRModule:
    """Choices between two branches of two bindings each."""
    ids = IdSource()
    x = y = Var(ids.new(), "x", SQUARE)
    condition = Var(ids.new(), "c", TensorType((), "bool"))
    bindings: list[Binding] = []
    for _ in range(size // 5):
        bodies = (_branch(ids, y), _branch(ids, y))
        y = Var(ids.new(), "y", SQUARE)
        bindings.append(Binding(y, IfThenElse(condition, *bodies)))
    block = BindingBlock(tuple(bindings))
    function = GraphFunction((x, condition), (block,), y, SQUARE, next_id=ids.next)
    return IRModule((("main", function),))


def _branch(ids: IdSource, x: Var) -> Body:
    a, b = (Var(ids.new(), name, SQUARE) for name in "ab")
    inner = (Binding(a, CallOp("negative", (x,))), Binding(b, CallOp("abs", (a,))))
    return Body((BindingBlock(inner),), b)


def names(size: int) -> IRModule:
    """Other names of values, tuples that are taken apart, casts that change nothing."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for _ in range(size // 4):
        pair = builder.emit(Alias(TupleValue((y, y))))
        y = builder.emit(TupleItem(pair, 0))
        y = builder.emit(CallOp("astype", (y,), (("dtype", "float32"),)), type_=SQUARE)
        y = builder.emit(Alias(y))
    return builder.module.with_function("main", builder.build(y))


def repeated(size: int) -> IRModule:
    """Every value is computed twice."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for _ in range(size // 3):
        a, b = (builder.emit(CallOp("nn.relu", (y,)), type_=SQUARE) for _ in range(2))
        y = builder.emit(CallOp("add", (a, b)), type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


def constants(size: int) -> IRModule:
    """Sums of constants that are all different, each multiplied with an input."""
    builder = GraphBuilder()
    x = builder.param("x", TensorType((2,), "float32"))
    leaves, pool = _pool([np.asarray([n, 1], "float32") for n in range(size // 3)])
    y = x
    for leaf in leaves:
        known = builder.emit(Alias(leaf))
        folded = builder.emit(CallOp("add", (known, known)), type_=leaf.type)
        y = builder.emit(CallOp("multiply", (y, folded)), type_=x.type)
    return replace(builder.module.with_function("main", builder.build(y)), pool=pool)


def normalised(size: int) -> IRModule:
    """Convolutions, each with its weights and followed by a batch normalisation."""
    builder = GraphBuilder()
    y = builder.param("x", TensorType((1, 2, 4, 4), "float32"))
    rng = np.random.default_rng(0)
    count = size // 4
    leaves, pool = _pool([rng.normal(size=(2, 2, 1, 1)).astype("float32") for _ in range(count)])
    (one,), ones = _pool([np.ones(2, "float32")])
    moment = builder.emit(Alias(one))
    for leaf in leaves:
        weight = builder.emit(Alias(leaf))
        conv = builder.emit(CallOp("nn.conv2d", (y, weight)), type_=y.type)
        norm = CallOp("nn.batch_norm", (conv, moment, moment, moment, moment))
        fields = TupleType((y.type, moment.type, moment.type))
        y = builder.emit(TupleItem(builder.emit(norm, type_=fields), 0))
    module = builder.module.with_function("main", builder.build(y))
    return replace(module, pool=pool.merged(ones))


def products(size: int) -> IRModule:
    """Three products of each value with constants, and their sum."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    rng = np.random.default_rng(0)
    leaves, pool = _pool([rng.normal(size=(8, 8)).astype("float32") for _ in range(3)])
    found = [builder.emit(Alias(leaf)) for leaf in leaves]
    for _ in range(size // 5):
        a, b, c = (builder.emit(CallOp("matmul", (y, w)), type_=SQUARE) for w in found)
        y = builder.emit(CallOp("add", (a, b)), type_=SQUARE)
        y = builder.emit(CallOp("add", (y, c)), type_=SQUARE)
    return replace(builder.module.with_function("main", builder.build(y)), pool=pool)


def weights(size: int) -> IRModule:
    """Products with weights that are transposed first."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    found = [builder.param(f"w{n}", SQUARE) for n in range(size // 2)]
    for w in found:
        turned = builder.emit(CallOp("permute_dims", (w,)), type_=SQUARE)
        y = builder.emit(CallOp("matmul", (y, turned)), type_=SQUARE)
    return builder.module.with_function("main", builder.build(y, (("num_input", 1),)))


def legalized(size: int) -> IRModule:
    """The chain with tensor functions."""
    return passes.LegalizeOps()(chain(size)).module


def fused(size: int) -> IRModule:
    """The chain with its fused groups."""
    return passes.FuseOps()(legalized(size)).module


def crossed(size: int) -> IRModule:
    """A chain of calls of which every fifth reads a value further up: groups that differ."""
    builder = GraphBuilder()
    values = [builder.param("x", SQUARE)]
    names = ("exp", "nn.relu", "tanh", "negative")
    for number in range(size):
        if number % 5:
            call = CallOp(names[number % 4], (values[-1],))
        else:
            call = CallOp("add", (values[-1], values[max(0, number - 7)]))
        values.append(builder.emit(call, type_=SQUARE))
    module = builder.module.with_function("main", builder.build(values[-1]))
    return passes.LegalizeOps()(module).module


def crossed_groups(size: int) -> IRModule:
    """The crossed chain with its groups: up to 32 members, several kinds of them."""
    return passes.FuseOps()(crossed(size)).module


def dead(size: int) -> IRModule:
    """Every other value is read by nobody."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for _ in range(size // 2):
        builder.emit(CallOp("negative", (y,)), type_=SQUARE)
        y = builder.emit(CallOp("nn.relu", (y,)), type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


def large(size: int) -> IRModule:
    """The chain with tensor functions of products that a library computes faster."""
    return passes.LegalizeOps()(chain(size, LARGE)).module


def dispatched(size: int) -> IRModule:
    """The chain with products that a library computes."""
    return passes.DispatchToLibrary()(legalized(size)).module


def biased(size: int) -> IRModule:
    """Products with a bias and an activation, which a library has as one call."""
    builder = GraphBuilder()
    y, w = builder.param("x", SQUARE), builder.param("w", SQUARE)
    bias = builder.param("b", TensorType((8,), "float32"))
    for number in range(size):
        steps = (CallOp("matmul", (y, w)), CallOp("add", (y, bias)), CallOp("nn.relu", (y,)))
        y = builder.emit(steps[number % 3], type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


def annotated(size: int) -> IRModule:
    """Calls of products that are meant for a library, each a function of its own."""
    builder = GraphBuilder()
    x = y = builder.param("x", SQUARE)
    for number in range(size):
        y = builder.emit(CallFunction(f"f{number}", (y, x)), type_=SQUARE)
    functions = [(f"f{n}", _for_library()) for n in range(size)]
    return IRModule((*functions, ("main", builder.build(y))))


@cache
def _for_library() -> GraphFunction:
    return _product_for_library(SQUARE, SQUARE)


def annotated_apart(size: int) -> IRModule:
    """Calls of products of extents that are all different, each a function of its own."""
    builder = GraphBuilder()
    y: Var = builder.param("x", TensorType((8, 1), "float32"))
    functions: list[tuple[str, GraphFunction]] = []
    for number in range(size):
        w = builder.param(f"w{number}", TensorType((number + 1, number + 2), "float32"))
        assert isinstance(y.type, TensorType)
        functions.append((f"f{number}", _product_for_library(y.type, w.type)))
        call = CallFunction(f"f{number}", (y, w))
        y = builder.emit(call, type_=TensorType((8, number + 2), "float32"))
    return IRModule((*functions, ("main", builder.build(y))))


def _product_for_library(a_type: Type, b_type: Type) -> GraphFunction:
    inner = GraphBuilder()
    a, b = inner.param("a", a_type), inner.param("b", b_type)
    attrs = (("Codegen", "numpy"), ("Primitive", 1))
    return inner.build(inner.emit(CallOp("matmul", (a, b))), attrs, private=True)


def convolutions(size: int) -> IRModule:
    """Convolutions with activations, in tensor functions."""
    builder = GraphBuilder()
    y = builder.param("x", PICTURE)
    w = builder.param("w", TensorType((16, 16, 3, 3), "float32"))
    attrs = (("padding", (1, 1, 1, 1)),)
    for number in range(size):
        step = CallOp("nn.relu", (y,)) if number % 2 else CallOp("nn.conv2d", (y, w), attrs)
        y = builder.emit(step, type_=PICTURE)
    module = builder.module.with_function("main", builder.build(y))
    return passes.LegalizeOps()(module).module


def activations(size: int) -> IRModule:
    """Activations in tensor functions, which no reduction interrupts."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for number in range(size):
        y = builder.emit(CallOp(("nn.relu", "exp")[number % 2], (y,)), type_=SQUARE)
    module = builder.module.with_function("main", builder.build(y))
    return passes.LegalizeOps()(module).module


def blocked(size: int) -> IRModule:
    """Activations of a value in blocks, converted before each and back behind each."""
    builder = GraphBuilder()
    y: Var = builder.param("x", TensorType((2, 8, 4), "float32"))
    for _ in range(size // 3):
        plain = _converted(builder, y, OUT_OF_BLOCKS, SQUARE)
        active = builder.emit(CallOp("nn.relu", (plain,)), type_=SQUARE)
        y = _converted(builder, active, INTO_BLOCKS, TensorType((2, 8, 4), "float32"))
    module = builder.module.with_function("main", builder.build(y))
    return passes.LegalizeOps(only=_names(module, "nn.relu"))(module).module


def undone(size: int) -> IRModule:
    """Conversions that undo each other, between activations."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for _ in range(size // 3):
        inside = _converted(builder, y, INTO_BLOCKS, TensorType((2, 8, 4), "float32"))
        plain = _converted(builder, inside, OUT_OF_BLOCKS, SQUARE)
        y = builder.emit(CallOp("nn.relu", (plain,)), type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


def _converted(builder: GraphBuilder, leaf: Arg, layout: str, type_: TensorType) -> Var:
    return builder.emit(CallOp("layout_transform", (leaf,), (("index_map", layout),)), type_=type_)


def _names(module: IRModule, op: str) -> tuple[str, ...]:
    bindings = module.graph_functions["main"].bindings
    return tuple(b.var.name for b in bindings if isinstance(b.value, CallOp) and b.value.op == op)


def _pool(arrays: list[np.ndarray]) -> tuple[list[Constant], ConstantPool]:
    """Leaves for arrays, and the pool that holds them."""
    digests = [content_digest(array) for array in arrays]
    leaves = [
        Constant(digest, TensorType(array.shape, str(array.dtype)))
        for digest, array in zip(digests, arrays, strict=True)
    ]
    return leaves, ConstantPool(dict(zip(digests, arrays, strict=True)))
