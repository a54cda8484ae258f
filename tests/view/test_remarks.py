"""Remarks lead to the value that they are about, wherever a pass has put it."""

from __future__ import annotations

import workbench as wb
from workbench.session import Session
from workbench.view.history import step_view

TWO_PRODUCTS = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((8, 8), "float32"), w: R.Tensor((8, 8), "float32")):
        with R.dataflow():
            a = R.matmul(x, w)
            b = R.nn.relu(a)
            c = R.matmul(b, w)
            y = R.nn.relu(c)
            R.output(y)
        return y
"""


def test_an_edge_that_was_not_fused_leads_to_the_member_that_its_end_became() -> None:
    session = Session(wb.parse(TWO_PRODUCTS))
    session.apply("LegalizeOps")
    step = session.apply("FuseOps")
    (remark,) = step_view(session, step, "s").remarks
    assert remark.message.startswith("`b` -> `c`")
    assert remark.node is not None
    before, after = session.lineage(1), session.lineage(step.index)
    (c,) = [value.key for value in before.values() if value.name == "c"]
    assert after.value(c) is None, "it is no value of `main` any more"
    assert after.value(remark.node) is not None
    assert after.stable[remark.node] == before.stable[c]


def test_a_value_that_stayed_keeps_its_key() -> None:
    session = Session(wb.parse(TWO_PRODUCTS.replace("R.nn.relu(a)", "R.nn.softmax(a)")))
    session.apply("LegalizeOps")
    step = session.apply("FuseOps")
    for remark in step_view(session, step, "s").remarks:
        assert remark.node is not None
        assert session.lineage(step.index).value(remark.node) is not None
