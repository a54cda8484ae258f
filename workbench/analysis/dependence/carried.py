"""Loop-carried dependences, as a reader of a loop nest wants to see them.

Reference: distance and direction vectors of Allen and Kennedy, "Optimizing Compilers for Modern
Architectures", 2001.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import override

from workbench.analysis.dependence.linear import Linear
from workbench.analysis.dependence.pairs import Pair
from workbench.analysis.dependence.questions import Finding, Found, Question, Solver
from workbench.analysis.dependence.statements import Model, Statement
from workbench.analysis.dependence.verdicts import told
from workbench.ir.expr import Var
from workbench.support.ids import NodeId

ANY = "*"


@dataclass(frozen=True, slots=True)
class Carried:
    """One dependence between different iterations of a loop.

    `kind` is `flow` (a write is read), `anti` (what is read is overwritten) or `output` (written
    twice). `distance` says for the loop and those inside of it, by name, how many iterations lie
    between source and sink: a number, `+` or `-` where only the direction is known, `*` where not
    even that is. `reduction` where both are updates of one reduction. `notes` hold an example, or
    say why the dependence is only assumed (`proved` is False then).
    """

    loop: NodeId
    kind: str
    buffer: Var
    source: Statement
    sink: Statement
    distance: tuple[tuple[str, str], ...]
    reduction: bool
    proved: bool
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """`flow of C: matmul -> matmul, distance (k 1)`."""
        vector = ", ".join(f"{name} {step}" for name, step in self.distance)
        return (
            f"{self.kind} of {self.buffer.name}: {self.source.name} -> {self.sink.name}, "
            f"distance ({vector})"
        )

    @override
    def __repr__(self) -> str:
        special = " (reduction)" * self.reduction + " (assumed)" * (not self.proved)
        return f"<{self.text}{special}>"


def carried_by(model: Model, solver: Solver, loop: NodeId) -> tuple[Carried, ...]:
    """The dependences that a loop carries, equal ones once."""
    solver.begin()
    keys = model.loops[loop]
    found: dict[object, Carried] = {}
    for pair, base in solver.within(model.spans[loop]):
        if base.zero.issuperset(keys):
            continue
        if pair.first.precedes(loop) or pair.second.precedes(loop):
            continue
        for item in _of_pair(model, solver, pair, loop):
            found.setdefault((item.text, item.reduction), item)
    return tuple(found.values())


def _of_pair(model: Model, solver: Solver, pair: Pair, loop: NodeId) -> Iterator[Carried]:
    pairs = [pair]
    if pair.first is not pair.second or pair.a is not pair.b:
        pairs.append(Pair(pair.second, pair.b, pair.first, pair.a))
    keys = model.loops[loop]
    position = pair.first.keys.index(keys[0])
    shared = frozenset(pair.first.keys[:position])
    for key in keys:
        for directed in pairs:
            question = Question(directed, shared, before=(key,))
            finding = solver.decide(question)
            if finding.found is not Found.NONE:
                yield _carried(model, solver, finding, question, loop)
        shared |= {key}


def _carried(
    model: Model, solver: Solver, finding: Finding, question: Question, loop: NodeId
) -> Carried:
    pair = question.pair
    inner = pair.common()[pair.common().index(question.before[0]) :]
    proved = finding.found is Found.SOME
    return Carried(
        loop,
        _kind(pair),
        pair.b.buffer,
        pair.first,
        pair.second,
        tuple((model.terms[key].name, _step(solver, question, finding, key)) for key in inner),
        pair.commutes,
        proved,
        told(model, finding) if proved else finding.reasons[:2],
    )


def _kind(pair: Pair) -> str:
    if pair.a.write and pair.b.write:
        return "output"
    return "flow" if pair.a.write else "anti"


def _step(solver: Solver, question: Question, finding: Finding, key: int) -> str:
    """The difference in one loop: a number where there is only one, else its sign."""
    witness = finding.witness
    if witness is None:
        return ANY
    first, second = (at.values.get(NodeId(key)) for at in (witness.first, witness.second))
    if first is None or second is None:
        return ANY
    step = second - first
    more = _differs(solver, question, key, step, 1)
    less = _differs(solver, question, key, step, -1)
    if not more and not less:
        return str(step)
    if step > 0 and (not less or not _differs(solver, question, key, 1, -1)):
        return "+"
    if step < 0 and (not more or not _differs(solver, question, key, -1, 1)):
        return "-"
    return ANY


def _differs(solver: Solver, question: Question, key: int, step: int, sign: int) -> bool:
    """Whether there is a greater (sign 1) or smaller difference than `step`."""
    first, second = Linear.of(key, -sign), Linear.of(key, -sign).shift(sign * step)
    other = Question(question.pair, question.shared, question.before, greater=((first, second),))
    return solver.decide(other).found is not Found.NONE
