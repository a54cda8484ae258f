"""2 000 random schedules; `make fuzz` runs as many as one likes."""

import pytest

from tests.schedule.fuzzing import Report, compute_the_same, fuzz, offers_compute_the_same
from tests.schedule.wrong_blocks_once import WRONG_BLOCKS_ONCE
from tests.schedule.wrong_inits_once import WRONG_INITS_ONCE
from tests.schedule.wrong_moves_once import WRONG_MOVES_ONCE
from tests.schedule.wrong_once import WRONG_ONCE

CHUNKS = 8
PER_CHUNK = 250
ONCE = WRONG_ONCE | WRONG_BLOCKS_ONCE | WRONG_MOVES_ONCE | WRONG_INITS_ONCE


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_compute_the_same(chunk: int) -> None:
    total = Report()
    for number in range(PER_CHUNK):
        total.merge(fuzz(chunk * PER_CHUNK + number))
    assert total.applied > PER_CHUNK // 2, total.table()
    assert total.native > PER_CHUNK // 20, total.table()
    assert total.unproved_share < 0.01, (total.table(), *total.unproved.items())


@pytest.mark.parametrize("name", ONCE)
def test_schedules_that_were_wrong_once(name: str) -> None:
    compute_the_same(*ONCE[name])


def test_each_offer_computes_the_same_where_something_was_wrong_once() -> None:
    tried = sum(offers_compute_the_same(script) for script, _ in ONCE.values())
    assert tried > 10 * len(ONCE)
