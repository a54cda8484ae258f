import re
from dataclasses import replace

import pytest

import workbench as wb
from workbench.analysis.memory import plan_memory
from workbench.ir import CallOp
from workbench.view.memory import memory_view

PROGRAM = """
@R.function
def main(x: R.Tensor((N, 64), "float32"), w: R.Tensor((64, 64), "float32")):
    with R.dataflow():
        a = R.matmul(x, w)
        b = R.nn.relu(a)
        c = R.matmul(b, w)
        d = R.matmul(c, w)
        z = R.tanh(d)
        R.output(z)
    return z
"""


def program(rows: str = "64") -> wb.IRModule:
    return wb.parse(PROGRAM.replace("N", rows))


def test_blocks_say_where_values_lie_and_name_them() -> None:
    module = program()
    view = memory_view(module, "main", 0)
    ids = {binding.var.name: binding.var.id for binding in module.graph_functions["main"].bindings}
    assert [(b.name, b.node) for b in view.blocks] == [(n, f"main/{ids[n]}") for n in "abcdz"]
    assert [(b.reuse, b.source) for b in view.blocks] == [
        ("fresh", ""), ("in-place", "a"), ("fresh", ""), ("fresh", ""), ("in-place", "d"),
    ]  # fmt: skip
    assert view.peak == 2 * 16384
    assert view.live == [16384, 16384, 32768, 16384, 0]
    assert [b.returned for b in view.blocks] == [False, False, False, True, True]
    assert view.summary == "arena 32 KiB instead of 64 KiB"


def test_the_plan_that_was_written_is_said_to_be_followed() -> None:
    module = wb.passes.LegalizeOps()(program()).module
    assert not memory_view(module, "main", 0).written
    assert memory_view(wb.passes.PlanMemory()(module).module, "main", 0).written


def test_values_of_fused_functions_have_their_own_keys() -> None:
    module = wb.passes.FuseOps()(wb.passes.LegalizeOps()(program()).module).module
    keys = [block.node for block in memory_view(module, "main", 0).blocks]
    assert any(re.fullmatch(r"main/\d+>\d+", key) for key in keys)
    known = wb.Session(module).lineage(0)
    assert [key for key in keys if known.value(key) is None] == []


def test_symbolic_sizes_are_numbers_for_given_extents() -> None:
    shown = wb.memory_plan(program('"n"'), extents={"n": 100})
    assert shown.view.peak == 100 * 64 * 4 * 2
    assert "n * 512" in shown.view.summary or "512 * n" in shown.view.summary
    assert shown.view.notes == ["drawn with n = 100"]
    assert wb.memory_plan(program('"n"')).view.notes == ["drawn with n = 16"]


def test_a_notebook_gets_a_chart_and_a_table_others_text() -> None:
    bundle = wb.memory_plan(program())._repr_mimebundle_()
    assert bundle["image/svg+xml"].count("<rect") >= 5
    for word in ("in place of a", "memory of its own", "returned"):
        assert word in bundle["text/html"]
        assert word in bundle["text/plain"]


def test_names_are_escaped() -> None:
    module = program()
    main = module.graph_functions["main"]
    (block,) = main.blocks
    first, second, *rest = block.bindings
    named = replace(first.var, name="<script>&")
    assert isinstance(second.value, CallOp)
    reader = replace(second, value=replace(second.value, args=(named,)))
    changed = replace(block, bindings=(replace(first, var=named), reader, *rest))
    hostile = module.with_function("main", replace(main, blocks=(changed,)))
    bundle = wb.memory_plan(hostile)._repr_mimebundle_()
    assert "<script>" not in bundle["image/svg+xml"] + bundle["text/html"]
    assert "&lt;script&gt;&amp;" in bundle["image/svg+xml"]


def test_only_graph_functions_have_plans() -> None:
    module = wb.passes.LegalizeOps()(program()).module
    with pytest.raises(wb.CompileError, match="is a tensor function"):
        wb.memory_plan(module, "relu")


def test_what_is_not_in_the_plan_is_said_with_the_reason() -> None:
    module = wb.parse(branching("x", "w"))
    module = wb.passes.LegalizeOps()(module).module
    (note,) = memory_view(module, "main", 0).notes
    assert note == "`c` is not in the plan: no branch computes it in memory of this function"
    remarks = wb.passes.PlanMemory()(module).remarks
    assert [r.message for r in remarks if r.code == "memory/not-planned"] == [note]


def test_the_values_of_branches_are_drawn_at_their_places() -> None:
    view = memory_view(wb.parse(branching("R.matmul(b, w)", "R.matmul(x, w)")), "main", 0)
    blocks = {block.name: block for block in view.blocks}
    assert view.notes == []
    first, second = (block for block in view.blocks if block.name == "c1")
    assert first.offset == second.offset == blocks["c"].offset
    assert first.node == second.node == blocks["c"].node
    assert first.last < second.first <= blocks["c"].first
    assert blocks["c"].reuse == "in-place"


def branching(then: str, otherwise: str) -> str:
    text = PROGRAM.replace("N", "64").replace("w: R.T", 'p: R.Tensor((), "bool"), w: R.T')
    text = text.replace("    with R.dataflow():\n", "").replace("        ", "    ")
    text = text.replace("    R.output(z)\n", "")
    arms = f"    if p:\n        c1 = {then}\n        c = c1\n"
    arms += f"    else:\n        c1 = {otherwise}\n        c = c1\n"
    return text.replace("    c = R.matmul(b, w)\n", arms)


def test_each_reason_is_the_one_of_its_value() -> None:
    module = wb.parse("""
@I.ir_module
class Module:
    @R.function(private=True)
    def down(v: R.Tensor((4,), "float32"), p: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
        cls = Module
        if p:
            r = R.negative(v)
        else:
            r = cls.down(v, p)
        return r

    @R.function
    def main(x: R.Tensor((4,), "float32"), p: R.Tensor((), "bool")):
        cls = Module
        a = R.call_pure_packed("my.scale", x, ty_args=(R.Tensor((4,), "float32"),))
        b = R.exp(a)
        c = cls.down(b, p)
        return c
""")
    assert [(one.value, one.reason) for one in plan_memory(module).unplanned] == [
        ("a", "`my.scale` returns it wherever it put it"),
        ("b", "the numpy reference of `exp` computes it"),
        ("r", "the numpy reference of `negative` computes it"),
        ("r", "no branch computes it in memory of this function"),
        ("r", "`down` runs binding by binding: `down` calls itself"),
    ]
