"""The four answers of dependence analysis."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from workbench.support.ids import NodeId


class AnswerKind(enum.Enum):
    """What is known about a change of the order in which a program runs."""

    APPLIES = "applies"
    ILLEGAL = "illegal"
    UNPROVED = "unproved"
    INAPPLICABLE = "inapplicable"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with its reason.

    `message` is a lower-case sentence, `notes` hold the witness in the program's own names, `hint`
    says what would help. `reassociates`: legal only because updates of one floating point
    reduction are reordered, so that results may differ by rounding, or in the sign of a zero for
    minimum and maximum (integers stay exact and do not set it).
    """

    kind: AnswerKind
    message: str = ""
    node: NodeId | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    reassociates: bool = False

    @property
    def applies(self) -> bool:
        """Whether the change is proved legal."""
        return self.kind is AnswerKind.APPLIES


def applies(*, reassociates: bool = False, notes: tuple[str, ...] = ()) -> Answer:
    """The change keeps every dependence."""
    return Answer(AnswerKind.APPLIES, notes=notes, reassociates=reassociates)


def illegal(
    message: str,
    node: NodeId | None = None,
    notes: tuple[str, ...] = (),
    hint: str = "",
) -> Answer:
    """The change breaks a dependence; `notes` hold a pair of instances."""
    return Answer(AnswerKind.ILLEGAL, message, node, notes, hint)


def unproved(
    message: str,
    node: NodeId | None = None,
    notes: tuple[str, ...] = (),
    hint: str = "",
) -> Answer:
    """Neither legal nor illegal is proved; `message` names the access or the extent."""
    return Answer(AnswerKind.UNPROVED, message, node, notes, hint)


def inapplicable(
    message: str,
    node: NodeId | None = None,
    notes: tuple[str, ...] = (),
    hint: str = "",
) -> Answer:
    """The program does not have the structure that the question needs."""
    return Answer(AnswerKind.INAPPLICABLE, message, node, notes, hint)
