"""Masks of numpy's arrays are never dropped: an array that hides elements is refused."""

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from workbench.interpret import run
from workbench.ir import (
    CallPacked,
    ConstantPool,
    GraphBuilder,
    IRModule,
    LibraryFunction,
    PackedStyle,
    TensorType,
    register_library,
)
from workbench.passes import BindParameters
from workbench.passes.weights import weights
from workbench.rewrite import ModuleEditor
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

MASKED = np.ma.masked_array(np.ones(4, "f4"), mask=[False, True, True, False])
OPEN = np.ma.masked_array(np.ones(4, "f4"), mask=[False] * 4)
MODULE = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), w: R.Tensor((4,), "float32")):
        with R.dataflow():
            y = R.add(x, w)
            R.output(y)
        return y
""")
WHOLE = np.arange(4, dtype="f4")


def scripted(array: np.ndarray) -> IRModule:
    return parse(
        """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        y = R.add(x, R.const(array))
        return y
""",
        namespace={"array": array},
    )


def returning(array: np.ndarray) -> object:
    register_library(LibraryFunction("test.masked", lambda _: array, "test"))
    builder = GraphBuilder()
    x = builder.param("x", TensorType((4,)))
    y = builder.emit(CallPacked("test.masked", (x,), (x.type,), PackedStyle.PURE))
    return build(IRModule((("main", builder.build(y)),)))(WHOLE)


PLACES: dict[str, Callable[[np.ndarray], object]] = {
    "an argument": lambda array: build(MODULE)(WHOLE, array),
    "interpreted": lambda array: run(MODULE, WHOLE, array),
    "an input": lambda array: wb.Session(MODULE).inputs(WHOLE, array),
    "a bound parameter": lambda array: BindParameters({"w": array}),
    "weights": lambda array: weights(array, "float32"),
    "a constant": lambda array: GraphBuilder().constant(array, "k"),
    "an edit": lambda array: ModuleEditor(MODULE).add_constant(array),
    "a pool": lambda array: ConstantPool().with_array(array),
    "a script": scripted,
    "a result": returning,
}


@pytest.mark.parametrize("place", PLACES)
def test_an_array_that_hides_elements_is_refused(place: str) -> None:
    with pytest.raises(CompileError, match="call/masked-array") as caught:
        PLACES[place](MASKED)
    assert "hides `2` of its `4` elements" in str(caught.value)
    PLACES[place](OPEN)


def test_the_argument_is_named() -> None:
    with pytest.raises(CompileError) as caught:
        build(MODULE)(WHOLE, MASKED)
    (fault,) = caught.value.diagnostics
    assert fault.function == "main"
    assert fault.node == MODULE.graph_functions["main"].params[1].id
    assert fault.notes == ("given for `w`",)
