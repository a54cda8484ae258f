"""Passes that are wrong: the verdict must be red at their step and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from workbench.ir import (
    Alias,
    CallOp,
    Constant,
    FloatImm,
    For,
    IntImm,
    IRModule,
    Select,
    TensorFunction,
    transform,
)
from workbench.passes import FuseOps, FuseTensorFunctions, LegalizeOps, Pass, ScheduleDefault
from workbench.rewrite import ModuleEditor, PassResult, Refusal, Rule, Site

NETWORK = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 3, 9, 9), "float32"), w: R.Tensor((8, 3, 3, 3), "float32")):
        with R.dataflow():
            scale = R.const(0.5, "float32")
            c = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
            m = R.mean(c, axis=[2, 3], keepdims=True)
            d = R.subtract(c, m)
            y = R.multiply(d, scale)
            R.output(y)
        return y
"""


@dataclass(frozen=True)
class SwappedOperands(Rule):
    """`a - b` becomes `b - a`."""

    name: ClassVar[str] = "swapped-operands"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for binding in module.graph_functions["main"].bindings:
            if isinstance(binding.value, CallOp) and binding.value.op == "subtract":
                yield Site("main", (binding.var.id,))

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding("main", site.nodes[0])
        assert binding is not None
        assert isinstance(binding.value, CallOp)
        swapped = replace(binding.value, args=binding.value.args[::-1])
        editor.replace_value("main", site.nodes[0], swapped, self.name)


@dataclass(frozen=True)
class DroppedEdge(Pass):
    """Padding gives the border of the image instead of zeros: the edge case is dropped."""

    name: ClassVar[str] = "dropped-edge"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        for name, function in module.tensor_functions.items():
            if "pad" in str(function.allocations):
                editor.set_function(name, replace(function, body=transform(function.body, _ones)))
        return PassResult(editor.commit())


def _ones(node: object) -> object:
    if isinstance(node, Select):
        return replace(node, false_value=FloatImm(1.0))
    return node


@dataclass(frozen=True)
class WrongConstant(Pass):
    """A constant of the pool is off by a thousandth."""

    name: ClassVar[str] = "wrong-constant"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        for binding in module.graph_functions["main"].bindings:
            if isinstance(binding.value, Alias) and isinstance(binding.value.value, Constant):
                old = module.pool[binding.value.value.digest]
                new = editor.add_constant(np.multiply(old, np.float32(1.001)))
                editor.replace_value("main", binding.var.id, Alias(new), self.name)
        return PassResult(editor.commit())


@dataclass(frozen=True)
class LastIteration(Pass):
    """The longest plain loop of each scheduled function stops one iteration early."""

    name: ClassVar[str] = "last-iteration"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        for name, function in module.tensor_functions.items():
            if dict(function.attrs).get("scheduled"):
                editor.set_function(name, _shorter(function))
        return PassResult(editor.commit())


def _shorter(function: TensorFunction) -> TensorFunction:
    def shorten(node: object) -> object:
        if isinstance(node, For) and isinstance(node.extent, IntImm) and node.extent.value == 9:
            return replace(node, extent=IntImm(8))
        return node

    return replace(function, body=transform(function.body, shorten))


@pytest.mark.parametrize(
    ("before", "fault", "after"),
    [
        ((), SwappedOperands(), (LegalizeOps(), FuseOps())),
        ((LegalizeOps(),), DroppedEdge(), (FuseOps(), FuseTensorFunctions())),
        ((LegalizeOps(),), WrongConstant(), (FuseOps(), ScheduleDefault())),
        ((LegalizeOps(), ScheduleDefault()), LastIteration(), ()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_verdict_is_red_at_the_step_of_the_fault(
    before: tuple[Pass, ...], fault: Pass, after: tuple[Pass, ...]
) -> None:
    session = wb.open(wb.parse(NETWORK))
    for step in before:
        session.apply(step)
    wrong = session.apply(fault).index
    for step in after:
        session.apply(step)
    assert session.wait(300)
    states = [step.verdict.state for step in session.steps]
    assert states[wrong] == "wrong"
    assert "wrong" not in states[:wrong] + states[wrong + 1 :]
    first = session.steps[wrong].verdict.first
    assert first is not None
    assert first.expected != first.found


def test_the_faults_change_something() -> None:
    module = LegalizeOps()(wb.parse(NETWORK)).module
    scheduled = ScheduleDefault()(module).module
    for fault, base in (
        (DroppedEdge(), module),
        (WrongConstant(), module),
        (LastIteration(), scheduled),
    ):
        assert fault(base).module != base or fault(base).module.pool.keys() != base.pool.keys()
