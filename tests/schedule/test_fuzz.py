"""2 000 random schedules; `make fuzz` runs as many as one likes."""

import pytest

from tests.schedule.fuzzing import Report, fuzz

CHUNKS = 40
PER_CHUNK = 50


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_compute_the_same(chunk: int) -> None:
    total = Report()
    for number in range(PER_CHUNK):
        total.merge(fuzz(chunk * PER_CHUNK + number))
    assert total.applied > PER_CHUNK // 2, total.table()
    assert total.unproved_share < 0.01, (total.table(), *total.unproved.items())


@pytest.mark.parametrize("seed", [20864, 47059, 47298, 47681, 47954, 100625, 102423])
def test_schedules_that_were_wrong_once(seed: int) -> None:
    assert fuzz(seed).schedules == 1
