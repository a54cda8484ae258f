"""Long chains: fusing and inlining stay within a size that can be compiled and read."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import CallOp, GraphBuilder, IRModule, TensorType
from workbench.ir.verify import verify
from workbench.passes import optimize


def chain(length: int, *, doubling: bool) -> IRModule:
    """`tanh(x) + x` over and over, or a value that each step reads twice."""
    builder = GraphBuilder()
    x = builder.param("x", TensorType((8, 8), "float64"))
    y = x
    for step in range(length):
        if doubling:
            call = CallOp("multiply" if step % 2 else "maximum", (y, y))
        else:
            call = CallOp("tanh", (y,)) if step % 2 else CallOp("add", (y, x))
        y = builder.emit(call)
    return builder.module.with_function("main", builder.build(y))


@pytest.mark.parametrize(("length", "doubling"), [(300, False), (30, True)])
def test_the_pipeline_survives_long_chains(
    length: int, doubling: bool, rng: np.random.Generator
) -> None:
    module = chain(length, doubling=doubling)
    optimized = optimize(module)
    assert verify(optimized) == ()
    assert len(optimized.tensor_functions) < length
    x = rng.uniform(0.9, 1.0, (8, 8))
    np.testing.assert_allclose(run(optimized, x), run(module, x), rtol=1e-12)
