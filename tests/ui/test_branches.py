"""Branches, effects and recursion as something to click through.

An `if` with calls that have effects in it and around it: each pass keeps their order, its arms are
opened, looked into and measured like anything else. A function that calls itself is opened as often
as one likes.
"""

import ast
import re

from playwright.sync_api import expect

from tests.ui.journey import BAR, assert_bar
from tests.ui.lab import Lab
from tests.ui.view import SECONDS, View
from tests.weather import weather

WEATHER = f"""
import numpy as np
import workbench as wb
from workbench import I, R

log = []

def tell(x):
    log.append(round(float(x.sum()), 3))
    return x

{weather("tell")}
x = np.array([0.5, -1.0, 2.0, 0.25], "float32")
weather = wb.open(Weather)
weather.inputs(x, np.array(True))
weather
"""
HALVING = """
import numpy as np
import workbench as wb
from workbench import I, R

@I.ir_module
class Halving:
    @R.function(private=True)
    def halve(n: R.Tensor((), "float32")) -> R.Tensor((), "float32"):
        cls = Halving
        large = R.greater(n, R.const(1.0, "float32"))
        if large:
            m = R.multiply(n, R.const(0.5, "float32"))
            r = cls.halve(m)
        else:
            r = n
        return r

    @R.function
    def main(x: R.Tensor((), "float32")):
        cls = Halving
        y = cls.halve(x)
        return y

halving = wb.open(Halving)
halving
"""
RUN_WEATHER = """
logs = []
for sunny in (True, False):
    for module in (Weather, weather.module):
        log.clear()
        wb.build(module)(x, np.array(sunny))
        logs.append(list(log))
print(logs)
"""
RUN_HALVING = """
print([float(wb.build(halving.module)(np.float32(n))) for n in (0.75, 3.0, 100.0)])
"""
INSIDE = ("tanh", "add", "subtract")


def applied(view: View, name: str, step: int) -> None:
    """Apply a pass by clicking, and wait until its step was checked and found right."""
    view.apply(name)
    expect(view.head).to_contain_text(f"step {step} · {name}")
    view.checked(step)


def see_arms(view: View) -> None:
    """Both arms are drawn, with what they read from outside; dashed edges order the effects."""
    for name in ("if sunny, f32[4], branch", *INSIDE):
        expect(view.boxes(name)).to_have_count(1)
    expect(view.boxes("tell, f32[4], library call with effects")).to_have_count(5)
    for arm in ("then", "else"):
        expect(view.graph.get_by_role("button", name=f"Fold {arm}", exact=True)).to_be_visible()
    expect(view.graph.get_by_role("button", name="sunny, bool[], from above")).to_have_count(1)
    expect(view.graph.get_by_text("order of effects")).to_be_visible()
    assert view.graph.locator(".wb-order").get_attribute("d")
    view.screenshot("branches")


def fold_and_open(view: View) -> None:
    """The `if` closes by its name, opens by a double click, and both by keys."""
    keyboard = view.lab.page.keyboard
    view.graph.get_by_role("button", name="Fold if sunny").click()
    folded = view.boxes("if sunny, f32[4], branch with 6 ops")
    expect(folded).to_have_count(1)
    for name in INSIDE:
        expect(view.boxes(name)).to_have_count(0)
    view.screenshot("branches-folded")
    folded.dblclick()
    expect(view.boxes("tanh")).to_have_count(1)
    view.select("if sunny")
    view.graph.get_by_role("group", name="Graph of @main").focus()
    keyboard.press("ArrowLeft")
    expect(view.boxes("tanh")).to_have_count(0)
    keyboard.press("ArrowRight")
    expect(view.boxes("tell").and_(view.graph.get_by_role("button", pressed=True))).to_have_count(1)
    expect(view.details).to_contain_text("in the then arm of y · has effects: after first")


