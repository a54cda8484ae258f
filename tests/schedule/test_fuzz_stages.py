"""Random schedules of random chains of blocks: what moves and inlines blocks, above all."""

from collections.abc import Callable

import pytest

from tests.generate.choices import Choices
from tests.generate.nests import random_nests
from tests.generate.programs import Program
from tests.generate.stages import random_stages
from tests.schedule.fuzzing import MOVING, Report, fuzz

COUNT = 160


@pytest.mark.parametrize("generate", [random_stages, random_nests])
def test_random_schedules_of_blocks_compute_the_same(
    generate: Callable[[Choices], Program],
) -> None:
    total = Report()
    for seed in range(COUNT):
        total.merge(fuzz(seed, generate, MOVING))
    assert total.applied > COUNT, total.table()
    assert total.unproved_share < 0.01, (total.table(), *total.unproved.items())
