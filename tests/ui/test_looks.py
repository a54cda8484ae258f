"""Keys, themes, narrow windows and what a screen reader finds."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.conftest import open_page
from tests.ui.lab import Lab
from tests.ui.server import Server
from tests.ui.view import View

PROGRAM = '''
import workbench as wb

s = wb.open(wb.parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((8, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            y = R.nn.relu(h)
            R.output(y)
        return y
"""))
s
'''
LONG = "PutTheSoftmaxOfEachHeadIntoOneKernelWithoutScratchMemory"
LONG_PASS = f"""
from dataclasses import dataclass
from typing import ClassVar
from workbench.rewrite import Pass, PassResult

@dataclass(frozen=True)
class {LONG}(Pass):
    name: ClassVar[str] = "long"

    def run(self, module):
        return wb.passes.LegalizeOps()(module)

s.apply({LONG}())
"""
NEIGHBOUR = "2 + 2"
MIDDLES = """title => [...title.children].map(part => {
  const box = part.getBoundingClientRect();
  return box.top + box.height / 2;
})"""
ACTIVE = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
MODE = "() => window.jupyterapp.shell.currentWidget.content.mode"
AXE = Path("extensions") / "node_modules" / "axe-core" / "axe.min.js"
AUDIT = """root => axe.run(root, {resultTypes: ['violations']}).then(found =>
  found.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`))"""


def opened(lab: Lab, name: str) -> View:
    """The program, drawn."""
    lab.open(lab.write(name, NEIGHBOUR, PROGRAM, NEIGHBOUR))
    lab.run(1)
    view = View(lab, PROGRAM)
    view.wait()
    return view


@pytest.mark.parametrize("place", ["box", "slider", "button"])
def test_keys_of_the_notebook_do_nothing_in_the_picture(lab: Lab, place: str) -> None:
    view = opened(lab, "keys.ipynb")
    view.apply("LegalizeOps")
    view.checked(1)
    match place:
        case "box":
            view.select("matmul")
        case "slider":
            view.slider.focus()
        case _:
            view.step(1).focus()
    before, cells = lab.page.evaluate(ACTIVE), lab.sources()
    for key in ("j", "k", "d", "d", "x", "a", "b", "m", "z", "Enter", "ArrowDown", "ArrowUp"):
        lab.page.keyboard.press(key)
    assert lab.sources() == cells
    assert lab.page.evaluate(ACTIVE) == before
    assert lab.page.evaluate(MODE) == "command"
    expect(view.boxes().first).to_be_visible()


def test_keys_of_the_notebook_work_outside_the_picture(lab: Lab) -> None:
    opened(lab, "outside.ipynb")
    lab.cell(2).locator(".jp-InputPrompt").click()
    lab.page.keyboard.press("d")
    lab.page.keyboard.press("d")
    lab.page.wait_for_function(f"() => ({ACTIVE.removeprefix('() => ')}) === 1")
    assert lab.sources() == [NEIGHBOUR, PROGRAM]


def test_arrow_keys_follow_the_program(lab: Lab) -> None:
    view = opened(lab, "arrows.ipynb")
    view.select("x")
    picked = view.graph.get_by_role("button", pressed=True)
    names = ["w, ", "matmul, ", "relu, "]
    for name in names:
        lab.page.keyboard.press("ArrowDown")
        expect(picked.and_(view.boxes(name))).to_have_count(1)
    lab.page.keyboard.press("Alt+ArrowUp")
    expect(picked.and_(view.boxes("matmul, "))).to_have_count(1)
    lab.page.keyboard.press("Escape")
    expect(view.graph.locator("[data-key][aria-pressed=true]")).to_have_count(0)


def test_the_dark_theme_is_dark(lab: Lab) -> None:
    view = opened(lab, "dark.ipynb")
    shade = "root => getComputedStyle(root.querySelector('.wb-app')).backgroundColor"
    light = view.root.evaluate(shade)
    lab.theme("dark")
    dark = view.root.evaluate(shade)
    assert brightness(dark) < 90 < 200 < brightness(light)
    frame = view.boxes("matmul").evaluate(
        "box => getComputedStyle(box.querySelector('.wb-label')).fill"
    )
    assert brightness(frame) > 150
    lab.screenshot("looks-dark")
    lab.theme("light")  # the server keeps the choice


def brightness(colour: str) -> float:
    numbers = colour[colour.index("(") + 1 : -1].split(",")[:3]
    return sum(float(number) for number in numbers) / 3


def test_panes_stack_in_a_narrow_window(browser: Browser, server: Server, repository: Path) -> None:
    with open_page(browser, server, repository, width=600, height=1000) as lab:
        view = opened(lab, "narrow.ipynb")
        lab.screenshot("looks-narrow")
        graph, details = view.graph.bounding_box(), view.details.bounding_box()
        assert graph is not None
        assert details is not None
        assert details["y"] >= graph["y"] + graph["height"] - 1
        wide = "root => root.scrollWidth - root.clientWidth"
        assert view.root.evaluate(wide) <= 1
        assert lab.errors == []


@pytest.mark.parametrize("width", [840, 1400])
@pytest.mark.parametrize("at", [0, 1])
def test_long_names_are_cut_and_told_in_full(
    browser: Browser, server: Server, repository: Path, width: int, at: int
) -> None:
    with open_page(browser, server, repository, width=width) as lab:
        lab.open(lab.write("long.ipynb", PROGRAM, LONG_PASS))
        lab.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        lab.run(0)
        view = View(lab, PROGRAM)
        view.wait()
        lab.run(1)
        view.checked(1)
        view.step(at).click()
        whole = f"head: step 1 · {LONG}"
        expect(view.head).to_contain_text(whole)
        expect(view.head).to_have_attribute("title", whole)
        view.screenshot(f"looks-title-{width}-{at}")
        tops = view.root.locator(".wb-title").evaluate(MIDDLES)
        assert max(tops) - min(tops) < 6, tops
        assert lab.errors == []


def test_nothing_that_a_screen_reader_trips_over(lab: Lab, repository: Path) -> None:
    script = repository / AXE
    if not script.exists():
        pytest.skip("axe-core is not installed")
    view = opened(lab, "axe.ipynb")
    view.select("matmul")
    lab.page.add_script_tag(path=script)
    app = view.root.get_by_role("region", name="Workbench: Module")
    assert app.evaluate(AUDIT) == []
