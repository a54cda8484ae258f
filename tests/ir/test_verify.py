"""The verifier: each fault is found, named and placed; well-formed modules pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.interpret.programs import Names, load, matmul
from workbench.ir import (
    Alias,
    Axis,
    AxisKind,
    Binary,
    BinaryOp,
    Binding,
    BindingBlock,
    Block,
    Body,
    BufferType,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    Cast,
    For,
    GraphBuilder,
    GraphFunction,
    If,
    IfThenElse,
    IntImm,
    Intrinsic,
    IRModule,
    Let,
    LoopKind,
    MatchCast,
    Not,
    Operator,
    PackedStyle,
    PrimExpr,
    ScalarValue,
    Select,
    Seq,
    ShapeValue,
    Stmt,
    Store,
    TensorFunction,
    TensorType,
    TupleItem,
    TupleValue,
    Type,
    Var,
    as_expr,
    register_operator,
)
from workbench.ir.expr import Dim
from workbench.ir.verify import check, verify
from workbench.support import CompileError, Diagnostic, NodeId


def _same(call: CallOp, types: tuple[Type, ...]) -> Type:
    if len(types) != 1:
        raise CompileError(Diagnostic("type/argument-count", f"`{call.op}` takes one argument"))
    return types[0]


register_operator(Operator("test.same", _same, lambda _, x: x, parameters=("x",)))


def codes(module: IRModule) -> list[str]:
    return [d.code for d in verify(module)]


def tensor(body: Stmt, *params: Var, next_id: int = 99) -> IRModule:
    return IRModule((("f", TensorFunction(params, body, next_id=next_id)),))


def copy_loop(make: Callable[[Var, Var, Var], Stmt], shape: tuple[Dim, ...] = (4,)) -> IRModule:
    """A loop over `i` around `make(x, y, i)`."""
    names = Names()
    x, y, i = names.buffer("x", shape), names.buffer("y", shape), names.scalar("i")
    return tensor(For(i, IntImm(0), IntImm(4), make(x, y, i)), x, y)


def test_a_matmul_passes() -> None:
    assert verify(IRModule((("mm", matmul(2, 3, 4)),))) == ()


FAULTY_BODIES: list[tuple[str, Callable[[Var, Var, Var], Stmt]]] = [
    ("type/rank-mismatch", lambda x, y, i: Store(y, (i, i), load(x, i))),
    ("type/rank-mismatch", lambda x, y, i: Store(y, (i,), load(x))),
    ("type/not-integer", lambda x, y, i: Store(y, (as_expr(1.0),), load(x, i))),
    ("type/dtype-mismatch", lambda x, y, i: Store(y, (i,), Cast(load(x, i), "float64"))),
    (
        "type/dtype-mismatch",
        lambda x, y, i: Store(y, (i,), Binary(BinaryOp.ADD, load(x, i), as_expr(1.0, "float64"))),
    ),
    ("type/dtype-mismatch", lambda x, y, i: Store(y, (i,), Select(i < 2, load(x, i), i))),
    ("type/not-bool", lambda x, y, i: If(i, Store(y, (i,), load(x, i)))),
    ("type/not-bool", lambda x, y, i: Store(y, (i,), Select(i, load(x, i), load(x, i)))),
    ("type/not-bool", lambda x, y, i: If(Not(i), Store(y, (i,), load(x, i)))),
    ("type/not-bool", lambda x, y, i: If(Binary(BinaryOp.AND, i, i), Store(y, (i,), load(x, i)))),
    (
        "type/bool-arithmetic",
        lambda x, y, i: If(Binary(BinaryOp.ADD, i < 1, i < 2), Store(y, (i,), load(x, i))),
    ),
    ("type/not-a-scalar", lambda x, y, i: Store(y, (i,), x)),
    ("type/not-a-buffer", lambda _, y, i: Store(y, (i,), load(i, i))),
    ("type/unknown-dtype", lambda x, y, i: Store(y, (i,), Cast(Cast(load(x, i), "f4"), "float32"))),
    ("ir/duplicate-id", lambda x, y, i: For(i, IntImm(0), IntImm(2), Store(y, (i,), load(x, i)))),
    (
        "ir/undefined",
        lambda x, y, i: Store(y, (replace(i, id=NodeId(50), name="j"),), load(x, i)),
    ),
    (
        "ir/stale-variable",
        lambda x, y, i: Store(y, (i,), load(replace(x, type=BufferType((5,))), i)),
    ),
    (
        "ir/id-out-of-range",
        lambda x, y, i: Let(replace(i, id=NodeId(99)), i, Store(y, (i,), load(x, i))),
    ),
    (
        "type/dtype-mismatch",
        lambda x, y, i: Let(replace(i, id=NodeId(7)), as_expr(1.0), Store(y, (i,), load(x, i))),
    ),
]


@pytest.mark.parametrize(("code", "make"), FAULTY_BODIES)
def test_faults_of_tensor_functions(code: str, make: Callable[[Var, Var, Var], Stmt]) -> None:
    assert codes(copy_loop(make)) == [code]


def test_a_loop_variable_ends_with_its_loop() -> None:
    names = Names()
    y, i = names.buffer("y", (4,)), names.scalar("i")
    write = Store(y, (i,), as_expr(1.0))
    (fault,) = verify(tensor(Seq((For(i, IntImm(0), IntImm(4), write), write)), y))
    assert (fault.code, fault.function) == ("ir/undefined", "f")
    assert "outside its scope" in fault.message


def test_axes_and_predicates_are_checked_and_placed() -> None:
    names = Names()
    y, i, v = names.buffer("y", (4,)), names.scalar("i"), names.scalar("v")
    block = Block(
        names.ids.new(),
        "b",
        (Axis(v, AxisKind.SPATIAL, as_expr(4.0), as_expr(True)),),
        Store(y, (v,), as_expr(1.0)),
        predicate=i,
    )
    found = verify(tensor(For(i, IntImm(0), IntImm(4), block), y))
    assert [d.code for d in found] == ["type/not-integer", "type/not-integer", "type/not-bool"]
    assert {d.node for d in found} == {block.id}


@pytest.mark.parametrize(
    ("kind", "extent", "expected"),
    [
        (LoopKind.PARALLEL, 4, ["tensor/racy-parallel"]),
        (LoopKind.PARALLEL, 1, []),
        (LoopKind.SERIAL, 4, []),
    ],
)
def test_parallel_loops_that_write_the_same_element(
    kind: LoopKind, extent: int, expected: list[str]
) -> None:
    names = Names()
    y, i = names.buffer("y", (4,)), names.scalar("i")
    body = Store(y, (IntImm(0),), Cast(i, "float32"))
    assert codes(tensor(For(i, IntImm(0), IntImm(extent), body, kind), y)) == expected


def test_parallel_reduction_is_refused_and_a_private_buffer_is_not() -> None:
    function = matmul(2, 3, 4)
    loops = [function.body]
    while isinstance(loops[-1], For):
        loops.append(loops[-1].body)
    outer, inner = loops[0], loops[2]
    assert isinstance(outer, For)
    assert isinstance(inner, For)
    good = replace(function, body=replace(outer, kind=LoopKind.PARALLEL))
    assert verify(IRModule((("mm", good),))) == ()
    middle = outer.body
    assert isinstance(middle, For)
    racy = replace(middle, body=replace(inner, kind=LoopKind.PARALLEL))
    bad = replace(function, body=replace(outer, body=racy))
    assert set(codes(IRModule((("mm", bad),)))) == {"tensor/racy-parallel"}


def test_too_deep_is_a_diagnostic_and_other_functions_are_still_checked() -> None:
    names = Names()
    y, i = names.buffer("y", (4,)), names.scalar("i")
    value: PrimExpr = load(y, i)
    for _ in range(3000):
        value = Intrinsic("exp", (value,), "float32")
    deep = TensorFunction((y,), For(i, IntImm(0), IntImm(4), Store(y, (i,), value)), next_id=9)
    shallow = TensorFunction((y,), Store(y, (), as_expr(1.0)), next_id=9)
    module = IRModule((("deep", deep), ("shallow", shallow)))
    assert codes(module) == ["ir/too-deep", "type/rank-mismatch"]


# --- graph functions --------------------------------------------------------------------------


class Program:
    """`main(x: (n, 4), w: (4, 4))` with `mm`, ready for a binding with a fault."""

    def __init__(self) -> None:
        names = Names()
        rows = names.scalar("rows")
        callee = matmul(rows, 4, 4, names=names)
        self.builder = GraphBuilder(IRModule((("mm", callee),)))
        self.n = self.builder.symbol("n")
        self.x = self.builder.param("x", TensorType((self.n, 4)))
        self.w = self.builder.param("w", TensorType((4, 4)))
        self.out = TensorType((self.n, 4))

    def finish(self, result: Var | TupleValue | None = None) -> IRModule:
        function = self.builder.build(self.builder.bindings[-1].var if result is None else result)
        return self.builder.module.with_function("main", function)

    def with_call(self, value: object, type_: Type | None = None) -> IRModule:
        self.builder.emit(value, "y", type_=type_ or self.out)  # pyright: ignore[reportArgumentType]
        return self.finish()


def test_a_graph_function_passes() -> None:
    p = Program()
    h = p.builder.emit(CallTIR("mm", (p.x, p.w), (p.out,)))
    pair = p.builder.emit(CallOp("test.same", (TupleValue((h, p.x)),)))
    item = p.builder.emit(TupleItem(pair, 0))
    p.builder.emit(CallPacked("lib", (item, ShapeValue((p.n * 2, 4))), (p.out,)))
    assert verify(p.finish()) == ()
    check(p.finish())


@pytest.mark.parametrize(
    ("code", "message", "make"),
    [
        ("module/unknown-function", "nothing", lambda p: CallTIR("nothing", (p.x,), (p.out,))),
        ("type/wrong-callee", "call_tir", lambda p: CallTIR("main", (p.x,), (p.out,))),
        ("type/wrong-callee", "call_tir", lambda p: CallFunction("mm", (p.x,))),
        ("type/argument-count", "1 inputs", lambda p: CallTIR("mm", (p.x,), (p.out,))),
        (
            "type/shape-mismatch",
            "dimension 1 of `C` must be `4`, got `5`",
            lambda p: CallTIR("mm", (p.x, p.w), (TensorType((p.n, 5)),)),
        ),
        (
            "type/shape-mismatch",
            "dimension 0 of `C` must be `n`, got `(n + 1)`",
            lambda p: CallTIR("mm", (p.x, p.w), (TensorType((p.n + 1, 4)),)),
        ),
        (
            "type/dtype-mismatch",
            "`C` must have dtype `float32`, got `int8`",
            lambda p: CallTIR("mm", (p.x, p.w), (TensorType((p.n, 4), "int8"),)),
        ),
        (
            "type/rank-mismatch",
            "`A` must have 2 dimensions, got 1",
            lambda p: CallTIR("mm", (flat(p), p.w), (p.out,)),
        ),
        (
            "type/mismatch",
            "`A` must be",
            lambda p: CallTIR("mm", (ScalarValue(p.n), p.w), (p.out,)),
        ),
        ("op/unknown", "test.nowhere", lambda p: CallOp("test.nowhere", (p.x,))),
        ("type/argument-count", "one argument", lambda p: CallOp("test.same", (p.x, p.w))),
        ("type/shape-mismatch", "declared", lambda p: CallOp("test.same", (p.w,))),
        (
            "ir/undefined",
            "ghost",
            lambda p: CallOp("test.same", (replace(p.x, id=NodeId(77), name="ghost"),)),
        ),
        (
            "ir/stale-variable",
            "`x` is used as `(4, 4) float32`",
            lambda p: CallOp("test.same", (replace(p.x, type=TensorType((4, 4))),)),
        ),
        ("type/no-field", "no field `3`", lambda p: TupleItem(TupleValue((p.x, p.w)), 3)),
        ("type/rank-mismatch", "declared", lambda p: MatchCast(p.x, TensorType((p.n, 4)))),
        (
            "ir/dataflow-effect",
            "lib",
            lambda p: CallPacked("lib", (p.x,), (p.out,), PackedStyle.EFFECT),
        ),
    ],
)
def test_faults_of_bindings(code: str, message: str, make: Callable[[Program], object]) -> None:
    p = Program()
    value = make(p)
    type_ = TensorType((4,)) if isinstance(value, MatchCast) else None
    module = p.with_call(value, type_)
    found = verify(module)
    assert [d.code for d in found] == [code]
    assert message in found[0].message
    assert (found[0].function, found[0].node) == ("main", p.builder.bindings[-1].var.id)
    with pytest.raises(CompileError, match=code):
        check(module)


def flat(p: Program) -> Var:
    return p.builder.param("flat", TensorType((4,)))


def test_match_cast_that_can_never_succeed() -> None:
    p = Program()
    assert codes(p.with_call(MatchCast(p.x, TensorType((4,))), TensorType((4,)))) == [
        "type/rank-mismatch"
    ]


def test_symbols_bound_by_match_cast_may_be_used_afterwards() -> None:
    p = Program()
    m = p.builder.symbol("m")
    y = p.builder.emit(MatchCast(p.x, TensorType((m, 4))))
    p.builder.emit(CallTIR("mm", (y, p.w), (TensorType((m, 4)),)))
    assert verify(p.finish()) == ()


def test_unbound_dimension_in_a_type() -> None:
    p = Program()
    k = p.builder.symbol("k")
    module = p.with_call(CallOp("test.same", (p.x,)), TensorType((k, 4)))
    assert set(codes(module)) == {"ir/undefined"}


def test_all_faults_are_reported_at_once() -> None:
    p = Program()
    for op in ("test.a", "test.b", "test.c"):
        p.builder.emit(CallOp(op, (p.x,)), type_=p.out)
    with pytest.raises(CompileError) as caught:
        check(p.finish())
    assert [d.code for d in caught.value.diagnostics] == ["op/unknown"] * 3


def test_dataflow_outputs() -> None:
    p = Program()
    y = p.builder.emit(CallOp("test.same", (p.x,)))
    z = p.builder.emit(CallOp("test.same", (y,)))
    module = p.finish(z)
    main = module["main"]
    assert isinstance(main, GraphFunction)
    hidden = replace(main, result=y)
    assert codes(module.with_function("main", hidden)) == ["ir/undefined"]
    (block,) = main.blocks
    wrong = replace(main, blocks=(replace(block, outputs=(z.id, NodeId(50))),), next_id=60)
    assert codes(module.with_function("main", wrong)) == ["ir/dataflow-output"]


def branch(value: Var, result: Var, op: str = "test.same") -> Body:
    return Body((BindingBlock((Binding(result, CallOp(op, (value,))),)),), result)


def without_dataflow(main: GraphFunction) -> GraphFunction:
    blocks = tuple(replace(b, dataflow=False, outputs=()) for b in main.blocks)
    return replace(main, blocks=blocks)


def conditional(*, dataflow: bool, condition: str = "bool", other: Type | None = None) -> IRModule:
    p = Program()
    c = p.builder.param("c", TensorType((), condition))
    y, z = (Var(p.builder.ids.new(), name, p.out) for name in "yz")
    second = branch(p.x, z) if other is None else Body((), p.w)
    out = p.builder.emit(IfThenElse(c, branch(p.x, y), second), type_=p.out)
    module = p.finish(out)
    main = module["main"]
    assert isinstance(main, GraphFunction)
    if not dataflow:
        main = replace(
            main, blocks=tuple(replace(b, dataflow=False, outputs=()) for b in main.blocks)
        )
    return module.with_function("main", main)


def test_branches() -> None:
    assert verify(conditional(dataflow=False)) == ()
    assert codes(conditional(dataflow=True)) == ["ir/dataflow-effect"]
    assert codes(conditional(dataflow=False, condition="int32")) == ["type/not-bool"]
    assert codes(conditional(dataflow=False, other=p_type())) == ["type/shape-mismatch"]


def p_type() -> Type:
    return TensorType((4, 4))


def test_a_value_of_a_branch_ends_with_it() -> None:
    module = conditional(dataflow=False)
    main = module["main"]
    assert isinstance(main, GraphFunction)
    inner = main.bindings[0].value
    assert isinstance(inner, IfThenElse)
    assert codes(module.with_function("main", replace(main, result=inner.then.result))) == [
        "ir/undefined"
    ]


def test_constants_must_be_in_the_pool_and_agree() -> None:
    p = Program()
    w = p.builder.constant(np.zeros((2, 2), "float32"), "k")
    module = p.finish(w)
    assert verify(module) == ()
    assert codes(replace(module, pool=IRModule().pool)) == ["module/missing-constant"]
    value = p.builder.bindings[0].value
    assert isinstance(value, Alias)
    p.builder.bindings[0] = replace(
        p.builder.bindings[0],
        value=Alias(replace(value.value, type=TensorType((2, 2), "int32"))),
    )
    assert codes(p.finish(w)) == ["type/constant-mismatch"]


def test_calls_of_graph_functions_see_the_callers_dimensions() -> None:
    p = Program()
    inner = GraphBuilder()
    m = inner.symbol("m")
    a = inner.param("a", TensorType((m, 4)))
    callee = inner.build(inner.emit(CallOp("test.same", (a,))))
    p.builder.module = p.builder.module.with_function("inner", callee)
    p.builder.emit(CallFunction("inner", (p.x,)), type_=p.out)
    assert verify(p.finish()) == ()
    p.builder.emit(CallFunction("inner", (p.w,)), type_=p.out)
    assert codes(p.finish()) == ["type/shape-mismatch"]


def test_effects_in_a_pure_function_are_refused() -> None:
    p = Program()
    module = p.with_call(CallPacked("lib", (p.x,), (p.out,), PackedStyle.EFFECT))
    main = module["main"]
    assert isinstance(main, GraphFunction)
    module = module.with_function("main", without_dataflow(main))
    assert codes(module) == ["ir/impure-function"]
    check(module.with_function("main", replace(without_dataflow(main), pure=False)))


def test_ids_are_unique_and_in_range() -> None:
    p = Program()
    p.builder.emit(CallOp("test.same", (p.x,)))
    module = p.finish()
    main = module["main"]
    assert isinstance(main, GraphFunction)
    low = replace(main, next_id=main.next_id - 1)
    assert codes(module.with_function("main", low)) == ["ir/id-out-of-range"]
    twice = replace(main, params=(main.params[0], replace(main.params[1], id=main.params[0].id)))
    assert "ir/duplicate-id" in codes(module.with_function("main", twice))


def test_two_functions_of_one_name() -> None:
    function = matmul(1, 1, 1)
    assert codes(IRModule((("f", function), ("f", function)))) == ["module/duplicate-name"]
