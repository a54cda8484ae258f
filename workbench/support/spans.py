"""Positions in source text, and origins in imported models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Where something came from.

    `source` is a file or cell name. Lines and columns count from 1 and from 0, as in Python's
    `ast`; `line` is 0 for things that have no text. `label` names a node of an imported model,
    such as `Conv_0/Conv2D`, and `kind` its operator there.
    """

    source: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    label: str = ""
    kind: str = ""

    def __str__(self) -> str:
        if self.label:
            return f"{self.source}: {self.label}" + (f" ({self.kind})" if self.kind else "")
        return f"{self.source}:{self.line}" if self.line else self.source
