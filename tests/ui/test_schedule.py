"""A person schedules a matrix product by hand in the picture."""

import re
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.ui.lab import Lab
from tests.ui.test_looks import AUDIT, AXE
from tests.ui.view import SECONDS, View

MATMUL = '''
import workbench as wb

s = wb.open(wb.parse("""
@T.prim_func
def matmul(
    A: T.Buffer((64, 48), "float32"),
    B: T.Buffer((48, 80), "float32"),
    C: T.Buffer((64, 80), "float32"),
):
    for i, j, k in T.grid(64, 80, 48):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""))
s
'''
SKEWED = '''
import workbench as wb

w = wb.open(wb.parse("""
@T.prim_func
def wave(A: T.Buffer((32, 32), "float32")):
    for t, x in T.grid(31, 31):
        with T.block("A"):
            vt, vx = T.axis.remap("SS", [t, x])
            A[vt + 1, vx] = A[vt, vx + 1] + T.float32(1)
"""))
w
'''
PRINT = "print(s.recipe())"


class Nest:
    """The loop rows of a picture and what applies at the selected one."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.rows = view.details.get_by_role("treegrid", name="Loops").get_by_role("row")
        self.offers = view.details.get_by_role("region", name="Applies here")

    def row(self, name: str) -> Locator:
        return self.rows.filter(has_text=re.compile(rf"^for {name} in "))

    def order(self, *names: str) -> None:
        """Wait until the loops stand in this order."""
        loops = self.rows.filter(has_text=re.compile("^for "))
        expect(loops).to_have_text([re.compile(rf"^for {name} in ") for name in names])

    def select(self, name: str) -> None:
        self.row(name).click()
        expect(self.row(name)).to_have_attribute("aria-selected", "true")
        expect(self.offers).to_contain_text(f"Applies here: loop {name}")
        expect(self.offers.get_by_role("button", name="Apply Split")).to_be_enabled()

    def offer(self, name: str) -> Locator:
        """The item of a primitive."""
        exact = re.compile(rf"^{name}$")
        return self.offers.get_by_role("listitem").filter(has=self.view.lab.page.get_by_text(exact))

    def choose(self, primitive: str, choice: str) -> None:
        group = self.offers.get_by_role("radiogroup", name=f"Choices of {primitive}")
        radio = group.get_by_role("radio", name=choice, exact=True)
        radio.click()
        expect(radio).to_have_attribute("aria-checked", "true")

    def grab(self, name: str, target: str) -> None:
        """Press the mouse on a loop and hold it over another one."""
        mouse = self.view.lab.page.mouse
        start, end = self.row(name).bounding_box(), self.row(target).bounding_box()
        assert start is not None
        assert end is not None
        mouse.move(start["x"] + 90, start["y"] + start["height"] / 2)
        mouse.down()
        mouse.move(start["x"] + 94, start["y"] + start["height"] / 2 + 4)
        mouse.move(end["x"] + 90, end["y"] + end["height"] / 2)


def opened(lab: Lab, name: str, *cells: str) -> Nest:
    lab.open(lab.write(name, *cells))
    lab.run(0)
    view = View(lab, cells[0])
    view.wait()
    return Nest(view)


def test_a_matmul_is_scheduled_by_hand(lab: Lab, repository: Path) -> None:
    nest = opened(lab, "schedule.ipynb", MATMUL, PRINT)
    view = nest.view
    # The only function is selected, and its rows say what they cost.
    expect(view.boxes("matmul")).to_have_attribute("aria-pressed", "true")
    expect(nest.row("i")).to_contain_text("492 kop · 47 KiB")
    nest.order("i", "j", "k")
    # Split by a click on a factor; the line of Python is there before.
    nest.select("j")
    nest.choose("Split", "[None, 16]")
    line = view.details.get_by_role("group", name="Python")
    expect(line).to_contain_text("Split")
    nest.offers.get_by_role("button", name="Apply Split").click()
    expect(nest.row("j_1")).to_be_visible()
    expect(view.head).to_contain_text("step 1 · Split j [None, 16]")
    expect(nest.row("j_0")).to_have_attribute("aria-selected", "true")
    # Reorder by dragging k onto j_1.
    expect(nest.offers).to_have_attribute("aria-busy", "false")
    nest.grab("k", "j_1")
    expect(view.details.get_by_text("✓ drop for the order [k, j_1]")).to_be_visible()
    view.screenshot("schedule-drag")
    lab.page.mouse.up()
    expect(view.head).to_contain_text("step 2 · Reorder [k, j_1]")
    expect(nest.row("k")).to_have_attribute("aria-level", "3")
    nest.order("i", "j_0", "k", "j_1")
    # Vectorize and parallel.
    nest.select("j_1")
    nest.offers.get_by_role("button", name="Apply Vectorize").click()
    expect(nest.row("j_1")).to_contain_text("vectorized")
    nest.select("i")
    nest.offers.get_by_role("button", name="Apply Parallel").click()
    expect(nest.row("i")).to_contain_text("parallel")
    # The reduction loop refuses, with two instances.
    nest.select("k")
    expect(nest.offers).to_contain_text("carries: ")
    refused = nest.offer("Parallel")
    expect(refused).to_contain_text("✗ illegal")
    refused.get_by_role("button", name="Parallel").click()
    expect(refused).to_contain_text(re.compile(r"k=1.*which .*k=0"))
    lab.page.add_script_tag(path=repository / AXE)
    assert view.root.get_by_role("region", name="Workbench: Module").evaluate(AUDIT) == []
    view.screenshot("schedule-refused")
    # Verdicts and recipe.
    expect(view.steps()).to_have_count(5)
    for step in range(1, 5):
        view.checked(step)
    assert "Reorder [k, j_1]" in view.checked(2)
    lab.run(1)
    recipe = lab.text_of(1)
    for name in ("Split(", "Reorder(", "Vectorize(", "Parallel("):
        assert name in recipe, recipe


def test_an_illegal_order_is_shaded_and_said(lab: Lab) -> None:
    nest = opened(lab, "skewed.ipynb", SKEWED)
    view = nest.view
    nest.grab("x", "t")
    expect(nest.row("t")).to_have_class(re.compile("wb-loop--refused"))
    expect(nest.view.details.get_by_text(re.compile("^✗ illegal: .*; .*A"))).to_be_visible()
    view.screenshot("schedule-illegal")
    lab.page.mouse.up()
    alert = nest.offers.get_by_role("alert")
    expect(alert).to_contain_text("Reorder [x, t], illegal")
    expect(view.steps()).to_have_count(1)
    nest.order("t", "x")


def test_keys_select_split_and_reorder(lab: Lab) -> None:
    nest = opened(lab, "keys-schedule.ipynb", MATMUL)
    view, keys = nest.view, lab.page.keyboard
    nest.row("i").focus()
    keys.press("ArrowDown")
    expect(nest.row("j")).to_be_focused()
    keys.press("Enter")
    expect(nest.offers).to_contain_text("Applies here: loop j")
    keys.press("Alt+ArrowDown")
    expect(view.head).to_contain_text("step 1 · Reorder [k, j]")
    expect(nest.row("j")).to_be_focused()
    nest.order("i", "k", "j")
    # A double click offers the factors; own ones are checked before they apply.
    nest.row("j").dblclick()
    best = nest.offers.get_by_role("radiogroup", name="Choices of Split").get_by_role("radio")
    expect(best.first).to_be_focused()
    field = nest.offers.get_by_role("textbox", name="Own factors of Split")
    field.fill("0, 12")
    expect(nest.offer("Split")).to_contain_text("not here: ", timeout=SECONDS)
    field.fill("None, 12")
    expect(nest.offer("Split").get_by_role("status")).to_have_text("✓ [None, 12]")
    field.press("Enter")
    expect(view.head).to_contain_text("step 2 · Split j [None, 12]")
    nest.order("i", "k", "j_0", "j_1")
    keys.press("Escape")
    expect(nest.offers.get_by_role("button", name="Whole function")).to_have_count(0)
