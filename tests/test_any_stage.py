"""Build at any stage: whatever passes were applied, in whatever order, the values stay."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import workbench as wb
from tests.generate.choices import Seeded
from tests.generate.graphs import random_module
from tests.generate.sequences import (
    Sequence,
    WrongSequenceError,
    check_sequence,
    fuzz_passes,
    start,
)
from workbench.frontend import demo
from workbench.ir import IRModule
from workbench.passes import BUILTIN_PASSES, EliminateDeadCode, PassResult

CHUNKS = 20
PER_CHUNK = 15


@cache
def counts_of(chunk: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number in range(PER_CHUNK):
        counts += fuzz_passes(chunk * PER_CHUNK + number)
    return counts


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_passes_on_random_modules_keep_the_values(chunk: int) -> None:
    assert counts_of(chunk).total() > PER_CHUNK


def test_half_of_the_passes_find_something_to_do() -> None:
    counts = sum((counts_of(chunk) for chunk in range(8)), Counter[str]())
    done = {kind.name for kind in BUILTIN_PASSES if counts[kind.name]}
    assert len(done) > len(BUILTIN_PASSES) // 2, counts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["magika", "squeezenet"])
def test_random_passes_on_models_keep_the_values(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    if name == "magika":
        module = wb.load(demo.magika_path())
        array = rng.integers(0, 256, size=(1, 2048)).astype("int32")
    else:
        module = wb.load(demo.squeezenet(seed=0))
        array = rng.normal(size=(1, 3, 224, 224)).astype("float32")
    (param,) = module.graph_functions["main"].params
    sequence = Sequence(module, {param.id: array})
    counts = check_sequence(Seeded(seed), sequence, 10, f"{name}, seed {seed}", interpret=False)
    assert counts.total() > 0


def test_a_pass_that_changes_values_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def returns_a_parameter(step: EliminateDeadCode, module: IRModule) -> PassResult:
        del step
        main = module.graph_functions["main"]
        same = [p for p in main.params if p.type == main.return_type]
        return PassResult(
            module.with_function("main", replace(main, result=same[0])) if same else module
        )

    monkeypatch.setattr(EliminateDeadCode, "run", returns_a_parameter)
    with pytest.raises(WrongSequenceError, match="seed"):
        sum(map(fuzz_passes, range(200)), Counter[str]())


def test_a_start_gives_the_arguments_by_parameter() -> None:
    generated = random_module(Seeded(3), steps=8)
    for given, array in zip(start(generated).given(), generated.inputs(), strict=True):
        np.testing.assert_array_equal(given, array)
