"""Blocked layouts: single convolutions, and whole networks, against the same without them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.timing import conditions, interleaved
from workbench.frontend.networks import mobilenet_v2, resnet18
from workbench.ir import CallOp, GraphBuilder, IRModule, TensorType
from workbench.passes import (
    ChooseLayouts,
    EliminateDeadCode,
    FoldConstant,
    LegalizeOps,
    optimize,
)
from workbench.passes.layout_conversions import conversions
from workbench.runtime import Executable, build

CONVOLUTIONS = (
    (64, 64, 56, 3, 1, 1),
    (256, 256, 14, 3, 1, 1),
    (512, 512, 7, 3, 1, 1),
    (64, 128, 56, 3, 2, 1),
    (256, 64, 56, 1, 1, 1),
    (144, 144, 56, 3, 1, 144),
)
"""Channels, filters, size, kernel, stride and groups."""


def main() -> None:
    """Print times with and without blocks, and their ratio."""
    print(f"layouts, {conditions()}")
    for case in CONVOLUTIONS:
        channels, filters, size, kernel, stride, groups = case
        name = f"conv {kernel}x{kernel}/{stride} {channels}->{filters} {size}x{size}"
        name += " depthwise" if groups > 1 else ""
        _compare(name, _convolution(*case), (1, channels, size, size))
    for network in (resnet18, mobilenet_v2):
        _network(network)


def _convolution(
    channels: int, filters: int, size: int, kernel: int, stride: int, groups: int
) -> IRModule:
    """A convolution of one picture."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder()
    x = builder.param("x", TensorType((1, channels, size, size)))
    shape = (filters, channels // groups, kernel, kernel)
    weight = builder.constant(rng.standard_normal(shape).astype(np.float32), "w")
    attrs = {"strides": (stride,) * 2, "padding": (kernel // 2,) * 4, "groups": groups}
    y = builder.emit(CallOp("nn.conv2d", (x, weight), tuple(sorted(attrs.items()))))
    return builder.module.with_function("main", builder.build(y))


def _forms(module: IRModule) -> tuple[IRModule, IRModule]:
    """The module as it is and in blocks, both with default schedules."""
    plain = LegalizeOps()(FoldConstant()(module).module).module
    chosen = ChooseLayouts(bytes_per_cycle=1e9)(plain).module
    return optimize(plain), optimize(EliminateDeadCode()(FoldConstant()(chosen).module).module)


def _compare(name: str, module: IRModule, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    plain, blocked = (build(form) for form in _forms(module))
    found = interleaved({"plain": _call(plain, x), "blocked": _call(blocked, x)}, seconds=2.0)
    ratio = found["plain"].median / found["blocked"].median
    print(f"{name:38} as it is {found['plain']}")
    print(f"{'':38} blocked  {found['blocked']}   {ratio:.2f} times as fast")


def _call(executable: Executable, x: np.ndarray) -> Callable[[], object]:
    return lambda: executable(x)


def _network(network: Callable[[], IRModule]) -> None:
    module = network()
    chosen = ChooseLayouts()(LegalizeOps()(FoldConstant()(module).module).module).module
    left = len(list(conversions(FoldConstant()(chosen).module)))
    _compare(f"{network.__name__}, {left} conversions left", module, (1, 3, 224, 224))


if __name__ == "__main__":
    main()
