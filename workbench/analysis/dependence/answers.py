"""The four answers to a question of legality."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from workbench.support import NodeId


class AnswerKind(enum.Enum):
    """Whether a rewrite may be done."""

    APPLIES = "applies"
    ILLEGAL = "illegal"
    UNPROVED = "unproved"
    INAPPLICABLE = "inapplicable"


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the four answers, in words.

    `message` is one lower-case sentence; `notes` hold the witness in the program's own names.
    `reassociates` marks what is legal only because the updates of one recognised floating-point
    reduction are reordered.
    """

    kind: AnswerKind
    message: str = ""
    node: NodeId | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    reassociates: bool = False

    @property
    def applies(self) -> bool:
        """Whether the rewrite is proved legal."""
        return self.kind is AnswerKind.APPLIES


def applies(*, notes: tuple[str, ...] = (), reassociates: bool = False) -> Answer:
    """The rewrite keeps every dependence."""
    return Answer(AnswerKind.APPLIES, notes=notes, reassociates=reassociates)


def illegal(
    message: str, node: NodeId | None = None, notes: tuple[str, ...] = (), hint: str = ""
) -> Answer:
    """The rewrite reverses a dependence; `notes` say which."""
    return Answer(AnswerKind.ILLEGAL, message, node, notes, hint)


def unproved(
    message: str, node: NodeId | None = None, notes: tuple[str, ...] = (), hint: str = ""
) -> Answer:
    """The analysis cannot decide; the message names the access or extent."""
    return Answer(AnswerKind.UNPROVED, message, node, notes, hint)


def inapplicable(
    message: str, node: NodeId | None = None, notes: tuple[str, ...] = (), hint: str = ""
) -> Answer:
    """The structure that the rewrite needs is missing; the message names it."""
    return Answer(AnswerKind.INAPPLICABLE, message, node, notes, hint)
