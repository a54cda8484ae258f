"""Differences of two steps: values by identity, and text."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from workbench.ir import IRModule
from workbench.session.display import display_bundle
from workbench.session.flow import FlowValue, own_code_of
from workbench.session.lineage import Lineage

CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between steps `a` and `b`: keys of values (`removed` of step a, else of step b).

    `names` has a name for every key; `lines` is the unified diff of the scripts.
    """

    a: int
    b: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    rewritten: tuple[str, ...]
    fused: tuple[str, ...]
    names: dict[str, str]
    lines: tuple[str, ...]

    @property
    def summary(self) -> str:
        """`+2 -1 ~3 ⊂4` with the number of changed lines."""
        parts = [
            f"{glyph}{len(keys)}"
            for glyph, keys in (
                ("+", self.added),
                ("-", self.removed),
                ("~", self.rewritten),
                ("⊂", self.fused),
            )
            if keys
        ]
        changed = sum(1 for line in self.lines if line[:1] in "+-")
        values = " ".join(parts) or "no value differs"
        return f"step {self.a} → {self.b}: {values}, {changed} lines"

    def __repr__(self) -> str:
        return "\n".join([self.summary, *self.lines])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return display_bundle("diff", self)


def diff_steps(
    a: int, b: int, old: IRModule, new: IRModule, before: Lineage, after: Lineage
) -> Diff:
    """The difference between two steps of one session, which need not be neighbours."""
    left = _by_identity(before)
    right = _by_identity(after)
    added: list[str] = []
    rewritten: list[str] = []
    fused: list[str] = []
    for identity, value in right.items():
        other = left.get(identity)
        if other is None:
            added.append(value.key)
        elif value.call is not None and other.call is None:
            fused.append(value.key)
        elif _differs(value, new, other, old):
            rewritten.append(value.key)
    removed = [value.key for identity, value in left.items() if identity not in right]
    names = {v.key: v.name for v in (*left.values(), *right.values())}
    shown = {*added, *removed, *rewritten, *fused}
    return Diff(
        a,
        b,
        tuple(added),
        tuple(removed),
        tuple(rewritten),
        tuple(fused),
        {key: name for key, name in names.items() if key in shown},
        text_diff(old, new, f"step {a}", f"step {b}"),
    )


def text_diff(old: IRModule, new: IRModule, a: str, b: str) -> tuple[str, ...]:
    """The unified diff of two scripts, without the two title lines."""
    before, after = old.script().splitlines(), new.script().splitlines()
    lines = difflib.unified_diff(before, after, a, b, n=CONTEXT, lineterm="")
    return tuple(lines)[2:]


def _by_identity(lineage: Lineage) -> dict[str, FlowValue]:
    return {lineage.stable[v.key]: v for v in lineage.values() if "#" not in v.key}


def _differs(value: FlowValue, new: IRModule, other: FlowValue, old: IRModule) -> bool:
    if value.ref.function != other.ref.function:
        return value.call is None or type(value.expr) is not type(other.expr)
    return own_code_of(new, value.expr) != own_code_of(old, other.expr)
