"""Random schedules of random programs, against the reference interpreter.

Every answer of every primitive is counted. What is accepted must compute the same values: bit for
bit, or within rounding where the schedule says that it `reassociates`. A share of the schedules
also runs as native code, on extents for which loops are empty or negative among others.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from tests.generate.choices import Choices, Seeded, chance, pick
from tests.generate.index_maps import random_index_map
from tests.generate.nests import random_nests
from tests.generate.programs import Program
from tests.schedule.agreeing import assert_agree
from tests.schedule.confirming import confirmed
from tests.schedule.natively import assert_same_natively
from workbench.analysis.dependence import AnswerKind
from workbench.interpret import run_tensor_function
from workbench.ir import For, IRModule, TensorFunction, structurally_equal
from workbench.ir.verify import check
from workbench.schedule import PRIMITIVES, Primitive, Schedule
from workbench.schedule.primitive import answer_of
from workbench.schedule.primitives import (
    Blockize,
    ComputeAt,
    ComputeInline,
    DecomposeReduction,
    Fuse,
    Parallel,
    Reorder,
    ReverseComputeAt,
    ReverseComputeInline,
    Rfactor,
    Split,
    Tensorize,
    Vectorize,
)
from workbench.schedule.scope import Scope
from workbench.script import parse, print_module
from workbench.support import CompileError

MOVES = (
    ComputeAt,
    ReverseComputeAt,
    ComputeInline,
    ReverseComputeInline,
    DecomposeReduction,
    Rfactor,
)
MOVING = (*MOVES, *MOVES, Split, Fuse, Reorder, Parallel, Vectorize)
"""What moves blocks, and what is done to loops before and after."""
TENSORIZING = (*PRIMITIVES, *[Tensorize] * 6, Blockize, Blockize, Split, Split, Reorder, Reorder)
"""Everything, and above all what makes a block an intrinsic and leads there."""
ANSWERS = {
    "schedule/illegal": AnswerKind.ILLEGAL,
    "schedule/unproved": AnswerKind.UNPROVED,
}
"""What an exception says; other codes are about parameters."""
TRIES = 12
LONGEST = 5
OFFERS = 6
OTHER_SIZES = (0, 1, 2, 4, 7)
NATIVE_SHARE = 10
"""One in so many seeds runs natively too."""


@dataclass
class Report:
    """What a run found."""

    answers: Counter[tuple[str, AnswerKind]] = field(default_factory=Counter)
    affine: Counter[AnswerKind] = field(default_factory=Counter)
    """Answers on programs with constant extents and affine indices."""
    unproved: dict[str, str] = field(default_factory=dict[str, str])
    """An affine program by the primitive and message that was unproved on it."""
    applied: int = 0
    schedules: int = 0
    illegal: int = 0
    """Illegal answers on affine programs that were looked at instance by instance."""
    confirmed: int = 0
    """Those that a run by instances confirmed; it can tell for loops, not for moved blocks."""
    native: int = 0
    """Schedules that ran as native code too."""

    def merge(self, other: Report) -> None:
        self.answers += other.answers
        self.affine += other.affine
        self.unproved.update(other.unproved)
        self.applied += other.applied
        self.schedules += other.schedules
        self.illegal += other.illegal
        self.confirmed += other.confirmed
        self.native += other.native

    @property
    def unproved_share(self) -> float:
        """Share of *unproved* among all answers on affine programs."""
        return self.affine[AnswerKind.UNPROVED] / max(1, self.affine.total())

    def table(self) -> str:
        """Answers by primitive."""
        kinds = list(AnswerKind)
        rows = [f"{'primitive':28}" + "".join(f"{kind.value:>14}" for kind in kinds)]
        for name in sorted({name for name, _ in self.answers}):
            counts = "".join(f"{self.answers[name, kind]:14}" for kind in kinds)
            rows.append(f"{name:28}{counts}")
        rows.append(f"{self.schedules} schedules, {self.applied} primitives applied")
        rows.append(f"{self.native} of them ran natively")
        rows.append(f"{self.confirmed} of {self.illegal} illegal answers confirmed by brute force")
        rows.append(f"unproved on affine programs: {self.unproved_share:.2%}")
        rows.append(f"{self.affine.total()} answers on affine programs")
        return "\n".join(rows)


class WrongScheduleError(AssertionError):
    """A schedule changed what a program computes, or something broke; says how to see it again."""


def fuzz(
    seed: int,
    generate: Callable[[Choices], Program] = random_nests,
    kinds: Sequence[type[Primitive]] = PRIMITIVES,
) -> Report:
    """One random schedule of one random program.

    Raises:
        WrongScheduleError: with seed, script and trace.
    """
    choices = Seeded(seed)
    program = generate(choices)
    module = program.parse()
    check(module)
    schedule = Schedule(module, "f")
    report = Report(schedules=1)
    try:
        if program.steps and not chance(choices, 5):
            _follow(choices, schedule, program, report, kinds)
        _extend(choices, schedule, program, report, kinds)
        check(schedule.module)
        _compare(program, module, schedule, seed)
        if seed % NATIVE_SHARE == 0 and report.applied:
            more = [_other_sizes(program, seed)]
            assert_same_natively(program, module, schedule.module, more, seed)
            report.native += 1
        _round_trip(schedule.module)
        _replay(module, schedule)
    except Exception as error:
        trace = schedule.trace.python()
        text = f"seed {seed}: {type(error).__name__}: {error}\n{program.script}\n{trace}"
        raise WrongScheduleError(f"{text}\n{print_module(schedule.module)}") from error
    return report


def compute_the_same(script: str, steps: str) -> None:
    """A program with a schedule, a step a line; steps that are refused are left out.

    Symbols `n` and `m` are tried with several values where the program has them.

    Raises:
        AssertionError: what was accepted changes what the program computes.
    """
    module = parse(script)
    schedule = Schedule(module, "f")
    for step in steps.splitlines():
        with suppress(CompileError):
            exec(step, {"sch": schedule})
    check(schedule.module)
    for rows, columns in ((4, 5), (0, 3), (3, 0), (1, 1)):
        symbols = {"n": rows, "m": columns}
        for special in (False, True):
            program = Program(script, symbols, affine=False, special=special)
            _compare(program, module, schedule, 0)
    _round_trip(schedule.module)
    _replay(module, schedule)


def offers_compute_the_same(script: str) -> int:
    """Apply by itself each primitive that is offered anywhere in a program; how many applied.

    Raises:
        AssertionError: what was accepted changes what the program computes.
    """
    module, applied = parse(script), 0
    scope = Schedule(module, "f").scope
    program = Program(script, {"n": 4, "m": 5}, affine=False, special=False)
    for kind in PRIMITIVES:
        for node in (*scope.loops, *scope.blocks):
            for offer in islice(kind.offers(scope, node), OFFERS):
                if answer_of(offer, Scope("f", scope.function)).applies:
                    schedule = Schedule(module, "f")
                    schedule.apply(offer)
                    _same(program, module, schedule, 0)
                    applied += 1
    return applied


def _follow(
    choices: Choices,
    schedule: Schedule,
    program: Program,
    report: Report,
    kinds: Sequence[type[Primitive]],
) -> None:
    """The steps of a program; now and then one is left out, or others come in between."""
    for step in program.steps:
        if chance(choices, 8):
            continue
        if chance(choices, 6):
            _try(choices, schedule, program, report, kinds)
        kind = AnswerKind.APPLIES
        try:
            exec(step, {"sch": schedule})
            report.applied += 1
        except CompileError as error:
            kind = ANSWERS.get(error.diagnostics[0].code, AnswerKind.INAPPLICABLE)
        name = step.partition("(")[0].removeprefix("sch.").replace("_", "-")
        report.answers[name, kind] += 1


def _extend(
    choices: Choices,
    schedule: Schedule,
    program: Program,
    report: Report,
    kinds: Sequence[type[Primitive]],
) -> None:
    """Try primitives until some have applied."""
    wanted = report.applied + choices.integer(1, LONGEST)
    for _ in range(TRIES):
        if report.applied >= wanted:
            return
        _try(choices, schedule, program, report, kinds)


def _try(
    choices: Choices,
    schedule: Schedule,
    program: Program,
    report: Report,
    kinds: Sequence[type[Primitive]],
) -> None:
    """Ask for one primitive, and apply it where it does."""
    candidate = random_primitive(choices, schedule.scope, kinds)
    if candidate is None:
        return
    answer = answer_of(candidate, Scope("f", schedule.tensor_function))
    report.answers[candidate.name, answer.kind] += 1
    if program.affine:
        report.affine[answer.kind] += 1
        if answer.kind is AnswerKind.UNPROVED:
            report.unproved[f"{candidate}: {answer.message}"] = print_module(schedule.module)
    illegal = answer.kind is AnswerKind.ILLEGAL
    if answer.applies:
        schedule.apply(candidate)
        report.applied += 1
    elif program.affine and illegal:
        report.illegal += 1
        report.confirmed += confirmed(program, schedule.tensor_function, candidate)


def random_primitive(
    choices: Choices, scope: Scope, kinds: Sequence[type[Primitive]] = PRIMITIVES
) -> Primitive | None:
    """A primitive at a place of the function, its parameters often as the interface offers them."""
    kind = pick(choices, kinds)
    places = [*scope.loops, *scope.blocks]
    offers, node = list[Primitive](), scope.function.body
    while places and not offers:
        node = places.pop(choices.integer(0, len(places) - 1))
        offers = list(islice(kind.offers(scope, node), OFFERS))
    if not offers:
        return None
    offer = pick(choices, offers)
    changes: dict[str, object] = {}
    names = {f.name for f in dataclasses.fields(offer)}
    if "factors" in names and chance(choices, 2):
        count = choices.integer(1, 2)
        inner = tuple(choices.integer(1, 5) for _ in range(count))
        changes["factors"] = (None, *inner)
    if "index" in names:
        changes["index"] = pick(choices, (-1, -1, -2, 0, 1))
    if "loop" in names and "block" in names and scope.loops and chance(choices, 2):
        changes["loop"] = scope.label(pick(choices, scope.loops))
    if "loops" in names and scope.loops and chance(choices, 2):
        changes["loops"] = _some_loops(choices, scope, node)
    if "index_map" in names and chance(choices, 2):
        indices = str(getattr(offer, "index_map", "")).partition(":")[0]
        changes["index_map"] = random_index_map(choices, indices.count(",") + 1)
    if "padding" in names:
        factors: tuple[int, ...] = getattr(offer, "padding", ())
        changes["padding"] = tuple(choices.integer(1, 5) for _ in factors)
    return dataclasses.replace(offer, **changes) if changes else offer


def _some_loops(choices: Choices, scope: Scope, node: object) -> tuple[str, ...]:
    """Some loops of one nest in any order."""
    place = node if isinstance(node, For) else scope.loops[0]
    nest = [*scope.loops_around(place.var.id), *scope.chain(place)]
    found: list[str] = []
    for _ in range(choices.integer(1, len(nest))):
        label = scope.label(pick(choices, nest))
        if label not in found:
            found.append(label)
    return tuple(found)


def _compare(program: Program, module: IRModule, schedule: Schedule, seed: int) -> None:
    """The same values, for other extents too where they are symbols."""
    _same(program, module, schedule, seed)
    if program.symbolic:
        other = _other_sizes(program, seed)
        _same(dataclasses.replace(program, symbols=other), module, schedule, seed)


def _other_sizes(program: Program, seed: int) -> dict[str, int]:
    sizes = Seeded(seed + 1)
    return {name: pick(sizes, OTHER_SIZES) for name in program.symbols}


def _same(program: Program, module: IRModule, schedule: Schedule, seed: int) -> None:
    before, after = module["f"], schedule.tensor_function
    assert isinstance(before, TensorFunction)
    expected = program.arguments(before, seed)
    found = [array.copy() for array in expected]
    run_tensor_function(before, expected)
    run_tensor_function(after, found)
    names = [param.name for param in before.params]
    where = f"with {program.symbols}"
    assert_agree(where, names, expected, found, rounding=schedule.reassociates)


def _round_trip(module: IRModule) -> None:
    text = print_module(module)
    assert structurally_equal(parse(text), module), f"does not parse back:\n{text}"


def _replay(module: IRModule, schedule: Schedule) -> None:
    again = schedule.trace.apply(module).module
    assert again == schedule.module, "the trace replays to another module"
    by_text = Schedule(module, "f")
    exec(schedule.trace.python(), {"sch": by_text})
    assert by_text.module == schedule.module, "the text of the trace makes another module"
