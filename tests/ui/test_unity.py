"""The promises of the strategy as something to click through, on a small network.

Fusion says why not, a library takes what it recognises, a layout chosen inside functions shows up
as conversions that fold away, every step can be undone, stepped through and compared, and a wrong
pass is found.
"""

import re

from playwright.sync_api import Locator, expect

from tests.ui.journey import BAR, assert_bar
from tests.ui.lab import Lab
from tests.ui.view import SECONDS, View

NETWORK = '''
import numpy as np
import workbench as wb

rng = np.random.default_rng(0)
kernels = {name: rng.normal(size=(32, 32, 3, 3)).astype("float32") / 17 for name in ("w", "v")}
network = wb.parse("""
@I.ir_module
class Network:
    @R.function
    def main(
        x: R.Tensor((1, 32, 14, 14), "float32"),
        w: R.Tensor((32, 32, 3, 3), "float32"),
        v: R.Tensor((32, 32, 3, 3), "float32"),
    ):
        with R.dataflow():
            a = R.nn.conv2d(x, w, padding=(1, 1, 1, 1))
            b = R.nn.relu(a)
            c = R.nn.conv2d(b, v, padding=(1, 1, 1, 1))
            d = R.add(c, x)
            y = R.nn.relu(d)
            R.output(y)
        return y
""")
wb.save(wb.passes.BindParameters(kernels)(network).module, "unity.wb")
s = wb.open("unity.wb")
s
'''
WRONG = """
from dataclasses import dataclass, replace
from workbench.rewrite import Rule, Site

@wb.register_pass
@dataclass(frozen=True)
class AddsTwice(Rule):
    "Wrong on purpose: adds a value to itself."
    name = "adds-twice"
    def sites(self, module):
        for function, body in module.graph_functions.items():
            for binding in body.bindings:
                if getattr(binding.value, "callee", "").startswith("add"):
                    yield Site(function, (binding.var.id,))
    def rewrite(self, site, editor):
        call = editor.binding(site.function, site.nodes[0]).value
        wrong = replace(call, args=(call.args[0], call.args[0]))
        editor.replace_value(site.function, site.nodes[0], wrong, self.name)
"""
PRINT = "print(s.recipe())"


def offer(view: View, name: str) -> Locator:
    """The line of a pass in *Applies here*."""
    shown = view.lab.page.get_by_role("button", name=f"Show the code of {name}", exact=True)
    return view.details.get_by_role("listitem").filter(has=shown)


def remarks(view: View) -> Locator:
    return view.details.locator(".wb-remarks").get_by_role("listitem")


def applied(view: View, name: str, step: int) -> None:
    """Apply a pass by clicking, and wait until its step was checked and found right."""
    view.apply(name)
    expect(view.head).to_contain_text(f"step {step} · {name}")
    view.checked(step)


def fuse_and_ask_why_not(view: View) -> None:
    """U4: a fusion, and the reason for an edge that was not fused, at its value."""
    expect(offer(view, "FuseOps")).to_contain_text("not here")
    applied(view, "LegalizeOps", 1)
    applied(view, "FuseOps", 2)
    why = remarks(view).filter(has_text="`b` -> `c`: `c` is a contraction")
    expect(why.first).to_be_visible()
    view.screenshot("unity-fused")
    why.first.get_by_role("button").click()
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(1)
    view.lab.page.keyboard.press("Escape")


def undo(view: View) -> None:
    """Back to step 1, and another way from there."""
    view.step(1).click()
    view.root.get_by_role("button", name="Make head").click()
    expect(view.head).to_contain_text("step 1 · LegalizeOps")


def choose_layouts(view: View) -> None:
    """U6: layouts, their cost in words, and the conversions in the picture."""
    applied(view, "ChooseLayouts", 3)
    assert view.forked(2, 3)
    conversions = view.boxes("layout_transform")
    before = conversions.count()
    assert before >= 2
    expect(remarks(view).first).to_be_visible()
    view.screenshot("unity-layouts")
    applied(view, "FoldConstant", 4)
    expect(conversions).not_to_have_count(before)
    assert 0 < conversions.count() < before
    view.screenshot("unity-folded")


def partition_for_a_library(view: View) -> None:
    """U5: the same network for a library, from step 1 again; the rest stays compiled."""
    view.step(1).click()
    applied(view, "PartitionForLibrary", 5)
    expect(view.boxes("numpy.conv2d, ")).to_have_count(2)
    expect(view.boxes("numpy.conv2d, ").first).to_have_accessible_name(re.compile("library call"))
    expect(view.boxes("relu, ").first).to_have_accessible_name(re.compile("tensor function"))
    view.screenshot("unity-library")


def step_with_keys(view: View) -> None:
    """Step back and forward with keys: the head stays."""
    view.slider.focus()
    view.lab.page.keyboard.press("k")
    expect(view.history).to_contain_text("Step 1 · LegalizeOps")
    expect(view.boxes("numpy.conv2d, ")).to_have_count(0)
    view.lab.page.keyboard.press("j")
    expect(view.history).to_contain_text("Step 5 · PartitionForLibrary")
    expect(view.head).to_contain_text("step 5")


def compare_both_ways(view: View) -> None:
    """Bars say which way is faster."""
    for step in (4, 5):
        view.history.get_by_label(f"Choose step {step} for a diff").check()
    view.root.get_by_role("button", name="Compare", exact=True).click()
    comparison = view.root.get_by_role("region", name="Comparison")
    bars = comparison.get_by_role("img", name=BAR)
    expect(bars).to_have_count(2, timeout=SECONDS)
    for label in bars.evaluate_all("bars => bars.map(bar => bar.ariaLabel)"):
        assert_bar(label)
    view.screenshot("unity-compared")
    comparison.get_by_role("button", name="Close the comparison").click()


def find_the_wrong_pass(view: View) -> None:
    """A wrong pass among right ones is found, with its value."""
    view.step(1).click()
    view.apply("AddsTwice")
    view.checked(6, "✗")
    view.apply("FuseOps")
    expect(view.head).to_contain_text("step 7 · FuseOps")
    assert "as the step before" in view.checked(7, "≈")
    view.screenshot("unity-wrong")
    view.step(6).click()
    view.root.get_by_role("button", name=re.compile("✗")).first.click()
    expect(view.graph.get_by_role("button", name="first wrong value", pressed=True)).to_have_count(
        1
    )
    view.screenshot("unity-blamed")


def take_it_away(view: View) -> None:
    """All that was clicked is code."""
    view.lab.run(2)
    recipe = view.lab.text_of(2)
    assert "AddsTwice" in recipe
    assert "ChooseLayouts" not in recipe


def test_each_promise_can_be_clicked_through(lab: Lab) -> None:
    lab.open(lab.write("unity.ipynb", NETWORK, WRONG, PRINT))
    lab.run(0)
    view = View(lab, "network = wb.parse")
    view.wait()
    lab.run(1)
    fuse_and_ask_why_not(view)
    undo(view)
    choose_layouts(view)
    partition_for_a_library(view)
    step_with_keys(view)
    compare_both_ways(view)
    find_the_wrong_pass(view)
    take_it_away(view)
