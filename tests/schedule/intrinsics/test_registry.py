"""Intrinsics of users: written in a cell, checked on registration, used by name, in recipes."""

# Scripts are annotated with calls.
# pyright: reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import pytest

import workbench as wb
from tests.schedule.checks import answered, applied
from tests.schedule.programs import matmul
from tests.session.test_recipe import run_outside
from workbench.analysis.dependence import AnswerKind
from workbench.ir import IRModule, module_digest, structurally_equal
from workbench.ir.registry import register_tensor_intrinsic, registry_version
from workbench.ir.verify import check
from workbench.schedule import TensorIntrinsic, register_intrinsic
from workbench.schedule.intrinsics import (
    intrinsic,
    intrinsic_names,
    intrinsic_of_script,
    script_of_intrinsic,
)
from workbench.schedule.intrinsics.agreement import check_agreement
from workbench.schedule.primitives import Reorder, Split, Tensorize
from workbench.script import T, parse
from workbench.support import CompileError

SCRIPT = """
@T.prim_func
def description(X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float32")):
    for i in range(8):
        Y[i] = X[i] * T.float32(2) + Y[i]

@T.prim_func
def implementation(X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float32")):
    for i in T.vectorized(8):
        Y[i] = {value}
"""
PROGRAM = """
@T.prim_func
def f(A: T.Buffer((4, 16), "float32"), B: T.Buffer((4, 16), "float32")):
    for i, j, k in T.grid(4, 2, 8):
        B[i, j * 8 + k] = B[i, j * 8 + k] + T.float32(2) * A[i, j * 8 + k]
"""


def scaled(value: str, *, reassociates: bool = False) -> TensorIntrinsic:
    text = SCRIPT.format(value=value)
    return intrinsic_of_script("axpy", text, reassociates=reassociates)


@pytest.mark.parametrize("name", intrinsic_names())
def test_what_is_shipped_computes_what_it_says(name: str) -> None:
    found = intrinsic(name)
    check_agreement(found)
    assert found.name == name
    assert found.doc


def test_as_in_a_notebook() -> None:
    """Two functions in a cell, registered, and used by name in a schedule."""

    @T.prim_func
    def description(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):  # noqa: ANN202
        for i in range(8):
            y[i] = y[i] + x[i] * T.float32(2)

    @T.prim_func
    def implementation(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):  # noqa: ANN202
        for i in T.vectorized(8):
            y[i] = y[i] + x[i] * T.float32(2)

    version = registry_version()
    wb.schedule.register_intrinsic(wb.schedule.TensorIntrinsic("axpy", description, implementation))
    assert registry_version() > version
    assert intrinsic_names()[0] == "axpy"
    done = applied(parse(PROGRAM), Tensorize("f", loop="k", intrinsic="axpy"))
    assert 'T.sblock_attr({"tensor_intrinsic": "axpy"})' in done.script()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("X[i] * T.float32(3) + Y[i]", "by the description"),
        ("X[7 - i] * T.float32(2) + Y[i]", "by the description"),
        ("T.float32(2) * (X[i] + Y[i] * T.float32(0.5))", None),
    ],
)
def test_an_implementation_that_computes_something_else(value: str, message: str | None) -> None:
    if message is None:
        register_intrinsic(scaled(value, reassociates=True))
        return
    with pytest.raises(CompileError, match=message) as caught:
        register_intrinsic(scaled(value))
    assert caught.value.diagnostics[0].code == "schedule/bad-intrinsic"
    assert "axpy" not in intrinsic_names()


def test_other_rounding_has_to_be_said() -> None:
    value = "X[i] + Y[i] + X[i]"
    with pytest.raises(CompileError) as caught:
        register_intrinsic(scaled(value))
    assert caught.value.diagnostics[0].hint == "if that is rounding, say `reassociates=True`"
    register_intrinsic(scaled(value, reassociates=True))
    answer = Tensorize("f", loop="k", intrinsic="axpy").run(parse(PROGRAM))
    assert answer.reassociates


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('X: T.Buffer((9,), "float32"), Y: T.Buffer((8,), "float32")', "parameter `X` is"),
        ('Y: T.Buffer((8,), "float32")', "has 2 parameters, the implementation 1"),
        ('X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float64")', "parameter `Y` is"),
    ],
)
def test_functions_that_do_not_fit_together(parameters: str, message: str) -> None:
    head = SCRIPT.format(value="").rpartition("@T.prim_func")[0]
    text = f"{head}\n@T.prim_func\ndef implementation({parameters}):\n    Y[0] = Y[0]\n"
    with pytest.raises(CompileError, match=message):
        register_intrinsic(intrinsic_of_script("odd", text))


def test_a_description_is_loops_over_its_parameters() -> None:
    text = (
        SCRIPT.format(value="Y[i]")
        .replace(
            "    for i in range(8):\n",
            '    t = T.alloc_buffer((8,), "float32")\n    for i in range(8):\n',
            1,
        )
        .replace("Y[i] = X[i] *", "t[i] = X[i] *")
    )
    with pytest.raises(CompileError, match="a buffer of its own, `t`"):
        register_intrinsic(intrinsic_of_script("odd", text))


def test_a_parameter_is_touched_from_end_to_end() -> None:
    """What is never touched could lie outside of the program's buffer."""
    text = SCRIPT.format(value="X[i] * T.float32(2) + Y[i]")
    text = text.replace("X: T.Buffer((8,)", "X: T.Buffer((9,)")
    with pytest.raises(CompileError, match="dimension 0 of parameter `X` from end to end"):
        register_intrinsic(intrinsic_of_script("odd", text))


