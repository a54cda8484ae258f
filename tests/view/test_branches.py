"""What is drawn and said of an `if`, of its arms, of effects and of recursion."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.weather import weather
from workbench.ir import IRModule, LibraryFunction, register_library
from workbench.session import Session
from workbench.session.naming import exact_name, find_value
from workbench.view.layout import layout
from workbench.view.module_views import static_view
from workbench.view.protocol import FunctionView, NodeView
from workbench.view.views import SessionViews

WEATHER = weather('"test.tell"', cold=False)
NESTED = """
@I.ir_module
class Nested:
    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool"), d: R.Tensor((), "bool")):
        if c:
            if d:
                t = R.exp(x)
                u = R.negative(t)
            else:
                u = x
            r = R.tanh(u)
        else:
            r = R.abs(x)
        return r
"""
FUSED_BY_HAND = """
@I.ir_module
class Fused:
    @R.function(private=True)
    def group(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
        R.func_attr({"Primitive": 1})
        if c:
            u = R.exp(x)
            t = R.negative(u)
        else:
            t = R.abs(x)
        return t

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool"), d: R.Tensor((), "bool")):
        cls = Fused
        if d:
            y = cls.group(x, c)
        else:
            y = x
        return y
"""
HALVING = """
@I.ir_module
class Halving:
    @R.function(private=True)
    def halve(n: R.Tensor((), "float32")) -> R.Tensor((), "float32"):
        cls = Halving
        large = R.greater(n, R.const(1.0, "float32"))
        if large:
            m = R.multiply(n, R.const(0.5, "float32"))
            r = cls.halve(m)
        else:
            r = n
        return r

    @R.function
    def main(x: R.Tensor((), "float32")):
        cls = Halving
        y = cls.halve(x)
        return y
"""


def drawn(module: IRModule, name: str = "main") -> FunctionView:
    return next(f for f in static_view(module).functions if f.name == name)


def named(view: FunctionView, name: str, label: str = "") -> NodeView:
    found = [n for n in view.nodes if n.name == name and label in n.label]
    assert len(found) == 1, found
    return found[0]


def tell(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array(x)


register_library(LibraryFunction("test.tell", tell, "test"))


@pytest.fixture
def session() -> Session:
    made = wb.open(wb.parse(WEATHER))
    made.inputs(np.array([0.5, -1.0, 2.0, 0.25], "float32"), np.array(True))
    return made


def done(session: Session, *passes: str) -> SessionViews:
    for each in passes:
        session.apply(each)
        assert session.wait()
        assert session.head.verdict.good
    return SessionViews(session)


def test_arms_are_groups_and_the_if_is_fed_by_what_they_give() -> None:
    view = drawn(wb.parse(WEATHER))
    branch = named(view, "y", "if")
    then, other = named(view, "y", "tell"), named(view, "y", "subtract")
    assert (branch.label, branch.kind, branch.group) == ("if sunny", "branch", branch.key)
    assert branch.inputs == [named(view, "sunny").key, then.key, other.key]
    assert then.group == f"{branch.key}?then"
    assert other.group == f"{branch.key}?else"
    assert [(g.kind, g.label, g.parent, g.ops) for g in view.groups] == [
        ("branch", "if sunny", None, 5),
        ("arm", "then", branch.key, 4),
        ("arm", "else", branch.key, 1),
    ]
    assert view.groups[0].kinds == {"op": 3, "library": 2}


def test_branches_nest_and_an_arm_that_computes_nothing_says_what_it_gives() -> None:
    view = drawn(wb.parse(NESTED))
    outer, inner = named(view, "r", "if"), named(view, "u", "if")
    groups = {group.key: group for group in view.groups}
    assert groups[inner.key].parent == f"{outer.key}?then"
    assert groups[f"{inner.key}?else"].label == "else: x as it is"
    assert groups[outer.key].ops == 5
    assert named(view, "t").group == f"{inner.key}?then"
    assert inner.inputs[1:] == [named(view, "u", "negative").key, named(view, "x").key]


def test_an_if_in_a_fused_function_lies_in_the_group_of_its_call() -> None:
    view = drawn(wb.parse(FUSED_BY_HAND))
    outer, inner = named(view, "y", "if"), named(view, "t", "if")
    (fused,) = [group for group in view.groups if group.kind == "fused"]
    parents = {group.key: group.parent for group in view.groups}
    assert fused.parent == f"{outer.key}?then"
    assert parents[inner.key] == fused.key
    assert named(view, "u").group == f"{inner.key}?then"
    assert named(view, "t", "abs").group == f"{inner.key}?else"
    assert fused.ops == 4
    placed = layout(view, {group.key: False for group in view.groups})
    assert {box.key for box in placed.boxes} == {node.key for node in view.nodes}


def test_calls_in_arms_are_counted() -> None:
    view = static_view(wb.parse(WEATHER))
    assert view.calls == {"op": 7, "tensor": 0, "library": 4}


def test_effects_are_ordered_through_both_arms() -> None:
    view = drawn(wb.parse(WEATHER))
    first, warm, last = (named(view, name) for name in ("first", "warm", "last"))
    told = named(view, "y", "tell")
    assert [n.name for n in view.nodes if n.effect] == ["first", "warm", "y", "last"]
    assert (first.after, warm.after, told.after) == ([], [first.key], [warm.key])
    assert last.after == [told.key, first.key]


def test_a_pass_marks_what_it_did_in_an_arm(session: Session) -> None:
    views = done(session, "LegalizeOps")
    step = views.history().steps[1]
    assert (step.label, step.rewritten) == ("LegalizeOps ~7", 7)
    nodes = {n.key: n for n in views.module(1).functions[0].nodes}
    changed = {n.label for n in nodes.values() if n.change == "rewritten"}
    assert changed == {"exp", "negative", "relu", "multiply", "tanh", "add", "subtract"}
    assert {"e", "g", "a", "b"} < set(views.diff(0, 1).names.values())


def test_a_fused_value_of_an_arm_is_followed_to_its_kernel(session: Session) -> None:
    views = done(session, "LegalizeOps", "FuseOps", "FuseTensorFunctions")
    fused = {n.name: n for n in views.module(2).functions[0].nodes}
    groups = {g.key: g for g in views.module(2).functions[0].groups}
    call = groups[fused["e"].group or ""]
    assert (call.kind, call.parent) == ("fused", f"{named_if(views, 2)}?then")
    kernel = find_value(session.lineages(3), "e")
    assert kernel.name == "g"
    assert find_value(session.lineages(3), "main.e") == kernel
    detail = views.detail(3, kernel.key)
    assert detail.callee == "fused_tanh_add"
    assert detail.loops
    assert [origin.detail for origin in detail.origin][-1] == "FuseTensorFunctions: fused"


def named_if(views: SessionViews, step: int) -> str:
    return next(n.key for n in views.module(step).functions[0].nodes if n.kind == "branch")


def test_details_of_an_if_say_what_it_reads_and_have_all_of_its_text(session: Session) -> None:
    views = done(session)
    detail = views.detail(0, named_if(views, 0))
    assert detail.title == "y = if sunny"
    assert detail.arguments == ["sunny: bool[]", "c: f32[4]", "a: f32[4]"]
    assert "`then` gives y = test.tell" in detail.facts
    assert "`else` gives y = subtract" in detail.facts
    text = "".join(token.text for token in detail.script)
    lines = text.splitlines()
    assert lines[0] == "if sunny:"
    assert lines[1].startswith("    warm = R.call_packed(")
    assert "else:" in lines
    assert lines[-1].startswith("    y")


def test_details_of_one_line_have_that_line(session: Session) -> None:
    views = done(session)
    node = next(n for n in views.module(0).functions[0].nodes if n.name == "g")
    text = "".join(token.text for token in views.detail(0, node.key).script)
    assert text == 'g: R.Tensor((4,), dtype="float32") = R.add(e, a)'
    assert "in the then arm of y" in views.detail(0, node.key).facts


def test_effects_say_what_comes_before_and_after(session: Session) -> None:
    views = done(session)
    nodes = {n.name: n for n in views.module(0).functions[0].nodes}
    facts = views.detail(0, nodes["warm"].key).facts
    assert "has effects: after first" in facts
    assert "then y in the then arm of y" in facts
    last = views.detail(0, nodes["last"].key).facts
    assert "has effects: after y in the then arm of y or first" in last
    assert "has effects: the first of the function" in views.detail(0, nodes["first"].key).facts


def test_a_pass_is_applied_to_one_of_the_values_that_share_a_name(session: Session) -> None:
    views = done(session)
    lineage = session.lineage(0)
    view = views.module(0).functions[0]
    other = next(n for n in view.nodes if n.label == "subtract")
    value = lineage.value(other.key)
    assert value is not None
    name = "main.y.else"
    assert exact_name(session.module, value) == name
    session.apply(views.pass_named("LegalizeOps", 0, other.key))
    changed = [n.label for n in views.module(1).functions[0].nodes if n.change != "none"]
    assert changed == ["subtract"]
    actions = {a.name: a for a in views.detail(0, other.key).actions}
    assert actions["LegalizeOps"].code == f"s.apply(wb.passes.LegalizeOps(only=('{name}',)))"


def test_recursion_is_drawn_once_and_named() -> None:
    module = wb.parse(HALVING)
    view = drawn(module, "halve")
    assert [n.label for n in view.nodes if n.kind != "constant"] == [
        "n",
        "greater",
        "multiply",
        "halve",
        "if large",
    ]
    call = named(view, "r", "halve")
    assert (call.kind, call.callee) == ("function", "halve")
    views = SessionViews(wb.open(module))
    assert "recursion: what is called may call itself" in views.detail(0, call.key).facts


def test_a_thousand_branches_take_well_under_a_second() -> None:
    lines = ["@I.ir_module", "class Many:", "    @R.function"]
    lines.append('    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):')
    last = "x"
    for i in range(1000):
        lines += [f"        if c:\n            v{i} = R.exp({last})"]
        lines += [f"        else:\n            v{i} = R.abs({last})"]
        last = f"v{i}"
    lines.append(f"        return {last}")
    module = wb.parse("\n".join(lines) + "\n")
    static_view(module)
    start = time.perf_counter()
    view = drawn(module)
    seconds = time.perf_counter() - start
    assert len([g for g in view.groups if g.kind == "branch"]) == 1000
    assert seconds < 3
