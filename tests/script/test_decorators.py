"""Decorators: scripts as Python code of files and cells."""

# ruff: noqa: ANN201, ANN202, F821, N803, N805
# pyright: reportUndefinedVariable=false, reportSelfClsParameterName=false, reportInvalidTypeForm=false

import linecache
import textwrap
from typing import TypeVar

import numpy as np
import pytest

from workbench.ir import GraphFunction, IRModule, TensorFunction, structurally_equal
from workbench.script import I, R, T, parse, print_module
from workbench.script import T as Tensor
from workbench.support import CompileError

WIDTH = 8
n = TypeVar("n")
TABLE = np.arange(4, dtype=np.float32)

SCALE = """
@T.prim_func
def scale(x: T.Buffer(("n",), "float32"), y: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i in range(n):
        with T.sblock("y"):
            vi = T.axis.spatial(n, i)
            y[vi] = x[vi] * T.float32(0.5)
"""


@T.prim_func
def scale(x: T.Buffer(("n",), "float32"), y: T.Buffer(("n",), "float32")):
    n = T.int64()
    for i in range(n):
        with T.sblock("y"):
            vi = T.axis.spatial(n, i)
            y[vi] = x[vi] * 0.5


def test_a_tensor_function_from_a_file() -> None:
    assert isinstance(scale, TensorFunction)
    assert structurally_equal(scale, parse(SCALE)["scale"])


def test_closure_values() -> None:
    rows, kind = 4, "float32"

    @I.ir_module
    class Module:
        @T.prim_func(private=True)
        def double(A: T.Buffer((rows, WIDTH * 2), kind), B: T.Buffer((rows, WIDTH * 2), kind)):
            for i, j in Tensor.grid(rows, WIDTH * 2):
                B[i, j] = A[i, j] + A[i, j]

        @R.function
        def main(x: R.Tensor((rows, 16), kind)):
            with R.dataflow():
                y = R.call_tir(Module.double, (x,), out_ty=x.ty)
                R.output(y)
            return y

    assert isinstance(Module, IRModule)
    text = print_module(Module)
    assert 'A: T.Buffer((4, 16), "float32")' in text
    assert "out_ty=R.Tensor((4, 16), dtype=" in text


def test_functions_arrays_and_symbols_from_outside() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((n,), "float32"), z: R.Tensor((4,), "float32")):
            y = R.call_tir(scale, (x,), out_ty=x.ty)
            t = R.add(z, R.const(TABLE))
            return (y, t)

    assert Module["scale"] is scale
    (array,) = Module.pool.values()
    np.testing.assert_array_equal(array, TABLE)


def test_a_graph_function_alone() -> None:
    @R.function
    def f(x: R.Tensor((2,), "float32")):
        return R.exp(R.exp(x))

    assert isinstance(f, GraphFunction)
    assert len(f.bindings) == 2


def test_faults_name_the_file_and_the_line() -> None:
    with pytest.raises(CompileError) as caught:

        @I.ir_module
        class Module:
            @R.function
            def main(x: R.Tensor((2,), "float32")):
                return R.exp(undefined_here)

    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.source == __file__
    assert "undefined_here" in found.source_line
    assert found.source_line[found.span.column : found.span.end_column] == "undefined_here"


def test_a_cell() -> None:
    """A notebook compiles a cell under a name that `linecache` knows."""
    source = textwrap.dedent("""
        from workbench.script import I, R, T

        SIZE = 3

        @I.ir_module
        class Cell:
            @R.function
            def main(x: R.Tensor((SIZE,), "float32")):
                return R.nn.relu(x)
    """)
    name = "<cell of a test>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)
    module = namespace["Cell"]
    assert isinstance(module, IRModule)
    assert "R.Tensor((3,)" in print_module(module)


def test_without_source() -> None:
    source = "@T.prim_func\ndef f(x: T.Buffer((2,), 'float32')):\n    x[0] = 1.0\n"
    with pytest.raises(CompileError, match="script/no-source"):
        exec(compile(source, "<nowhere>", "exec"), {"T": T, "__name__": "m"})


def test_a_constant_needs_a_module() -> None:
    with pytest.raises(CompileError, match="script/new-constant"):

        @R.function
        def f(x: R.Tensor((2,), "float32")):
            return R.add(x, R.const(1.0, "float32"))
