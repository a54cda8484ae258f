"""Steps: what `apply`, `swap`, `checkout` and `edit` give; a step displays as one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.ir import IRModule
from workbench.rewrite import Pass
from workbench.session.display import display_bundle
from workbench.session.snapshot import Snapshot
from workbench.session.verdict import Verdict
from workbench.support import Diagnostic

GLYPHS = (("rewritten", "~"), ("new", "+"), ("gone", "-"), ("fused", "⊂"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a session's history; its verdict may still be on the way."""

    snapshot: Snapshot
    title: str
    """Name of the pass, or what it chose: `LegalizeOps`, `matmul → library numpy.matmul`."""
    counts: dict[str, int] = field(compare=False)
    changed: bool = field(compare=False)
    look: Callable[[int], Verdict] = field(compare=False, repr=False)
    """Gives the verdict as it is now."""

    @property
    def index(self) -> int:
        """Number of the step; 0 is the import."""
        return self.snapshot.index

    @property
    def parent(self) -> int | None:
        """The step that it was made from."""
        return self.snapshot.parent

    @property
    def module(self) -> IRModule:
        """The module at this step."""
        return self.snapshot.module

    @property
    def applied(self) -> Pass | None:
        """The pass that made it, None for the import."""
        return self.snapshot.applied

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """What the pass had to say."""
        return () if self.snapshot.result is None else self.snapshot.result.remarks

    @property
    def verdict(self) -> Verdict:
        """Whether it still computes the same, as far as known now."""
        return self.look(self.index)

    @property
    def label(self) -> str:
        """The title and how much changed: `LegalizeOps ~3`."""
        if self.parent is None:
            return self.title
        marks = [f"{glyph}{self.counts[kind]}" for kind, glyph in GLYPHS if self.counts[kind]]
        return " ".join([self.title, *(marks if self.changed else ["no change"])])

    def __repr__(self) -> str:
        verdict = str(self.verdict) if self.parent is not None else ""
        return f"{self.index} {self.label}" + (f" · {verdict}" if verdict else "")

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return display_bundle("step", self)
