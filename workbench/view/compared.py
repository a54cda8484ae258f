"""Differences and comparisons as view data."""

from __future__ import annotations

from workbench.session import Bar, Comparison, Diff
from workbench.view.history import finite
from workbench.view.protocol import BarView, ComparisonView, DiffLine, DiffView, OperatorTimes

MOST_LINES = 4000


def diff_view(diff: Diff) -> DiffView:
    """What differs between two steps."""
    return DiffView(
        a=diff.a,
        b=diff.b,
        added=list(diff.added),
        removed=list(diff.removed),
        rewritten=list(diff.rewritten),
        fused=list(diff.fused),
        names=dict(diff.names),
        lines=[_line(line) for line in diff.lines[:MOST_LINES]],
        summary=diff.summary,
    )


def _line(line: str) -> DiffLine:
    sign = line[:1]
    if sign == "@":
        return DiffLine(sign="@", text=line)
    if sign in "+-":
        return DiffLine(sign="+" if sign == "+" else "-", text=line[1:])
    return DiffLine(sign=" ", text=line[1:])


def comparison_view(comparison: Comparison) -> ComparisonView:
    """Bars in milliseconds."""
    rows = [
        OperatorTimes(
            node=row.key,
            name=row.name,
            milliseconds=[None if s is None else s * 1e3 for s in row.seconds],
        )
        for row in comparison.per_operator
    ]
    return ComparisonView(
        title=comparison.title,
        bars=[bar_view(bar) for bar in comparison.bars],
        per_operator=rows,
        conditions=comparison.conditions,
    )


def bar_view(bar: Bar) -> BarView:
    """One bar."""
    return BarView(
        name=bar.name,
        milliseconds=bar.seconds * 1e3,
        low=bar.low * 1e3,
        high=bar.high * 1e3,
        runs=bar.runs,
        error=finite(bar.error),
        best=bar.best,
        current=bar.current,
        note=bar.note,
        failed=bar.failed,
        implementation=bar.implementation,
        step=bar.step,
    )
