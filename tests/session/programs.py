"""Small modules and passes that the tests of session and view share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import workbench as wb
from workbench.ir import Binary, BinaryOp, CallOp, IRModule, Store, TensorFunction, transform
from workbench.rewrite import ModuleEditor, Pass, PassResult, all_bindings

SMALL = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("n", 8), "float32"),
        w: R.Tensor((8, 4), "float32"),
        b: R.Tensor((4,), "float32"),
    ):
        with R.dataflow():
            h = R.matmul(x, w)
            a = R.add(h, b)
            y = R.nn.relu(a)
            R.output(y)
        return y
"""


PRODUCT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((N, N), "float32"), w: R.Tensor((N, N), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            R.output(h)
        return h
"""


def small() -> IRModule:
    return wb.parse(SMALL)


def product(size: int) -> IRModule:
    """A product of square matrices."""
    return wb.parse(PRODUCT.replace("N", str(size)))


@dataclass(frozen=True)
class Identity(Pass):
    """Changes nothing."""

    name: ClassVar[str] = "identity"

    def run(self, module: IRModule) -> PassResult:
        return PassResult(module)


@dataclass(frozen=True)
class Raises(Pass):
    """A pass with a bug."""

    name: ClassVar[str] = "raises"

    def run(self, module: IRModule) -> PassResult:
        return PassResult(module[{}["missing"]])  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class SwapOperands(Pass):
    """Planted fault: `add(h, b)` becomes `subtract(h, b)` in the graph."""

    name: ClassVar[str] = "swap-operands"
    to: str = "subtract"

    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        for binding in all_bindings(module.graph_functions["main"]):
            value = binding.value
            if isinstance(value, CallOp) and value.op == "add":
                editor.replace_value("main", binding.var.id, replace(value, op=self.to), self.name)
        return PassResult(editor.commit(), tuple(editor.derivations))


@dataclass(frozen=True)
class BreakFunction(Pass):
    """Planted fault inside a tensor function: one operator of its stores becomes another."""

    name: ClassVar[str] = "break-function"
    function: str
    old: str
    new: str

    def run(self, module: IRModule) -> PassResult:
        target = module[self.function]
        assert isinstance(target, TensorFunction)

        def fault(node: object) -> object:
            if isinstance(node, Binary) and node.op.value == self.old:
                return replace(node, op=BinaryOp(self.new))
            return node

        def in_stores(node: object) -> object:
            if isinstance(node, Store):
                return replace(node, value=transform(node.value, fault))
            return node

        body = transform(target.body, in_stores)
        editor = ModuleEditor(module)
        editor.set_function(self.function, replace(target, body=body))
        return PassResult(editor.commit(), tuple(editor.derivations))
