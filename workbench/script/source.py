"""Source text of a script, and the report that collects its faults."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.spans import Span

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
MAX_FAULTS = 50


class FaultyError(Exception):
    """A fault stands in the report; the construct around it has no value."""


class Report:
    """Collects the diagnostics of one script."""

    def __init__(self, text: str, filename: str) -> None:
        self.lines = text.split("\n")
        self.filename = filename
        self.diagnostics: list[Diagnostic] = []
        self.function: str | None = None

    def span(self, node: ast.AST) -> Span:
        """Where a node stands; columns count characters."""
        place: Any = node
        line, end = place.lineno, place.end_lineno
        return Span(
            self.filename,
            line,
            self._column(line, place.col_offset),
            end,
            self._column(end, place.end_col_offset),
        )

    def _column(self, line: int, offset: int) -> int:
        text = self.lines[line - 1]
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))

    def source_line(self, span: Span) -> str:
        """The text of the line that a span starts on."""
        text = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        return text.rstrip("\r")

    def fault(
        self,
        node: ast.AST,
        code: str,
        message: str,
        *,
        notes: Iterable[str] = (),
        hint: str = "",
    ) -> FaultyError:
        """Add a diagnostic; raise what this returns."""
        span = self.span(node)
        self.add(Diagnostic(code, message, span=span, notes=tuple(notes), hint=hint))
        return FaultyError()

    def add(self, diagnostic: Diagnostic) -> None:
        """Add a diagnostic, with the line that its span names."""
        span = diagnostic.span
        self.diagnostics.append(
            Diagnostic(
                diagnostic.code,
                diagnostic.message,
                diagnostic.severity,
                diagnostic.node,
                self.function,
                span,
                diagnostic.notes,
                diagnostic.hint,
                self.source_line(span) if span is not None else "",
            )
        )

    def adopt(self, node: ast.AST, error: CompileError) -> FaultyError:
        """Take over what a type rule said, at the place of `node`."""
        for found in error.diagnostics:
            self.fault(node, found.code, found.message, notes=found.notes, hint=found.hint)
        return FaultyError()

    def collect(self, items: Iterable[Callable[[], T]]) -> list[T]:
        """Evaluate all, so that each fault is reported; then fail if one did."""
        results: list[T] = []
        faulty: FaultyError | None = None
        for item in items:
            try:
                results.append(item())
            except FaultyError as error:
                faulty = error
        if faulty is not None:
            raise faulty
        return results

    def pair(self, first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
        """Evaluate both, so that the faults of both are reported; then fail if one did."""
        try:
            left = first()
        except FaultyError:
            second()
            raise
        return left, second()

    def finish(self) -> None:
        """Raise if there were faults.

        Raises:
            CompileError: with all diagnostics, in source order.
        """
        if not self.diagnostics:
            return
        unique = dict.fromkeys(self.diagnostics)
        ordered = sorted(unique, key=_position)
        raise CompileError(ordered[:MAX_FAULTS])


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    span = diagnostic.span
    return (span.line, span.column) if span is not None else (0, 0)
