"""Symbolic shapes as something to click through: one program for every batch, then one for three.

A module with a batch of any size is legalized and fused, each verdict names the extents that it was
found on, the build runs for several, and a click specialises for a number that a person types.
"""

import re

from playwright.sync_api import Locator, expect

from tests.ui.journey import BAR, assert_bar
from tests.ui.lab import Lab
from tests.ui.test_unity import applied
from tests.ui.view import SECONDS, View

SYMBOLIC = """
import numpy as np
import workbench as wb
from workbench import I, R, T

@I.ir_module
class AnyBatch:
    @R.function
    def main(x: R.Tensor(("n", 64), "float32"), w: R.Tensor((64, 32), "float32")):
        n = T.int64()
        with R.dataflow():
            h = R.matmul(x, w)
            r = R.nn.relu(h)
            y = R.add(r, r)
            R.output(y)
        return y

batch = wb.open(AnyBatch)
batch
"""
RUN = """
run = wb.build(batch.module)
rng = np.random.default_rng(0)
w = rng.normal(size=(64, 32)).astype("float32")
for n in (1, 5, 130):
    x = rng.normal(size=(n, 64)).astype("float32")
    good = np.allclose(run(x, w), 2 * np.maximum(x @ w, 0), atol=1e-4)
    print(n, "right" if good else "wrong")
"""
EXTENTS = 'batch.inputs(extents={"n": 11})'
WRONG = '''
HALF = """
@T.prim_func
def add(a: T.Buffer(("n", 32), "float32"), b: T.Buffer(("n", 32), "float32"),
        out: T.Buffer(("n", 32), "float32")):
    n = T.int64()
    for i, j in T.grid(n, 32):
        with T.sblock("add"):
            vi, vj = T.axis.remap("SS", [i, j])
            out[vi, vj] = a[vi, vj] + T.if_then_else(vi < 30, b[vi, vj], T.float32(0))
"""
batch.edit("add", HALF, at=1)
'''


def field(view: View) -> Locator:
    """Where the number of a dimension is typed."""
    return view.details.get_by_role("spinbutton", name="n =")


def find_how_to_specialise(view: View) -> None:
    """A search for what a person wants finds the pass, by its name in the field."""
    search = view.details.get_by_role("searchbox", name="Search passes")
    offers = view.details.get_by_role("region", name="Applies here").get_by_role("button")
    for words in ("specialise", "specialize n = 3", "symbolic"):
        search.fill(words)
        expect(offers.filter(has_text="Apply")).to_have_count(1)
        expect(
            view.details.get_by_role("button", name="Apply BindSymbolicVariables")
        ).to_be_enabled()
    search.fill("nothing like that")
    expect(view.details).to_contain_text("no pass is about")
    search.fill("specialise")


def refuse_what_is_no_extent(view: View) -> None:
    apply = view.details.get_by_role("button", name="Apply BindSymbolicVariables")
    for text, reason in (
        ("-1", "got `-1`"),
        ("", "give at least one dimension a number"),
    ):
        field(view).fill(text)
        expect(view.details).to_contain_text(reason)
        expect(apply).to_be_disabled()


def specialise(view: View) -> None:
    """For three, by typing it: types, loops and verdict have the number."""
    field(view).fill("3")
    expect(view.details).to_contain_text("specialise for n = 3")
    expect(view.details.get_by_role("group", name="Python")).to_contain_text("{'n': 3}")
    view.screenshot("symbolic-field")
    field(view).press("Enter")
    expect(view.head).to_contain_text("step 3 · BindSymbolicVariables")
    assert "at n = 3\n" in view.checked(3)
    expect(view.boxes("relu, ").first).to_have_accessible_name(re.compile(r"\[3, 32\]"))
    expect(field(view)).to_have_count(0)
    view.details.get_by_role("searchbox", name="Search passes").fill("")


def measure_both(view: View) -> None:
    """The general version and the special one, on the same three rows."""
    for step in (2, 3):
        view.history.get_by_label(f"Choose step {step} for a diff").check()
    view.root.get_by_role("button", name="Compare", exact=True).click()
    comparison = view.root.get_by_role("region", name="Comparison")
    bars = comparison.get_by_role("img", name=BAR)
    expect(bars).to_have_count(2, timeout=SECONDS)
    for label in bars.evaluate_all("bars => bars.map(bar => bar.ariaLabel)"):
        assert_bar(label)
    expect(comparison).to_contain_text("n = 3")
    view.screenshot("symbolic-compared")
    comparison.get_by_role("button", name="Close the comparison").click()


def test_one_program_for_every_batch_and_one_for_three(lab: Lab) -> None:
    lab.open(lab.write("symbolic.ipynb", SYMBOLIC, RUN))
    lab.run(0)
    view = View(lab, "batch = wb.open")
    view.wait()
    expect(view.boxes("matmul, ").first).to_have_accessible_name(re.compile(r"\[n, 32\]"))
    for step, name in ((1, "LegalizeOps"), (2, "FuseOps")):
        applied(view, name, step)
        assert "at n = 3 and 37" in view.checked(step)
    expect(view.root.get_by_text("at n = 3 and 37")).not_to_have_count(0)
    view.screenshot("symbolic-fused")
    lab.run(1)
    assert lab.text_of(1).split("\n")[:3] == ["1 right", "5 right", "130 right"]
    find_how_to_specialise(view)
    refuse_what_is_no_extent(view)
    specialise(view)
    measure_both(view)


def test_a_step_that_is_wrong_for_some_extents_says_for_which(lab: Lab) -> None:
    lab.open(lab.write("extents.ipynb", SYMBOLIC, WRONG, EXTENTS))
    lab.run(0)
    view = View(lab, "batch = wb.open")
    view.wait()
    applied(view, "LegalizeOps", 1)
    lab.run(1)
    assert "at n = 37, right at n = 3" in view.checked(2, "✗")
    view.screenshot("symbolic-wrong")
    lab.run(2)
    assert "at n = 11" in view.checked(2)
