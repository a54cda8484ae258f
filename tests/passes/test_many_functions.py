"""Passes that add a function for each call they rewrite do not make a module for each."""

from __future__ import annotations

import pytest

from workbench.analysis import cost, loop_costs
from workbench.ir import IRModule
from workbench.passes import (
    DispatchToLibrary,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    PartitionForLibrary,
    Pass,
)
from workbench.rewrite import ModuleEditor
from workbench.script import parse

LAYERS = 12


def layers() -> IRModule:
    """Products, biases and activations, of which no two have the same shape."""
    params, lines, value = ['x: R.Tensor((4, 8), "float32")'], list[str](), "x"
    for n in range(LAYERS):
        params.append(f'w{n}: R.Tensor(({8 + n}, {9 + n}), "float32")')
        params.append(f'b{n}: R.Tensor(({9 + n},), "float32")')
        lines.append(f"m{n} = R.matmul({value}, w{n})")
        lines.append(f"a{n} = R.add(m{n}, b{n})")
        lines.append(f"r{n} = R.nn.relu(a{n})")
        value = f"r{n}"
    body = "\n        ".join([*lines, f"R.output({value})"])
    return parse(
        f"@R.function\ndef main({', '.join(params)}):\n"
        f"    with R.dataflow():\n        {body}\n    return {value}\n"
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[IRModule]:
    """The modules that editors put together, each as often as it is asked for."""
    found: list[IRModule] = []
    real = ModuleEditor.current.fget
    assert real is not None

    def current(self: ModuleEditor) -> IRModule:
        found.append(real(self))
        return found[-1]

    monkeypatch.setattr(ModuleEditor, "current", property(current))
    return found


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ((LegalizeOps(), FuseOps(), FuseTensorFunctions()), DispatchToLibrary()),
        ((LegalizeOps(), FuseOps(), FuseTensorFunctions()), PartitionForLibrary("numpy")),
        ((LegalizeOps(), FuseOps()), FuseTensorFunctions()),
    ],
    ids=["dispatch", "partition", "merging"],
)
def test_modules_made_do_not_grow_with_the_calls(
    before: tuple[Pass, ...], step: Pass, made: list[IRModule]
) -> None:
    module = layers()
    for earlier in before:
        module = earlier(module).module
    made.clear()
    after = step(module)
    assert len(after.derivations) >= LAYERS
    assert len({id(module) for module in made}) <= 3


def test_the_cost_of_a_function_is_that_of_its_loops_together() -> None:
    module = LegalizeOps()(layers()).module
    for function in module.tensor_functions.values():
        by_loop = loop_costs(function)
        outermost = by_loop[next(iter(reversed(by_loop)))]
        assert cost(function).operations == outermost.operations
        assert cost(function) is cost(function)
