from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.ir import LibraryFunction, register_library
from workbench.runtime import CancelToken, build
from workbench.session import timing
from workbench.session.experiment import Experiment, Trial, largest_error, run_experiment

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


@pytest.mark.parametrize("slow", [True, False])
def test_a_slow_trial_runs_no_more_often_than_its_answer_needs(
    monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    """Once for the error, which is a sample, once by binding, and once a further sample."""
    monkeypatch.setattr(timing, "SLOW", 0.0 if slow else 60.0)
    runs: list[None] = []

    def counts(x: np.ndarray, out: np.ndarray) -> None:
        runs.append(None)
        np.negative(x, out=out)

    register_library(LibraryFunction("test.experiment.counts", counts, "tests"))
    module = wb.parse(
        """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            y = R.call_dps_packed("test.experiment.counts", (x,), R.Tensor((4,), "float32"))
            R.output(y)
        return y
"""
    )
    x = np.ones(4, "float32")
    experiment = Experiment((Trial("counted", module, profile=True),), (x,), -x)
    said: list[str] = []
    results = run_experiment(
        experiment, build, lambda what, *_: said.append(what), CancelToken(), 0
    )
    (outcome,) = results.outcomes
    assert len(outcome.samples) >= timing.MIN_ROUNDS
    assert outcome.error == 0.0
    assert next(iter(outcome.profile.values())) > 0
    assert (len(runs) == len(outcome.samples) + 1) is slow
    assert any(" ms at first)" in what for what in said)
