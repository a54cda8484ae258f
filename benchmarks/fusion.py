"""What fusion gains: the same schedules with and without it, in interleaved runs.

An elementwise chain, matmul + bias + gelu, convolution + bias + relu + add, and two convolutions
that a pattern pass puts into one group with what follows them. Processor time, one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

import workbench as wb
from benchmarks.timing import conditions, interleaved
from workbench.analysis.patterns import Match, Pattern, anything, op
from workbench.ir import (
    CallOp,
    CallTIR,
    GraphBuilder,
    IRModule,
    Seq,
    TensorFunction,
    TensorType,
    Var,
)
from workbench.passes import (
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    Pass,
    ScheduleDefault,
)
from workbench.rewrite import ModuleEditor, PatternRule, outline

SECONDS = 6.0
UNFUSED: tuple[Pass, ...] = (LegalizeOps(), ScheduleDefault(), EliminateDeadCode())
FUSED: tuple[Pass, ...] = (
    LegalizeOps(),
    FuseOps(),
    FuseTensorFunctions(),
    ScheduleDefault(),
    EliminateDeadCode(),
)


@dataclass(frozen=True)
class FuseTwoConvolutions(PatternRule):
    """A convolution of a convolution."""

    name: ClassVar[str] = "fuse-two-convolutions"
    pattern: ClassVar[Pattern] = op(
        "nn.conv2d", op("nn.conv2d", anything(), anything()).used(1), anything()
    )

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "two_convolutions", rule=self.name)


def main() -> None:
    """Print the times of both and their ratio, which is above 1 where fusion gains."""
    print(f"fusion, float32, 1 thread, {conditions()}")
    cases: dict[str, tuple[Callable[[], IRModule], tuple[Pass, ...]]] = {
        "chain of 6 on 1024x1024": (chain, FUSED),
        "matmul + bias + gelu": (matmul_gelu, FUSED),
        "conv + bias + relu + add": (convolution, FUSED),
        "two convs + bias + relu": (two_convolutions, (FuseTwoConvolutions(), *FUSED)),
    }
    for label, (make, fused) in cases.items():
        module = make()
        runs = {
            name: _runner(module, passes)
            for name, passes in (("fused", fused), ("unfused", UNFUSED))
        }
        actions = {name: run for name, (run, _) in runs.items()}
        error = np.abs(np.asarray(actions["fused"]()) - np.asarray(actions["unfused"]())).max()
        times = interleaved(actions, SECONDS, clock=time.process_time)
        ratio = times["unfused"].median / times["fused"].median
        print(f"{label}: {ratio:.2f} x, max difference {error:.1e}")
        for name, (_, nests) in runs.items():
            print(f"  {name:8} {times[name]}  {nests} loop nests")


def _runner(module: IRModule, passes: tuple[Pass, ...]) -> tuple[Callable[[], object], int]:
    """A run of the module after the passes, and how many loop nests it has."""
    rng = np.random.default_rng(0)
    types = [param.type for param in module.graph_functions["main"].params]
    arrays = [
        rng.normal(size=[d for d in type_.shape or () if isinstance(d, int)]).astype("float32")
        for type_ in types
        if isinstance(type_, TensorType)
    ]
    for step in passes:
        module = step(module).module
    values = [binding.value for binding in module.graph_functions["main"].bindings]
    callees = [module[value.callee] for value in values if isinstance(value, CallTIR)]
    nests = sum(
        len(callee.body.body) if isinstance(callee.body, Seq) else 1
        for callee in callees
        if isinstance(callee, TensorFunction)
    )
    executable = wb.build(module, num_threads=1)
    return lambda: executable(*arrays), nests


def chain() -> IRModule:
    """`abs(max(-relu(x + z) * z, z))`."""
    builder = GraphBuilder()
    x, z = (builder.param(name, _tensor(1024, 1024)) for name in "xz")
    y = builder.emit(CallOp("nn.relu", (builder.emit(CallOp("add", (x, z))),)))
    y = builder.emit(CallOp("negative", (builder.emit(CallOp("multiply", (y, z))),)))
    return _finished(
        builder, builder.emit(CallOp("abs", (builder.emit(CallOp("maximum", (y, z))),)))
    )


def matmul_gelu() -> IRModule:
    """The first half of a feed-forward layer."""
    builder = GraphBuilder()
    x, w = builder.param("x", _tensor(512, 64)), builder.param("w", _tensor(64, 1024))
    bias = builder.param("b", _tensor(1024))
    y = builder.emit(CallOp("add", (builder.emit(CallOp("matmul", (x, w))), bias)))
    return _finished(builder, builder.emit(CallOp("nn.gelu", (y,))))


def convolution() -> IRModule:
    """The end of a residual block."""
    builder = GraphBuilder()
    x, w = builder.param("x", _tensor(1, 32, 64, 64)), builder.param("w", _tensor(128, 32, 1, 1))
    bias, r = builder.param("b", _tensor(1, 128, 1, 1)), builder.param("r", _tensor(1, 128, 64, 64))
    y = builder.emit(CallOp("add", (builder.emit(CallOp("nn.conv2d", (x, w))), bias)))
    return _finished(
        builder, builder.emit(CallOp("add", (builder.emit(CallOp("nn.relu", (y,))), r)))
    )


def two_convolutions() -> IRModule:
    """3x3, then 1x1."""
    builder = GraphBuilder()
    x, w = builder.param("x", _tensor(1, 16, 66, 66)), builder.param("w", _tensor(16, 16, 3, 3))
    v, bias = builder.param("v", _tensor(64, 16, 1, 1)), builder.param("b", _tensor(1, 64, 1, 1))
    y = builder.emit(CallOp("nn.conv2d", (builder.emit(CallOp("nn.conv2d", (x, w))), v)))
    y = builder.emit(CallOp("add", (y, bias)))
    return _finished(builder, builder.emit(CallOp("nn.relu", (y,))))


def _tensor(*shape: int) -> TensorType:
    return TensorType(shape, "float32")


def _finished(builder: GraphBuilder, result: Var) -> IRModule:
    return builder.module.with_function("main", builder.build(result))


if __name__ == "__main__":
    main()
