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
    assert (action.applies, action.reason) == (True, "for b = 3, n = 17")
    step = session.apply(views.pass_named("BindSymbolicVariables", 0, None))
    assert action.code == views.history().steps[1].code
    assert session.extents(step.index) == {}
    assert "BindSymbolicVariables" not in {a.name for a in views.actions(step.index)}
    assert session.wait(60)
    assert session.verdict(step.index).good
    session.inputs(extents={"n": 5})
    (other,) = [a for a in views.actions(0) if a.name == "BindSymbolicVariables"]
    assert other.reason == "for b = 3, n = 5"