def read_the_if(view: View) -> None:
    """What an `if` reads, gives and says: the whole of it."""
    view.select("if sunny")
    expect(view.details).to_contain_text("of sunny: bool[]c: f32[4]a: f32[4]x: f32[4]")
    expect(view.details).to_contain_text("`then` gives y = tell · `else` gives y = subtract")
    expect(view.panel).to_contain_text("a branch: the loops are those of the calls in its arms")
    script = view.tab("Script").inner_text()
    assert "if sunny:\n    warm = " in script
    assert "\nelse:\n    cold = " in script
    view.tab("Loops")
    view.lab.page.keyboard.press("Escape")


def follow_into_an_arm(view: View) -> None:
    """A value of an arm is followed through fusion to its kernel, and measured there."""
    why = view.details.locator(".wb-remarks").get_by_role("listitem")
    border = "`e` is in the `then` arm of `y` and `c` is not"
    expect(why.filter(has_text=border).first).to_be_visible()
    view.select("add, ")
    view.screenshot("branches-fused")
    view.lab.page.keyboard.press("Escape")
    applied(view, "FuseTensorFunctions", 3)
    view.step(2).click()
    view.select("add, ")
    view.step(3).click()
    expect(view.panel).to_contain_text("g = tanh_add f32[4]")
    expect(view.panel).to_contain_text("in the then arm of y")
    expect(view.panel.get_by_role("row").first).to_be_visible()
    expect(view.tab("Origin")).to_contain_text("FuseTensorFunctions: fused")
    view.tab("Loops")
    view.swap.get_by_role("button", name="Measure").click()
    bars = view.swap.get_by_role("img", name=BAR)
    expect(bars.first).to_be_visible(timeout=SECONDS)
    assert_bar(bars.first.get_attribute("aria-label") or "")
    view.screenshot("branches-measured")


def test_an_if_and_its_effects_are_clicked_through(lab: Lab) -> None:
    lab.open(lab.write("branches.ipynb", WEATHER, RUN_WEATHER))
    lab.run(0)
    view = View(lab, "weather = wb")
    view.wait()
    see_arms(view)
    fold_and_open(view)
    view.lab.page.keyboard.press("Escape")
    applied(view, "LegalizeOps", 1)
    expect(view.step(1)).to_contain_text("LegalizeOps ~7")
    read_the_if(view)
    applied(view, "FuseOps", 2)
    follow_into_an_arm(view)
    lab.run(1)
    logs = ast.literal_eval(lab.text_of(1))
    assert [len(log) for log in logs] == [4, 4, 3, 3]
    assert logs[0] == logs[1]
    assert logs[2] == logs[3]
    assert logs[0][0] == logs[2][0]
    assert logs[0][2] == logs[0][3] != logs[0][1]
    assert logs[2][1] == 1.75


def test_a_function_that_calls_itself_is_opened_stepped_and_run(lab: Lab) -> None:
    lab.open(lab.write("recursion.ipynb", HALVING, RUN_HALVING))
    lab.run(0)
    view = View(lab, "halving = wb")
    view.wait()
    view.boxes("halve, ").dblclick()
    shown = view.root.get_by_role("combobox", name="Graph function")
    expect(shown).to_have_value("halve")
    expect(view.boxes("if large, f32[], branch")).to_have_count(1)
    inner = view.boxes("halve, f32[], function call")
    expect(inner).to_have_count(1)
    view.screenshot("recursion")
    inner.click()
    expect(view.details).to_contain_text("recursion: what is called may call itself")
    inner.dblclick()
    expect(shown).to_have_value("halve")
    expect(view.boxes()).to_have_count(5)
    applied(view, "LegalizeOps", 1)
    expect(view.boxes("multiply, f32[], tensor function, rewritten")).to_have_count(1)
    view.slider.focus()
    lab.page.keyboard.press("k")
    expect(view.boxes("multiply, f32[], graph op")).to_have_count(1)
    expect(view.head).to_contain_text(re.compile("step 1"))
    lab.run(1)
    assert ast.literal_eval(lab.text_of(1)) == [0.75, 0.75, 0.78125]
