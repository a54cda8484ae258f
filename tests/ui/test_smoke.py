from playwright.sync_api import expect

from tests.ui.lab import Lab

DISPLAY = """
from IPython.display import display
bundle = {"application/vnd.workbench.v1+json": {"data": None, "key": ""}, "text/plain": "fallback"}
display(bundle, raw=True)
"""
PLANTED = """
setTimeout(() => { throw new Error("planted"); });
//# sourceURL=/lab/extensions/@workbench/lab/static/planted.js
"""


def test_our_extension_draws_our_mime_type(lab: Lab) -> None:
    lab.open(lab.write("smoke.ipynb", DISPLAY))
    cell = lab.run(0)
    expect(lab.output(0)).to_be_visible()
    expect(cell.locator(".jp-OutputArea-output")).not_to_contain_text("fallback")
    lab.screenshot("smoke-light")
    lab.theme("dark")
    lab.screenshot("smoke-dark")


def test_an_error_of_our_extension_is_noticed(lab: Lab) -> None:
    lab.open(lab.write("noticed.ipynb", "1"))
    with lab.page.expect_event("pageerror"):
        lab.page.add_script_tag(content=PLANTED)
    assert len(lab.errors) == 1
    lab.errors.clear()
