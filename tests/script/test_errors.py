"""Faults of scripts: all of them together, each with its place, its line and what was expected."""

# ruff: noqa: E501  scripts are as wide as they print

import pytest

from workbench.script import parse
from workbench.support import CompileError

MATMUL = """
@I.ir_module
class Module:
    @T.prim_func
    def mm(A: T.Buffer((4, 8), "float32"), B: T.Buffer((8, 6), "float32"), C: T.Buffer((4, 6), "float32")):
        for i, j, k in T.grid(4, 6, 8):
            with T.sblock("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0.0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]

    @R.function
    def main(x: R.Tensor((4, 8), dtype="float32"), w: R.Tensor((8, 6), dtype="float32")) -> R.Tensor((4, 6), dtype="float32"):
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.mm, (x, w), out_ty=R.Tensor((4, 6), dtype="float32"))
            z: R.Tensor((4, 6), dtype="float32") = R.nn.relu(y)
            R.output(z)
        return z
"""


def faults(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        parse(text)
    return caught.value


def underlined(error: CompileError) -> list[tuple[str, str]]:
    """Code and the text above the carets of each diagnostic."""
    found = []
    for diagnostic in error.diagnostics:
        lines = diagnostic.render().split("\n")
        code, carets = lines[2], lines[3]
        first, end = carets.index("^"), len(carets)
        assert set(carets[first:end]) == {"^"}
        found.append((diagnostic.code, code[first:end]))
    return found


def test_three_mistakes_give_three_diagnostics_with_carets() -> None:
    text = MATMUL.replace("A[vi, vk]", "A[vi, vkk]").replace("R.nn.relu", "R.nn.rellu")
    text = text.replace("(x, w)", "(x, ww)")
    error = faults(text)
    *lines, last = str(error).split("\n")
    assert last.startswith("  hint: did you mean `nn.relu`")
    assert lines == [
        "error[script/undefined] in `mm`: `vkk` is not defined here",
        "  --> <script>:11",
        "  |                 C[vi, vj] = C[vi, vj] + A[vi, vkk] * B[vk, vj]",
        "  |                                               ^^^",
        "  hint: did you mean `vk`?",
        "error[script/undefined] in `main`: `ww` is not defined here",
        "  --> <script>:17",
        '  |             y = R.call_tir(cls.mm, (x, ww), out_ty=R.Tensor((4, 6), dtype="float32"))',
        "  |                                        ^^",
        "  hint: did you mean `w`?",
        "error[script/unknown-operator] in `main`: no operator `nn.rellu` is registered",
        "  --> <script>:18",
        '  |             z: R.Tensor((4, 6), dtype="float32") = R.nn.rellu(y)',
        "  |                                                    ^^^^^^^^^^",
    ]


CASES = {
    "undefined": ("B[vk, vj]", "B[vk, vz]", "script/undefined", "vz"),
    "rank": ("A[vi, vk]", "A[vi]", "script/rank", "A[vi]"),
    "dtype": ("T.float32(0.0)", "vi < vj", "script/dtype", "vi < vj"),
    "float index": ("A[vi, vk]", "A[vi, 1.5]", "script/type", "1.5"),
    "grid": ("i, j, k in", "i, j, k, l in", "script/argument-count", "i, j, k, l"),
    "loop": ("T.grid(4, 6, 8)", "T.gird(4, 6, 8)", "script/loop", "T.gird(4, 6, 8)"),
    "remap": ('"SSR"', '"SS"', "script/argument-count", 'T.axis.remap("SS", [i, j, k])'),
    "axis kind": ('"SSR"', '"SSQ"', "script/axis", '"SSQ"'),
    "axis value": ("[i, j, k]", "[i, j, 3]", "script/axis", "3"),
    "block": ("T.sblock(", "T.sblok(", "script/not-supported", 'T.sblok("C")'),
    "intrinsic": ("B[vk, vj]\n", "T.sqr(B[vk, vj])\n", "script/unknown-function", "T.sqr"),
    "buffer dtype": ('(8, 6), "float32"), C', '(8, 6), "flot32"), C', "script/dtype", '"flot32"'),
    "no type": ('C: T.Buffer((4, 6), "float32")', "C", "script/missing-type", "C"),
    "callee": ("cls.mm", "cls.m", "script/unknown-function", "cls.m"),
    "out type": (
        'out_ty=R.Tensor((4, 6), dtype="float32")',
        "out=1",
        "script/type-expected",
        "1",
    ),
    "arguments": ("(x, w)", "(x,)", "script/argument-count", None),
    "keyword": ("R.nn.relu(y)", "R.nn.relu(y, axs=1)", "script/unknown-argument", "1"),
    "twice": ("R.nn.relu(y)", "R.sum(y, 0, axis=1)", "script/argument-count", "1"),
    "argument twice": ("R.nn.relu(y)", "R.nn.relu(y, x=x)", "script/argument-count", "x"),
    "keyword twice": ("R.nn.relu(y)", "R.add(y, x2=y, x2=x)", "script/argument-count", "x"),
    "annotation": (
        'z: R.Tensor((4, 6), dtype="float32")',
        'z: R.Tensor((4, 7), dtype="float32")',
        "script/type-mismatch",
        'R.Tensor((4, 7), dtype="float32")',
    ),
    "annotated dtype": (
        'z: R.Tensor((4, 6), dtype="float32")',
        'z: R.Tensor((4, 6), dtype="float16")',
        "script/type-mismatch",
        'R.Tensor((4, 6), dtype="float16")',
    ),
    "result": (
        '-> R.Tensor((4, 6), dtype="float32")',
        "-> R.Tensor((4, 6, 1))",
        "script/type-mismatch",
        "R.Tensor((4, 6, 1))",
    ),
    "type rule": ("R.nn.relu(y)", "R.matmul(y, x)", "type/shape-mismatch", "R.matmul(y, x)"),
    "no output": ("            R.output(z)\n", "", "script/missing-output", "R.dataflow()"),
    "not output": ("return z", "return y", "script/not-output", "y"),
    "decorator": ("@T.prim_func", "@T.prim_fun", "script/decorator", "T.prim_fun"),
    "statement": ("R.output(z)", "R.output(z)\n            del z", "script/not-supported", "del z"),
    "python": ("R.nn.relu(y)", "open('f')", "script/unknown-function", "open"),
    "method": ("B[vk, vj]\n", "B.sum()\n", "script/not-supported", "B.sum"),
    "digest": (
        "R.nn.relu(y)",
        'R.add(y, R.const("0123456789abcdef", R.Tensor((4, 6), dtype="float32")))',
        "script/missing-constant",
        '"0123456789abcdef"',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_mistake_gives_one_diagnostic(case: str) -> None:
    before, after, code, place = CASES[case]
    assert before in MATMUL
    error = faults(MATMUL.replace(before, after, 1))
    assert [d.code for d in error.diagnostics][:1] == [code]
    assert len(error.diagnostics) == 1
    if place is not None:
        assert underlined(error) == [(code, place)]


@pytest.mark.parametrize(
    "line",
    ["x[0] = 10**400", "x[0] = 10**10**10", "x[0] = 1.5 & 2", "for i in range(1.5): x[0] = 0.0"],
)
def test_numbers_that_nothing_holds(line: str) -> None:
    text = f'@T.prim_func\ndef f(x: T.Buffer((4,), "float32")):\n    {line}\n'
    (found,) = faults(text).diagnostics
    assert found.code == "script/type"


def test_a_result_type_speaks_of_parameters_only() -> None:
    text = """
@R.function
def main(x: R.Tensor(("n",), "float32")):
    y = R.match_cast(x, R.Tensor(("q",), "float32"))
    return (x, y)
"""
    result = parse(text).graph_functions["main"].return_type
    assert [field.shape is None for field in result.fields] == [False, True]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_syntax_error_is_one_diagnostic() -> None:
    error = faults(MATMUL.replace("with R.dataflow():", "with R.dataflow()"))
    (diagnostic,) = error.diagnostics
    assert diagnostic.code == "script/syntax"
    assert diagnostic.span is not None
    assert diagnostic.span.line == 16
    assert "R.dataflow()" in diagnostic.source_line


def test_columns_count_characters() -> None:
    text = (
        '@R.function\ndef main(x: R.Tensor((2,), "float32")):\n    return (x, R.str("äöü"), yy)\n'
    )
    (found,) = [u for u in underlined(faults(text)) if u[0] == "script/undefined"]
    assert found == ("script/undefined", "yy")


def test_a_lost_name_is_no_further_fault() -> None:
    text = """
@R.function
def main(x: R.Tensor((2,), "float32"), y: R.Tensr((2,), "float32")):
    a = R.add(x, nothing)
    b = R.add(a, y)
    return R.exp(b)
"""
    assert [d.code for d in faults(text).diagnostics] == [
        "script/type-expected",
        "script/undefined",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "x = 1", "\0", "@I.ir_module\nclass A:\n    x = 1", "def f(): pass", "class A: pass"],
)
def test_what_is_no_module(text: str) -> None:
    assert faults(text).diagnostics[0].code.startswith("script/")


def test_deep_nesting_is_a_diagnostic() -> None:
    deep = "x" + " + x" * 20000
    text = f'@T.prim_func\ndef f(x: T.int64, A: T.Buffer((2,), "int64")):\n    A[0] = {deep}\n'
    assert faults(text).diagnostics[0].code == "script/too-deep"
    parens = "(" * 300 + "x" + ")" * 300
    text = f'@T.prim_func\ndef f(x: T.int64, A: T.Buffer((2,), "int64")):\n    A[0] = {parens}\n'
    assert faults(text).diagnostics[0].code in {"script/too-deep", "script/syntax"}


def test_nothing_of_a_script_runs() -> None:
    text = (
        '@R.function\ndef main(x: R.Tensor((__import__("os").abort(),), "float32")):\n    return x'
    )
    assert faults(text).diagnostics[0].code.startswith("script/")


def test_recursion_without_a_result_type() -> None:
    text = """
@I.ir_module
class M:
    @R.function
    def f(x: R.Tensor((2,), "float32")):
        return M.f(x)
"""
    assert "script/missing-type" in [d.code for d in faults(text).diagnostics]


def test_functions_may_call_each_other_in_any_order() -> None:
    text = """
@I.ir_module
class M:
    @R.function
    def f(x: R.Tensor(("n",), "float32")) -> R.Tensor(("n",), "float32"):
        y = M.g(x)
        return y

    @R.function
    def g(x: R.Tensor(("m",), "float32")) -> R.Tensor(("m",), "float32"):
        return M.f(x)

    @R.function
    def h(x: R.Tensor((3,), "float32")):
        return M.late(x)

    @R.function
    def late(x: R.Tensor(("m",), "float32")):
        return R.concat((x, x), axis=0)
"""
    module = parse(text)
    assert module.graph_functions["h"].return_type.shape == (6,)  # pyright: ignore[reportAttributeAccessIssue]


def test_other_outputs_beside_a_faulty_one_are_no_further_fault() -> None:
    text = """
@R.function
def main(x: R.Tensor((6,), "float32"), y: R.Tensor((5,), "float32")):
    with R.dataflow():
        a = R.exp(x)
        b = R.add(x, y)
        o = R.multiply(b, a)
        R.output(o, a)
    return (o, a)
"""
    assert [fault.code for fault in faults(text).diagnostics] == ["type/shape-mismatch"]


@pytest.mark.parametrize("shape", ["(n, 2, 2)", "(n * 2, 2)", "[n, 4]", "R.shape([n, 2, 2])"])
def test_a_tuple_with_a_dimension_is_a_shape(shape: str) -> None:
    text = f"""
@R.function
def main(x: R.Tensor(("n", 4), "float32")):
    n = T.int64()
    y = R.reshape(x, {shape})
    return y
"""
    module = parse(text)
    assert parse(module.script()).script() == module.script()
