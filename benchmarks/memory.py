"""Memory of intermediate values: with memory of their own, shared, and as `PlanMemory` plans it.

    python -m benchmarks.memory

The last column is what an executable that follows the plan holds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import workbench as wb
from workbench.analysis.memory import plan_memory
from workbench.frontend import load
from workbench.frontend.demo import magika_path, squeezenet
from workbench.frontend.networks import mobilenet_v2, resnet18
from workbench.ir import IRModule, TensorType, Var
from workbench.view.costs import bytes_text

ROW = "{:<22}{:>9}{:>12}{:>12}{:>12}{:>12}"


def main() -> None:
    """Print the table."""
    print(ROW.format("model", "values", "apart", "shared", "planned", "measured"))
    for name, module in models():
        plan = plan_memory(module)
        apart, planned = (plan.at(dim, {}) for dim in (plan.unshared, plan.peak))
        inputs = arguments(module)
        shared = wb.build(module).intermediate_bytes(inputs)
        followed = wb.build(wb.passes.PlanMemory()(module).module)
        measured = followed.intermediate_bytes(inputs)
        sizes = (bytes_text(size) for size in (apart, shared, planned, measured))
        print(ROW.format(name, len(plan.values), *sizes), *followed.report.notes)


def models() -> Iterator[tuple[str, IRModule]]:
    """Each model with its operators as tensor functions, and fused."""
    made = {
        "ResNet-18": resnet18(),
        "MobileNetV2": mobilenet_v2(),
        "SqueezeNet": load(squeezenet()),
        "Magika": load(magika_path()),
    }
    for name, module in made.items():
        dims = [dim for type_ in main_types(module) for dim in type_.shape or ()]
        one = {dim.name: 1 for dim in dims if isinstance(dim, Var)}
        bound = wb.passes.BindSymbolicVariables(one)(module).module if one else module
        legal = wb.passes.LegalizeOps()(wb.passes.FoldConstant()(bound).module).module
        yield name, legal
        fused = wb.passes.FuseTensorFunctions()(wb.passes.FuseOps()(legal).module).module
        yield f"{name}, fused", fused


def main_types(module: IRModule) -> list[TensorType]:
    """Types of the parameters of `main`."""
    params = module.graph_functions["main"].params
    return [p.type for p in params if isinstance(p.type, TensorType)]


def arguments(module: IRModule) -> list[np.ndarray]:
    """Zeros for the parameters of `main`."""
    return [np.zeros(numbers(type_), type_.dtype) for type_ in main_types(module)]


def numbers(type_: TensorType) -> tuple[int, ...]:
    """The extents of a type whose dimensions are numbers."""
    return tuple(dim for dim in type_.shape or () if isinstance(dim, int))


if __name__ == "__main__":
    main()
