"""The memory plan of a graph function as a chart: steps from left to right, bytes upwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from workbench.analysis.memory import (
    ALIGNMENT,
    Fitted,
    MemoryPlan,
    Planned,
    Storage,
    fitted_plan,
    plan_memory,
)
from workbench.ir import Dim, GraphFunction, IRModule
from workbench.ir.verify import check
from workbench.passes import LegalizeOps
from workbench.session.flow import is_fused
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import checks_kinds
from workbench.view.costs import bytes_text
from workbench.view.html import folded, image, table
from workbench.view.memory_chart import chart_svg
from workbench.view.protocol import BlockView, MemoryView
from workbench.view.words import dim_text, type_text

EXTENT = 16
"""What a symbolic dimension is drawn with, where nobody says."""
MOST_UNPLANNED = 6
"""Values that are not planned and are listed with the reason."""
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class MemoryDisplay:
    """A memory plan to look at: a chart in a notebook, a table elsewhere.

    `plan` is the data, `view` what is drawn.
    """

    plan: MemoryPlan
    view: MemoryView

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        svg = chart_svg(self.view)
        rows = folded("values", table(TITLES, rows_of(self.view)))
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.view.notes)
        html = f"<b>{self.view.summary}</b>{notes}{image(svg, self.view.summary)}{rows}"
        return {"text/html": html, "image/svg+xml": svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        rows = [TITLES, *rows_of(self.view)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(TITLES))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self.view.summary, *self.view.notes, *lines])


TITLES = ("value", "bytes", "at", "steps", "place")


@checks_kinds
def memory_plan(
    module: IRModule, function: str = "main", extents: Mapping[str, int] | None = None
) -> MemoryDisplay:
    """The memory plan of a graph function, whether `PlanMemory` was applied or not.

    Operators are legalized first, as a build does. `extents` are those of symbolic dimensions by
    name, for the numbers and the picture; 16 where they are not given.

    Raises:
        CompileError: what the verifier finds, `module/unknown-function`,
            `run/not-a-graph-function`.
    """
    check(module)
    if not isinstance(module[function], GraphFunction):
        raise CompileError(
            Diagnostic("run/not-a-graph-function", f"`{function}` is a tensor function")
        )
    lowered = LegalizeOps()(module).module
    plan = plan_memory(lowered, function)
    return MemoryDisplay(plan, _view(lowered, plan, dict(extents or {}), 0))


def memory_view(module: IRModule, function: str, step: int) -> MemoryView:
    """The memory plan of a graph function of a step, ready to draw.

    Raises:
        CompileError: `module/unknown-function`.
    """
    lowered = LegalizeOps()(module).module
    if not isinstance(lowered[function], GraphFunction):
        return MemoryView(step=step, function=function, summary="only graph functions have plans")
    return _view(lowered, plan_memory(lowered, function), {}, step)


def rows_of(view: MemoryView) -> list[tuple[str, ...]]:
    """The values as rows of texts."""
    rows = [
        (
            block.name,
            block.size,
            "returned" if block.returned else str(block.offset),
            f"{block.first} to {'end' if block.returned else block.last}",
            place_text(block),
        )
        for block in view.blocks[:MOST_ROWS]
    ]
    more = len(view.blocks) - MOST_ROWS
    return [*rows, (f"and {more} more", "", "", "", "")] if more > 0 else rows


def place_text(block: BlockView) -> str:
    """Where the value lies, and why not elsewhere."""
    where = {
        "fresh": "memory of its own",
        "reuse": f"where {block.source} was",
        "in-place": f"in place of {block.source}",
    }[block.reuse]
    return "; ".join([where, *block.missed])


def _view(module: IRModule, plan: MemoryPlan, extents: dict[str, int], step: int) -> MemoryView:
    if plan.unknown:
        return MemoryView(step=step, function=plan.function, summary=f"no plan: {plan.unknown}")
    numbers = {symbol.name: extents.get(symbol.name, EXTENT) for symbol in plan.symbols}
    starts, peak, total = _starts(plan, numbers)
    blocks = [_block(module, plan, value, starts, numbers) for value in plan.values]
    unshared = plan.at(plan.unshared, numbers)
    return MemoryView(
        step=step,
        function=plan.function,
        steps=list(plan.steps),
        blocks=blocks,
        peak=peak,
        live=_live(blocks, len(plan.steps)),
        total=total,
        summary=_summary(plan, peak, unshared),
        notes=_notes(plan, numbers),
        written=isinstance(fitted_plan(module, plan.function), Fitted),
    )


def _summary(plan: MemoryPlan, peak: int, unshared: int) -> str:
    arena = f"arena {_both(plan.peak, peak)}"
    if plan.peak == plan.unshared:
        return f"{arena}: no two values can share memory"
    return f"{arena} instead of {_both(plan.unshared, unshared)}"


def _both(dim: Dim, number: int) -> str:
    return bytes_text(number) if isinstance(dim, int) else f"{bytes_text(number)} ({dim_text(dim)})"


def _starts(plan: MemoryPlan, numbers: Mapping[str, int]) -> tuple[dict[int, int], int, int]:
    """Where each storage begins; bytes of the arena, and with what is returned."""
    starts: dict[int, int] = {}
    end = 0
    for storage in _of(plan.storages, "arena"):
        starts[storage.id] = end
        end += -(-plan.at(storage.bytes, numbers) // ALIGNMENT) * ALIGNMENT
    peak = end
    for storage in _of(plan.storages, "returned"):
        starts[storage.id] = end
        end += plan.at(storage.bytes, numbers)
    return starts, peak, end


def _of(storages: Sequence[Storage], scope: str) -> list[Storage]:
    return [storage for storage in storages if storage.scope == scope]


def _block(
    module: IRModule,
    plan: MemoryPlan,
    value: Planned,
    starts: Mapping[int, int],
    numbers: Mapping[str, int],
) -> BlockView:
    storage = plan.storages[value.storage]
    size = plan.at(value.size.bytes, numbers)
    unit = plan.at(storage.bytes, numbers) // storage.count if storage.count else 1
    return BlockView(
        name=value.name,
        node=_key(module, plan.function, value),
        type=type_text(value.type),
        first=value.first,
        last=value.last,
        offset=starts[value.storage] + value.offset * unit,
        bytes=size,
        size=_both(value.size.bytes, size),
        reuse=value.reuse,
        source="" if value.source is None else plan.values[value.source].name,
        missed=[f"not in place of {one.value}: {one.reason}" for one in value.missed],
        returned=storage.scope == "returned",
    )


def _key(module: IRModule, function: str, value: Planned) -> str:
    """The key of a value: inside of a fused function the value there, else that of the call."""
    key = f"{function}/{value.ids[0]}"
    if len(value.ids) < 2:
        return key
    body = module[function]
    assert isinstance(body, GraphFunction)
    callee = getattr(body.bindings[value.path[0]].value, "callee", "")
    inner = module.graph_functions.get(callee)
    return f"{key}>{value.ids[1]}" if inner is not None and is_fused(inner) else key


def _live(blocks: Sequence[BlockView], steps: int) -> list[int]:
    """Bytes of the arena in use at each step; values in place of another count once."""
    changes = [0] * (steps + 1)
    for block in blocks:
        if not block.returned:
            first = block.first + 1 if block.reuse == "in-place" else block.first
            changes[first] += block.bytes
            changes[block.last + 1] -= block.bytes
    found: list[int] = []
    now = 0
    for change in changes[:steps]:
        now += change
        found.append(now)
    return found


def _notes(plan: MemoryPlan, numbers: Mapping[str, int]) -> list[str]:
    notes: list[str] = []
    if numbers:
        notes.append("drawn with " + ", ".join(f"{k} = {v}" for k, v in numbers.items()))
    unplanned = [f"`{one.value}` is not in the plan: {one.reason}" for one in plan.unplanned]
    more = len(unplanned) - MOST_UNPLANNED
    notes += [*unplanned[:MOST_UNPLANNED], *([f"and {more} more"] if more > 0 else ())]
    return notes
