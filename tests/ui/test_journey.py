"""The journey: the steps of a stranger through the tour, in their order, in one open notebook.

The numbers in the comments are those of the steps. A test goes on where the one before it ended.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from magika import Magika
from playwright.sync_api import Browser, Locator, expect

import workbench as wb
from tests.ui.conftest import open_page
from tests.ui.journey import BAR, assert_bar, assert_repeats
from tests.ui.lab import CELL_SECONDS, Lab
from tests.ui.server import Server
from tests.ui.view import SECONDS, View
from workbench.frontend import demo

SMALL = "SMALL = "
MAGIKA = "m = wb.open(demo.magika_path())"
SQUEEZENET = 'c = wb.open("squeezenet.onnx")'
PIPELINE = "print(m.apply(p))"
OWN = "own = wb.open"
WRONG = "class SwapOperands"
WORKBENCH = "application/vnd.workbench.v1+json"
LAST = len(wb.default_pipeline())
TILE = re.compile(r"(\d+) x (\d+): ([\d.]+) ms")


@pytest.fixture(scope="module")
def tour(server: Server, browser: Browser, repository: Path) -> Iterator[Lab]:
    """The tour, opened as `make lab` does."""
    with open_page(browser, server, repository, height=1000) as lab:
        lab.open(lab.copy(repository / "notebooks" / "tour.ipynb"))
        yield lab


@pytest.fixture(autouse=True)
def no_errors(tour: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """Our extension throws nothing in the page; the end of each test is kept as a picture."""
    yield
    tour.screenshot(f"{request.node.name}-end")
    assert tour.errors == []


def run(lab: Lab, mark: str) -> Locator:
    """Run the cell that holds `mark`."""
    return lab.run(lab.find(mark))


def test_a_small_program_is_seen_and_opened(tour: Lab) -> None:
    view = View(tour, SMALL)
    # 1, 2: the tour says what to press; that runs the cells
    expect(tour.cell(0)).to_contain_text("Press Shift+Enter")
    tour.cell(0).click()
    for _ in range(tour.find(SMALL) + 1):
        tour.page.keyboard.press("Shift+Enter")
    expect(tour.cell(tour.find(SMALL))).to_contain_text("[1]:", timeout=1000 * CELL_SECONDS)
    # 3
    expect(view.boxes().first).to_be_visible(timeout=3000)
    assert 4 <= view.boxes().count() <= 6
    expect(view.graph.get_by_role("note", name="Legend")).to_contain_text("tensor function")
    expect(view.history).to_contain_text("Step 0 · imported")
    view.screenshot("03-imported")
    # 4
    view.select("matmul")
    expect(view.panel).to_contain_text("f32[64, 96]")
    expect(view.panel).to_contain_text("x: f32[64, 128]")
    loops = view.panel.get_by_role("treegrid", name="Loops").get_by_role("row")
    expect(loops.filter(has_text=re.compile(r"^for .* in 128"))).to_have_count(1)
    expect(view.tab("Script")).to_contain_text("R.matmul(x, w)")
    expect(view.tab("Origin")).to_contain_text("line")
    view.tab("Loops")
    view.screenshot("04-matmul")
    view.boxes("matmul").click()
    tour.page.keyboard.press("Escape")
    expect(view.details.get_by_role("tab", name="Origin")).to_have_count(0)
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(0)


def test_passes_by_click(tour: Lab) -> None:
    view = View(tour, SMALL)
    # 5
    before = view.places()
    view.watch_history()
    view.apply("LegalizeOps")
    expect(view.boxes().filter(has_text="~")).to_have_count(3)
    assert view.places() == before
    for name in ("matmul", "add", "relu"):
        expect(view.boxes(name)).to_contain_text("~")
    # 6
    assert "max error" in view.checked(1)
    assert any(text.startswith("1 LegalizeOps ~3 checking…") for text in view.history_said())
    view.screenshot("06-legalized")
    # 7
    view.apply("FuseOps")
    fold = view.graph.get_by_role("button", name=re.compile("^Fold fused_matmul"))
    fold.click()
    expect(view.boxes()).to_have_count(4)
    expect(view.boxes("fused_matmul")).to_have_accessible_name(re.compile("group of 3 ops"))
    view.checked(2)
    view.screenshot("07-fused")
    view.graph.get_by_role("button", name=re.compile("^Unfold fused_matmul")).click()
    expect(view.boxes()).to_have_count(6)
    # 8
    view.step(1).click()
    expect(view.history).to_contain_text("Step 1 · LegalizeOps")
    view.apply("DispatchToLibrary")
    expect(view.head).to_contain_text("step 3")
    view.checked(3)
    assert view.forked(2, 3)
    expect(view.boxes("numpy.matmul, ")).to_have_accessible_name(re.compile("library call"))
    view.screenshot("08-forked")
    # 9
    view.details.get_by_role("button", name="To next cell").click()
    below = tour.find(SMALL) + 1
    assert tour.sources()[below] == "s.checkout(1)\ns.apply(wb.passes.DispatchToLibrary())"
    row = tour.run(below)
    assert [output["output_type"] for output in tour.outputs(below)] == ["execute_result"]
    expect(row).to_contain_text("3 DispatchToLibrary ~1 ✓")
    expect(row.get_by_role("region", name="Graph of")).to_have_count(0)
    expect(view.steps()).to_have_count(4)


def test_a_trained_network(tour: Lab) -> None:
    view = View(tour, MAGIKA)
    # 10
    run(tour, MAGIKA)
    view.wait()
    assert 5 <= view.boxes().count() <= 15
    assert view.graph.get_by_role("button", name=re.compile("^Unfold ")).count() >= 5
    view.screenshot("10-magika")
    # 11
    field = view.search("matmul")
    expect(view.root.get_by_label("Hits")).to_have_text("1 of 2")
    field.press("Enter")
    selected = view.boxes().and_(view.graph.get_by_role("button", pressed=True))
    expect(selected).to_have_accessible_name(re.compile("^matmul, "))
    field.press("Escape")
    # 12
    run(tour, PIPELINE)
    expect(view.head).to_contain_text(f"step {LAST}")
    expect(view.steps()).to_have_count(LAST + 1)
    expect(view.boxes("matmul, ")).to_have_count(0)  # fused with what follows
    view.screenshot("12-pipeline")
    # 13
    view.drag_slider_back()
    expect(view.slider).to_have_value("0")
    expect(view.boxes("matmul, ")).to_have_accessible_name(re.compile("graph op"))
    expect(view.head).to_contain_text(f"step {LAST}")
    # 14
    for step in (0, LAST):
        view.history.get_by_label(f"Choose step {step} for a diff").check()
    view.root.get_by_role("button", name=f"Diff 0 · {LAST}").click()
    diff = view.root.get_by_role("region", name=f"Diff of step 0 and step {LAST}")
    expect(diff.get_by_role("region", name="Graph diff")).to_contain_text("gone")
    text = diff.get_by_role("region", name="Text diff")
    expect(text).to_contain_text(re.compile(r"- .*R\.matmul"))
    expect(text).to_contain_text(re.compile(r"\+ .*T\.prim_func"))
    view.screenshot("14-diff")
    diff.get_by_role("button", name="Close the diff").click()
    expect(diff).to_have_count(0)


def test_swap_measure_use(tour: Lab) -> None:
    view = View(tour, MAGIKA)
    # 15: the step before the last, so that a choice makes a branch
    view.step(LAST - 1).click()
    expect(view.history).to_contain_text(f"Step {LAST - 1} · ")
    view.search("matmul").press("Enter")
    names = view.swap.get_by_role("button", name=re.compile("^Show the code of "))
    expect(names.filter(has_text="generated")).to_have_count(1)
    assert names.filter(has_text="schedule").count() >= 2
    expect(names.filter(has_text="library numpy")).to_have_count(1)
    # 16
    view.swap.get_by_role("button", name="Measure").click()
    expect(view.swap.get_by_role("progressbar")).to_be_visible()
    view.swap.get_by_role("button", name="Cancel").click()
    expect(view.swap).to_contain_text("cancelled")
    expect(view.swap.get_by_role("img")).to_have_count(0)
    view.swap.get_by_role("button", name="Measure").click()
    bars = view.swap.get_by_role("img", name=BAR)
    usable = view.swap.locator(".wb-implementation:not(.wb-off)")
    expect(bars).to_have_count(usable.count(), timeout=SECONDS)
    for label in bars.evaluate_all("bars => bars.map(bar => bar.ariaLabel)"):
        assert_bar(label)
    view.screenshot("16-measured")
    # 17
    view.swap.get_by_role("button", name=re.compile("^Use library numpy")).click()
    expect(view.head).to_contain_text(f"step {LAST + 1}")
    view.checked(LAST + 1)
    assert view.forked(LAST, LAST + 1)
    view.screenshot("17-swapped")


def test_a_network_of_convolutions(tour: Lab) -> None:
    # 10, 12, 19 with squeezenet
    run(tour, SQUEEZENET)
    view = View(tour, SQUEEZENET)
    view.wait()
    expect(view.head).to_contain_text(f"step {LAST}")
    assert 5 <= view.boxes().count() <= 15
    compared = run(tour, "c.compare()")
    expect(compared).to_contain_text(re.compile(r"0 imported\s*[\d.]+ ms \[[\d.]+, [\d.]+\]"))
    # 15 and 17: a convolution, which the default schedule has tiled
    view.search("conv2d").press("Enter")
    names = view.swap.get_by_role("button", name=re.compile("^Show the code of "))
    expect(names.filter(has_text="generated")).to_have_count(1)
    assert names.filter(has_text="schedule").count() >= 2
    expect(view.swap).to_contain_text(re.compile(r"schedule.*in use"))
    view.swap.get_by_role("button", name="Use library numpy.conv2d").click()
    expect(view.head).to_contain_text(f"step {LAST + 1}")
    row = view.checked(LAST + 1)
    assert "conv2d_add_relu → library numpy.conv2d" in row
    # On some processors the library adds in the order of the schedule.
    assert re.search(r"✓ (exact|max error)", row)
    expect(view.boxes("numpy.conv2d, ")).to_have_accessible_name(re.compile("library call"))
    view.screenshot("17-convolution")


def test_real_input_and_own_operator(tour: Lab) -> None:
    # 18
    files = [*sorted(Path(wb.__file__).parent.glob("*.py")), demo.magika_path()]
    expected = [str(result.dl.label) for result in Magika().identify_paths(files)]
    run(tour, "m.run(files)")
    assert tour.text_of(tour.find("m.run(files)")) == str(expected)
    # 19
    compared = run(tour, "m.compare()")
    expect(compared).to_contain_text(re.compile(r"0 imported\s*[\d.]+ ms \[[\d.]+, [\d.]+\]"))
    expect(compared).to_contain_text(re.compile(rf"{LAST + 1} .*[\d.]+ ms \[[\d.]+, [\d.]+\]"))
    compared.get_by_text("times by operator").click()
    operators = compared.get_by_role("row", name=re.compile(r" · .*\d"))
    assert operators.count() >= 5
    tour.screenshot("journey-19-compared", compared)
    # 20
    run(tour, OWN)
    view = View(tour, OWN)
    view.wait()
    for step in range(1, view.steps().count()):
        view.checked(step)
    view.step(0).click()
    view.select("leaky")
    text = view.tab("Script")
    text.get_by_role("button", name="Edit").click()
    field = text.get_by_role("textbox", name="Edit the script")
    field.fill(field.input_value().replace("T.float32(0.1)", "T.float32(0.2)"))
    count = view.steps().count()
    text.get_by_role("button", name="Apply edit").click()
    assert "✗" in view.checked(count, "✗")
    view.screenshot("20-own-operator")


def test_faults_are_told_and_nothing_is_lost(tour: Lab) -> None:
    # 21
    view = View(tour, MAGIKA)
    count = view.steps().count() + 1  # a step is added first: the head is checked out
    run(tour, WRONG)
    printed = tour.text_of(tour.find(WRONG))
    found = re.search(r"(\d+) SwapOperands .* · ✗ .*expected (\S+), found (\S+)", printed)
    assert found is not None, printed
    assert found[2] != found[3]
    wrong, after = int(found[1]), int(found[1]) + 1
    assert wrong == count - 1
    view.checked(wrong, "✗")
    assert "LegalizeOps" in view.checked(after)
    view.step(wrong).click()
    view.root.get_by_role("button", name=re.compile(rf"^step {wrong}: ✗")).click()
    expect(view.graph.get_by_role("button", name="first wrong value", pressed=True)).to_have_count(
        1
    )
    view.screenshot("21-wrong")
    # 22
    run(tour, "SHIFT = ")
    (error,) = tour.outputs(tour.find("SHIFT = "))
    assert (error["output_type"], error["ename"]) == ("error", "CompileError")
    assert "run/out-of-bounds" in str(error["evalue"])
    assert "Traceback" not in str(error["traceback"])


def test_knob_and_recipe(tour: Lab, tmp_path: Path) -> None:
    # 23; that the cell runs shows that the kernel is alive after 22
    cell = run(tour, "def tile")
    expect(cell).to_contain_text(TILE)
    before = TILE.search(cell.inner_text())
    cell.get_by_label("rows").select_option("1")
    expect(cell).to_contain_text(re.compile(r"1 x 16: [\d.]+ ms"))
    after = TILE.search(cell.inner_text())
    assert before is not None
    assert after is not None
    assert (before[1], after[1]) == ("6", "1")
    assert before[3] != after[3]
    tour.screenshot("journey-23-knob", cell)
    # 24
    run(tour, "print(s.recipe())")
    assert_repeats(tour.text_of(tour.find("print(s.recipe())")), tmp_path)
    view = View(tour, MAGIKA)
    view.step(LAST).click()
    view.root.get_by_role("button", name="Export").click()
    view.root.get_by_role("menuitem", name="Recipe").click()
    sheet = view.root.get_by_role("dialog", name=f"Recipe of step {LAST}")
    expect(sheet.get_by_role("region")).to_contain_text("# digest of the module")
    recipe = sheet.get_by_role("region").inner_text()
    assert_repeats(recipe, tmp_path)
    assert recipe.count("wb.passes.") >= LAST - 1
    view.screenshot("24-recipe")
    sheet.get_by_role("button", name="Close").click()


def test_reopened_without_its_kernel(tour: Lab) -> None:
    # 25
    small, magika = View(tour, SMALL), View(tour, MAGIKA)
    expect(magika.boxes().first).to_be_visible()
    tour.save()
    saved = json.loads((tour.server.folder / "tour.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in saved["cells"] for output in cell.get("outputs", [])]
    assert sum(WORKBENCH in output.get("data", {}) for output in outputs) == 4
    tour.shut_kernel_down()
    tour.open("tour.ipynb", kernel=False)
    small.wait()
    expect(small.boxes("numpy.matmul, ")).to_have_accessible_name(re.compile("library call"))
    expect(small.head).to_contain_text("step 3")
    expect(small.root).to_contain_text("run the cell again")
    expect(small.details.get_by_role("button", name=re.compile("^Apply"))).to_have_count(0)
    magika.wait()
    folded = magika.boxes().count()
    magika.graph.get_by_role("button", name=re.compile("^Unfold LayerNorm_0")).click()
    expect(magika.boxes()).not_to_have_count(folded)
    assert magika.boxes().count() > folded
    magika.screenshot("25-reopened")
    for index in range(len(tour.sources())):
        expect(tour.cell(index)).not_to_contain_text("Error displaying widget")
        expect(tour.cell(index)).not_to_contain_text("Javascript Error")
