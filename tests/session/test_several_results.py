"""Calls with several results: all that is offered for them can be chosen and measured."""

from __future__ import annotations

import pytest

from workbench.notebook.api import parse
from workbench.session import Session

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor((4, 6), "float32"),
        w: R.Tensor((6, 6), "float32"),
        v: R.Tensor((6, 6), "float32"),
    ):
        with R.dataflow():
            y = R.split(x, indices_or_sections=2, axis=1)
            a = y[0]
            b = y[1]
            c = R.add(a, b)
            d = R.matmul(x, w)
            e = R.matmul(x, v)
            f = R.add(d, e)
            out = (c, f)
            R.output(out)
        return out
"""


@pytest.mark.parametrize("before", ["", "LegalizeOps", "CombineParallelMatmuls"])
def test_all_that_is_offered_can_be_chosen(before: str) -> None:
    session = Session(parse(TEXT))
    start = session.apply(before) if before else session.head
    splits = [
        f"main.{binding.var.name}"
        for binding in start.module.graph_functions["main"].bindings
        if "split" in str(getattr(binding.value, "op", getattr(binding.value, "callee", "")))
    ]
    assert len(splits) == (2 if before.startswith("Combine") else 1)
    for name in splits:
        offered = [item.name for item in session.implementations(name) if item.available]
        assert "generated" in offered
        for item in offered:
            step = session.swap(name, item, at=start)
            session.wait()
            assert step.verdict.good, (name, item)
        session.checkout(start)
    assert not any(bar.failed for bar in session.measure(splits[0]).bars)
