"""Own operators as something to click through: three ways to write one, and what becomes of them.

A tensor function, a tensor expression and two library functions (one fills its destination, one
returns its value) stand between operators that are built in. They are drawn, fused, scheduled and
checked like those, and functions of numpy and torch take over for them without copies.
"""

import importlib.util
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.lab import Lab
from tests.ui.test_schedule import Nest
from tests.ui.test_unity import applied, remarks
from tests.ui.view import View

OWN = """
import numpy as np
import workbench as wb
from workbench import I, R, T, te

def ramp(x):
    return te.compute(x.shape, lambda *i: te.minimum(te.maximum(x[i], 0.0), 6.0), "ramp")

def smooth(x, out):
    out[:, 1:-1] = (x[:, :-2] + x[:, 1:-1] + x[:, 2:]) / 3
    out[:, [0, -1]] = x[:, [0, -1]]

def jitter(x):
    return x + np.float32(0.01) * np.sin(np.arange(x.shape[-1], dtype="float32"))

@I.ir_module
class Own:
    @T.prim_func
    def halve(a: T.Buffer((48, 64), "float32"), out: T.Buffer((48, 64), "float32")):
        for i, j in T.grid(48, 64):
            with T.sblock("halve"):
                vi, vj = T.axis.remap("SS", [i, j])
                out[vi, vj] = a[vi, vj] * T.float32(0.5)

    @R.function
    def main(x: R.Tensor((48, 32), "float32"), w: R.Tensor((32, 64), "float32")):
        cls = Own
        with R.dataflow():
            h = R.matmul(x, w)
            r = R.emit_te(ramp, h)
            k = R.call_tir(cls.halve, (r,), out_ty=R.Tensor((48, 64), "float32"))
            t = R.tanh(k)
            s = R.call_dps_packed(smooth, (t,), out_ty=R.Tensor((48, 64), "float32"))
            j = R.call_pure_packed(jitter, s, ty_args=R.Tensor((48, 64), "float32"))
            y = R.exp(j)
            R.output(y)
        return y

own = wb.open(Own)
own
"""
LAYER = """
import numpy as np
import workbench as wb
from workbench import I, R

@I.ir_module
class Layer:
    @R.function
    def main(x: R.Tensor((64, 128), "float32"), w: R.Tensor((128, 96), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            y = R.nn.relu(h)
            R.output(y)
        return y

layer = wb.open(Layer)
layer
"""
PRODUCT = """
seen = []

def product(x, w, out):
    seen.append((x.ctypes.data, w.ctypes.data))
    np.matmul(x, w, out=out)

layer.swap("h", product)
"""
ADDRESSES = """
rng = np.random.default_rng(0)
x, w = (rng.normal(size=size).astype("float32") for size in ((64, 128), (128, 96)))
seen.clear()
y = wb.build(layer.module)(x, w)
assert np.allclose(y, np.maximum(x @ w, 0), atol=1e-4)
print("read in place:", seen == [(x.ctypes.data, w.ctypes.data)])
print("handed on in place:", np.from_dlpack(y).ctypes.data == y.ctypes.data)
"""
TORCH = """
import torch

def multiply(x: torch.Tensor, w: torch.Tensor, out: torch.Tensor):
    seen.append((x.data_ptr(), w.data_ptr()))
    torch.matmul(x, w, out=out)

layer.swap("h", multiply, at=0)
layer.wait()
a, b = torch.from_numpy(x), torch.from_numpy(w)
seen.clear()
z = wb.build(layer.module)(a, b)
print("read in place:", seen == [(a.data_ptr(), b.data_ptr())])
back = torch.from_dlpack(z)
print("handed on in place:", back.data_ptr() == z.ctypes.data)
print("the same:", bool(torch.allclose(back, torch.relu(a @ b), atol=1e-4)))
"""


def kind(view: View, name: str, words: str) -> None:
    """The box of that name says what it is."""
    box = view.boxes(f"{name}, ").first
    expect(box).to_have_accessible_name(re.compile(words))


def implementation(view: View, name: str) -> Locator:
    """The line of an implementation under *Swap the implementation*."""
    shown = view.lab.page.get_by_role("button", name=f"Show the code of {name}", exact=True)
    return view.swap.get_by_role("listitem").filter(has=shown)


def opened(lab: Lab, mark: str, *cells: str) -> View:
    """A notebook with these cells, the first of them run."""
    lab.open(lab.write("own.ipynb", *cells))
    lab.run(0)
    view = View(lab, mark)
    view.wait()
    return view


def legalized_and_fused(view: View) -> None:
    applied(view, "LegalizeOps", 1)
    applied(view, "FuseOps", 2)


