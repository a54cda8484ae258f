"""Decisions of schedules in recipes: names that the steps use."""

from __future__ import annotations

import workbench as wb
from tests.schedule import scripts
from workbench.ir import IRModule, module_digest
from workbench.script import parse


def tuned() -> wb.Session:
    session = wb.Session(parse(scripts.MATMUL))
    schedule = session.schedule("f")
    tile = schedule.sample_perfect_tile("j", 2, decision=[2, 4])
    buffer = schedule.sample_categorical([0, 1], decision=0)
    schedule.split("j", tile)
    schedule.cache_read("C", buffer)
    schedule.annotate("C", "tile", tile[1])
    return session


def ran(recipe: str) -> IRModule:
    names: dict[str, object] = {}
    exec(recipe, names)
    module = names["module"]
    assert isinstance(module, IRModule)
    return module


def test_decisions_stand_before_the_steps_by_name() -> None:
    session = tuned()
    recipe = session.recipe()
    asked = "sample_perfect_tile(loop='j', n=2, max_innermost_factor=16)"
    assert f"sampled0_0, sampled0_1 = 2, 4  # {asked}" in recipe
    assert "factors=(sampled0_0, sampled0_1)" in recipe
    assert "ann_val=sampled0_1" in recipe
    assert "read_buffer_index=sampled1_0" in recipe, "though it is the default"
    assert module_digest(ran(recipe)) == module_digest(session.module)


def test_a_decision_that_is_changed_changes_all_that_uses_it() -> None:
    recipe = tuned().recipe()
    other = recipe.replace("= 2, 4 ", "= 4, 2 ").replace("sampled1_0 = 0", "sampled1_0 = 1")
    schedule = wb.Schedule(parse(scripts.MATMUL))
    schedule.split("j", [4, 2])
    schedule.cache_read("C", 1)
    schedule.annotate("C", "tile", 2)
    assert module_digest(ran(other)) == module_digest(schedule.module)


def test_a_recipe_without_decisions_says_nothing_of_them() -> None:
    session = wb.Session(parse(scripts.MATMUL))
    session.schedule("f").split("j", [2, 4])
    assert "sampled" not in session.recipe()
    assert "decisions" not in session.recipe()


def test_schedules_of_several_functions_keep_their_decisions_apart() -> None:
    session = wb.Session(parse(scripts.MATMUL))
    for extent in ("i", "k"):
        schedule = session.schedule("f")
        schedule.split(extent, [None, schedule.sample_categorical([2, 3], decision=1)])
    recipe = session.recipe()
    assert "sampled0_0 = 3" in recipe
    assert "sampled1_0 = 3" in recipe
    assert module_digest(ran(recipe)) == module_digest(session.module)
