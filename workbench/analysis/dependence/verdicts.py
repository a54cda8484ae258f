"""From findings about pairs of accesses to one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from workbench.analysis.dependence.answers import Answer, applies, illegal, unproved
from workbench.analysis.dependence.pairs import Pair
from workbench.analysis.dependence.questions import Finding, Found
from workbench.analysis.dependence.statements import Model, Statement
from workbench.analysis.dependence.witness import describe
from workbench.ir.tensor import For
from workbench.support.ids import NodeId

PRIVATE_HINT = "give each iteration an accumulator of its own: `rfactor`"


@dataclass(slots=True)
class Collector:
    """Takes findings until one is illegal; what stays open is kept for the end."""

    model: Model
    worst: Answer | None = None
    reassociates: bool = False
    notes: dict[str, None] = field(default_factory=dict[str, None])

    def take(self, finding: Finding, refuse: Callable[[Finding], Answer]) -> bool:
        """Note a finding; whether nothing else needs to be asked."""
        if finding.found is Found.NONE:
            return False
        if finding.found is Found.SOME:
            self.worst = refuse(finding)
            return True
        if self.worst is None:
            self.worst = self.open(finding)
        return finding.last

    def answer(self, seen: Iterable[Statement] = ()) -> Answer:
        """The answer so far."""
        if self.worst is not None:
            return self.worst
        trusted = {
            statement.block.name: None
            for statement in seen
            if statement.block is not None and any(a.trusted for a in statement.accesses)
        }
        notes = tuple(
            f"the declared regions of opaque block `{name}` are trusted" for name in trusted
        )
        return applies(reassociates=self.reassociates, notes=notes)

    def open(self, finding: Finding) -> Answer:
        """Nothing is proved: name the access or the extent."""
        pair = pair_of(finding)
        node = node_of(pair.second)
        reasons = finding.reasons or ("",)
        message = f"it is not proved that {_meeting(pair)} differ"
        if reasons[0]:
            message += f": {reasons[0]}"
        return unproved(message, node, notes=reasons[1:3])

    def meet(self, finding: Finding) -> Answer:
        """Two statements touch one element."""
        pair = pair_of(finding)
        what = f"`{pair.first.name}` and `{pair.second.name}` touch the same element"
        return illegal(
            f"{what} of `{pair.a.buffer.name}`", node_of(pair.second), told(self.model, finding)
        )


def race(model: Model, loop: For, finding: Finding) -> Answer:
    """Two iterations of a loop touch one element."""
    pair = pair_of(finding)
    name, buffer = loop.var.name, pair.b.buffer.name
    notes = told(model, finding)
    if pair.commutes and pair.b.update is not None:
        word = pair.b.update.word
        message = f"the iterations of `{name}` update the same element of `{buffer}`, a {word}"
        return illegal(message, loop.var.id, notes, PRIVATE_HINT)
    if pair.a.write and pair.b.write:
        message = f"different iterations of `{name}` write the same element of `{buffer}`"
    else:
        message = f"an iteration of `{name}` reads an element of `{buffer}` that another one writes"
    return illegal(message, loop.var.id, notes)


def reversed_order(model: Model, finding: Finding) -> Answer:
    """A dependence would run the other way."""
    pair = pair_of(finding)
    names = dict.fromkeys((pair.first.name, pair.second.name))
    who = " and ".join(f"`{name}`" for name in names)
    message = f"instances of {who} that touch the same element of `{pair.b.buffer.name}`"
    return illegal(
        f"{message} would change their order", node_of(pair.second), told(model, finding)
    )


def told(model: Model, finding: Finding) -> tuple[str, ...]:
    """The witness in words."""
    pair = pair_of(finding)
    if finding.witness is None:
        return ()
    return describe(model, finding.witness, pair.first, pair.a, pair.second, pair.b)


def pair_of(finding: Finding) -> Pair:
    """The accesses that a finding is about."""
    assert finding.question is not None
    return finding.question.pair


def node_of(statement: Statement) -> NodeId | None:
    """The block of a statement, or else its innermost loop."""
    if statement.block is not None:
        return statement.block.id
    return statement.loops[-1].var.id if statement.loops else None


def _meeting(pair: Pair) -> str:
    return f"the elements {pair.a.text} and {pair.b.text} of different instances"