def test_own_operators_are_drawn_and_fused_like_others(lab: Lab) -> None:
    view = opened(lab, "own = wb.open", OWN)
    for name in ("ramp", "halve"):
        kind(view, name, "tensor function")
    for name in ("smooth", "jitter"):
        kind(view, name, "library call")
    kind(view, "tanh", "graph op")
    view.select("ramp, ")
    expect(implementation(view, "function halve")).to_contain_text("for its types alone")
    lab.page.keyboard.press("Escape")
    legalized_and_fused(view)
    group = view.graph.get_by_role("button", name=re.compile("fused_matmul_ramp_halve_tanh"))
    expect(group.first).to_be_visible()
    view.screenshot("own-fused")
    for edge, callee in (("`t` -> `s`", "smooth"), ("`j` -> `y`", "jitter")):
        why = remarks(view).filter(has_text=edge)
        expect(why).to_contain_text(f"library function `{callee}`, which has no loops")
    why.get_by_role("button").click()
    expect(view.graph.get_by_role("button", pressed=True)).to_have_count(1)
    lab.page.keyboard.press("Escape")
    applied(view, "FuseTensorFunctions", 3)
    expect(view.boxes("ramp, ")).to_have_count(0)
    kind(view, "matmul_ramp_halve_tanh", "tensor function")
    view.select("matmul_ramp_halve_tanh, ")
    loops = view.details.get_by_role("treegrid", name="Loops")
    expect(loops).to_contain_text("T.float32(6.0)")
    expect(loops).to_contain_text("T.float32(0.5)")
    view.tab("Origin")
    expect(view.panel).to_contain_text("notebook cell r, line")
    for what in ("LegalizeOps: rewritten", "FuseOps: fused", "FuseTensorFunctions: fused"):
        expect(view.panel).to_contain_text(what)
    view.screenshot("own-merged")


def test_loops_of_an_own_operator_in_a_group_are_scheduled_by_hand(lab: Lab) -> None:
    view = opened(lab, "own = wb.open", OWN)
    legalized_and_fused(view)
    for step, (name, loop) in enumerate((("ramp", "i1"), ("halve", "j")), 3):
        view.select(f"{name}, ")
        nest = Nest(view)
        nest.row(loop).click()
        expect(nest.offers).to_contain_text(f"Applies here: loop {loop}")
        expect(nest.offers.get_by_role("button", name="Apply Split")).to_be_enabled()
        nest.offers.get_by_role("button", name="Apply Vectorize").click()
        expect(view.head).to_contain_text(f"step {step} · Vectorize")
        assert "exact" in view.checked(step)
        expect(nest.row(loop)).to_contain_text("vectorized")
        lab.page.keyboard.press("Escape")
    view.screenshot("own-scheduled")
    view.select("smooth, ")
    expect(view.panel).to_contain_text("its loops are not ours")


def test_a_function_of_numpy_takes_over_without_copies(lab: Lab) -> None:
    view = opened(lab, "layer = wb.open", LAYER, PRODUCT, ADDRESSES)
    lab.run(1)
    view.checked(1)
    kind(view, "product", "library call")
    view.select("product, ")
    expect(implementation(view, "external product")).to_contain_text("in use")
    lab.run(2)
    assert lab.text_of(2).split("\n")[:2] == ["read in place: True", "handed on in place: True"]
    view.swap.get_by_role("button", name="Measure").click()
    bar = implementation(view, "external product").get_by_role("img")
    expect(bar).to_have_accessible_name(re.compile(r"median [\d.]+ ms.* max error"))
    view.screenshot("own-numpy")
    implementation(view, "library numpy.matmul").get_by_role("button", name="Use").click()
    view.checked(2)
    expect(view.head).to_contain_text("numpy.matmul")


def test_torch_takes_over_where_it_is_installed_and_says_so_where_not(lab: Lab) -> None:
    installed = importlib.util.find_spec("torch") is not None
    view = opened(lab, "layer = wb.open", LAYER, PRODUCT, ADDRESSES, TORCH)
    view.select("matmul, ")
    row = implementation(view, "library torch.matmul")
    use = row.get_by_role("button", name="Use")
    if not installed:
        expect(use).to_be_disabled()
        expect(row).to_contain_text("torch")
        pytest.skip("torch is not installed: the picture says so, and has nothing more to show")
    use.click()
    view.checked(1)
    kind(view, "torch.matmul", "library call")
    for cell in (1, 2, 3):
        lab.run(cell)
    assert lab.text_of(3).split("\n")[:3] == [
        "read in place: True",
        "handed on in place: True",
        "the same: True",
    ]
    kind(view, "multiply", "library call")
    view.screenshot("own-torch")
