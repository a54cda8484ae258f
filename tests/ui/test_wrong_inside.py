"""In a browser: a pass registered after a step was looked at, and a verdict that names a callee."""

from playwright.sync_api import expect

from tests.ui.lab import Lab
from tests.ui.view import View

CALLS = '''import workbench as wb
s = wb.open(wb.parse("""
@I.ir_module
class Module:
    @R.function(private=True)
    def layer(p: R.Tensor((4,), "float32"), q: R.Tensor((4,), "float32")):
        with R.dataflow():
            f = R.subtract(p, q)
            g = R.exp(f)
            R.output(g)
        return g

    @R.function
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((4,), "float32")):
        cls = Module
        with R.dataflow():
            a = cls.layer(x, z)
            y = R.exp(a)
            R.output(y)
        return y
"""))
s
'''
WRONG = """
from dataclasses import dataclass, replace
from workbench.rewrite import Rule, Site

@wb.register_pass
@dataclass(frozen=True)
class TurnsRound(Rule):
    "Wrong on purpose: exchanges the operands of a difference."
    name = "turns-round"
    def sites(self, module):
        for function, body in module.graph_functions.items():
            for binding in body.bindings:
                if getattr(binding.value, "op", "") == "subtract":
                    yield Site(function, (binding.var.id,))
    def rewrite(self, site, editor):
        call = editor.binding(site.function, site.nodes[0]).value
        turned = replace(call, args=call.args[::-1])
        editor.replace_value(site.function, site.nodes[0], turned, self.name)
"""


def test_a_pass_registered_later_applies_and_its_verdict_looks_inside(lab: Lab) -> None:
    lab.open(lab.write("inside.ipynb", CALLS, WRONG))
    lab.run(0)
    view = View(lab, "wb.open(")
    view.wait()
    offer = lab.page.get_by_role("button", name="Show the code of TurnsRound", exact=True)
    offers = lab.page.get_by_role("button", name="Show the code of LegalizeOps", exact=True)
    expect(offers.first).to_be_visible()
    expect(offer).to_have_count(0)
    lab.run(1)
    expect(offer.first).to_be_visible()
    view.apply("TurnsRound")
    verdict = view.root.get_by_role("button", name="✗ main.a > layer.f: ")
    expect(verdict.first).to_be_visible()
    view.screenshot("inside-verdict")
    view.root.get_by_role("combobox", name="Graph function").select_option("main")
    verdict.first.click()
    expect(view.root.get_by_role("combobox", name="Graph function")).to_have_value("layer")
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(1)
    view.screenshot("inside-selected")
