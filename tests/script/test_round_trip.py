"""What is printed reads back as the same module."""

import ast
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate import Generated, modules
from tests.script import programs
from workbench.ir import (
    Alias,
    Allocate,
    Binary,
    BinaryOp,
    Binding,
    BindingBlock,
    BufferType,
    CallOp,
    Cast,
    FloatImm,
    For,
    GraphBuilder,
    GraphFunction,
    IntImm,
    Intrinsic,
    IRModule,
    Let,
    Load,
    Not,
    PrimExpr,
    ScalarType,
    Select,
    Seq,
    Store,
    TensorFunction,
    TensorType,
    Var,
    dtype_of,
    structurally_equal,
)
from workbench.ir.verify import verify
from workbench.script import parse, print_function, print_module
from workbench.support import CompileError, NodeId

DATA = sorted((Path(__file__).parent / "data").glob("*.txt"))
SHARED = Path(__file__).parents[3] / "shared" / "tvmscript"
LEFT_OUT = {
    "03_if_tuple_matchcast_packed.py": "script/unknown-operator",
    "04_private_split_concat_const.py": "script/missing-constant",
    "30_cnn_10_kill.py": "script/unknown-operator",
    "30_cnn_11_vmshape.py": "script/unknown-operator",
    "64_cnn_bindparams.py": "script/missing-constant",
    "66_tir_lowered_flat.py": "script/attribute",
}


def check(module: IRModule) -> None:
    text = print_module(module)
    ast.parse(text)
    again = parse(text, like=IRModule(pool=module.pool))
    assert structurally_equal(module, again)
    assert print_module(again) == text
    assert parse(text, like=module) == module


@pytest.mark.parametrize("name", programs.ALL)
def test_every_construct(name: str) -> None:
    module = parse(programs.ALL[name])
    assert verify(module) == ()
    check(module)


@pytest.mark.parametrize("name", programs.ALL)
def test_the_printed_form_is_a_fixed_point(name: str) -> None:
    """The programs are written in the printed form, so nothing is lost or invented."""
    body = re.sub(r",\n\s+", ", ", programs.ALL[name].split("class ")[1])
    lines = {line.strip() for line in print_module(parse(programs.ALL[name])).split("\n")}
    written = [line.strip() for line in body.split("\n")[1:] if line.strip()]
    missing = [line for line in written if line not in lines and "def " not in line]
    assert [line for line in missing if line not in programs.NORMALISED] == []


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_three_generations(path: Path) -> None:
    module = parse(path.read_text(encoding="utf-8"))
    assert module.functions
    assert verify(module) == ()
    check(module)


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="the whole set of samples is not beside the checkout"
)
def test_all_samples_of_tvm() -> None:
    seen: dict[str, str] = {}
    for path in sorted(SHARED.glob("*.py")):
        try:
            check(parse(path.read_text(encoding="utf-8")))
        except CompileError as error:
            seen[path.name] = error.diagnostics[0].code
    assert seen == {name: code for name, code in LEFT_OUT.items() if name in seen}


def test_old_scripts_mean_the_same_as_new_ones() -> None:
    module = parse((Path(__file__).parent / "data" / "old_2022.txt").read_text(encoding="utf-8"))
    linear = module.tensor_functions["linear0"]
    assert [buffer.name for buffer in linear.allocations] == ["Y"]
    assert dict(linear.attrs)["noalias"] is True
    assert "T.sblock_alloc_buffer((1, 128)" in print_module(module)
    assert "T.serial" not in print_module(module)


# --- scalar expressions -----------------------------------------------------------------------

I64 = [Var(NodeId(i), name, ScalarType()) for i, name in enumerate("ijk")]
F32 = Var(NodeId(10), "A", BufferType((8,), "float32"))
ARITHMETIC = [BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL, BinaryOp.MIN, BinaryOp.MAX]
WHOLE = [*ARITHMETIC, BinaryOp.FLOORDIV, BinaryOp.FLOORMOD, BinaryOp.TRUNCDIV, BinaryOp.TRUNCMOD]
FLOATS = ["float32", "float64"]
COMPARE = [BinaryOp.EQ, BinaryOp.NE, BinaryOp.LT, BinaryOp.LE, BinaryOp.GT, BinaryOp.GE]


