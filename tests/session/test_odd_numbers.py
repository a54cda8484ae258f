"""Numbers whose `repr` is no Python, or is that of another number, in recipes and traces."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import small
from tests.session.test_recipe import run_outside
from workbench.ir import module_digest
from workbench.schedule.schedule import Schedule
from workbench.support.python_text import python_text, same_text

ODD: list[Any] = [
    float("nan"),
    float("inf"),
    -float("inf"),
    -0.0,
    1e400,
    5e-324,
    2**70,
    -(2**63),
    np.float32(0.1),
    np.float64("nan"),
    np.int64(3),
    np.bool_(True),
    (1, (float("inf"), "a'b")),
    [np.float32(1.5), None],
    (),
]


@pytest.mark.parametrize("value", ODD)
def test_the_text_of_a_number_makes_it_again(value: Any) -> None:  # noqa: ANN401
    made = eval(python_text(value), {"__builtins__": {"float": float}})
    assert python_text(made) == python_text(value)
    if isinstance(value, float):
        assert math.copysign(1, made) == math.copysign(1, value) or math.isnan(value)
        assert made == value or math.isnan(value)


def test_alike_is_to_the_bit() -> None:
    assert not same_text(-0.0, 0.0)
    assert not same_text(True, 1)
    assert same_text(float("nan"), float("nan"))
    assert same_text(np.int64(3), 3)


def test_a_recipe_with_odd_numbers_runs(tmp_path: Path) -> None:
    session = wb.open(small())
    session.apply("LegalizeOps")
    function = next(iter(session.module.tensor_functions))
    schedule = session.schedule(function)
    loop = schedule.scope.loops[0].var.name
    for number, value in enumerate(ODD):
        schedule.annotate(loop=loop, ann_key=f"k{number}", ann_val=value)
    recipe = session.recipe()
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


@pytest.mark.parametrize("value", ODD)
def test_a_trace_with_an_odd_number_replays(value: Any) -> None:  # noqa: ANN401
    session = wb.open(small())
    session.apply("LegalizeOps")
    function = next(iter(session.module.tensor_functions))
    schedule = Schedule(session.module, function)
    loop = schedule.scope.loops[0].var.name
    schedule.annotate(loop=loop, ann_key="odd", ann_val=value)
    again = Schedule(session.module, function)
    exec(schedule.trace.python("again"), {"again": again})
    assert module_digest(again.module) == module_digest(schedule.module)


def test_a_module_with_odd_annotations_prints_and_reads_back() -> None:
    session = wb.open(small())
    session.apply("LegalizeOps")
    function = next(iter(session.module.tensor_functions))
    schedule = Schedule(session.module, function)
    loop = schedule.scope.loops[0].var.name
    for number, value in enumerate(ODD):
        schedule.annotate(loop=loop, ann_key=f"k{number}", ann_val=value)
    text = schedule.module.script()
    assert wb.parse(text).script() == text
