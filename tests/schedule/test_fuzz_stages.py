"""Random schedules of random chains of blocks: what moves and inlines blocks, above all."""

import pytest

from tests.generate.stages import random_stages
from tests.schedule.fuzzing import MOVING, Report, fuzz

CHUNKS = 2
PER_CHUNK = 80


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_of_blocks_compute_the_same(chunk: int) -> None:
    total = Report()
    for number in range(PER_CHUNK):
        total.merge(fuzz(chunk * PER_CHUNK + number, random_stages, MOVING))
    assert total.applied > PER_CHUNK, total.table()
    assert total.unproved_share < 0.01, (total.table(), *total.unproved.items())