@st.composite
def whole(draw: st.DrawFn, depth: int = 3) -> PrimExpr:
    match draw(st.integers(0, 5 if depth else 1)):
        case 0:
            return draw(st.sampled_from(I64))
        case 1:
            return IntImm(draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 9)))
        case 2 | 3:
            a, b = draw(whole(depth - 1)), draw(whole(depth - 1))
            return Binary(draw(st.sampled_from(WHOLE)), a, b)
        case 4:
            a, b = draw(whole(depth - 1)), draw(whole(depth - 1))
            return Select(draw(condition(depth - 1)), a, b, draw(st.booleans()))
        case _:
            return Cast(draw(whole(depth - 1)), "int64")


@st.composite
def condition(draw: st.DrawFn, depth: int = 3) -> PrimExpr:
    match draw(st.integers(0, 3 if depth else 0)):
        case 0:
            return IntImm(int(draw(st.booleans())), "bool")
        case 1:
            a, b = draw(whole(depth - 1)), draw(whole(depth - 1))
            return Binary(draw(st.sampled_from(COMPARE)), a, b)
        case 2:
            a, b = draw(condition(depth - 1)), draw(condition(depth - 1))
            op = draw(st.sampled_from([BinaryOp.AND, BinaryOp.OR, BinaryOp.EQ]))
            return Binary(op, a, b)
        case _:
            return Not(draw(condition(depth - 1)))


@st.composite
def real(draw: st.DrawFn, depth: int = 3) -> PrimExpr:
    match draw(st.integers(0, 6 if depth else 1)):
        case 0:
            return FloatImm(draw(st.floats(allow_nan=False) | st.just(-0.0)))
        case 1:
            return Load(F32, (draw(whole(0)),))
        case 2 | 3:
            a, b = draw(real(depth - 1)), draw(real(depth - 1))
            return Binary(draw(st.sampled_from([*ARITHMETIC, BinaryOp.DIV])), a, b)
        case 4:
            a, b = draw(real(depth - 1)), draw(real(depth - 1))
            return Cast(Intrinsic("pow", (a, b), draw(st.sampled_from(FLOATS))), "float32")
        case 5:
            a, b = draw(real(depth - 1)), draw(real(depth - 1))
            return Select(draw(condition(depth - 1)), a, b, draw(st.booleans()))
        case _:
            return Cast(draw(whole(depth - 1)), "float32")


def stored(value: PrimExpr) -> IRModule:
    buffer = Var(NodeId(11), "B", BufferType((8,), dtype_of(value)))
    body = Store(buffer, (IntImm(0),), value)
    function = TensorFunction((*I64, F32, buffer), body, next_id=12)
    return IRModule((("f", function),))


@given(whole())
def test_whole_numbers(value: PrimExpr) -> None:
    check(stored(value))


@given(real())
def test_floats(value: PrimExpr) -> None:
    check(stored(value))


@given(condition())
def test_conditions(value: PrimExpr) -> None:
    check(stored(value))


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001])
def test_bits_of_nan(bits: int) -> None:
    value = float(np.array(bits, np.uint64).view(np.float64))
    module = stored(FloatImm(value, "float64"))
    assert math.isnan(value)
    assert parse(print_module(module)) == parse(print_module(module))
    check(module)


# --- whole modules ---------------------------------------------------------------------------


@given(modules())
def test_generated_modules(case: Generated) -> None:
    check(case.module)


# --- scopes and names -------------------------------------------------------------------------


def test_names_that_are_no_identifiers() -> None:
    builder = GraphBuilder()
    x = builder.param("Conv_0/in put", TensorType((2,), "float32"))
    y = builder.emit(CallOp("exp", (x,)), "class")
    z = builder.emit(CallOp("exp", (y,)), "class")
    w = builder.emit(CallOp("exp", (z,)), "0")
    module = IRModule((("main", builder.build(w)),), name="my model")
    text = print_module(module)
    assert "class my_model:" in text
    assert "class__1: " in text
    assert "Conv_0_in_put" in text
    check(module)


