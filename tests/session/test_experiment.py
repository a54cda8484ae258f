from __future__ import annotations

import numpy as np
import pytest

from workbench.session.experiment import largest_error

INF = float("inf")
NAN = float("nan")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("expected", "found", "error"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([1.0, 2.0], [1.0, NAN], INF),
        ([1.0, NAN], [1.0, 2.0], INF),
        ([1.0, NAN], [1.5, NAN], 0.5),
        ([INF, -INF], [INF, -INF], 0.0),
        ([INF, 0.0], [-INF, 0.0], INF),
        ([INF, 0.0], [1.0, 0.0], INF),
        ([1.0], [1.0, 1.0], INF),
        ([], [], 0.0),
    ],
)
def test_the_largest_error(expected: list[float], found: list[float], error: float) -> None:
    assert largest_error(np.array(expected, "f4"), np.array(found, "f4")) == error


def test_a_nan_in_a_later_array_counts() -> None:
    good, bad = np.zeros(2, "f4"), np.array([0, NAN], "f4")
    assert largest_error((good, good), (good, bad)) == INF
    assert largest_error((good, good), (good,)) == INF
