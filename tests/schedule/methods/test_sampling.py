from __future__ import annotations

import dataclasses
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.schedule import programs, scripts
from tests.schedule.checks import body
from workbench.ir import module_digest
from workbench.schedule import PRIMITIVES, Primitive, Schedule
from workbench.schedule.decisions import perfect_tile
from workbench.schedule.trace import Sampled
from workbench.script import parse
from workbench.support import CompileError


def code_of(error: pytest.ExceptionInfo[CompileError]) -> str:
    return error.value.diagnostics[0].code


def test_a_tile_is_exact_and_narrow() -> None:
    for seed in range(20):
        schedule = Schedule(parse(scripts.MATMUL), seed=seed)
        factors = schedule.sample_perfect_tile("j", 3, max_innermost_factor=4)
        assert np.prod(factors) == 8
        assert factors[-1] <= 4


def test_all_tiles_are_equally_likely() -> None:
    random = np.random.default_rng(3)
    drawn = Counter(perfect_tile(12, 2, 4, random) for _ in range(4000))
    assert set(drawn) == {(12, 1), (6, 2), (4, 3), (3, 4)}
    assert max(drawn.values()) < 1.2 * min(drawn.values())
    threes = Counter(perfect_tile(12, 3, 12, random) for _ in range(9000))
    assert len(threes) == 18
    assert max(threes.values()) < 1.4 * min(threes.values())


def test_the_seed_decides() -> None:
    def draw(seed: int) -> list[int]:
        schedule = Schedule(parse(scripts.MATMUL), seed=seed)
        tile = schedule.sample_perfect_tile("j", 2)
        return [*tile, *(schedule.sample_categorical([1, 2, 3, 4, 5]) for _ in range(4))]

    assert draw(1) == draw(1)
    assert len({tuple(draw(seed)) for seed in range(10)}) > 1


def test_chances_count() -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    drawn = {int(schedule.sample_categorical([3, 4], [0.0, 1.0])) for _ in range(20)}
    assert drawn == {4}


def tiled(**decisions: object) -> Schedule:
    schedule = Schedule(parse(scripts.MATMUL), seed=5)
    tile = schedule.sample_perfect_tile("j", 2, decision=decisions.get("tile"))  # pyright: ignore[reportArgumentType]
    width = schedule.sample_categorical([2, 3, 4], decision=decisions.get("width"))  # pyright: ignore[reportArgumentType]
    schedule.split("j", tile)
    schedule.split("i", [None, width])
    schedule.annotate("C", "width", width)
    return schedule


def test_decisions_are_parameters() -> None:
    schedule = tiled(tile=[2, 4], width=1)
    assert schedule.trace.decisions == {0: (2, 4), 1: (3,)}
    assert "for i_0, i_1, j_0, j_1, k in T.grid(2, 3, 2, 4, 5):" in body(schedule.module)
    assert '{"width": 3}' in body(schedule.module)


def test_a_trace_replays_with_other_decisions() -> None:
    module = parse(scripts.MATMUL)
    trace = tiled(tile=[2, 4], width=1).trace.with_decisions({0: (4, 2), 1: (4,)})
    other = tiled(tile=[4, 2], width=2)
    assert module_digest(trace.apply(module).module) == module_digest(other.module)
    assert trace.python() == other.trace.python()


def test_a_trace_is_text_that_does_the_same() -> None:
    schedule = tiled()
    assert (
        schedule.trace.python()
        .splitlines()[1]
        .endswith(f"decision={[2, 3, 4].index(schedule.trace.decisions[1][0])})")
    )
    again = Schedule(parse(scripts.MATMUL), seed=99)
    exec(schedule.trace.python(), {"sch": again})
    assert module_digest(again.module) == module_digest(schedule.module)
    assert again.trace == schedule.trace


def test_a_location_of_a_block() -> None:
    function = programs.chain(4, 6)
    for seed in range(8):
        schedule = Schedule(function, seed=seed)
        place = schedule.sample_compute_location("tanh")
        schedule.compute_at("tanh", place)
        again = Schedule(function)
        exec(schedule.trace.python(), {"sch": again})
        assert again.tensor_function == schedule.tensor_function
    schedule = Schedule(function)
    schedule.compute_at("tanh", schedule.sample_compute_location("tanh", decision=1))
    inlined = schedule.trace.with_decisions({0: (-2,)}).apply(Schedule(function).module).module
    by_name = Schedule(function)
    by_name.compute_inline("tanh")
    assert module_digest(inlined) == module_digest(by_name.module)
    assert [b.name for b in schedule.get_blocks()] == ["double", "tanh", "square"]


def test_a_decision_that_is_the_default_is_written() -> None:
    function = programs.chain(4, 6)
    schedule = Schedule(function)
    schedule.compute_at("tanh", schedule.sample_compute_location("tanh", decision=-1))
    text = schedule.trace.python()
    assert text.endswith("sch.compute_location(block='tanh', location=v0_0)")
    edited = Schedule(function)
    exec(text.replace("decision=-1", "decision=0"), {"sch": edited})
    replaced = schedule.trace.with_decisions({0: (0,)}).apply(schedule.module).module
    assert module_digest(edited.module) == module_digest(replaced)
    assert module_digest(replaced) != module_digest(schedule.module)


