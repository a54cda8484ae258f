"""Outlining: when an equal function that is there already may stand in."""

from __future__ import annotations

import numpy as np

from workbench.interpret import run
from workbench.ir import CallFunction, GraphFunction, IRModule
from workbench.rewrite import ModuleEditor, outline
from workbench.script import parse

TWINS = """
@I.ir_module
class Module:
    @R.function(private=True)
    def f(x: R.Tensor((4,), "float32")):
        R.func_attr({"Primitive": 1})
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            R.output(b)
        return b

    @R.function(private=True)
    def g(x: R.Tensor((4,), "float32")):
        R.func_attr({"Primitive": 1})
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            R.output(b)
        return b

    @R.function
    def main(x: R.Tensor((4,), "float32")):
        cls = Module
        with R.dataflow():
            y = cls.f(x)
            z = cls.g(y)
            R.output(z)
        return z
"""


def bindings(module: IRModule, function: str) -> list[object]:
    found = module[function]
    assert isinstance(found, GraphFunction)
    return [binding.value for binding in found.bindings]


def outlined(module: IRModule, functions: tuple[str, ...]) -> IRModule:
    """All bindings of some functions, each outlined."""
    editor = ModuleEditor(module)
    for name in functions:
        function = module[name]
        assert isinstance(function, GraphFunction)
        outline(editor, name, function.bindings, "region", rule="test")
    return editor.commit()


def test_a_function_does_not_come_to_call_itself() -> None:
    module = parse(TWINS)
    x = np.linspace(0, 1, 4, dtype="f4")
    for functions in (("f",), ("f", "g"), ("g", "f")):
        result = outlined(module, functions)
        for name in functions:
            (call,) = bindings(result, name)
            assert isinstance(call, CallFunction)
            assert call.callee != name
        np.testing.assert_allclose(run(result, x), run(module, x), rtol=1e-6)


def test_an_equal_function_that_nobody_edits_stands_in() -> None:
    result = outlined(parse(TWINS), ("f", "g"))
    calls = [call for name in ("f", "g") for call in bindings(result, name)]
    callees = [call.callee for call in calls if isinstance(call, CallFunction)]
    assert callees == ["g", "region"]
