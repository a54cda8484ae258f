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
from workbench.schedule.primitives import ComputeAt, Reorder, ReverseComputeAt
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
    r"at `.+=.+`",
    r"iteration `\d+` of the new loops is none of `.+`",
)
"""What two instances, or one that has no partner, are called in notes."""


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
