"""Names of values say the same of a module that was printed and read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import workbench as wb
from workbench.ir import Binding, CallOp, IRModule
from workbench.passes.candidates import find_value
from workbench.rewrite import NodeRef
from workbench.rewrite.value_names import ValueNames
from workbench.session.naming import exact_name
from workbench.session.naming import find_value as find_in_session
from workbench.support import CompileError

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool"), d: R.Tensor((), "bool")):
        unused = R.sin(x)
        also = R.cos(x)
        if c:
            if d:
                t = R.exp(x)
                y = R.negative(t)
            else:
                y = R.nn.relu(x)
            t = R.tanh(y)
            r = R.sigmoid(t)
        else:
            t = R.sqrt(x)
            r = R.abs(t)
        t = R.log(r)
        return t
"""
NAMES = {
    "exp": "main.r.then.y.then.t",
    "negative": "main.r.then.y.then",
    "nn.relu": "main.r.then.y.else",
    "tanh": "main.r.then.t",
    "sigmoid": "main.r.then",
    "sqrt": "main.r.else.t",
    "abs": "main.r.else",
    "log": "main.t",
}


def module() -> IRModule:
    """What stays without the unused values: its ids have a gap, and those read again none."""
    session = wb.open(wb.parse(TEXT))
    session.apply("EliminateDeadCode")
    return session.module


def read_again() -> IRModule:
    return wb.parse(module().script())


def calls(found: IRModule) -> dict[str, NodeRef]:
    from_main = wb.open(found).lineage(0).values()
    return {v.expr.op: v.ref for v in from_main if isinstance(v.expr, CallOp)}


def test_ids_differ_after_reading_again() -> None:
    assert calls(module()) != calls(read_again())


@pytest.mark.parametrize("make", [module, read_again])
@pytest.mark.parametrize(("op", "name"), NAMES.items())
def test_each_value_has_one_name(make: Callable[[], IRModule], op: str, name: str) -> None:
    found = make()
    names = ValueNames(found)
    assert names.exact(calls(found)[op]) == name
    assert [value.ref for value in names.find(name)] == [calls(found)[op]]
    function, binding = find_value(found, name)
    assert NodeRef(function, binding.var.id) == calls(found)[op]
    session = wb.open(found)
    value = find_in_session([session.lineage(0)], name)
    assert value.ref == calls(found)[op]
    assert exact_name(found, value) == name


@pytest.mark.parametrize(("op", "name"), NAMES.items())
def test_a_rule_that_is_told_where_works_there_in_both(op: str, name: str) -> None:
    for before in (module(), read_again()):
        after = wb.passes.LegalizeOps(only=(name,))(before).module
        assert calls(before).keys() - calls(after).keys() == {op}


def test_a_recipe_of_a_step_in_an_arm_does_the_same_on_the_script_read_again() -> None:
    for before in (module(), read_again()):
        session = wb.open(before)
        session.swap("main.r.else.t", "generated")
        (applied,) = [step.snapshot.applied for step in session.steps[1:]]
        assert applied == wb.passes.Implement("main.r.else.t", "generated")
        assert "sqrt" not in calls(session.module)


def test_the_name_of_an_if_is_its_own_before_it_is_that_of_its_arms() -> None:
    names = ValueNames(module())
    assert [value.name for value in names.find("r")] == ["main.r"]
    assert [value.name for value in names.find("t")] == ["main.t"]
    assert [value.name for value in names.find("main.r.then.y.else.y")] == ["main.r.then.y.else"]
    assert [value.name for value in names.find("main.y")] == [
        "main.r.then.y",
        "main.r.then.y.then",
        "main.r.then.y.else",
    ]


def twice() -> IRModule:
    """A module, as a program may build it, with a name that one body binds twice."""
    text = TEXT.partition("        if c:")[0] + "        return also\n"
    made = wb.parse(text)
    main = made.graph_functions["main"]
    block = main.blocks[0]

    def renamed(binding: Binding) -> Binding:
        return replace(binding, var=replace(binding.var, name="a"))

    blocks = (replace(block, bindings=tuple(renamed(b) for b in block.bindings)),)
    return made.with_function(
        "main", replace(main, blocks=blocks, result=blocks[0].bindings[1].var)
    )


def test_of_values_of_one_name_each_has_its_number() -> None:
    found = twice()
    names = ValueNames(found)
    assert [value.name for value in names.find("a")] == ["main.a@1", "main.a@2"]
    assert find_value(found, "a@2")[1] == found.graph_functions["main"].bindings[1]
    with pytest.raises(CompileError) as caught:
        find_value(found, "main.a")
    (fault,) = caught.value.diagnostics
    assert fault.code == "pass/ambiguous-value"
    assert "`main.a@1`, `main.a@2`" in fault.message


def test_a_number_that_a_script_does_not_keep_is_refused_and_chooses_nothing_else() -> None:
    again = wb.parse(twice().script())
    with pytest.raises(CompileError) as caught:
        wb.passes.LegalizeOps(only=("main.a@2",))(again)
    assert caught.value.diagnostics[0].code == "pass/unknown-value"


@pytest.mark.parametrize("use", ["rule", "value"])
def test_a_key_is_no_name_and_the_name_is_told(use: str) -> None:
    found = module()
    key = str(calls(found)["sqrt"])
    legalize, implement = wb.passes.LegalizeOps(only=(key,)), wb.passes.Implement(key, "generated")
    with pytest.raises(CompileError) as caught:
        (legalize if use == "rule" else implement)(found)
    (fault,) = caught.value.diagnostics
    assert fault.code == "pass/unknown-value"
    assert "`main.r.else.t`" in fault.hint
