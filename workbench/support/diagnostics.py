"""Diagnostics: one short message for every mistake a user can make."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from workbench.support.found import found
from workbench.support.ids import NodeId
from workbench.support.slot_init import sets_slots
from workbench.support.spans import Span

MAX_PRINTED_LINES = 12


class Severity(enum.Enum):
    """How bad it is: an error stops the operation, a note explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@sets_slots
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message: what, where, expected, found, what to do.

    `code` is `area/what` and has a page in the documentation. `message` is one lower-case
    sentence without a full stop, values in backticks. `function` and `node` say where in the
    module, `span` where in the text; `source_lines` are the lines that the caret stands under.
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    node: NodeId | None = None
    function: str | None = None
    span: Span | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    source_line: str = ""

    def __post_init__(self) -> None:
        """Refuse parts that could not be printed.

        Raises:
            CompileError: `call/wrong-kind`.
        """
        printable = self.severity.__class__ is Severity and self.notes.__class__ is tuple
        if printable and (self.span is None or self.span.__class__ is Span):
            return
        message = (
            f"a `Diagnostic` has a `Severity`, a tuple of notes and a `Span` or `None`, got "
            f"{found(self.severity)}, {found(self.notes)} and {found(self.span)}"
        )
        raise CompileError(Diagnostic("call/wrong-kind", message))

    def render(self) -> str:
        """The whole message as text, at most 12 lines."""
        where = f" in `{self.function}`" if self.function else ""
        lines = [f"{self.severity.value}[{self.code}]{where}: {self.message}"]
        if self.span is not None:
            lines.append(f"  --> {self.span}")
        if self.source_line and self.span is not None:
            lines += ["  | " + self.source_line, "  | " + _caret(self.span, self.source_line)]
        lines += [f"  note: {note}" for note in self.notes]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines[:MAX_PRINTED_LINES])

    def __str__(self) -> str:
        return self.render()


def _caret(span: Span, line: str) -> str:
    end = span.end_column if span.end_line == span.line else len(line)
    return " " * span.column + "^" * max(1, min(end, len(line)) - span.column)


class CompileError(Exception):
    """One or more errors of the user's program; prints its diagnostics and nothing of ours.

    All faults that were found stand in `diagnostics`, in source order.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        """One diagnostic or several; anything else becomes one that says so."""
        items = _all_of(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = items
        super().__init__("\n".join(d.render() for d in items))

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a stack."""
        return str(self).split("\n")[:MAX_PRINTED_LINES]


FOREIGN_FAULTS = (Exception, SystemExit)
"""What code that is not ours may raise and becomes a diagnostic, at the edges where we call it.

A function that leaves by `sys.exit` has failed like one that raises: it must not take the kernel
with it. `KeyboardInterrupt` is of the person at the keyboard and goes through.
"""


def _all_of(diagnostics: object) -> tuple[Diagnostic, ...]:
    items: tuple[object, ...] = (diagnostics,)
    if isinstance(diagnostics, Iterable) and not isinstance(diagnostics, str | bytes):
        items = tuple(cast("Iterable[object]", diagnostics))
    wrong = [item for item in items if not isinstance(item, Diagnostic)]
    if not wrong:
        return cast("tuple[Diagnostic, ...]", items)
    return (
        Diagnostic(
            "call/wrong-kind",
            f"`CompileError` takes a `Diagnostic`, or several, got {found(wrong[0])}",
            hint="`CompileError(Diagnostic('area/what', 'what is wrong'))`",
        ),
    )
