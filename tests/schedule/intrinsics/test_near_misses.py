"""Programs that are nearly what an intrinsic describes: refused, or tensorized and equal."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.schedule.checks import answered, applied
from workbench.analysis.dependence import AnswerKind
from workbench.schedule.intrinsics import matmul_tile, register_intrinsic
from workbench.schedule.primitives import Tensorize
from workbench.script import parse

PROGRAM = """
@T.prim_func
def f(
    X: T.Buffer((9, 9, 9), "float32"), Y: T.Buffer((9, 9, 9), "float32"),
    Z: T.Buffer((9, 9, 9), "float32"),
):
    for t in range(2):
        for {loops} in T.grid({extents}):
            {target} = {value}
"""
EXTENTS = {"i": 2, "j": 3, "k": 2}
"""Rows and columns of the tile, and some length of the sum."""


def program(rng: np.random.Generator) -> str:
    loops = list(rng.permutation(list(EXTENTS)))
    target = element(rng, ("i", "j"), "XXXXY")
    factors = [element(rng, ("i", "k"), "YYYZ"), element(rng, ("k", "j"), "ZZZYX")]
    product = " * ".join(factors[:: rng.choice([1, -1])])
    sums = [target if rng.random() < 0.9 else element(rng, ("i", "j"), "XYZ"), product]
    return PROGRAM.format(
        loops=", ".join(loops),
        extents=", ".join(str(EXTENTS[loop]) for loop in loops),
        target=target,
        value=rng.choice(["+", "+", "+", "+", "-"]).join(
            f" {part} " for part in sums[:: rng.choice([1, -1])]
        ),
    )


def element(rng: np.random.Generator, used: tuple[str, str], buffers: str) -> str:
    """An element of some buffer at two loops, a point between or beside them, some offsets."""
    point = rng.choice(["t", "0", "t * 3", *EXTENTS] if rng.random() < 0.2 else ["t", "0", "1"])
    indices = [str(index) for index in used]
    if rng.random() < 0.1:
        indices.reverse()
    if rng.random() < 0.3:
        place = int(rng.integers(0, 2))
        indices[place] += str(rng.choice([" + 1", " + t", " + t * 2", " * 2", " + k", " + 3"]))
    indices.insert(int(rng.integers(0, 3)) if rng.random() < 0.5 else 0, str(point))
    return f"{rng.choice(list(buffers))}[{', '.join(indices)}]"


def test_what_is_accepted_computes_the_same() -> None:
    register_intrinsic(matmul_tile("small", 2, 3))
    rng = np.random.default_rng(11)
    answers: Counter[AnswerKind] = Counter()
    for _ in range(400):
        module = parse(program(rng))
        outer = module.script().partition("in T.grid")[0].rpartition("for ")[2].split(", ")
        loop = outer[1] if outer[0] == "t" else outer[0]
        primitive = Tensorize("f", loop=loop.strip(), intrinsic="small")
        answer = answered(module, primitive)
        answers[answer.kind] += 1
        if answer.applies:
            applied(module, primitive)
    assert answers[AnswerKind.APPLIES] > 40, answers
    assert answers[AnswerKind.INAPPLICABLE] > 40, answers
    assert answers[AnswerKind.ILLEGAL] + answers[AnswerKind.UNPROVED] > 4, answers
