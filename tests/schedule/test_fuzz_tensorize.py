"""Random schedules of matrix products that are what an intrinsic describes, or nearly."""

import pytest

from tests.generate.contractions import random_contractions
from tests.schedule.fuzzing import TENSORIZING, Report, fuzz
from workbench.analysis.dependence import AnswerKind

CHUNKS = 2
PER_CHUNK = 40


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_with_intrinsics_compute_the_same(chunk: int) -> None:
    total = Report()
    for number in range(PER_CHUNK):
        total.merge(fuzz(chunk * PER_CHUNK + number, random_contractions, TENSORIZING))
    assert total.answers["tensorize", AnswerKind.APPLIES] > PER_CHUNK // 4, total.table()
    assert total.answers["tensorize", AnswerKind.INAPPLICABLE] > PER_CHUNK // 4, total.table()
