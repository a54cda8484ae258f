"""Sums and products over an axis whose extent turns out to be 0 are what numpy gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from workbench import interpret
from workbench.ir import IRModule
from workbench.passes import LegalizeOps, ScheduleDefault

FLOAT = '"float32"'
CASES: dict[str, tuple[str, tuple[str, ...], Callable[..., np.ndarray]]] = {
    "sum of rows": ("R.sum(x, axis=[1])", ("(4, n)",), lambda x: x.sum(1)),
    "sum of columns": ("R.sum(x, axis=[0])", ("(n, 40)",), lambda x: x.sum(0)),
    "sum of all": ("R.sum(x)", ("(4, n)",), lambda x: x.sum()),
    "product": ("R.prod(x, axis=[1])", ("(4, n)",), lambda x: x.prod(1)),
    "small matrices": ("R.matmul(x, w)", ("(4, n)", "(n, 16)"), np.matmul),
    "matrices": ("R.matmul(x, w)", ("(m, n)", "(n, 64)"), np.matmul),
    "batches": ("R.matmul(x, w)", ("(2, m, n)", "(2, n, 64)"), np.matmul),
}
STAGES: dict[str, Callable[[IRModule], IRModule]] = {
    "as it is": lambda module: module,
    "legalized": lambda module: LegalizeOps().run(module).module,
    "scheduled": lambda module: ScheduleDefault().run(LegalizeOps().run(module).module).module,
}


def graph(value: str, shapes: tuple[str, ...]) -> IRModule:
    params = ", ".join(
        f"{name}: R.Tensor({shape}, {FLOAT})" for name, shape in zip("xw", shapes, strict=False)
    )
    return wb.parse(f"""
@I.ir_module
class Module:
    @R.function
    def main({params}):
        with R.dataflow():
            y = {value}
            R.output(y)
        return y
""")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("name", CASES)
def test_as_numpy(name: str, n: int, stage: str, *, fixed: bool) -> None:
    value, shapes, reference = CASES[name]
    sizes = {"n": n, "m": 33}
    numbers = [tuple(sizes.get(d, d) for d in s.strip("()").split(", ")) for s in shapes]
    data = [np.ones(tuple(int(d) for d in shape), np.float32) for shape in numbers]
    named = [s.replace("n", '"n"').replace("m", '"m"') for s in shapes]
    module = graph(value, tuple(map(str, (a.shape for a in data))) if fixed else tuple(named))
    module = STAGES[stage](module)
    expected = reference(*data)
    np.testing.assert_array_equal(interpret.run(module, *data), expected)
    np.testing.assert_array_equal(wb.build(module)(*data), expected)
