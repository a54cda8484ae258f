"""Loops that were fused by symbols and split: proved where that is so, instance by instance."""

from __future__ import annotations

from itertools import product

import pytest

from tests.analysis.dependence.brute import Machine, carried
from workbench.analysis.dependence import AnswerKind, dependences
from workbench.ir import For, TensorFunction, Var, walk
from workbench.schedule import Schedule
from workbench.script import parse

GRID = """
@T.prim_func
def f(A: T.Buffer((SHAPE, ), "float32"), X: T.Buffer((SHAPE, ), "float32")):
    n = T.int64()
    m = T.int64()
    for NAMES in T.grid(EXTENTS):
        X[NAMES] = A[NAMES] + T.float32(1)
"""
SCALARS = """
@T.prim_func
def f(n: T.int64, m: T.int64, X: T.Buffer((100,), "float32")):
    for f in range(EXTENT):
        X[PLACE] = T.float32(1)
"""
SHAPES = [("2", "n"), ("n", "2"), ("n", "m"), ("2", "n", "m"), ("n", "2", "m"), ("n", "m", "2")]


def grid(shape: tuple[str, ...]) -> Schedule:
    names = "ijk"[: len(shape)]
    text = GRID.replace("NAMES", ", ".join(names)).replace("EXTENTS", ", ".join(shape))
    return Schedule(parse(text.replace("SHAPE", ", ".join(f'"{d}"' for d in shape))))


@pytest.mark.parametrize("factors", [None, (None, 4), (None, 4, 2)])
@pytest.mark.parametrize("shape", SHAPES)
def test_fused_and_split_loops_are_independent(
    shape: tuple[str, ...], factors: tuple[int | None, ...] | None
) -> None:
    schedule = grid(shape)
    loops = (schedule.fuse(*"ijk"[: len(shape)]),)
    if factors is not None:
        loops = tuple(schedule.split(loops[0], list(factors)))
    found = dependences(schedule.tensor_function)
    for loop in loops:
        answer = found.independent(schedule.scope.loop(loop.name).var.id)
        assert answer.applies, answer.message


@pytest.mark.parametrize("kind", ["parallel", "vectorize"])
def test_loops_of_each_kind(kind: str) -> None:
    schedule = grid(("n", "m"))
    outer, inner = schedule.split(schedule.fuse("i", "j"), [None, 8])
    getattr(schedule, kind)(outer if kind == "parallel" else inner)
    assert f"T.{kind}" in str(schedule.module.script())


PLACES = [
    "f // m, f % m",
    "f % m, f // m",
    "f // m + 1, f % m",
    "f // m, 0",
    "0, f % m",
    "f // m, f % m // 2",
    "f // m + f % m, f % m",
    "f // m * 2, f % m",
    "f // m, f // m + f % m",
]
SPLIT = """
@T.prim_func
def f(X: T.Buffer((40, 40), "float32"), Z: T.Buffer(("n", "m"), "float32")):
    n = T.int64()
    m = T.int64()
    for o in range((n * m + 2) // 3):
        for i in range(3):
            if o * 3 + i < n * m:
                X[WRITE] = X[READ] + T.float32(1)
"""


@pytest.mark.parametrize(("write", "read"), list(product(PLACES[:6], PLACES)))
def test_what_is_proved_is_so_instance_by_instance(write: str, read: str) -> None:
    text = SPLIT.replace("WRITE", write).replace("READ", read)
    made = function(text.replace("f //", "(o * 3 + i) //").replace("f %", "(o * 3 + i) %"))
    found = dependences(made)
    for loop in (node for node in walk(made.body) if isinstance(node, For)):
        answer = found.independent(loop.var.id)
        runs = [
            carried(Machine(values(made, n=n, m=m), {}).run(made), loop.var.id)
            for n, m in product(range(5), range(5))
        ]
        assert not (answer.applies and any(runs)), answer
        if write == read == "f // m, f % m":
            assert answer.applies


@pytest.mark.parametrize(
    ("extent", "place"),
    [
        ("n * m", "f // m + 50"),
        ("n * m", "f // m * m + f % m + 50"),
        ("n * m", "f % m + 50"),
        ("2 * n", "f // n + 50"),
        ("2 * n", "f // n * n + f % n + 50"),
        ("T.max(n, 0) * T.max(m, 0)", "f // T.max(m, 0) + 50"),
    ],
)
def test_symbols_may_be_negative(extent: str, place: str) -> None:
    """The product of two negative extents is positive: nothing is proved from empty digits."""
    made = function(SCALARS.replace("EXTENT", extent).replace("PLACE", place))
    loop = next(node for node in walk(made.body) if isinstance(node, For))
    answer = dependences(made).independent(loop.var.id)
    runs = [
        carried(Machine(values(made, n=n, m=m), {}).run(made), loop.var.id)
        for n, m in product(range(-3, 4), range(-3, 4))
    ]
    assert not (answer.applies and any(runs)), answer
    if place == "f // m + 50":
        assert any(runs)
        assert answer.kind is not AnswerKind.APPLIES


def function(text: str) -> TensorFunction:
    made = parse(text)["f"]
    assert isinstance(made, TensorFunction)
    return made


def values(made: TensorFunction, **symbols: int) -> dict[int, float]:
    """The symbols of a function by their ids."""
    nodes = [node for part in (made.body, *made.params) for node in walk(part)]
    return {
        node.id: symbols[node.name]
        for node in nodes
        if isinstance(node, Var) and node.name in symbols
    }