SAMPLED: list[tuple[str, Callable[[Schedule, Sampled], object]]] = [
    ("read_buffer_index", lambda s, v: s.cache_read("tanh", v)),
    ("factor_axis", lambda s, v: s.rfactor("r", v)),
    ("ann_val", lambda s, v: s.annotate("matmul", "tile", [v, (v, 1)])),
]


def test_a_sampled_number_is_written_wherever_it_is_used() -> None:
    for field, use in SAMPLED:
        function = programs.chain(4, 6) if "read" in field else programs.matmul_bias_relu(4, 5, 3)
        schedule = Schedule(function)
        use(schedule, schedule.sample_categorical([0, 1], decision=0))
        (line,) = schedule.trace.python().splitlines()[1:]
        assert f"{field}=" in line
        assert "v0_0" in line
        again = Schedule(function)
        exec(schedule.trace.python(), {"sch": again})
        assert again.trace == schedule.trace


@pytest.mark.parametrize("kind", PRIMITIVES)
def test_what_a_method_asks_for_is_written(kind: type[Primitive]) -> None:
    """An argument without a default must not be left out, though the primitive has one for it."""
    method = inspect.unwrap(getattr(Schedule, kind.name.replace("-", "_")))
    parameters = inspect.signature(method).parameters
    for field in dataclasses.fields(kind):
        parameter = parameters.get(field.name)
        if parameter is not None and parameter.default is parameter.empty:
            stands_for_nothing = field.default in {"", ()}
            assert stands_for_nothing or field.name in kind.asked, (kind.name, field.name)


def test_buffers_that_are_the_first_are_written() -> None:
    module = parse(scripts.MATMUL)
    schedule = Schedule(module)
    schedule.transform_layout("C", 0, "lambda i, j: (j, i)")
    schedule.reindex("C", 0)
    again = Schedule(module)
    exec(schedule.trace.python(), {"sch": again})
    assert module_digest(again.module) == module_digest(schedule.module)


def test_decisions_of_numpy_are_decisions() -> None:
    trace = tiled(tile=[2, 4], width=1).trace
    plain = trace.with_decisions({0: (4, 2)})
    assert trace.with_decisions({np.int64(0): np.array([4, 2])}) == plain  # pyright: ignore[reportArgumentType]
    with pytest.raises(CompileError, match="step `0` has `1` number, expected `2`"):
        trace.with_decisions({0: (8,)})
    with pytest.raises(CompileError, match="step `2` has `1` number, it is no sampling step"):
        trace.with_decisions({2: (8,)})


def test_a_reduction_that_is_read_again_is_not_inlined() -> None:
    schedule = Schedule(programs.matmul_bias_relu(4, 5, 3))
    with pytest.raises(CompileError) as error:
        schedule.sample_compute_location("matmul", decision=-2)
    assert code_of(error) == "schedule/bad-decision"
    assert "only at `-1`, `0`, `1`" in error.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ([2, 2], "do not multiply to the extent `8`"),
        ([2, 2, 2], "expected `2` factors"),
        ([8, 0], "do not multiply"),
        ([1, 8], "is more than `4`"),
        ([-2, -4], "do not multiply"),
        (["2", 4], "are no whole numbers"),
    ],
)
def test_a_tile_that_is_none(factors: list[Any], words: str) -> None:
    schedule = Schedule(parse(scripts.MATMUL))
    with pytest.raises(CompileError) as error:
        schedule.sample_perfect_tile("j", 2, max_innermost_factor=4, decision=factors)
    assert code_of(error) == "schedule/bad-decision"
    assert words in error.value.diagnostics[0].message
    assert len(schedule.trace) == 0


def test_what_cannot_be_drawn() -> None:
    schedule = Schedule(parse(scripts.SYMBOLIC))
    concrete = Schedule(parse(scripts.MATMUL))
    for action, code in (
        (lambda: schedule.sample_perfect_tile("i", 2), "schedule/bad-sample"),
        (lambda: concrete.sample_perfect_tile("i", 0), "schedule/bad-sample"),
        (lambda: concrete.sample_perfect_tile("j", 1, 4), "schedule/bad-sample"),
        (lambda: concrete.sample_categorical([]), "schedule/bad-sample"),
        (lambda: concrete.sample_categorical([0.5, 1]), "schedule/bad-sample"),  # pyright: ignore[reportArgumentType]
        (lambda: concrete.sample_categorical([1, 2], [1.0]), "schedule/bad-sample"),
        (lambda: concrete.sample_categorical([1, 2], [0.5, 0.6]), "schedule/bad-sample"),
        (lambda: concrete.sample_categorical([1, 2], decision=2), "schedule/bad-decision"),
        (lambda: concrete.compute_location("C", 3), "schedule/bad-location"),
    ):
        with pytest.raises(CompileError) as error:
            action()
        assert code_of(error) == code


def test_a_decision_put_into_a_trace_is_checked() -> None:
    trace = tiled().trace
    for decisions, code in (
        ({0: (3, 3)}, "schedule/bad-decision"),
        ({1: (7,)}, "schedule/bad-decision"),
        ({0: (8,)}, "schedule/no-such-decision"),
        ({2: (8,)}, "schedule/no-such-decision"),
    ):
        with pytest.raises(CompileError) as error:
            trace.with_decisions(decisions)
        assert code_of(error) == code