def test_a_name_is_free_again_after_its_loop() -> None:
    text = print_module(parse(programs.BLOCKS))
    assert "i_1_1" not in text
    assert text.count("for i, j in T.grid(n, n * 2):") == 1


def test_let_and_allocate_in_the_middle_of_a_suite() -> None:
    buffer = Var(NodeId(0), "B", BufferType((8,), "int64"))
    local = Var(NodeId(1), "t", BufferType((), "int64"))
    x, y = (Var(NodeId(i), "x", ScalarType()) for i in (2, 3))
    store = Store(buffer, (x,), x)
    body = Seq(
        (
            Let(x, IntImm(1), store),
            Allocate(local, Store(local, (), IntImm(2))),
            Let(y, IntImm(2), Seq((Store(buffer, (y,), y), Store(buffer, (y,), IntImm(3))))),
        )
    )
    module = IRModule((("f", TensorFunction((buffer,), body, next_id=4)),))
    assert "with T.LetStmt(1) as x:" in print_module(module)
    check(module)


def test_a_grid_is_split_where_an_extent_depends_on_the_loop_before() -> None:
    buffer = Var(NodeId(0), "B", BufferType((8, 8), "int64"))
    i, j = (Var(NodeId(n), "i", ScalarType()) for n in (1, 2))
    inner = For(j, IntImm(0), i, Store(buffer, (i, j), j))
    module = IRModule(
        (("f", TensorFunction((buffer,), For(i, IntImm(0), IntImm(8), inner), next_id=3)),)
    )
    assert "T.grid" not in print_module(module)
    check(module)


# --- constants --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.float32(0.1),
        np.float64("nan"),
        np.float32("-inf"),
        np.float16(-0.0),
        np.int8(-3),
        np.bool_(True),
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.zeros((0, 3), np.int64),
    ],
    ids=str,
)
def test_constants(array: np.ndarray) -> None:
    builder = GraphBuilder()
    value = builder.constant(array, "c")
    module = replace(builder.module, functions=(("main", builder.build(value)),))
    check(module)
    text = print_module(module)
    assert ("R.Tensor(" in text.split("R.const(")[1].split("\n")[0]) == bool(np.ndim(array))
    assert print_function("main", module["main"]).count("R.Tensor(") >= text.count("R.Tensor(")


def test_scalar_constants_read_without_a_pool() -> None:
    text = 'def main(x: R.Tensor((2,), "float32")):\n    return R.add(x, R.const(1.5, "float32"))'
    module = parse("@R.function\n" + text)
    assert [array.item() for array in module.pool.values()] == [1.5]


