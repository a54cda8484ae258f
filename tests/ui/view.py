"""What a person does in one picture of the workbench, for tests, by role and label."""

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.ui.lab import Lab

SECONDS = 60_000
WATCH = """root => {
  const seen = window.wbSeen = new Set();
  const note = () => {
    for (const step of root.querySelectorAll('.wb-step-button')) {
      seen.add([...step.children].map(part => part.textContent.trim()).join(' ').trim());
    }
  };
  new MutationObserver(note).observe(
    root, {subtree: true, childList: true, attributes: true, characterData: true});
}"""
SEEN = "() => [...window.wbSeen]"
PLACES = """boxes => boxes.map(
  box => `${box.dataset.key} ${(box.closest('[transform]') ?? box).getAttribute('transform')}`)"""


@dataclass(frozen=True)
class View:
    """The picture in the output of the cell whose text holds `mark`."""

    lab: Lab
    mark: str

    @property
    def root(self) -> Locator:
        """The picture as it is now; its cell is scrolled into view."""
        return self.lab.output(self.lab.find(self.mark))

    def wait(self) -> None:
        """Return when the picture is drawn."""
        expect(self.boxes().first).to_be_visible(timeout=SECONDS)

    # --- the graph ----------------------------------------------------------------------------

    @property
    def graph(self) -> Locator:
        return self.root.get_by_role("region", name="Graph of")

    def boxes(self, name: str = "") -> Locator:
        """Boxes of operators, inputs and groups whose label begins with `name`."""
        box = self.graph.locator("[aria-pressed][data-key]")
        return box.and_(self.graph.get_by_role("button", name=re.compile(f"^{re.escape(name)}")))

    def places(self) -> list[str]:
        """Key and place of every box."""
        return self.boxes().evaluate_all(PLACES)

    def select(self, name: str) -> None:
        """Click the first box with this label, and wait for what is known of it."""
        self.boxes(name).first.click()
        expect(self.details.get_by_role("tab", name="Origin")).to_be_visible()

    def search(self, text: str) -> Locator:
        """Type into the search field; gives the field."""
        field = self.root.get_by_role("searchbox", name="Search nodes")
        field.fill(text)
        return field

    # --- the details --------------------------------------------------------------------------

    @property
    def details(self) -> Locator:
        return self.root.get_by_role("region", name="Details")

    @property
    def panel(self) -> Locator:
        return self.details.get_by_role("tabpanel")

    def tab(self, name: str) -> Locator:
        """Open a tab of the details; gives what it shows."""
        self.details.get_by_role("tab", name=name).click()
        return self.panel

    @property
    def swap(self) -> Locator:
        return self.details.get_by_role("region", name="Swap")

    def apply(self, name: str) -> None:
        """Apply a pass by clicking."""
        self.details.get_by_role("button", name=f"Apply {name}", exact=True).click()

    # --- the history --------------------------------------------------------------------------

    @property
    def history(self) -> Locator:
        return self.root.get_by_role("region", name="History")

    @property
    def slider(self) -> Locator:
        return self.history.get_by_role("slider", name="Step")

    @property
    def head(self) -> Locator:
        return self.root.get_by_text(re.compile(r"^head: step \d+"))

    def steps(self) -> Locator:
        """All steps of the history."""
        return self.history.get_by_role("button", name=re.compile(r"^\d+ "))

    def step(self, index: int) -> Locator:
        """One step of the history."""
        return self.history.get_by_role("button", name=re.compile(rf"^{index} "))

    def checked(self, index: int, sign: str = "✓") -> str:
        """Wait for the verdict of a step; gives the text of the step."""
        step = self.step(index)
        expect(step).to_have_accessible_name(re.compile(rf"^{index} .* {sign}"), timeout=SECONDS)
        return step.inner_text()

    def forked(self, older: int, newer: int) -> bool:
        """Whether two steps stand under each other, as branches of one step do."""
        above, below = self.step(older).bounding_box(), self.step(newer).bounding_box()
        assert above is not None
        assert below is not None
        return abs(above["x"] - below["x"]) < 1 and above["y"] + 20 < below["y"]

    def drag_slider_back(self) -> None:
        """Drag the handle of the slider from its right end to the left, with the mouse."""
        slider, mouse = self.slider, self.lab.page.mouse
        slider.scroll_into_view_if_needed()
        track = slider.bounding_box()
        assert track is not None
        middle = track["y"] + track["height"] / 2
        mouse.move(track["x"] + track["width"] - 7, middle)
        mouse.down()
        mouse.move(track["x"] + track["width"] / 2, middle)
        mouse.move(track["x"] + 2, middle)
        mouse.up()

    def watch_history(self) -> None:
        """Note from now on everything that the history says, however short."""
        self.history.evaluate(WATCH)

    def history_said(self) -> list[str]:
        """What the history said since `watch_history`."""
        return self.lab.page.evaluate(SEEN)

    def screenshot(self, name: str) -> Path:
        return self.lab.screenshot(f"journey-{name}", self.root)
