"""Illegal answers show their witness: instances of the program between which it goes wrong."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.generate.choices import Choices, Seeded
from tests.generate.nests import random_nests
from tests.generate.programs import Program
from tests.generate.stages import random_stages
from tests.schedule import in_place, scripts, stages
from workbench.analysis.dependence import Answer, AnswerKind
from workbench.schedule import PRIMITIVES, Primitive
from workbench.schedule.primitive import answer_of
from workbench.schedule.primitives import ComputeAt, Reorder, ReverseComputeAt, StoreAt, Tensorize
from workbench.schedule.scope import Scope
from workbench.script import parse
from workbench.support import CompileError

WRITTEN = [
    text
    for programs in (scripts, stages, in_place)
    for name, text in vars(programs).items()
    if name.isupper() and "DTYPE" not in text
]
SEEDS = range(20)
FORMS = (
    r"`.+` (of `.+` )?(reads|writes) `.+`, which .+ (reads|writes)",
    r"`.+` (of `.+` )?(reads|writes) `.+`, and so does `.+`",
    r"the (read|write)( at .+=.+)? would come (before|after) the (read|write)( at .+=.+)?",
    r"`.+`( at .+=.+)? comes before `.+`( at .+=.+)?",
    r"`.+` at .+=.+ writes `.+`, which it reads as `.+` at .+=.+",
    r"`.+`( at .+=.+)? reads `.+` of `.+`, and (an|no) instance of `.+` that writes it would come",
    r"`.+`( at .+=.+)? reads `.+`, and no instance of `.+` before it writes that",
    r"the reduction axes of `.+` are 0 at .+ and at .+",
    r"of equal ones in `.+=1` and then in `.+=0` of the next iteration",
    r"would (not )?be initialised at .+ = ",
    r"`.+\[[-\d, ]*\]` would not be computed",
    r"`.+` at .+=.+ reads `.+`, which `.+`( at .+=.+)? writes (after that )?as `.+`",
    r"iteration `\d+` of the new loops is none of `.+`",
)
"""What two instances, or one that has no partner, are called in notes."""


SHARED = """
@T.prim_func
def f(A: T.Buffer((4, 8), "float32"), B: T.Buffer((64, 16), "float32")):
    for t in range(2):
        for i, j, k in T.grid(4, 16, 8):
            B[i + t * 4, j] = B[i + t * 4, j] + A[i, k] * B[k + 4, j]
"""
"""Two parameters of an intrinsic that are boxes of one buffer."""
KEPT = """
@T.prim_func
def f(A: T.Buffer((64,), "float32"), C: T.Buffer((64,), "float32")):
    B = T.alloc_buffer((72,), "float32")
    for i in range(8):
        for k in range(8):
            C[i * 8 + k] = B[{place}]
        for j in range(8):
            B[i * 8 + j] = A[i * 8 + j]
"""
"""A buffer that lives longer than an iteration, or is read too early."""


@pytest.mark.parametrize(
    ("text", "primitive", "pair"),
    [
        (
            SHARED,
            Tensorize("f", loop="i", intrinsic="fma_4x16_f32"),
            "`i=1`, `k=0` writes `B[5, 0]`, which `i=0`, `k=1` reads",
        ),
        (
            KEPT.format(place="T.max(i * 8 + k - 8, 0)"),
            StoreAt("f", "B", "i"),
            "`the store to C` at i=1, k=0 reads `B[max(i * 8 + k - 8, 0)]`, which "
            "`the store to B` at i=0, j=0 writes as `B[i * 8 + j]`",
        ),
        (
            KEPT.format(place="i * 8 + k"),
            StoreAt("f", "B", "i"),
            "`the store to C` at i=0, k=0 reads `B[i * 8 + k]`, which "
            "`the store to B` at i=0, j=0 writes after that as `B[i * 8 + j]`",
        ),
    ],
)
def test_pairs_of_boxes_and_lifetimes(text: str, primitive: Primitive, pair: str) -> None:
    answer = answer_of(primitive, Scope.of(parse(text), ""))
    assert answer.kind is AnswerKind.ILLEGAL
    assert answer.notes[0] == pair
    assert shown(answer)


@pytest.mark.parametrize("text", WRITTEN)
def test_programs_as_they_are_written(text: str) -> None:
    for primitive, answer in illegal_in(text):
        assert shown(answer), (primitive, answer)


@pytest.mark.parametrize("generate", [random_nests, random_stages])
def test_random_programs(generate: Callable[[Choices], Program]) -> None:
    found = [one for seed in SEEDS for one in illegal_in(generate(Seeded(seed)).script)]
    assert len(found) > len(SEEDS)
    for primitive, answer in found:
        assert shown(answer), (primitive, answer)


def illegal_in(text: str) -> list[tuple[Primitive, Answer]]:
    """What of all that is offered in a program, and of all moves and orders, is illegal."""
    module = parse(text)
    found: list[tuple[Primitive, Answer]] = []
    for primitive in candidates(Scope.of(module, "")):
        try:
            answer = answer_of(primitive, Scope.of(module, ""))
        except CompileError:
            continue
        if answer.kind is AnswerKind.ILLEGAL:
            found.append((primitive, answer))
    return found


def candidates(scope: Scope) -> Iterator[Primitive]:
    for node in (*scope.loops, *scope.blocks):
        for kind in PRIMITIVES:
            yield from kind.offers(scope, node)
    for block in scope.blocks:
        for loop in scope.loops:
            for kind in (ComputeAt, ReverseComputeAt):
                yield kind(scope.name, scope.label(block), scope.label(loop))
    for loop in scope.loops:
        for inner in scope.chain(loop)[1:]:
            yield Reorder(scope.name, (scope.label(inner), scope.label(loop)))


def shown(answer: Answer) -> bool:
    return any(re.match(form, note) for form in FORMS for note in answer.notes)