def test_a_binding_of_no_name_is_a_statement_only_where_its_text_says_its_type() -> None:
    x = Var(NodeId(0), "x", TensorType((2,), "float32"))
    bindings = tuple(
        Binding(Var(NodeId(i), "_", x.type), value)
        for i, value in enumerate((CallOp("exp", (x,)), Alias(x)), start=1)
    )
    function = GraphFunction((x,), (BindingBlock(bindings),), x, x.type, next_id=3)
    check(IRModule((("main", function),)))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("split(x, 2)", "split(x, indices_or_sections=2)"),
        ("split(x, 2, axis=1)", "split(x, indices_or_sections=2, axis=1)"),
        ("split(x, 2, 1)", "split(x, axis=1, indices_or_sections=2)"),
        ("repeat(x, 2, 1)", "repeat(x, repeats=2, axis=1)"),
        ("topk(x, 2, 1, 'values')", "topk(x, k=2, axis=1, ret_type='values')"),
        ("unique(x, True, False, True)", "unique(x, sorted=True, return_inverse=True)"),
        ("nn.pad(x, (0, 0, 1, 2), 3.0)", "nn.pad(x, pad_width=(0, 0, 1, 2), pad_value=3.0)"),
        ("cumsum(x, 1, 'float64')", "cumsum(x, axis=1, dtype='float64')"),
        ("sum(x, 1, True)", "sum(x, axis=1, keepdims=True)"),
        ("argsort(x, 1, True)", "argsort(x, axis=1, descending=True)"),
        ("strided_slice(x, (1,), (0,), (2,))", "strided_slice(x, end=(2,), begin=(0,), axes=(1,))"),
        ("nn.softplus(x, 2.0, 9.0)", "nn.softplus(x, beta=2.0, threshold=9.0)"),
        ("nn.max_pool2d(z, (2, 2), (3, 3))", "nn.max_pool2d(z, pool_size=(2, 2), strides=(3, 3))"),
        (
            "nn.avg_pool2d(z, (2, 2), (1, 1), (0, 0, 0, 0), (1, 1), False, True)",
            "nn.avg_pool2d(z, pool_size=(2, 2), count_include_pad=True, strides=(1, 1), "
            "padding=(0, 0, 0, 0), dilation=(1, 1), ceil_mode=False)",
        ),
        ("nn.conv2d(z, z, (2, 2))", "nn.conv2d(z, z, strides=(2, 2))"),
    ],
)
def test_attributes_without_names_come_in_the_order_of_relax(short: str, long: str) -> None:
    with_places, with_names = (
        parse(f"""
@R.function
def main(x: R.Tensor((4, 6), "float32"), z: R.Tensor((4, 4, 4, 4), "float32")):
    y = R.{call}
    return y
""")
        for call in (short, long)
    )
    given = with_places.graph_functions["main"].blocks[0].bindings[0].value
    named = with_names.graph_functions["main"].blocks[0].bindings[0].value
    assert isinstance(given, CallOp)
    assert isinstance(named, CallOp)
    assert dict(given.attrs).items() >= dict(named.attrs).items()
    assert given.args == named.args
    assert structurally_equal(parse(with_places.script()), with_places)


INPLACE = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def bump(A: T.Buffer((2,), "int32"), k: T.int64):
        for i in range(2):
            A[i] = A[i] + T.Cast("int32", k)

    @R.function
    def main(x: R.Tensor((2,), "int32")):
        cls = Module
        gv = CALL
        return gv
"""


@pytest.mark.parametrize(
    "call",
    [
        'R.call_tir_inplace(cls.bump, (x,), [0], R.Tensor((2,), "int32"), tir_vars=R.shape([3]))',
        'R.call_tir_inplace(Module.bump, x, 0, [R.Tensor((2,), "int32")], tir_vars=(3,))',
        'R.call_tir_inplace(cls.bump, (x,), out_sinfo=R.Tensor((2,), "int32"), '
        "inplace_indices=[0], tir_vars=R.shape([3]))",
        'R.call_tir_inplace(cls.bump, x, inplace_indices=0, out_ty=[R.Tensor((2,), "int32")], '
        "tir_vars=R.shape([3]))",
    ],
)
def test_calls_in_place_are_read_as_relax_writes_them(call: str) -> None:
    text = print_module(parse(INPLACE.replace("CALL", call)))
    written = 'R.call_tir_inplace(cls.bump, (x,), out_ty=R.Tensor((2,), dtype="int32"), '
    assert written + "inplace_indices=[0], tir_vars=R.shape([3]))" in text
    assert print_module(parse(text)) == text


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (
            'R.call_tir_inplace(cls.bump, (x,), out_ty=R.Tensor((2,), "int32"))',
            "script/missing-argument",
            "`inplace_indices`",
        ),
        (
            'R.call_tir_inplace(cls.bump, (x,), [0], R.Tensor((2,), "int32"))',
            "script/argument-count",
            "1 results (1 of them over arguments) and 0 scalars",
        ),
        (
            'R.call_tir_inplace(cls.bump, (x,), [0, 0], R.Tensor((2,), "int32"), (3,))',
            "script/argument-count",
            "for each of 1 results, found 2",
        ),
        (
            'R.call_tir_inplace(cls.bump, (x,), ["x"], R.Tensor((2,), "int32"))',
            "script/type",
            "a whole number",
        ),
    ],
)
def test_a_call_in_place_that_lacks_something_is_one_diagnostic(
    call: str, code: str, words: str
) -> None:
    with pytest.raises(CompileError) as error:
        parse(INPLACE.replace("CALL", call))
    (fault,) = error.value.diagnostics
    assert fault.code == code
    assert words in fault.message
