"""How long passes take, over the number of bindings of a graph function.

Each pass that we ship on chains of 100, 1 000 and 10 000 bindings that give it work, with the
limits of 50 ms and 0.6 s. Tensor functions that a pass has to make or to look at are few, as in a
network with many equal layers; what making one takes is printed by itself.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from benchmarks.timing import conditions
from workbench import passes
from workbench.ir import (
    Alias,
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
    Var,
    content_digest,
)
from workbench.rewrite import Pass
from workbench.session.catalogue import required_parameters
from workbench.support import IdSource

SIZES = (100, 1000, 10_000)
LIMITS = {100: 0.05, 1000: 0.05, 10_000: 0.6}
SQUARE = TensorType((8, 8), "float32")
RUNS = 3
LONG = 2.0
"""Seconds after which a case is not repeated."""

Make = Callable[[int], IRModule]


@dataclass(frozen=True)
class Case:
    """A pass and what it is applied to, for a number of bindings."""

    applied: Pass
    make: Make


def main() -> None:
    """Print the curve of each pass, with a mark where it is over its limit."""
    print(f"passes, {conditions()}")
    print(f"{'':34}" + "".join(f"{size:>12}" for size in SIZES))
    for case in cases():
        times = [measured(case, size) for size in SIZES]
        cells = [_cell(t, LIMITS[size]) for t, size in zip(times, SIZES, strict=True)]
        print(f"{type(case.applied).__name__:34}" + "".join(cells))


def measured(case: Case, size: int) -> float:
    """Seconds of one application: the median of some, each to a module that nobody has seen.

    Processor time of this process: passes compute in one thread and wait for nothing.
    """
    samples: list[float] = []
    while len(samples) < RUNS and sum(samples) < LONG:
        module = case.make(size)
        gc.collect()
        start = time.process_time()
        case.applied(module)
        samples.append(time.process_time() - start)
    return statistics.median(samples)


def _cell(seconds: float, limit: float) -> str:
    return f"{1e3 * seconds:9.1f} ms" + ("!" if seconds > limit else " ")


def cases() -> list[Case]:
    """Every pass that we ship and that needs no value's name, on bindings that it has to do with.

    One that is not in the list gets the chain with tensor functions.
    """
    chosen = _chosen()
    there = {type(case.applied) for case in chosen}
    others = [kind for kind in passes.BUILTIN_PASSES if kind not in there]
    return [*chosen, *(Case(k(), legalized) for k in others if not required_parameters(k))]


def _chosen() -> list[Case]:
    return [
        Case(passes.BindParameters({"w": np.zeros((8, 8), "float32")}), chain),
        Case(passes.BindSymbolicVariables({"n": 8}), symbolic),
        Case(passes.InlinePrivateFunctions(), calls),
        Case(passes.LambdaLift(), branches),
        Case(passes.CanonicalizeBindings(), names),
        Case(passes.EliminateCommonSubexpressions(), repeated),
        Case(passes.FoldConstant(), constants),
        Case(passes.FoldBatchNormIntoConv(), normalised),
        Case(passes.CombineParallelMatmuls(), products),
        Case(passes.LiftTransformParams(), weights),
        Case(passes.LegalizeOps(), chain),
        Case(passes.FuseOps(), legalized),
        Case(passes.FuseTensorFunctions(), fused),
        Case(passes.DispatchToLibrary(), legalized),
        Case(passes.Simplify(), legalized),
        Case(passes.ScheduleDefault(), legalized),
        Case(passes.EliminateDeadCode(), dead),
        Case(passes.RemoveUnusedParameters(), calls),
    ]


# --- modules ----------------------------------------------------------------------------------


def chain(size: int) -> IRModule:
    """Products, sums and activations, one after the other."""
    builder = GraphBuilder()
    x, w = builder.param("x", SQUARE), builder.param("w", SQUARE)
    y = x
    for number in range(size):
        step = (CallOp("matmul", (y, w)), CallOp("add", (y, x)), CallOp("nn.relu", (y,)))[
            number % 3
        ]
        y = builder.emit(step, type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


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


def dead(size: int) -> IRModule:
    """Every other value is read by nobody."""
    builder = GraphBuilder()
    y = builder.param("x", SQUARE)
    for _ in range(size // 2):
        builder.emit(CallOp("negative", (y,)), type_=SQUARE)
        y = builder.emit(CallOp("nn.relu", (y,)), type_=SQUARE)
    return builder.module.with_function("main", builder.build(y))


def _pool(arrays: list[np.ndarray]) -> tuple[list[Constant], ConstantPool]:
    """Leaves for arrays, and the pool that holds them."""
    digests = [content_digest(array) for array in arrays]
    leaves = [
        Constant(digest, TensorType(array.shape, str(array.dtype)))
        for digest, array in zip(digests, arrays, strict=True)
    ]
    return leaves, ConstantPool(dict(zip(digests, arrays, strict=True)))


if __name__ == "__main__":
    main()
