"""Text from a program is data: whatever it says, nothing of it runs in the page."""

from playwright.sync_api import expect

from tests.ui.lab import Lab
from tests.ui.view import View

HOSTILE = """
import dataclasses
import numpy as np
import onnx
from onnx import TensorProto, helper

import workbench as wb

EVIL = "<img src=x onerror=window.wbHacked=1>"
SUM = EVIL + "<script>window.wbHacked=2</script>"
graph = helper.make_graph(
    [
        helper.make_node("Add", ["x", EVIL], [SUM], name=EVIL),
        helper.make_node("Relu", [SUM], ["y"], name="</title>" + EVIL),
    ],
    "</svg>" + EVIL,
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    [onnx.numpy_helper.from_array(np.ones(4, "float32"), EVIL)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
onnx.save(model, EVIL.replace("/", "") + ".onnx")
h = wb.open(EVIL.replace("/", "") + ".onnx")
h
"""
FAULT = """h.apply("<img src=x onerror=window.wbHacked=3>")"""
REFUSED = 'wb.parse("<img src=x onerror=window.wbHacked=4>")'
EVIL = "<img src=x onerror=window.wbHacked=1>"
HACKED = "() => window.wbHacked"


def test_names_that_are_markup_stay_text(lab: Lab) -> None:
    lab.open(lab.write("hostile.ipynb", HOSTILE, FAULT, REFUSED))
    lab.run(0)
    view = View(lab, HOSTILE)
    view.wait()
    expect(view.root).to_contain_text(EVIL)
    for name in ("add", "relu"):
        view.select(name)
        for tab in ("Loops", "Script", "Origin"):
            view.tab(tab)
        expect(view.panel).to_contain_text(EVIL)
    lab.page.keyboard.press("Escape")
    view.apply("LegalizeOps")
    view.checked(1)
    view.root.get_by_role("button", name="Diff").click()
    expect(view.root.get_by_role("region", name="Diff of")).to_be_visible()
    view.root.get_by_role("button", name="Export").click()
    view.root.get_by_role("menuitem", name="Script").click()
    expect(view.root.get_by_role("dialog")).to_contain_text("wbHacked")
    for index in (1, 2):
        lab.run(index)
        (error,) = lab.outputs(index)
        assert error["output_type"] == "error"
        assert "wbHacked" in str(error["evalue"])
    expect(lab.page.locator("img[src=x]")).to_have_count(0)
    assert lab.page.evaluate(HACKED) is None


def test_the_fallback_of_a_hostile_module_runs_nothing(lab: Lab) -> None:
    lab.open(lab.write("fallback.ipynb", HOSTILE, "print(h._repr_mimebundle_()['text/html'])"))
    lab.run(0)
    lab.run(1)
    html = lab.text_of(1)
    assert "&lt;img src=x" in html
    lab.page.set_content(html)
    expect(lab.page.locator("img[src=x], script")).to_have_count(0)
    assert lab.page.evaluate(HACKED) is None