def test_scripts_keep_an_intrinsic() -> None:
    for name in ("fma_4x16_f32", "dot_4x16x4_vnni"):
        found = intrinsic(name)
        again = intrinsic_of_script(name, script_of_intrinsic(found))
        assert structurally_equal(again.description, found.description)
        assert structurally_equal(again.implementation, found.implementation)


def test_a_recipe_names_the_intrinsic_and_registers_those_of_users(tmp_path: Path) -> None:
    register_intrinsic(scaled("X[i] * T.float32(2) + Y[i]"))
    session = wb.open(parse(PROGRAM))
    session.apply(Tensorize("f", intrinsic="axpy", loop="k"))
    recipe = session.recipe()
    assert "Tensorize(function='f', intrinsic='axpy', loop='k')" in recipe
    assert recipe.index("register_intrinsic(") < recipe.index("SOURCE")
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


def test_shipped_intrinsics_need_no_registration(tmp_path: Path) -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((4,), "uint8"), B: T.Buffer((8, 4), "int8"), C: T.Buffer((8,), "int32")):
    for i, k in T.grid(8, 4):
        C[i] = C[i] + T.Cast("int32", A[k]) * T.Cast("int32", B[i, k])
"""
    session = wb.open(parse(text))
    session.apply(Tensorize("f", intrinsic="dot_8x4_vnni", loop="i"))
    recipe = session.recipe()
    assert "register_intrinsic" not in recipe
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


def test_a_module_is_as_it_was_where_the_intrinsic_is_unknown() -> None:
    module: IRModule = parse(PROGRAM)
    schedule = wb.Schedule(module, "f")
    with pytest.raises(CompileError) as caught:
        schedule.tensorize("k", "axpy")
    found = caught.value.diagnostics[0]
    assert found.code == "schedule/no-such-intrinsic"
    assert "`fma_4x16_f32`" in found.notes[0]
    assert schedule.module is module


def test_an_opaque_implementation_declares_its_regions_which_are_trusted() -> None:
    """The interpreter cannot run it, so it is registered unchecked."""
    text = SCRIPT.format(value="X[i]").rpartition("    for i in T.vectorized")[0]
    text += '    T.evaluate(T.call_extern(X[0], Y[0], dtype="int32"))\n'
    with pytest.raises(CompileError):
        register_intrinsic(intrinsic_of_script("axpy", text))
    register_tensor_intrinsic(intrinsic_of_script("axpy", text))
    primitive = Tensorize("f", loop="k", intrinsic="axpy")
    result = primitive.run(parse(PROGRAM))
    assert [remark.message for remark in result.remarks] == [
        "`axpy` is opaque: what it declares to read and write is trusted"
    ]
    script = result.module.script()
    assert "T.reads(A[vi, vj * 8:vj * 8 + 8], B[vi, vj * 8:vj * 8 + 8])" in script
    assert "T.writes(B[vi, vj * 8:vj * 8 + 8])" in script
    check(result.module)


def test_primitives_are_there_under_the_names_that_recipes_use() -> None:
    assert all(getattr(wb.schedule, kind.__name__) is kind for kind in wb.schedule.PRIMITIVES)


TVM_SCRIPT = """
@T.prim_func
def description(a: T.handle, b: T.handle, c: T.handle):
    A = T.match_buffer(a, (4, 4), "float32", offset_factor=1)
    B = T.match_buffer(b, (4, 4), "float32", offset_factor=1)
    C = T.match_buffer(c, (4, 4), "float32", offset_factor=1)
    with T.block("root"):
        T.reads(A[0:4, 0:4], B[0:4, 0:4])
        T.writes(C[0:4, 0:4])
        for i, j, k in T.grid(4, 4, 4):
            with T.block("update"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]

@T.prim_func
def implementation(a: T.handle, b: T.handle, c: T.handle):
    A = T.match_buffer(a, (4, 4), "float32", offset_factor=1)
    B = T.match_buffer(b, (4, 4), "float32", offset_factor=1)
    C = T.match_buffer(c, (4, 4), "float32", offset_factor=1)
    with T.block("root"):
        T.reads(A[0:4, 0:4], B[0:4, 0:4])
        T.writes(C[0:4, 0:4])
        for i in T.unroll(4):
            for j in T.vectorized(4):
                with T.block("zero"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    C[vi, vj] = T.float32(0)
        for k in range(4):
            for i in T.unroll(4):
                for j in T.vectorized(4):
                    with T.block("add"):
                        vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                        C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""


def test_an_intrinsic_as_tvm_writes_it_which_initialises() -> None:
    register_intrinsic(intrinsic_of_script("mm_4x4", TVM_SCRIPT))
    module = IRModule((("f", matmul(8, 8, 4)),))
    tiles = Split("f", "i", (None, 4)), Split("f", "j", (None, 4))
    order = ("i_0", "j_0", "i_1", "j_1", "r")
    primitive = Tensorize("f", loop="i_1", intrinsic="mm_4x4")
    done = applied(module, *tiles, Reorder("f", order), primitive)
    script = done.script()
    assert "T.init()" not in script
    assert 'with T.sblock("zero"):' in script


def test_an_intrinsic_that_initialises_needs_the_whole_reduction() -> None:
    register_intrinsic(intrinsic_of_script("mm_4x4", TVM_SCRIPT))
    tiles = (Split("f", "i", (None, 4)), Split("f", "j", (None, 4)), Split("f", "r", (None, 4)))
    order = ("i_0", "j_0", "r_0", "i_1", "j_1", "r_1")
    module = applied(IRModule((("f", matmul(8, 8, 8)),)), *tiles, Reorder("f", order))
    answer = answered(module, Tensorize("f", loop="i_1", intrinsic="mm_4x4"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.hint == "the description initialises: all of the reduction has to be inside"
