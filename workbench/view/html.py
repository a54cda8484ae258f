"""The HTML fallback: what an untrusted notebook and nbconvert show.

Only `<img>` with a data URI, `<details>`, tables and inline `style`: the rest is stripped there.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from workbench.view.protocol import (
    BarView,
    ComparisonView,
    DiffView,
    SessionView,
    TokenView,
)

MONO = "font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12px"
CELL = 'style="text-align: left; padding: 2px 10px 2px 0"'
QUIET = "color: #57606a; font-size: 12px"
STYLES = {
    "keyword": "#7c3aed",
    "number": "#b45309",
    "string": "#15803d",
    "comment": "#57606a",
    "type": "#0f766e",
}


def image(svg: str, alt: str) -> str:
    """The picture as an image."""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img alt="{escape(alt, quote=True)}" style="max-width: 100%; background: #ffffff" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def history_table(session: SessionView) -> str:
    """The steps as a table."""
    rows = [
        (
            f"{'→ ' if step.index == session.head else ''}{step.index}",
            "" if step.parent is None else str(step.parent),
            step.label,
            " ".join(part for part in (step.verdict.text, step.verdict.at) if part),
            step.code,
        )
        for step in session.steps
    ]
    return table(("step", "from", "pass", "verdict", "code"), rows)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    cell = CELL
    head = "".join(f"<th {cell}>{escape(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{escape(item)}</td>" for item in row) + "</tr>"
        for row in rows
    )
    return f'<table style="font-size: 12px"><tr>{head}</tr>{body}</table>'


def script_block(tokens: Iterable[TokenView]) -> str:
    """Highlighted script."""
    spans = "".join(_token(token) for token in tokens)
    return f'<pre style="{MONO}; background: #ffffff; color: #1f2328">{spans}</pre>'


def _token(token: TokenView) -> str:
    colour = STYLES.get(token.style)
    text = escape(token.text)
    return f'<span style="color: {colour}">{text}</span>' if colour else text


def folded(title: str, content: str, *, open_: bool = False) -> str:
    """Content that can be folded away."""
    state = " open" if open_ else ""
    return f"<details{state}><summary>{escape(title)}</summary>{content}</details>"


def diff_block(diff: DiffView) -> str:
    """The text diff, added and removed lines in colour."""
    lines: list[str] = []
    for line in diff.lines:
        colour = {"+": "#1d4ed8", "-": "#c2410c", "@": "#57606a"}.get(line.sign, "#1f2328")
        sign = "" if line.sign == "@" else line.sign
        lines.append(f'<span style="color: {colour}">{escape(sign + line.text)}</span>')
    body = "\n".join(lines)
    return f'<b>{escape(diff.summary)}</b><pre style="{MONO}; background: #ffffff">{body}</pre>'


def comparison_block(comparison: ComparisonView) -> str:
    """Bars as a table with numbers."""
    longest = max((bar.high for bar in comparison.bars), default=0.0) or 1.0
    rows = "".join(_bar_row(bar, longest) for bar in comparison.bars)
    operators = ""
    if comparison.per_operator:
        titles = ["operator", *(bar.name for bar in comparison.bars)]
        operators = folded(
            "times by operator, in ms",
            table(
                titles,
                [[r.name, *map(_milliseconds, r.milliseconds)] for r in comparison.per_operator],
            ),
        )
    conditions = f'<span style="{QUIET}">{escape(comparison.conditions)}</span>'
    return (
        f"<b>{escape(comparison.title)}</b> {conditions}"
        f'<table style="font-size: 12px">{rows}</table>{operators}'
    )


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _bar_row(bar: BarView, longest: float) -> str:
    weight = 600 if bar.best else 400
    cells = [f'<span style="font-weight: {weight}">{escape(bar.name)}</span>']
    if bar.failed:
        cells.append(f'<span style="color: #b91c1c">{escape(bar.failed)}</span>')
    else:
        width = max(1, round(240 * bar.milliseconds / longest))
        style = f"background: #93b4f5; height: 10px; width: {width}px"
        error = "" if bar.error is None else f" · error {bar.error:.1e}"
        times = f"{bar.milliseconds:.3f} ms [{bar.low:.3f}, {bar.high:.3f}]{error}"
        cells += [f'<div style="{style}"></div>', f'<span style="{MONO}">{times}</span>']
    row = "".join(f"<td {CELL}>{cell}</td>" for cell in cells)
    return f"<tr>{row}</tr>"
