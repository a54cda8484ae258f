"""Library functions that come with a module: any callable, saved with it, run only when allowed."""

from __future__ import annotations

import functools
import linecache
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  loaders
from workbench.interpret import run
from workbench.ir import (
    External,
    GraphBuilder,
    IRModule,
    PackedStyle,
    TensorType,
    add_shared_object,
    allow,
    external_of,
    externals,
    module_digest,
    with_externals,
)
from workbench.ir import externals as externals_of
from workbench.runtime import build
from workbench.script import load_saved, parse, parse_into, print_module, save
from workbench.support import CompileError

SCALE = 2.0
HERE = "tests.ir.test_externals"


def scaled(x: np.ndarray, out: np.ndarray) -> None:
    np.multiply(x, SCALE, out=out)


def doubled(x: np.ndarray) -> np.ndarray:
    return x * 2


TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((3,), "float32")):
        with R.dataflow():
            a = R.call_dps_packed({first}, (x,), out_ty=R.Tensor((3,), "float32"))
            y = R.call_pure_packed({second}, a, ty_args=R.Tensor((3,), "float32"))
            R.output(y)
        return y
"""
X = np.array([1, -2, 3], np.float32)


def module(first: object = scaled, second: object = doubled) -> IRModule:
    text = TEXT.format(first="first", second="second")
    return parse(text, namespace={"first": first, "second": second})


def in_notebook(text: str) -> dict[str, object]:
    """What a cell with this text defines; its source is to be had, as in a notebook."""
    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space: dict[str, object] = {"__name__": "__main__", "np": np}
    exec(compile(text, name, "exec"), space)
    return space


def test_callables_are_called_without_being_registered() -> None:
    made = module()
    np.testing.assert_array_equal(build(made)(X), X * 4)
    np.testing.assert_array_equal(run(made, X), X * 4)


def test_names_in_packages_and_numpy_functions_are_callables_too() -> None:
    text = TEXT.format(first="np.negative", second="np.abs")
    made = parse(text, namespace={"np": np})
    assert [e.symbol for e in externals(made)] == ["numpy.negative", "numpy.absolute"]
    np.testing.assert_array_equal(build(made)(X), np.abs(X))


def test_the_text_keeps_the_code() -> None:
    made = module()
    again = parse(print_module(made))
    assert externals(again) == externals(made)
    assert module_digest(again) == module_digest(made)


def test_code_of_a_cell_comes_with_what_it_uses() -> None:
    space = in_notebook("FACTOR = 3\n\ndef mine(x, out):\n    np.multiply(x, FACTOR, out=out)\n")
    (external,) = (external_of(space["mine"]),)  # pyright: ignore[reportArgumentType]
    assert external.symbol == "mine"
    assert external.content == (
        "import numpy as np\n\nFACTOR = 3\n\n\n"
        "def mine(x, out):\n    np.multiply(x, FACTOR, out=out)\n"
    )


SHADOWING = """
x = np.zeros(3)
e = x
unused = object()

def softmax(x, out):
    e = np.exp(x - x.max())
    unused = [unused for unused in e]
    np.divide(e, e.sum(), out=out)
"""


def test_parameters_and_variables_are_not_taken_for_values_of_the_notebook() -> None:
    """A notebook nearly always has an `x` that is an array."""
    found = external_of(in_notebook(SHADOWING)["softmax"])  # pyright: ignore[reportArgumentType]
    assert found.kind == "python"
    assert "zeros" not in found.content


READS = """
scale = 3.0
def half(number):
    return number / 2
def outer(x):
    def inner():
        return half(x * scale)
    return inner()
"""


def test_what_an_inner_function_reads_from_the_notebook_comes_too() -> None:
    found = external_of(in_notebook(READS)["outer"])  # pyright: ignore[reportArgumentType]
    space: dict[str, object] = {}
    exec(found.content, space)
    assert space["outer"](2.0) == 3.0  # pyright: ignore[reportCallIssue]


def test_two_functions_of_one_name_live_side_by_side() -> None:
    first, second = (
        in_notebook(f"def mine(x, out):\n    np.multiply(x, {n}, out=out)\n")["mine"]
        for n in (3, 5)
    )
    old = module(first)
    text = TEXT.format(first="mine", second="other")
    both = parse_into(text, old, namespace={"mine": second, "other": doubled})
    assert [e.symbol for e in externals(both)][:1] == ["mine"]
    assert "mine_1" in print_module(both)
    np.testing.assert_array_equal(build(old)(X), X * 6)
    np.testing.assert_array_equal(build(both)(X), X * 10)


def test_a_builder_takes_callables() -> None:
    builder = GraphBuilder()
    type_ = TensorType((3,), "float32")
    x = builder.param("x", type_)
    a = builder.call_library(scaled, (x,), type_)
    y = builder.call_library(doubled, (a,), type_, style=PackedStyle.PURE)
    made = builder.module.with_function("main", builder.build(y))
    np.testing.assert_array_equal(build(made)(X), X * 4)
    assert [e.symbol for e in externals(made)] == [f"{HERE}.scaled", f"{HERE}.doubled"]


def test_attributes_are_keywords() -> None:
    def add(x: np.ndarray, out: np.ndarray, *, amount: int) -> None:
        np.add(x, amount, out=out)

    builder = GraphBuilder()
    type_ = TensorType((3,), "float32")
    x = builder.param("x", type_)
    y = builder.call_library(add, (x,), type_, amount=7)
    made = builder.module.with_function("main", builder.build(y))
    np.testing.assert_array_equal(build(made)(X), X + 7)


# --- files ----------------------------------------------------------------------------------


PROGRAM = """
import sys
import numpy as np
import workbench as wb
module = wb.load(sys.argv[1])
x = np.array([1, -2, 3], np.float32)
try:
    wb.build(module)
