"""Sessions on modules with symbolic dimensions: somebody says how large, and it is told."""

import numpy as np
import pytest

import workbench as wb
from workbench.frontend.transformer import transformer_encoder
from workbench.passes import BindSymbolicVariables, ScheduleDefault, Simplify, default_pipeline
from workbench.session.inputs import seeded_inputs
from workbench.support import CompileError


def test_extents_are_chosen_and_said() -> None:
    module = transformer_encoder(width=16, hidden=16)
    usual = seeded_inputs(module, "main")
    assert usual.arrays[0].shape == (3, 5, 16)
    assert usual.source == "seeded normal float32, b = 3, n = 5"
    chosen = seeded_inputs(module, "main", extents={"n": 17})
    assert chosen.arrays[0].shape == (3, 17, 16)
    assert "n = 17" in chosen.source


@pytest.mark.parametrize(
    ("extents", "code"),
    [({"m": 3}, "session/unknown-dimension"), ({"n": -1}, "session/bad-extent")],
)
def test_extents_that_do_not_fit_are_refused(extents: dict[str, int], code: str) -> None:
    session = wb.Session(transformer_encoder(width=16, hidden=16))
    with pytest.raises(CompileError, match=code):
        session.inputs(extents=extents)
    with pytest.raises(CompileError, match=code):
        seeded_inputs(session.module, "main", extents=extents)


def test_general_and_special_versions_side_by_side() -> None:
    session = wb.Session(transformer_encoder(width=16, hidden=16))
    session.inputs(extents={"b": 3, "n": 17})
    for step in default_pipeline():
        session.apply(step)
    general = session.head.index
    session.apply(BindSymbolicVariables({"b": 3, "n": 17}))
    session.apply(Simplify())
    special = session.head.index
    session.checkout(general)
    session.apply(BindSymbolicVariables({"n": 17}))
    half = session.head.index
    assert session.wait(60)
    for index in (general, special, half):
        verdict = session.verdict(index)
        assert verdict.good, verdict.text
        assert "b = 3, n = 17" in verdict.inputs
    found = session.compare([general, special, half])
    assert {bar.step for bar in found.bars} == {general, special, half}
    assert "b = 3, n = 17" in found.conditions
    x = np.ones((3, 17, 16), np.float32)
    session.checkout(special)
    np.testing.assert_allclose(session.run(x).shape, (3, 17, 16))
    with pytest.raises(CompileError, match="dimension 1 of `x` must be `17`, got `16`"):
        session.run(np.ones((3, 16, 16), np.float32))


def test_other_extents_check_every_step_anew() -> None:
    session = wb.Session(transformer_encoder(width=16, hidden=16))
    session.apply(default_pipeline()[1])
    session.apply(ScheduleDefault())
    for extents in ({"b": 1, "n": 1}, {"b": 0, "n": 5}, {"b": 2, "n": 31}):
        session.inputs(extents=extents)
        assert session.wait(60)
        verdict = session.verdict(session.head.index)
        assert verdict.good, verdict.text
        assert f"n = {extents['n']}" in verdict.inputs
