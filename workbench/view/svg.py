"""The static picture: SVG that viewers may embed, inline or sanitize.

Presentation attributes only, white ground, readable colours, unique ids; no style, no script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise

from workbench.view.layout import Box, Ground, Layout, Rect, Stub, Wire, layout
from workbench.view.protocol import Change, FunctionView, GroupView, NodeView
from workbench.view.words import text_width

INK, FAINT, LINE, PAPER, GROUND = "#1f2328", "#57606a", "#8c959f", "#ffffff", "#f3f6fb"
BARS: dict[str, str] = {
    "input": "#57708f",
    "constant": "#57708f",
    "op": "#57708f",
    "tensor": "#2563eb",
    "library": "#b45309",
    "function": "#6d28d9",
    "branch": "#0f766e",
    "other": "#8c959f",
}
SIGNS: dict[Change, str] = {"none": "", "new": "+", "rewritten": "~", "fused": "⊂"}
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, monospace"
BAR = 4
TYPE_PIXELS = 6.1
NEAR = 60
"""Most pixels between two rectangles of a ground that are drawn as one."""


def function_svg(view: FunctionView, salt: str = "") -> str:
    """The picture of one function, groups as the kernel folds them; `salt` makes ids unique."""
    return _Picture(view, layout(view), salt).text()


class _Picture:
    def __init__(self, view: FunctionView, placed: Layout, salt: str) -> None:
        self.view = view
        self.placed = placed
        self.nodes = {node.key: node for node in view.nodes}
        self.groups = {group.key: group for group in view.groups}
        identity = f"{salt}{view.name}{len(view.nodes)}{[n.key + n.label for n in view.nodes]}"
        self.id = "wb" + hashlib.blake2b(identity.encode(), digest_size=5).hexdigest()

    def text(self) -> str:
        width, height = self.placed.width, self.placed.height
        title = f"{self.view.name}: {len(self.view.nodes)} values"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="{self.id}-title" '
            f'font-family="{SANS}" font-size="13">',
            f'<title id="{self.id}-title">{escape(title)}</title>',
            f'<defs><marker id="{self.id}-head" viewBox="0 0 8 8" refX="8" refY="4" '
            f'markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
            *(self._ground(ground) for ground in self.placed.grounds),
            *(self._wire(wire) for wire in self.placed.wires),
            *(self._stub(stub) for stub in self.placed.stubs),
            *(self._box(box) for box in self.placed.boxes),
            "</svg>",
        ]
        return "".join(parts)

    def _ground(self, ground: Ground) -> str:
        group = self.groups[ground.group]
        area = (
            f'<path d="{_outline(ground.rects)}" fill="{GROUND}" stroke-linejoin="round" '
            f'stroke="{LINE}" stroke-opacity="0.5" stroke-dasharray="4 3"/>'
            if len(ground.rects) > 1
            else "".join(
                f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{GROUND}" '
                f'stroke="{LINE}" stroke-opacity="0.5" stroke-dasharray="4 3"/>'
                for x, y, w, h in ground.rects
            )
        )
        sign = SIGNS[group.change]
        label = f"{sign} {group.label}" if sign else group.label
        return area + self._text(ground.note_x, ground.note_y, label, FAINT, 11)

    def _wire(self, wire: Wire) -> str:
        head = f' marker-end="url(#{self.id}-head)"' if wire.to is not None else ""
        return _line(wire.points, head + (' stroke-dasharray="2 3"' if wire.order else ""))

    def _stub(self, stub: Stub) -> str:
        node = self.nodes.get(stub.value)
        name = "" if node is None else node.label
        if stub.more:
            text = f"{stub.more} more"
        elif node is None or stub.ref:
            text = f"↑ {name}"
        else:
            text = f"{name} {node.type}"
        middle = stub.y + stub.height // 2 + 4
        return (
            _line(stub.points, f' marker-end="url(#{self.id}-head)"')
            + f'<rect x="{stub.x}" y="{stub.y}" width="{stub.width}" height="{stub.height}" rx="4" '
            f'fill="{PAPER}" stroke="{LINE}" stroke-opacity="0.6"/>'
            + self._text(stub.x + 7, middle, _fit(text, stub.width - 8, 6.2), FAINT, 11)
        )

    def _box(self, box: Box) -> str:
        found: NodeView | GroupView = self.groups[box.key] if box.group else self.nodes[box.key]
        kinds = found.kinds if isinstance(found, GroupView) else {found.kind: 1}
        sign = SIGNS[found.change]
        middle = box.y + box.height // 2
        label = _fit_label(found.label, box.width - 32)
        parts = [
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="5" '
            f'fill="{PAPER}" stroke="{LINE}" stroke-opacity="0.8"/>',
            *_bars(box, kinds),
            self._text(box.x + 13, middle - 3, label, INK, 13),
            self._text(
                box.x + 13,
                middle + 12,
                _fit(found.type, box.width - 16, TYPE_PIXELS),
                FAINT,
                10,
                MONO,
            ),
        ]
        if sign:
            parts.append(
                f'<text x="{box.x + box.width - 16}" y="{middle - 3}" fill="#2563eb" '
                f'stroke="{PAPER}" stroke-width="4" paint-order="stroke">{sign}</text>'
            )
        if isinstance(found, GroupView):
            note = f"{found.ops} ops"
            parts.append(self._text(box.x + box.width + 8, middle + 4, note, FAINT, 11))
        return "".join(parts)

    def _text(
        self, x: int, y: int, text: str, colour: str, size: int, family: str | None = None
    ) -> str:
        kind = f' font-family="{family}"' if family is not None else ""
        return (
            f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}"{kind}>{_clean(text)}</text>'
        )


def _bars(box: Box, kinds: Mapping[str, int]) -> Iterator[str]:
    """The bar at the left of a box, in parts where its members are of several kinds."""
    total, seen = sum(kinds.values()), 0
    for kind, count in kinds.items():
        top = box.height * seen // total
        seen += count
        height = box.height * seen // total - top
        colour = BARS.get(kind, BARS["other"])
        yield (
            f'<rect x="{box.x}" y="{box.y + top}" width="{BAR}" height="{height}" fill="{colour}"/>'
        )


def _outline(rects: Sequence[Rect]) -> str:
    """One line around rectangles that stand under each other and overlap sideways, else several."""
    chained = all(map(_follows, rects, rects[1:]))
    return _around(rects) if chained else "".join(_around([rect]) for rect in rects)


def _follows(above: Rect, below: Rect) -> bool:
    x, y, width, height = above
    gap = below[1] - y - height
    return 0 <= gap <= NEAR and below[0] < x + width and x < below[0] + below[2]


def _around(rects: Sequence[Rect]) -> str:
    """Down the right sides and up the left ones; two meet in the middle of what is between them."""
    middles = [(a[1] + a[3] + b[1]) // 2 for a, b in pairwise(rects)]
    x, y, _, _ = rects[0]
    ends = [*middles, rects[-1][1] + rects[-1][3]]
    right = "".join(f"H{r[0] + r[2]}V{end}" for r, end in zip(rects, ends, strict=True))
    starts = ["", *(f"V{middle}" for middle in middles)]
    left = [f"H{r[0]}{start}" for r, start in zip(rects, starts, strict=True)]
    return f"M{x} {y}{right}{''.join(reversed(left))}Z"


def _line(points: Sequence[int], head: str) -> str:
    pairs = " ".join(f"{x},{y}" for x, y in zip(points[::2], points[1::2], strict=True))
    return f'<polyline points="{pairs}" fill="none" stroke="{LINE}"{head}/>'


def _fit_label(text: str, width: int) -> str:
    if text_width(text) <= width:
        return text
    length = len(text)
    while length > 1 and text_width(text[:length] + "…") > width:
        length -= 1
    return text[:length] + "…"


def _fit(text: str, width: float, each: float) -> str:
    room = max(1, int(width / each))
    return text if len(text) <= room else text[: room - 1] + "…"


def _clean(text: str) -> str:
    """Escaped, without the characters that XML does not know."""
    kept = "".join(c for c in text if c in "\t\n" or (c >= " " and not _unfit(c)))
    return escape(kept)


def _unfit(character: str) -> bool:
    return "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff\x7f"
