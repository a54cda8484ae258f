"""What the notebook about fusion promises, asserted on what its cells leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebooks.test_notebooks import FOLDER, is_code, read
from workbench.ir import CallFunction, CallTIR, IRModule

CELLS = [cell.source for cell in read(FOLDER / "03-fusion.ipynb").cells if is_code(cell)]
(USERS_PASS,) = [source for source in CELLS if "class FuseTwoConvolutions" in source]
LAST = next(n for n, source in enumerate(CELLS) if source.startswith("BOTH"))


@pytest.fixture(scope="module")
def left() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    for source in CELLS[: LAST + 1]:
        exec(compile(source, "03-fusion.ipynb", "exec"), names)
    return names


def calls(module: IRModule) -> list[str]:
    values = [binding.value for binding in module.graph_functions["main"].bindings]
    return [value.callee for value in values if isinstance(value, CallTIR | CallFunction)]


def members(module: IRModule, group: str) -> list[str]:
    values = [binding.value for binding in module.graph_functions[group].bindings]
    return [value.callee for value in values if isinstance(value, CallTIR)]


def test_the_users_pass_is_written_in_one_cell_of_under_thirty_lines() -> None:
    assert len(USERS_PASS.splitlines()) < 30
    assert "PatternRule" in USERS_PASS


def test_it_fuses_two_convolutions(left: dict[str, Any]) -> None:
    assert calls(left["grouped"]) == ["two_convolutions"]
    assert len(left["grouped"].graph_functions["two_convolutions"].bindings) == 2


def test_the_general_fuser_takes_the_group_as_it_is_and_what_follows_joins(
    left: dict[str, Any],
) -> None:
    fused = left["grouped_fused"].module
    (group,) = calls(fused)
    assert len(members(fused, group)) == 5
    assert members(fused, group)[2:] == ["add", "relu", "add1"]


def test_a_group_by_hand_keeps_its_members(left: dict[str, Any]) -> None:
    fused = left["by_hand"]
    (group,) = calls(fused)
    assert members(fused, group) == ["matmul", "tanh", "negative"]


def test_both_are_respected_side_by_side(left: dict[str, Any]) -> None:
    fused = left["both"].module
    first, second = calls(fused)
    assert members(fused, first) == ["tanh", "multiply", "negative"]
    assert members(fused, second) == ["conv2d", "conv2d1", "relu"]
    (why,) = [remark.message for remark in left["both"].remarks]
    assert "is a group that was made before" in why