except wb.CompileError as error:
    print(error.diagnostics[0].code, len(error.diagnostics))
print(wb.build(wb.allow(module))(x).tolist())
"""


def test_saved_code_runs_in_another_process_once_it_is_allowed(tmp_path: Path) -> None:
    space = in_notebook("def mine(x, out):\n    np.multiply(x, 3, out=out)\n")
    path = tmp_path / "model.wb"
    save(module(space["mine"], np.abs), path)
    assert externals(load_saved(path)) == externals(module(space["mine"], np.abs))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["library/unavailable 2", "[3.0, 6.0, 9.0]"]


def test_loading_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    code = f"open({str(witness)!r}, 'w').close()\ndef mine(x, out):\n    out[...] = x\n"
    made = with_externals(module(), [External("mine", "python", "mine", code)])
    path = tmp_path / "model.wb"
    save(made, path)
    loaded = load_saved(path)
    build(loaded)
    assert not witness.exists()
    allow(loaded)
    assert witness.exists()


def test_code_that_does_not_load_is_said() -> None:
    made = with_externals(IRModule(), [External("f", "python", "f", "import no_such_package\n")])
    with pytest.raises(CompileError, match="the code of `f` cannot be loaded: ModuleNotFoundError"):
        allow(made)


def test_a_package_that_is_missing_is_told_with_what_to_do() -> None:
    made = with_externals(IRModule(), [External("f", "python", "f", "import no_such_package\n")])
    with pytest.raises(CompileError) as caught:
        allow(made)
    assert "install `no_such_package`" in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    "line",
    [
        "nobody",
        "1 / 0",
        "None.x",
        "class E(Exception): ...\nraise E",
        "import sys\nsys.exit(3)",
    ],
)
def test_code_that_raises_whatever_it_wants_is_said(line: str) -> None:
    made = with_externals(IRModule(), [External("f", "python", "f", f"{line}\n")])
    with pytest.raises(CompileError, match=r"library/external.*the code of `f` cannot be loaded"):
        allow(made)


def test_a_diagnostic_of_code_that_is_loaded_stays_what_it_is() -> None:
    code = "from workbench.script import parse\nparse('@I.ir_module\\nclass M:\\n    1 +')\n"
    made = with_externals(IRModule(), [External("f", "python", "f", code)])
    with pytest.raises(CompileError) as alone:
        exec(code, {})
    with pytest.raises(CompileError) as caught:
        allow(made)
    (fault,), (expected,) = caught.value.diagnostics, alone.value.diagnostics
    assert (fault.code, fault.message, fault.span) == (
        expected.code,
        expected.message,
        expected.span,
    )
    assert fault.notes[-1] == "while the code of `f`, which came with the module, was loaded"


def test_a_closure_works_here_and_is_not_saved(tmp_path: Path) -> None:
    factor = 5

    def mine(x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, factor, out=out)

    made = module(mine, functools.partial(np.multiply, 2))
    np.testing.assert_array_equal(build(made)(X), X * 10)
    with pytest.raises(CompileError) as caught:
        save(made, tmp_path / "model.wb")
    (fault,) = caught.value.diagnostics
    assert fault.code == "save/no-source"
    assert "`mine`" in fault.message


def test_a_faulty_list_in_a_text_is_refused() -> None:
    text = '@I.ir_module\nclass M:\n    I.module_attrs({"external_mods": [[1, 2]]})\n'
    with pytest.raises(CompileError, match="lists symbol, kind, entry and content"):
        parse(text)


# --- shared objects ---------------------------------------------------------------------------

C = """
#include <stdint.h>
typedef struct { void *data; int32_t device, id, ndim; uint8_t code, bits; uint16_t lanes;
                 int64_t *shape, *strides; uint64_t offset; } DLTensor;
int32_t twice(DLTensor *x, DLTensor *out) {
    if (x->code != 2 || x->bits != 32 || x->ndim != 1) return 7;
    for (int64_t i = 0; i < x->shape[0]; i++) ((float *)out->data)[i] = 2 * ((float *)x->data)[i];
    return 0;
}
"""
CALL = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((3,), "{dtype}")):
        with R.dataflow():
            y = R.call_dps_packed("acme.twice", (x,), out_ty=R.Tensor((3,), "{dtype}"))
            R.output(y)
        return y
"""


@pytest.fixture(scope="module")
def shared_object(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("object")
    (folder / "twice.c").write_text(C)
    command = [compiler, "-shared", "-fPIC", "-o", "twice.so", "twice.c"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "twice.so").read_bytes()


def test_a_shared_object_comes_with_the_module(shared_object: bytes, tmp_path: Path) -> None:
    made = add_shared_object(parse(CALL.format(dtype="float32")), shared_object, ["acme.twice"])
    np.testing.assert_array_equal(build(made)(X), X * 2)
    path = tmp_path / "model.wb"
    save(made, path)
    loaded = load_saved(path)
    assert externals_of(loaded) == externals_of(made)
    np.testing.assert_array_equal(build(loaded)(X), X * 2)


def test_its_status_is_an_error(shared_object: bytes) -> None:
    made = add_shared_object(parse(CALL.format(dtype="float64")), shared_object, ["acme.twice"])
    with pytest.raises(CompileError, match="raised `RuntimeError`") as caught:
        build(made)(X.astype("float64"))
    assert "`twice` returned 7" in caught.value.diagnostics[0].message


def test_a_function_that_is_not_in_it_is_said(shared_object: bytes) -> None:
    with pytest.raises(CompileError, match="has no function `thrice`"):
        add_shared_object(IRModule(), shared_object, ["acme.thrice"])
