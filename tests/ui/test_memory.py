"""A person looks at where values lie, and goes from there to the values."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.ui.lab import Lab
from tests.ui.test_looks import AUDIT, AXE
from tests.ui.view import View

PROGRAM = '''
import workbench as wb

s = wb.open(wb.parse("""
@R.function
def main(x: R.Tensor((64, 64), "float32"), w: R.Tensor((64, 64), "float32")):
    with R.dataflow():
        a = R.matmul(x, w)
        b = R.nn.relu(a)
        c = R.nn.softmax(b)
        d = R.permute_dims(c)
        e = R.matmul(d, w)
        f = R.add(e, d)
        g = R.matmul(f, w)
        z = R.tanh(g)
        R.output(z)
    return z
"""))
s
'''


def test_the_memory_plan_is_looked_at_and_clicked(lab: Lab, repository: Path) -> None:
    lab.open(lab.write("memory.ipynb", PROGRAM))
    lab.run(0)
    view = View(lab, PROGRAM)
    view.wait()
    view.root.get_by_role("button", name="Memory", exact=True).click()
    memory = view.root.get_by_role("region", name="Memory", exact=True)
    expect(memory).to_contain_text("arena 32 KiB instead of 112 KiB")
    chart = memory.get_by_role("group", name="Chart of the memory plan")
    boxes = chart.get_by_role("button")
    expect(boxes).to_have_count(8)

    boxes.filter(has_text=re.compile("^c$")).click()
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(1)
    expect(view.graph.get_by_role("button", name="softmax", pressed=True)).to_be_visible()
    note = memory.get_by_role("note", name="Value in memory")
    expect(note).to_contain_text("in place of b")

    lab.page.keyboard.press("ArrowRight")
    expect(note).to_contain_text("not in place of c")
    expect(note).to_contain_text("is read after")
    lab.page.keyboard.press("Enter")
    expect(view.graph.get_by_role("button", name="permute_dims", pressed=True)).to_be_visible()

    memory.get_by_text("Values as a table").click()
    table = memory.get_by_role("table", name="Memory plan")
    expect(table.get_by_role("row")).to_have_count(9)
    table.get_by_role("button", name="f", exact=True).click()
    expect(view.graph.get_by_role("button", name="add", pressed=True)).to_be_visible()
    lab.screenshot("memory-plan", memory)

    lab.page.add_script_tag(path=repository / AXE)
    assert view.root.evaluate(AUDIT) == []
    lab.theme("dark")
    try:
        assert view.root.evaluate(AUDIT) == []
        lab.screenshot("memory-plan-dark", memory)
    finally:
        lab.theme("light")  # the server keeps the choice

    lab.page.keyboard.press("Escape")
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(0)
    view.apply("LegalizeOps")
    view.apply("PlanMemory")
    expect(memory).to_contain_text("followed by builds")
    memory.get_by_role("button", name="Close the memory plan").click()
    expect(memory).to_have_count(0)
