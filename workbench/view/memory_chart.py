"""The static chart of a memory plan: SVG that viewers may embed, inline or sanitize."""

from __future__ import annotations

from html import escape

from workbench.view.costs import bytes_text
from workbench.view.protocol import BlockView, MemoryView
from workbench.view.svg import FAINT, INK, LINE, PAPER, SANS

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 74, 12, 30, 34
FILLS = {"fresh": "#cbd5e1", "reuse": "#93b4f5", "in-place": "#8fd3a8"}
LEGEND = {"fresh": "memory of its own", "reuse": "where another was", "in-place": "in place"}
MOST_BLOCKS = 1500
MOST_NAMES = 200


def chart_svg(view: MemoryView) -> str:
    """Boxes of values over steps and bytes, with the peak as a line."""
    count = max(1, len(view.steps))
    total = max(1, view.total)
    across = (WIDTH - LEFT - RIGHT) / count
    up = (HEIGHT - TOP - BOTTOM) / total
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="{SANS}" font-size="11">',
        f"<title>{escape(view.summary)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    largest = sorted(view.blocks, key=lambda block: -block.bytes)[:MOST_BLOCKS]
    names = {id(block) for block in largest[:MOST_NAMES]}
    for block in view.blocks if len(view.blocks) <= MOST_BLOCKS else largest:
        parts += _box(block, count, across, up, total, named=id(block) in names)
    parts += _axes(view, up, total)
    return "".join([*parts, "</svg>"])


def _box(
    block: BlockView, count: int, across: float, up: float, total: int, *, named: bool
) -> list[str]:
    first = block.first + (0.5 if block.reuse == "in-place" else 0.0)
    last = min(block.last, count - 1)
    x, width = LEFT + first * across, max(1.0, (last - first + 1) * across)
    y, height = TOP + (total - block.offset - block.bytes) * up, max(1.0, block.bytes * up)
    stroke = f' stroke="{INK}" stroke-dasharray="3 2"' if block.returned else f' stroke="{PAPER}"'
    found = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{FILLS[block.reuse]}"{stroke}/>'
    ]
    room = int((width - 6) / 6.2)
    if named and height >= 12 and room >= 2:
        text = block.name if len(block.name) <= room else block.name[: room - 1] + "…"
        middle = y + height / 2 + 4
        found.append(f'<text x="{x + 4:.1f}" y="{middle:.1f}" fill="{INK}">{escape(text)}</text>')
    return found


def _axes(view: MemoryView, up: float, total: int) -> list[str]:
    peak = TOP + (total - view.peak) * up
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    found = [
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="{LINE}"/>',
        f'<path d="M{LEFT} {peak:.1f}H{right}" stroke="{INK}" stroke-dasharray="6 3"/>',
        _text(LEFT - 6, peak + 4, f"{bytes_text(view.peak)}", INK, "end"),
        _text(LEFT - 6, bottom, "0", FAINT, "end"),
        _text(LEFT, bottom + 14, "step 0", FAINT, "start"),
        _text(right, bottom + 14, f"step {max(0, len(view.steps) - 1)}", FAINT, "end"),
    ]
    if view.total > view.peak:
        found.append(_text(LEFT - 6, TOP + 8, "returned", FAINT, "end"))
    x = LEFT
    for kind, words in LEGEND.items():
        found += [
            f'<rect x="{x}" y="9" width="11" height="11" fill="{FILLS[kind]}"/>',
            _text(x + 16, 19, words, FAINT, "start"),
        ]
        x += 30 + 6 * len(words)
    return found


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(text)}</text>"
