"""Symbolic dimensions in what is shown, and specialising as a click."""

import pytest

import workbench as wb
from workbench.frontend.transformer import transformer_encoder
from workbench.session import Session
from workbench.view.views import SessionViews


@pytest.fixture
def session() -> Session:
    return wb.Session(transformer_encoder(width=16, hidden=16))


def test_dimensions_are_shown_by_name(session: Session) -> None:
    function = SessionViews(session).module(0).functions[0]
    types = {node.name: node.type for node in function.nodes}
    assert types["x"] == "f32[b, n, 16]"
    assert types["scores"] == "f32[b, 4, n, n]"


def test_a_click_specialises_for_the_extents_of_the_inputs(session: Session) -> None:
    views = SessionViews(session)
    session.inputs(extents={"b": 3, "n": 17})
    (action,) = [a for a in views.actions(0) if a.name == "BindSymbolicVariables"]
    assert (action.applies, action.reason) == (True, "specialise for b = 3, n = 17")
    step = session.apply(views.pass_named("BindSymbolicVariables", 0, None))
    assert action.code == views.history().steps[1].code
    assert session.extents(step.index) == {}
    assert "BindSymbolicVariables" not in {a.name for a in views.actions(step.index)}
    assert session.wait(60)
    assert session.verdict(step.index).good
    session.inputs(extents={"n": 5})
    (other,) = [a for a in views.actions(0) if a.name == "BindSymbolicVariables"]
    assert other.reason == "specialise for b = 3, n = 5"


@pytest.mark.parametrize("name", ["x", "scores"])
def test_specialising_is_offered_at_a_value_too_for_the_whole_module(
    session: Session, name: str
) -> None:
    views = SessionViews(session)
    key = next(n.key for n in views.module(0).functions[0].nodes if n.name == name)
    (whole,) = [a for a in views.actions(0) if a.numbers]
    (here,) = [a for a in views.detail(0, key).actions if a.numbers]
    assert here == whole
    assert (here.name, here.scope, here.applies) == ("BindSymbolicVariables", "module", True)
    session.apply(views.pass_named(here.name, 0, key, {"b": 3, "n": 5}))
    assert views.history().steps[1].code == here.code


def test_a_person_chooses_other_extents(session: Session) -> None:
    views = SessionViews(session)
    (offered,) = [a for a in views.actions(0) if a.numbers]
    assert [(one.name, one.value) for one in offered.numbers] == [("b", 3), ("n", 5)]
    (one,) = [a for a in views.actions(0, {"n": 9}) if a.numbers]
    assert (one.applies, one.reason) == (True, "specialise for n = 9")
    assert [number.value for number in one.numbers] == [None, 9]
    step = session.apply(views.pass_named("BindSymbolicVariables", 0, None, {"n": 9}))
    assert views.history().steps[1].code == one.code
    assert list(session.extents(step.index)) == ["b"]
    for wrong, reason in (({}, "give at least one"), ({"n": -1}, "got `-1`")):
        (refused,) = [a for a in views.actions(0, wrong) if a.numbers]
        assert not refused.applies
        assert reason in refused.reason
        assert [one.name for one in refused.numbers] == ["b", "n"]


def test_verdicts_name_the_extents_that_were_checked(session: Session) -> None:
    step = session.apply(wb.passes.LegalizeOps())
    special = session.apply(wb.passes.BindSymbolicVariables({"n": 9}))
    assert session.wait(60)
    first, *more = step.verdict.extents
    assert first == "b = 3, n = 5"
    assert more
    assert repr(step).endswith(f" at {first} and {more[0]}")
    assert all("n = 9" in one for one in special.verdict.extents)
    views = SessionViews(session).history().steps
    assert views[1].verdict.at == step.verdict.at
    assert views[0].verdict.at == ""
