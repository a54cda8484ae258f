"""Small modules for the tests of the runtime."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench import ops, te
from workbench.ir import (
    Alias,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    Dim,
    GraphBuilder,
    GraphFunction,
    IfThenElse,
    IRModule,
    LibraryFunction,
    MatchCast,
    PackedStyle,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleValue,
    Var,
    add_constant,
    register_library,
)

Array = NDArray[np.float32]
OPERATORS = ops  # importing it registers them


def matrix(rows: Dim, columns: Dim) -> TensorType:
    return TensorType((rows, columns), "float32")


def elementwise(
    count: int, shape: tuple[Dim, ...], formula: Callable[..., te.Tensor]
) -> TensorFunction:
    """`out = formula(inputs)` for tensors of one shape."""
    inputs = [te.placeholder(shape, "float32", name) for name in "abc"[:count]]
    out = te.compute(shape, lambda *i: formula(*(x[i] for x in inputs)), "out")
    return te.create_tensor_function(inputs, [out])


def add_function(shape: tuple[Dim, ...]) -> TensorFunction:
    return elementwise(2, shape, lambda a, b: a + b)


def double_function(shape: tuple[Dim, ...]) -> TensorFunction:
    return elementwise(1, shape, lambda a: a * 2.0)


def chain(rows: Dim = 4, columns: Dim = 6) -> IRModule:
    """`main(x, y) = 2 * (x + y) + x`, all compiled."""
    module = IRModule(
        (("add", add_function((rows, columns))), ("double", double_function((rows, columns))))
    )
    builder = GraphBuilder(module)
    type_ = matrix(rows, columns)
    x, y = builder.param("x", type_), builder.param("y", type_)
    s = builder.emit(CallTIR("add", (x, y), (type_,)), "s")
    d = builder.emit(CallTIR("double", (s,), (type_,)), "d")
    r = builder.emit(CallTIR("add", (d, x), (type_,)), "r")
    return module.with_function("main", builder.build(r))


def symbolic_chain() -> IRModule:
    """`chain` for any extents `n` and `m`."""
    n, m = te.var("n"), te.var("m")
    module = IRModule((("add", add_function((n, m))), ("double", double_function((n, m)))))
    builder = GraphBuilder(module)
    type_ = matrix(builder.symbol("n"), builder.symbol("m"))
    x, y = builder.param("x", type_), builder.param("y", type_)
    s = builder.emit(CallTIR("add", (x, y), (type_,)), "s")
    d = builder.emit(CallTIR("double", (s,), (type_,)), "d")
    r = builder.emit(CallTIR("add", (d, x), (type_,)), "r")
    return module.with_function("main", builder.build(r))


def mixture() -> IRModule:
    """Operators, kernels, libraries, constants, tuples and calls in one module.

    `main(x, y)` gives `(relu-ish library of 2 * (x + y) + w, (x * x, helper(x)))`.
    """
    register_library(LibraryFunction("test.clip", _clip, "tests"))
    register_library(LibraryFunction("test.square", lambda x: x * x, "tests"))
    type_ = matrix(4, 6)
    module = IRModule(
        (("add", add_function((4, 6))), ("double", double_function((4, 6)))), name="Mixture"
    )
    helper = GraphBuilder(module)
    z = helper.param("z", type_)
    twice = helper.emit(CallTIR("double", (z,), (type_,)), "twice")
    more = helper.emit(CallOp("add", (twice, z)), "more")
    module = module.with_function("helper", helper.build(more, private=True))
    builder = GraphBuilder(module)
    x, y = builder.param("x", type_), builder.param("y", type_)
    w = builder.constant(np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6), "w")
    s = builder.emit(CallTIR("add", (x, y), (type_,)), "s")
    d = builder.emit(CallTIR("double", (s,), (type_,)), "d")
    t = builder.emit(CallOp("add", (d, w)), "t")
    c = builder.emit(CallPacked("test.clip", (t,), (type_,)), "c")
    q = builder.emit(CallPacked("test.square", (x,), (type_,), PackedStyle.PURE), "q")
    h = builder.emit(CallFunction("helper", (x,)), "h")
    pair = builder.emit(Alias(TupleValue((q, h))), "pair")
    first = builder.emit(TupleItem(pair, 0), "first")
    e = builder.emit(CallTIR("add", (c, first), (type_,)), "e")
    result = TupleValue((c, TupleValue((e, h))))
    function = builder.build(result)
    return IRModule(
        (*module.functions, ("main", function)), pool=builder.module.pool, name="Mixture"
    )


def _clip(x: Array, out: Array) -> None:
    np.maximum(x, 0, out=out)


def branching() -> IRModule:
    """`main(c, x) = add(2 * x if c else x + x + x, x)`."""
    type_ = matrix(4, 6)
    module = IRModule(
        (("add", add_function((4, 6))), ("double", double_function((4, 6)))), name="Branching"
    )
    builder = GraphBuilder(module)
    condition = builder.param("c", TensorType((), "bool"))
    x = builder.param("x", type_)

    def body(*calls: CallTIR) -> Body:
        bindings: list[Binding] = []
        for call in calls:
            args = (bindings[-1].var, *call.args) if bindings else call.args
            var = Var(builder.ids.new(), "b", type_)
            bindings.append(Binding(var, CallTIR(call.callee, args, call.out_types)))
        return Body((BindingBlock(tuple(bindings)),), bindings[-1].var)

    then = body(CallTIR("double", (x,), (type_,)))
    otherwise = body(CallTIR("add", (x, x), (type_,)), CallTIR("add", (x,), (type_,)))
    chosen = builder.emit(IfThenElse(condition, then, otherwise), "chosen", type_)
    r = builder.emit(CallTIR("add", (chosen, x), (type_,)), "r")
    return module.with_function("main", in_order(builder.build(r)))


def in_order(function: GraphFunction) -> GraphFunction:
    """The function with its bindings outside of dataflow blocks."""
    return replace(function, blocks=(BindingBlock(function.bindings),))


def data_dependent() -> IRModule:
    """`main(x) = 2 * positive(x)`: a library decides how many elements there are."""
    register_library(LibraryFunction("test.positive", lambda x: x[x > 0], "tests"))
    n = te.var("n")
    module = IRModule((("double", double_function((n,))),), name="DataDependent")
    builder = GraphBuilder(module)
    x = builder.param("x", TensorType((8,), "float32"))
    unknown = TensorType(None, "float32", 1)
    found = builder.emit(
        CallPacked("test.positive", (x,), (unknown,), PackedStyle.PURE), "found", unknown
    )
    k = builder.symbol("k")
    known = TensorType((k,), "float32")
    cast = builder.emit(MatchCast(found, known), "cast")
    r = builder.emit(CallTIR("double", (cast,), (known,)), "r")
    return module.with_function("main", builder.build(r))


def returning_what_it_was_given() -> IRModule:
    """`main(x) = (x, constant, 2 * x, the same 2 * x)`."""
    type_ = matrix(2, 3)
    module = IRModule((("double", double_function((2, 3))),), name="Returning")
    builder = GraphBuilder(module)
    x = builder.param("x", type_)
    w = builder.constant(np.ones((2, 3), np.float32), "w")
    d = builder.emit(CallTIR("double", (x,), (type_,)), "d")
    function = builder.build(TupleValue((x, w, d, d)))
    return IRModule(
        (*module.functions, ("main", function)), pool=builder.module.pool, name="Returning"
    )


def calling_with_shapes() -> IRModule:
    """`main(x (n, 3), y (m, 3)) = (2 * x, 2 * (y + y))`, by one function for any number of rows."""
    n, k = te.var("n"), te.var("k")
    module = IRModule(
        (("add", add_function((n, 3))), ("double", double_function((k, 3)))), name="Calling"
    )
    twice = GraphBuilder(module)
    rows = matrix(twice.symbol("rows"), 3)
    z = twice.param("z", rows)
    module = module.with_function(
        "twice", twice.build(twice.emit(CallTIR("double", (z,), (rows,)), "t"), private=True)
    )
    builder = GraphBuilder(module)
    first, second = matrix(builder.symbol("n"), 3), matrix(builder.symbol("m"), 3)
    x, y = builder.param("x", first), builder.param("y", second)
    a = builder.emit(CallFunction("twice", (x,)), "a", first)
    s = builder.emit(CallTIR("add", (y, y), (second,)), "s")
    b = builder.emit(CallFunction("twice", (s,)), "b", second)
    return module.with_function("main", builder.build(TupleValue((a, b))))


def recursive(*, ends: bool) -> IRModule:
    """`main(stop, x)` doubles `x`, then calls itself once with `stop` set, or without end."""
    type_ = matrix(2, 3)
    flag = TensorType((), "bool")
    module = IRModule((("double", double_function((2, 3))),), name="Recursive")
    builder = GraphBuilder(module)
    stop, x = builder.param("stop", flag), builder.param("x", type_)
    leaf, module = add_constant(module, np.bool_(ends))
    d = builder.emit(CallTIR("double", (x,), (type_,)), "d")
    again = Var(builder.ids.new(), "again", type_)
    call = Binding(again, CallFunction("main", (leaf, d)))
    chosen = builder.emit(
        IfThenElse(stop, Body((), d), Body((BindingBlock((call,)),), again)), "chosen", type_
    )
    return module.with_function("main", in_order(builder.build(chosen)))


def casting() -> IRModule:
    """`main(x (n, m))` says that `n` is 4, then doubles."""
    module = IRModule((("double", double_function((4, 6))),), name="Casting")
    builder = GraphBuilder(module)
    x = builder.param("x", matrix(builder.symbol("n"), builder.symbol("m")))
    known = builder.emit(MatchCast(x, matrix(4, 6)), "known")
    r = builder.emit(CallTIR("double", (known,), (matrix(4, 6),)), "r")
    return module.with_function("main", builder.build(r))
