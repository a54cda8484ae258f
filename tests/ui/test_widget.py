"""The ipywidget of a session beside its picture."""

import re

from playwright.sync_api import expect

from tests.ui.lab import Lab
from tests.ui.test_looks import opened

WIDGET = "s.widget()"


def test_the_selection_of_the_widget_follows_every_click(lab: Lab) -> None:
    view = opened(lab, "widget.ipynb")
    lab.set_source(2, WIDGET)
    text = lab.run(2)
    view.select("matmul")
    expect(text).to_contain_text(re.compile(r" · main/\d"))
    first = text.inner_text().rsplit(" · ", 1)[-1].strip()
    view.select("relu")
    expect(text).not_to_contain_text(first)
    expect(text).to_contain_text(re.compile(r" · main/\d"))
    view.boxes("matmul").click()  # its details are known now, so that nothing is asked
    expect(text).to_contain_text(f" · {first}")
    lab.page.keyboard.press("Escape")
    expect(text).not_to_contain_text("main/")
