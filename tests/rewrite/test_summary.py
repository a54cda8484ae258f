"""Equal functions share their key, and functions that differ in anything do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench.ir import GraphFunction, IRModule, structurally_equal
from workbench.rewrite.summary import StaticTypes, summary
from workbench.script import parse

TEXT = """
@I.ir_module
class Module:
    @R.function(private=True)
    def group(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            a = R.matmul(x, w)
            b = R.add(a, x)
            c = R.split(b, indices_or_sections=2, axis=1)
            R.output(b)
        return b

    @R.function
    def main(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        cls = Module
        y = cls.group(x, w)
        return y
"""
TYPES = StaticTypes()
PLAIN = TEXT.replace("            c = R.split(b, indices_or_sections=2, axis=1)\n", "")
EDITS = [
    ("R.matmul(x, w)", "R.matmul(w, x)"),
    ("R.add(a, x)", "R.add(x, a)"),
    ("R.add(a, x)", "R.add(a, w)"),
    ("R.add(a, x)", "R.subtract(a, x)"),
    ("R.output(b)", "R.output(a, b)"),
    ("return b\n", "return (b, a)\n"),
    ("R.add(a, x)", "R.nn.leakyrelu(a, alpha=0.0)"),
    ("R.add(a, x)", "R.nn.leakyrelu(a, alpha=-0.0)"),
]


def group(text: str) -> GraphFunction:
    function = parse(text)["group"]
    assert isinstance(function, GraphFunction)
    return function


def test_names_and_ids_do_not_matter() -> None:
    renamed = group(PLAIN.replace("a = ", "other = ").replace("(a, x)", "(other, x)"))
    moved = IRModule((("group", replace(renamed, next_id=renamed.next_id + 5)),))["group"]
    assert summary(group(PLAIN), TYPES) == summary(moved, TYPES)
    assert summary(moved, TYPES)[1]
    assert structurally_equal(group(PLAIN), moved)


def test_every_difference_matters() -> None:
    texts = [PLAIN]
    for old, new in EDITS:
        changed = PLAIN.replace(old, new)
        if "R.output(a, b)" not in changed and "(b, a)" in changed:
            changed = changed.replace("R.output(b)", "R.output(a, b)")
        texts.append(changed)
    functions = [group(text) for text in texts]
    for n, a in enumerate(functions):
        for m, b in enumerate(functions):
            assert summary(a, TYPES)[1]
            assert (summary(a, TYPES) == summary(b, TYPES)) == structurally_equal(a, b) == (n == m)


@pytest.mark.parametrize("text", [TEXT, PLAIN.replace('(4, 4), "float32"', '("n", 4), "float32"')])
def test_what_the_key_does_not_say_is_compared(text: str) -> None:
    key, whole = summary(group(text.replace("R.matmul(x, w)", "R.multiply(x, w)")), TYPES)
    assert not whole
    assert key == summary(group(text.replace("R.matmul(x, w)", "R.multiply(w, x)")), TYPES)[0]


def test_public_functions_are_never_shared() -> None:
    main = parse(PLAIN)["main"]
    assert summary(main, TYPES) == ("public", False)
