"""Calls that write their results over arguments (`call_tir_inplace`)."""

import re
from dataclasses import replace

import numpy as np
import pytest

import tests.generate
from workbench import passes
from workbench.analysis.memory import plan_memory
from workbench.interpret import run, values
from workbench.ir import CallTIRInplace, GraphFunction, IRModule
from workbench.ir.verify import verify
from workbench.passes import EliminateDeadCode, FuseOps, LegalizeOps, PlanMemory, ScheduleDefault
from workbench.rewrite import all_bindings
from workbench.runtime import build
from workbench.script import parse, print_module
from workbench.session import Session
from workbench.support import CompileError
from workbench.view.detail import detail_view

# ruff: noqa: E501  scripts are as wide as they print

FUNCTIONS = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def append(C: T.Buffer((512, 64), "float32"), r: T.Buffer((64,), "float32"), at: T.int64):
        for j in range(64):
            with T.sblock("append"):
                vj = T.axis.spatial(64, j)
                C[at, vj] = r[vj]

    @T.prim_func(private=True)
    def add(A: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32"), D: T.Buffer((8,), "float32")):
        for i in range(8):
            with T.sblock("add"):
                vi = T.axis.spatial(8, i)
                D[vi] = A[vi] - B[vi]
                A[vi] = A[vi] + B[vi]

    @T.prim_func(private=True)
    def swap(A: T.Buffer(("n",), "float32"), B: T.Buffer(("n",), "float32")):
        n = T.int64()
        for i in range(n):
            with T.sblock("swap"):
                vi = T.axis.spatial(n, i)
                t: T.let[T.float32] = A[vi]
                A[vi] = B[vi]
                B[vi] = t

    @R.function
    def main(PARAMS):
        cls = Module
        with R.dataflow():
            BODY
            R.output(z)
        return z
"""
assert tests.generate is not None  # registers a library function
V = 'R.Tensor((8,), "float32")'
CACHE = 'R.Tensor((512, 64), "float32")'
X = np.arange(8, dtype="float32")
Y = np.linspace(2, 3, 8, dtype="float32")


def module(body: str, params: str = f"x: {V}, y: {V}") -> IRModule:
    lines = "\n            ".join(line.strip() for line in body.strip().splitlines())
    text = FUNCTIONS.replace("PARAMS", params).replace("BODY", lines)
    return EliminateDeadCode()(LegalizeOps()(parse(text)).module).module


def over(args: str, indices: str, callee: str = "add", outs: str = f"[{V}, {V}]") -> str:
    return f"R.call_tir_inplace(cls.{callee}, ({args}), inplace_indices={indices}, out_ty={outs})"


def notes(given: IRModule) -> tuple[str, ...]:
    """What the build says; it computes what the interpreter does, planned and not."""
    executable = build(given)
    expected = run(given, X.copy(), Y.copy())
    for each in (
        executable,
        build(PlanMemory()(given).module),
        build(ScheduleDefault()(given).module),
    ):
        x, y = X.copy(), Y.copy()
        np.testing.assert_equal(each(x, y), expected)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)
    return executable.report.notes


def test_what_nobody_needs_is_written_over_without_a_copy() -> None:
    body = f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nz: {V} = b[0]"
    given = module(body)
    assert notes(given) == ()
    plan = plan_memory(given)
    lies = {value.name: value for value in plan.values}
    assert lies["b[0]"].reuse == "in-place"
    assert lies["b[0]"].storage == lies["a"].storage
    assert lies["b[1]"].source is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"b = {over('x, y', '[0, -1]')}\nz = b[0]", "`x`.*caller's"),
        (
            f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nc = b[0]\nz = R.add(a, c)",
            "`z` reads it",
        ),
        (f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nc = b[0]\nz = (a, c)", "returns it"),
        (f"a = R.negative(x)\nb = {over('a, a', '[0, -1]')}\nz = b[0]", "takes it twice"),
        (
            f"a = R.negative(x)\nd = a\nb = {over('a, y', '[0, -1]')}\nc = b[0]\nz = R.add(d, c)",
            "`z`",
        ),
        (
            f'a = R.const([1, 2, 3, 4, 5, 6, 7, 8], "float32")\nb = {over("a, y", "[0, -1]")}\nz = b[0]',
            "constant",
        ),
        (
            f'a = R.call_pure_packed("test.generate.flip", x, ty_args=({V},))\n'
            f"b = {over('a, y', '[0, -1]')}\nz = b[0]",
            "Python's",
        ),
    ],
)
def test_what_somebody_needs_is_copied_first_and_the_build_says_why(body: str, why: str) -> None:
    given = module(body)
    (found,) = notes(given)
    assert "is copied before" in found
    assert re.search(why, found)


def test_two_arguments_are_written_over_whatever_their_length() -> None:
    wide = 'R.Tensor(("n",), "float32")'
    body = f"""
    n = T.int64()
    a = R.negative(x)
    b = R.negative(y)
    c = {over("a, b", "[0, 1]", "swap", '[R.Tensor((n,), "float32"), R.Tensor((n,), "float32")]')}
    d = c[0]
    e = c[1]
    z = R.subtract(d, e)
    """
    given = module(body, f"x: {wide}, y: {wide}")
    assert notes(given) == ()
    plan = plan_memory(given)
    assert [v.reuse for v in plan.values if v.name.startswith("c")] == ["in-place", "in-place"]


def test_one_row_of_a_cache_is_written_and_nothing_else_is_moved() -> None:
    row = 'R.Tensor((64,), "float32")'
    call = "R.call_tir_inplace(cls.append, ({}, r), inplace_indices=0, out_ty=" + CACHE
    lines = ["c0 = R.nn.relu(cache)"]
    lines += [f"c{n + 1} = {call.format(f'c{n}')}, tir_vars=R.shape([{n}]))" for n in range(4)]
    given = module("\n".join([*lines, "z = R.sum(c4)"]), f"cache: {CACHE}, r: {row}")
    cache = np.random.default_rng(0).normal(size=(512, 64)).astype("float32")
    r = np.ones(64, "float32")
    executable = build(given)
    assert executable.report.notes == ()
    assert executable.intermediate_bytes((cache, r)) == cache.nbytes
    np.testing.assert_allclose(executable(cache, r), run(given, cache, r), rtol=1e-4)


def test_values_one_by_one_all_stay() -> None:
    given = module(f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nz = b[0]")
    main = given["main"]
    assert isinstance(main, GraphFunction)
    a = next(b.var.id for b in all_bindings(main) if b.var.name == "a")
    for seen in (build(given).values((X, Y)), values(given, (X, Y))):
        np.testing.assert_allclose(seen[a], -X, rtol=1e-6)


INNER = f"""
    @R.function(private=True)
    def inner(p: {V}, q: {V}) -> {V}:
        cls = Module
        b = {over("p, q", "[0, -1]")}
        c = b[0]
        return c
"""


@pytest.mark.parametrize(
    ("later", "copied"), [("z = R.add(c, y)", False), ("z = R.add(c, a)", True)]
)
def test_what_a_private_function_is_given_is_written_over_if_its_caller_allows(
    later: str, copied: bool
) -> None:
    lines = ["a = R.negative(x)", "c = cls.inner(a, y)", later]
    text = FUNCTIONS.replace("PARAMS", f"x: {V}, y: {V}")
    text = text.replace("BODY", "\n            ".join(lines))
    text = text.replace("    @R.function\n", INNER + "\n    @R.function\n", 1)
    given = LegalizeOps()(parse(text)).module
    found = notes(given)
    assert ["is copied before" in note for note in found] == ([True] if copied else [])


def test_branches_and_recursion_compute_values() -> None:
    body = f"""
    @R.function
    def main(x: {V}, y: {V}, go: R.Tensor((), "bool")) -> {V}:
        cls = Module
        a = R.negative(x)
        if go:
            b = {over("a, y", "[0, -1]")}
            c: {V} = b[0]
            more = R.const(False, "bool")
            z = cls.main(a, c, more)
        else:
            z = R.add(a, y)
        return z
"""
    text = FUNCTIONS.split("    @R.function")[0] + body
    given = EliminateDeadCode()(parse(text)).module
    for go in (np.array(True), np.array(False)):
        np.testing.assert_array_equal(build(given)(X, Y, go), run(given, X, Y, go))


@pytest.mark.parametrize(
    ("indices", "outs", "code"),
    [
        ((0,), 2, "type/inplace-index"),
        ((-1, -1), 2, "type/inplace-index"),
        ((0, 0), 2, "type/inplace-index"),
        ((0, 2), 2, "type/inplace-index"),
        ((-2, 0), 2, "type/inplace-index"),
        ((1, 0), 2, "type/argument-count"),
    ],
)
def test_indices_that_do_not_fit_are_refused(
    indices: tuple[int, ...], outs: int, code: str
) -> None:
    given = module(f"b = {over('x, y', '[0, -1]')}\nz = b[0]")
    main = given["main"]
    assert isinstance(main, GraphFunction)
    block = main.blocks[0]
    call = block.bindings[0]
    assert isinstance(call.value, CallTIRInplace)
    wrong = replace(call.value, inplace=indices, out_types=call.value.out_types[:outs])
    blocks = (replace(block, bindings=(replace(call, value=wrong), *block.bindings[1:])),)
    faults = verify(given.with_function("main", replace(main, blocks=blocks)))
    assert [fault.code for fault in faults] == [code]


def test_a_result_has_the_type_of_what_it_is_written_over() -> None:
    other = 'R.Tensor((4,), "float32")'
    given = module(f"b = {over('x, y', '[0, -1]', outs=f'[{other}, {V}]')}\nz = b[1]")
    (fault,) = verify(given)
    assert fault.code == "type/shape-mismatch"
    assert "cannot be written over argument `0`" in fault.message


def test_an_argument_that_no_index_names_is_not_written() -> None:
    given = module(f"b = {over('x, y', '[0]', 'swap', V)}\nz = b")
    with pytest.raises(CompileError, match="`swap` writes `B`, which is an input"):
        build(given)


def test_a_plan_that_writes_over_what_is_needed_is_refused() -> None:
    lines = f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nc = b[0]\nz = R.add(a, c)"
    given = PlanMemory()(module(lines)).module
    text = print_module(given)
    lies = '[["0", 1, 0, -1], ["1", 0, 0, -1], ["1.1", 0, 64, -1], ["3", 1, 0, 0]]'
    assert lies in text
    wrong = '[["0", 0, 0, -1], ["1", 0, 0, 0], ["1.1", 0, 64, -1], ["3", 1, 0, -1]]'
    (fault,) = verify(parse(text.replace(lies, wrong)))
    assert fault.code == "memory/not-in-place"


def test_passes_keep_the_call_and_what_it_calls() -> None:
    body = f"""
    a = R.negative(x)
    b = {over("a, y", "[0, -1]")}
    c = b[0]
    d = {over("a, y", "[0, -1]")}
    e = d[0]
    z = R.add(c, e)
    """
    given = module(body)
    expected = run(given, X, Y)
    pipeline = (
        passes.CanonicalizeBindings(),
        passes.EliminateCommonSubexpressions(),
        passes.EliminateDeadCode(),
        passes.FuseOps(),
        passes.FuseTensorFunctions(),
        passes.ScheduleDefault(),
        passes.PlanMemory(),
    )
    for each in pipeline:
        given = each(given).module
        np.testing.assert_allclose(build(given)(X, Y), expected, rtol=1e-6)
    main = given["main"]
    assert isinstance(main, GraphFunction)
    assert sum(isinstance(b.value, CallTIRInplace) for b in all_bindings(main)) == 1


def test_unused_parameters_go_and_the_indices_follow() -> None:
    text = """
@I.ir_module
class Module:
    @T.prim_func(private=True)
    def bump(U: T.Buffer((8,), "float32"), A: T.Buffer((8,), "float32")):
        for i in range(8):
            with T.sblock("bump"):
                vi = T.axis.spatial(8, i)
                A[vi] = A[vi] + T.float32(1.0)

    @R.function
    def main(x: V, y: V) -> V:
        cls = Module
        with R.dataflow():
            z = R.call_tir_inplace(cls.bump, (x, y), inplace_indices=[1], out_ty=V)
            R.output(z)
        return z
""".replace("V", V)
    given = passes.RemoveUnusedParameters()(parse(text)).module
    text = print_module(given)
    assert "R.call_tir_inplace(cls.bump, (y,), " in text
    assert "inplace_indices=[0])" in text
    np.testing.assert_array_equal(build(given)(X, Y), Y + 1)


def test_extents_that_get_known_make_a_function_for_them() -> None:
    wide = 'R.Tensor(("n",), "float32")'
    each = 'R.Tensor((n,), "float32")'
    body = f"n = T.int64()\nb = {over('x, y', '[0, 1]', 'swap', f'[{each}, {each}]')}\nz = b[0]"
    given = module(body, f"x: {wide}, y: {wide}")
    bound = passes.BindSymbolicVariables((("n", 8),))(given).module
    assert verify(bound) == ()
    assert 'A: T.Buffer((8,), "float32")' in print_module(bound)
    np.testing.assert_array_equal(build(bound)(X, Y), Y)


def test_other_implementations_are_refused_with_the_reason() -> None:
    given = module(f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nz = b[0]")
    reason = "`add` is written for the place of its argument"
    with pytest.raises(CompileError, match=reason):
        passes.Implement("main.b", "generated")(given)
    with pytest.raises(CompileError, match=reason):
        passes.ImplementByFunction("main.b", np.add)(given)


def test_the_picture_has_a_box_and_says_what_is_written_over() -> None:
    given = module(f"a = R.negative(x)\nb = {over('a, y', '[0, -1]')}\nz = b[0]")
    session = Session(given)
    session.apply(FuseOps())
    session.apply(PlanMemory())
    assert session.wait()
    assert [session.verdict(step).state for step in (1, 2)] == ["exact", "exact"]
    main = given["main"]
    assert isinstance(main, GraphFunction)
    key = next(f"main/{b.var.id}" for b in all_bindings(main) if b.var.name == "b")
    shown = detail_view(session, 0, key)
    assert shown.kind == "tensor"
    assert shown.arguments == ["a: f32[8], written over", "y: f32[8]"]
    assert shown.loops
    reasons = [remark.message for remark in FuseOps()(given).remarks]
    assert any("`b` writes what `add` computes over an argument" in text for text in reasons)
